"""`python -m benchmarks.skipping`: what skipping frames that show the same saves, and whom it costs.

Two clips are sent to the service once for each setting, in one run. In both people come in one after the other and
stay: the demo's clip, in which they move all the time and the daylight changes, and a calm one, in which each picture
of it stands still for two seconds, but for the camera's noise. Printed are the frames skipped, the time in the engine,
and when each student on the roster was confirmed, in seconds of the clip.
"""

import argparse
import asyncio
import statistics
import tempfile
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np

from benchmarks.service.campus import Campus, make_campus
from benchmarks.service.program import Service
from operations.demo.classroom import FRAME_SIZE
from operations.demo.people import FRAMES_PER_SECOND, LATE, ON_TIME
from protos.attendance.v1 import attendance_pb2 as pb
from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc

SETTINGS = (0.0, 1.0, 2.0, 5.0, 20.0)
_HELD = int(2 * FRAMES_PER_SECOND)
_NOISE = 3.0


@dataclass
class Seen:
    """What came of one sending of the clip."""

    outcomes: Counter[str] = field(default_factory=Counter)
    confirmed_s: dict[str, float] = field(default_factory=dict)
    engine_s: float = 0.0


def main() -> None:
    """Send, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two settings only: does it work at all")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="face_recognition_models")
    settings = (0.0, 2.0) if options.quick else SETTINGS
    with tempfile.TemporaryDirectory(prefix="skipping-") as folder:
        campus = make_campus(Path(folder), cameras=2 * len(settings), students=100)
        lively = campus.folder / "every-frame"
        tokens = iter(campus.tokens.items())
        for name, clip in (("lively", lively), ("calm", make_calm(lively, campus.folder / "calm"))):
            print(f"\nThe {name} clip")
            _print(settings, [_send_clip(campus, next(tokens), clip, longest_s) for longest_s in settings])


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


def _print(settings: Sequence[float], seen: Sequence[Seen]) -> None:
    students = [person.index_number for person in ON_TIME + LATE]
    print("skip for at most | frames skipped | engine time | students confirmed | later than without, median | longest")
    for longest_s, one in zip(settings, seen, strict=True):
        later = [one.confirmed_s[who] - seen[0].confirmed_s[who] for who in students if who in one.confirmed_s]
        print(
            f"{longest_s:>14g} s | {one.outcomes['unchanged']:>7} of {one.outcomes.total():>3} |"
            f" {one.engine_s / seen[0].engine_s:>10.0%} | {len(later):>11} of {len(students):>3} |"
            f" {statistics.median(later):>23.1f} s | {max(later):>5.1f} s"
        )


def _send_clip(campus: Campus, own: tuple[str, str], clip: Path, longest_s: float) -> Seen:
    camera, token = own
    environ = campus.environ | {"ATTENDANCE_SERVICE_SKIP_UNCHANGED_S": str(longest_s)}
    with Service(environ, campus.folder / f"{camera}.log") as service:
        before = service.engine_s()
        seen = stream_clip(service.address, camera, token, clip)
        seen.engine_s = service.engine_s() - before
    return seen


def stream_clip(address: str, camera: str, token: str, folder: Path) -> Seen:
    """Send a clip as a camera does, one frame after the other."""
    return asyncio.run(_stream(address, camera, token, folder))


async def _stream(address: str, camera: str, token: str, folder: Path) -> Seen:
    frames = [path.read_bytes() for path in sorted(folder.iterdir())]
    begins = datetime.now(UTC) - timedelta(seconds=len(frames) / FRAMES_PER_SECOND)
    seen = Seen()
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = pb_grpc.RecognitionServiceStub(channel)  # type: ignore[no-untyped-call]
        call = stub.StreamFrames(metadata=(("authorization", f"Bearer {token}"),))
        await call.read()
        for number, jpeg in enumerate(frames):
            second = number / FRAMES_PER_SECOND
            request = pb.StreamFramesRequest(camera=camera, sequence=number + 1, jpeg=jpeg)
            request.capture_time.FromDatetime(begins + timedelta(seconds=second))
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
