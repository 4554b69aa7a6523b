"""The hostile camera's frames, and the rounds without and with it."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.service import loads
from benchmarks.service.cameras import CameraLoad
from benchmarks.service.campus import Campus
from benchmarks.service.program import Service
from operations.demo.pictures import fetch_pictures

CAMERAS = 10
"""Nine honest ones, and the hostile one."""
KINDS = {
    "16 megapixels": "large",
    "66 faces": "crowd",
}
"""What the hostile camera sends, and the folder of its frames."""
_CROWD = (1_920, 1_080)
_FACE = 90
_ORDINARY = 0.8
_QUALITY = 60


def write_hostile_frames(campus: Campus) -> None:
    """Write what is costly besides a frame as large as is accepted, which a campus has: as many faces as fit."""
    portrait = cv2.imread(str(fetch_pictures(print) / "obama.jpg"), cv2.IMREAD_COLOR)
    if portrait is None:
        raise SystemExit("the picture cannot be read")
    face = cv2.resize(portrait[50:560, 200:760], (_FACE * 2, _FACE * 2), interpolation=cv2.INTER_AREA)
    across, down = -(-_CROWD[0] // face.shape[1]), -(-_CROWD[1] // face.shape[0])
    _write(campus.folder / "crowd", np.tile(face, (down, across, 1))[: _CROWD[1], : _CROWD[0]])


def measure_flood(
    campus: Campus,
    kinds: Mapping[str, str],
    *,
    rounds: int,
    seconds: float,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Rounds without and with the hostile camera, for each kind of its frames, against one service.

    Args:
        campus: with the hostile frames.
        kinds: a selection of `KINDS`.
        rounds: of each.
        seconds: of each side of a round.
        tell: told what is being measured.

    Returns:
        The service's peak, and for each kind and load the medians of what the honest cameras got.
    """
    with Service(campus.environ, campus.folder / "service.log") as service:
        bench = loads.Bench(campus, service, seconds, min(3.0, seconds / 2))
        honest = bench.cameras(CAMERAS)[:-1]
        bench.run(honest, seconds=min(5.0, seconds))  # the first frames find caches cold
        tell("what the service can do")
        peak = statistics.median(bench.run(honest).rate for _ in range(min(3, rounds)))
        results: dict[str, Any] = {"peak": peak, "kinds": {}}
        for kind, folder in kinds.items():
            tell(f"a hostile camera with frames of {kind}")
            ordinary = [replace(camera, rate=_ORDINARY * peak / len(honest)) for camera in honest]
            results["kinds"][kind] = {
                "ordinary": _in_turns(bench, ordinary, folder, rounds),
                "saturated": _in_turns(bench, honest, folder, rounds),
            }
    return results


def _in_turns(bench: loads.Bench, honest: Sequence[CameraLoad], folder: str, rounds: int) -> dict[str, float]:
    """The same honest cameras without and with the hostile one, in turns."""
    last = bench.cameras(CAMERAS)[-1]
    hostile = replace(last, frames=str(bench.campus.folder / folder))
    measured: list[dict[str, float]] = []
    for number in range(rounds):
        # Who begins changes, so that a machine that is warming up favours nobody.
        order = (False, True) if number % 2 == 0 else (True, False)
        runs = {with_it: bench.run([*honest, hostile] if with_it else honest) for with_it in order}
        alone, beside = ([one.outcomes["recognized"] for one in runs[key].seen[: len(honest)]] for key in (False, True))
        measured.append(
            {
                "alone": sum(alone),
                "beside": sum(beside),
                "kept": sum(beside) / max(1, sum(alone)),
                "slowest": min(beside) / max(1.0, statistics.mean(alone)),
                "hostile": runs[True].seen[-1].outcomes.total(),
                "p95_alone_ms": runs[False].latencies_ms().get("p95", 0.0),
                "p95_beside_ms": _p95_ms(runs[True], len(honest)),
            }
        )
    return {name: round(statistics.median(one[name] for one in measured), 4) for name in measured[0]}


def _p95_ms(answers: loads.Answers, honest: int) -> float:
    return replace(answers, seen=answers.seen[:honest]).latencies_ms().get("p95", 0.0)


def _write(folder: Path, frame: "np.ndarray[Any, Any]") -> None:
    folder.mkdir()
    done, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise SystemExit("no JPEG can be made")
    (folder / "frame.jpg").write_bytes(data.tobytes())
