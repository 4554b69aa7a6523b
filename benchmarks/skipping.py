"""`python -m benchmarks.skipping`: what looking less at frames saves, and whom it costs.

Clips are sent to the service once for each setting, in one run, with the models opencv. In all of them people come in
one after the other: the demo's clip, in which they move all the time and the daylight changes; a calm one, in which
each picture of it stands still for two seconds, but for the camera's noise; a hall of twenty that fills, a frame in
five seconds, where a third of those who sit move; and a door through which two people walk now and then.

The settings are `service.skip_unchanged_s`, which answers frames that show the same without looking for anybody, and
`service.full_look_s`, which searches only what has changed. Printed are the frames skipped, the processor time of the
whole service, and when each student on the roster was confirmed, in seconds of the clip, against neither.
"""

import argparse
import asyncio
import statistics
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np

from attendance.settings.families import Family
from benchmarks.service.campus import Campus, make_campus
from benchmarks.service.program import Service
from benchmarks.tables import markdown
from operations.demo.classroom import FRAME_SIZE
from operations.demo.people import FRAMES_PER_SECOND
from protos.attendance.v1 import attendance_pb2 as pb
from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc

_SKIP, _LOOK = "ATTENDANCE_SERVICE_SKIP_UNCHANGED_S", "ATTENDANCE_SERVICE_FULL_LOOK_S"
_NEITHER = {_SKIP: "0", _LOOK: "0"}
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "everything is looked at": {},
    "unchanged frames skipped for 2 s": {_SKIP: "2"},
    "a full look every 2 s": {_LOOK: "2"},
    "a full look every 5 s": {_LOOK: "5"},
    "a full look every 20 s": {_LOOK: "20"},
}
_QUICK = ("everything is looked at", "a full look every 5 s")
_HELD = int(2 * FRAMES_PER_SECOND)
_NOISE = 3.0
_SEAT_RATE, _DOOR_RATE = 0.2, 4.0


@dataclass(frozen=True)
class Clip:
    """Frames, and how fast they were captured."""

    folder: Path
    rate: float
    """Frames a second."""
    kind: str = "camera"
    """Of camera: camera, or door."""


@dataclass
class Seen:
    """What came of one sending of the clip."""

    outcomes: Counter[str] = field(default_factory=Counter)
    confirmed_s: dict[str, float] = field(default_factory=dict)
    cpu_s: float = 0.0


def main() -> None:
    """Send, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two settings only: does it work at all")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="face_recognition_models")
    settings = {name: own for name, own in SETTINGS.items() if not options.quick or name in _QUICK}
    with tempfile.TemporaryDirectory(prefix="skipping-") as folder:
        for name, clip, campus, camera in _cast(Path(folder), len(settings)):
            seen = {how: send_clip(campus, next(camera), clip, own) for how, own in settings.items()}
            print(f"\n**{name}**\n\n{_table(seen)}", flush=True)


def make_campuses(folder: Path, times: int) -> tuple[Campus, Campus]:
    """One with the demo's students, and one with those of a hall, each with cameras to send its clips so many times."""
    folder.mkdir(exist_ok=True)
    campuses = []
    for halls in (False, True):
        own = folder / ("halls" if halls else "demo")
        own.mkdir()
        campuses.append(
            make_campus(
                own,
                cameras=2 * times,
                doors=times if halls else 0,
                students=100,
                certificates=False,
                family=Family.OPENCV,
                halls=halls,
            )
        )
    return campuses[0], campuses[1]


def clips_of(demo: Campus, halls: Campus) -> dict[str, tuple[Campus, Clip]]:
    """All clips, with the campus whose students they show; two are made here."""
    lively = demo.folder / "every-frame"
    calm = make_calm(lively, demo.folder / "calm")
    quiet = _make_quiet(halls.door, halls.folder / "quiet-door")
    return {
        "people move, daylight changes": (demo, Clip(lively, FRAMES_PER_SECOND)),
        "each picture stands still for two seconds": (demo, Clip(calm, FRAMES_PER_SECOND)),
        "a hall that fills": (halls, Clip(halls.filling, _SEAT_RATE)),
        "a door": (halls, Clip(quiet, _DOOR_RATE, "door")),
    }


def _cast(folder: Path, times: int) -> Iterator[tuple[str, Clip, Campus, Iterator[tuple[str, str]]]]:
    """Each clip with its campus and cameras that have not sent anything yet."""
    campuses = make_campuses(folder, times)
    free = {id(campus): list(campus.tokens.items()) for campus in campuses}
    for name, (campus, clip) in clips_of(*campuses).items():
        yield name, clip, campus, iter(cameras_for(clip, free[id(campus)], times))


def cameras_for(clip: Clip, free: list[tuple[str, str]], count: int) -> list[tuple[str, str]]:
    """Take so many cameras of the clip's kind out of those that are free."""
    taken = [one for one in free if one[0].startswith(clip.kind)][:count]
    free[:] = [one for one in free if one not in taken]
    return taken


def make_calm(lively: Path, folder: Path) -> Path:
    """A clip in which each picture stands still for two seconds, but for noise; returns its folder."""
    folder.mkdir()
    noise = np.random.default_rng(20261123)
    paths = sorted(lively.iterdir())
    for place, path in enumerate(paths):
        picture = cv2.imread(str(paths[place - place % _HELD]), cv2.IMREAD_COLOR)
        noisy = np.clip(picture + noise.normal(0, _NOISE, (*FRAME_SIZE[::-1], 3)), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / path.name), noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return folder


def _make_quiet(door: Path, folder: Path) -> Path:
    """The door's frames, and three times as many in which nobody is there."""
    folder.mkdir()
    frames = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in sorted(door.iterdir())]
    empty = np.median(np.stack(frames), axis=0)
    noise = np.random.default_rng(20261126)
    for number in range(4 * len(frames)):
        turn, place = divmod(number, len(frames))
        grain = noise.normal(0, _NOISE, empty.shape)
        frame = frames[place] if turn == 1 else np.clip(empty + grain, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), frame, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return folder


def _table(seen: Mapping[str, Seen]) -> str:
    first = next(iter(seen.values()))
    rows = [["setting", "frames skipped", "processor time", "students confirmed", "later, median and most, s"]]
    for how, one in seen.items():
        later = [at - first.confirmed_s[who] for who, at in one.confirmed_s.items() if who in first.confirmed_s]
        times = f"{statistics.median(later):.1f}, {max(later):.1f}" if later else "-"
        same = "the same" if one.confirmed_s.keys() == first.confirmed_s.keys() else "others"
        rows.append(
            [
                how,
                f"{one.outcomes['unchanged']} of {one.outcomes.total()}",
                f"{one.cpu_s / first.cpu_s:.0%}",
                f"{len(one.confirmed_s)}, {same}",
                times,
            ]
        )
    return markdown(rows)


def send_clip(campus: Campus, own: tuple[str, str], clip: Clip, settings: Mapping[str, str]) -> Seen:
    """Send a clip to a service that is set so, and stop that.

    Args:
        campus: with the clip.
        own: the camera's name and token.
        clip: what it sends.
        settings: besides the campus's.
    """
    camera, token = own
    with Service({**campus.environ, **_NEITHER, **settings}, campus.folder / f"{camera}.log") as service:
        before = service.cpu_s
        seen = stream_clip(service.address, camera, token, clip)
        seen.cpu_s = service.cpu_s - before
    return seen


def requests(camera: str, clip: Clip) -> Iterator[tuple[float, pb.StreamFramesRequest]]:
    """The frames of a clip as a camera sends them, each with its second of the clip; the last was captured just now."""
    frames = sorted(clip.folder.iterdir())
    begins = datetime.now(UTC) - timedelta(seconds=len(frames) / clip.rate)
    for number, path in enumerate(frames):
        second = number / clip.rate
        request = pb.StreamFramesRequest(camera=camera, sequence=number + 1, jpeg=path.read_bytes())
        request.capture_time.FromDatetime(begins + timedelta(seconds=second))
        yield second, request


def stream_clip(address: str, camera: str, token: str, clip: Clip) -> Seen:
    """Send a clip as a camera does, one frame after the other."""
    return asyncio.run(_stream(address, camera, token, clip))


async def _stream(address: str, camera: str, token: str, clip: Clip) -> Seen:
    seen = Seen()
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = pb_grpc.RecognitionServiceStub(channel)  # type: ignore[no-untyped-call]
        call = stub.StreamFrames(metadata=(("authorization", f"Bearer {token}"),))
        await call.read()
        for second, request in requests(camera, clip):
            await call.write(request)
            result = (await call.read()).result
            seen.outcomes[pb.FrameOutcome.Name(result.outcome).removeprefix("FRAME_OUTCOME_").lower()] += 1
            for face in result.faces:
                if face.confirmed:
                    seen.confirmed_s.setdefault(face.student, second)
        call.cancel()
    return seen


if __name__ == "__main__":
    main()
