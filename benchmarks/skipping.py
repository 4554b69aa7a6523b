"""`python -m benchmarks.skipping`: what looking less at frames saves, and whom it costs.

Clips are sent to the service once for each setting, in one run, with the models opencv. In all of them people come in
one after the other: the demo's clip, in which they move all the time and the daylight changes; a calm one, in which
each picture of it stands still for two seconds, but for the camera's noise; a hall of twenty that fills, a frame in
five seconds, where a third of those who sit move; and a door through which two people walk now and then.

The settings are `service.skip_unchanged_s`, which answers frames that show the same without looking for anybody, and
`service.full_look_s`, which searches only what has changed. Printed are the frames skipped, the processor time of the
whole service, when each student on the roster was confirmed, in seconds of the clip, against neither, and whether the
register is the same by the rule in `benchmarks.service.registers`. `--following` sends the clips with every face
encoded and with settled students followed (`matching.encode_interval_s`), each with and without looking less.
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
from attendance.settings.matching import MatchingSettings
from benchmarks.service.campus import Campus, make_campus
from benchmarks.service.program import Service
from benchmarks.service.registers import Register, differences, most_older_s, register_of
from benchmarks.tables import markdown
from operations.demo.classroom import FRAME_SIZE
from operations.demo.people import FRAMES_PER_SECOND
from protos.attendance.v1 import attendance_pb2 as pb
from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc

_SKIP, _LOOK = "ATTENDANCE_SERVICE_SKIP_UNCHANGED_S", "ATTENDANCE_SERVICE_FULL_LOOK_S"
_FOLLOW = "ATTENDANCE_MATCHING_ENCODE_INTERVAL_S"
_NEITHER = {_SKIP: "0", _LOOK: "0"}
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "everything is looked at": {},
    "unchanged frames skipped for 2 s": {_SKIP: "2"},
    "a full look every 2 s": {_LOOK: "2"},
    "a full look every 5 s": {_LOOK: "5"},
    "a full look every 20 s": {_LOOK: "20"},
}
FOLLOWING: Mapping[str, Mapping[str, str]] = {
    "every face of every frame": {_FOLLOW: "0"},
    "followed for 60 s": {_FOLLOW: "60"},
    "a full look every 5 s": {_FOLLOW: "0", _LOOK: "5"},
    "both": {_FOLLOW: "60", _LOOK: "5"},
    "both, and unchanged frames skipped for 2 s": {_FOLLOW: "60", _LOOK: "5", _SKIP: "2"},
}
"""The first is what the others are compared with."""
_QUICK = ("everything is looked at", "every face of every frame", "a full look every 5 s", "both")
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

    begins: datetime
    """When the first frame was captured."""
    outcomes: Counter[str] = field(default_factory=Counter)
    confirmed_s: dict[str, float] = field(default_factory=dict)
    register: Register = field(default_factory=dict)
    cpu_s: float = 0.0
    engine_s: float = 0.0
    found: float = 0.0
    """Faces."""
    encoded: float = 0.0
    """Of them."""


def main() -> None:
    """Send, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few settings only: does it work at all")
    parser.add_argument("--following", action="store_true", help="compare the registers with following on and off")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="face_recognition_models")
    settings = FOLLOWING if options.following else SETTINGS
    settings = {name: own for name, own in settings.items() if not options.quick or name in _QUICK}
    with tempfile.TemporaryDirectory(prefix="skipping-") as folder:
        for name, seen in send_all(Path(folder) / "campuses", settings):
            print(f"\n**{name}**\n\n{table(seen, settings)}", flush=True)


def send_all(folder: Path, settings: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, dict[str, Seen]]]:
    """Send every clip with each of the settings; gives the clip's name, and what came of it by each.

    Args:
        folder: for the campuses; made.
        settings: by their names.
    """
    campuses = make_campuses(folder, len(settings))
    free = {id(campus): list(campus.tokens.items()) for campus in campuses}
    for name, (campus, clip) in clips_of(*campuses).items():
        yield name, send_each(campus, clip, free[id(campus)], settings)


def send_each(
    campus: Campus, clip: Clip, free: list[tuple[str, str]], settings: Mapping[str, Mapping[str, str]]
) -> dict[str, Seen]:
    """Send a clip with each of the settings, by cameras that have not sent anything yet.

    Args:
        campus: with the clip.
        clip: what they send.
        free: names and tokens of cameras; those that are used are taken out.
        settings: by their names.
    """
    cameras = cameras_for(clip, free, len(settings))
    return {
        how: send_clip(campus, camera, clip, own) for camera, (how, own) in zip(cameras, settings.items(), strict=True)
    }


def broken_by(how: str, seen: Mapping[str, Seen], settings: Mapping[str, Mapping[str, str]]) -> list[str]:
    """How a register breaks the rule against that of the first setting, a line a student.

    Args:
        how: the setting's name.
        seen: what came of one clip by each setting.
        settings: the same.
    """
    first = next(iter(seen))
    return differences(
        seen[first].register,
        seen[how].register,
        older_s=_older_s(settings[how]),
        newer_s=_older_s(settings[first]),
    )


def _older_s(own: Mapping[str, str]) -> float:
    """By how much last sightings may be earlier with these settings, seconds."""
    return float(own.get(_FOLLOW, MatchingSettings().encode_interval_s)) + float(own.get(_SKIP, 0))


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


def table(seen: Mapping[str, Seen], settings: Mapping[str, Mapping[str, str]]) -> str:
    """What came of one clip by each of the settings."""
    first = next(iter(seen.values()))
    rows = [["setting", "skipped", "encoded", "processor time", "confirmed", "later, median and most, s", "register"]]
    for how, one in seen.items():
        later = [at - first.confirmed_s[who] for who, at in one.confirmed_s.items() if who in first.confirmed_s]
        times = f"{statistics.median(later):.1f}, {max(later):.1f}" if later else "-"
        same = "the same" if one.confirmed_s.keys() == first.confirmed_s.keys() else "others"
        broken = broken_by(how, seen, settings)
        older_s = most_older_s(first.register, one.register)
        rows.append(
            [
                how,
                f"{one.outcomes['unchanged']} of {one.outcomes.total()}",
                f"{one.encoded:.0f} of {one.found:.0f}",
                f"{one.cpu_s / first.cpu_s:.0%}",
                f"{len(one.confirmed_s)}, {same}",
                times,
                "; ".join(broken) or f"the same, last seen up to {older_s:.1f} s earlier",
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
        cpu_s, engine_s = service.cpu_s, service.engine_s()
        seen = stream_clip(service.address, camera, token, clip)
        seen.cpu_s, seen.engine_s = service.cpu_s - cpu_s, service.engine_s() - engine_s
        seen.found = service.total("attendance_faces_total")
        seen.encoded = service.total("attendance_faces_encoded_total")
    seen.register = register_of(campus.database_url, campus.room_of(camera), seen.begins)
    return seen


def requests(camera: str, clip: Clip, begins: datetime) -> Iterator[tuple[float, pb.StreamFramesRequest]]:
    """The frames of a clip as a camera sends them, each with its second of the clip."""
    for number, path in enumerate(sorted(clip.folder.iterdir())):
        second = number / clip.rate
        request = pb.StreamFramesRequest(camera=camera, sequence=number + 1, jpeg=path.read_bytes())
        request.capture_time.FromDatetime(begins + timedelta(seconds=second))
        yield second, request


def stream_clip(address: str, camera: str, token: str, clip: Clip) -> Seen:
    """Send a clip as a camera does, one frame after the other; the last was captured just now."""
    return asyncio.run(_stream(address, camera, token, clip))


async def _stream(address: str, camera: str, token: str, clip: Clip) -> Seen:
    seen = Seen(datetime.now(UTC) - timedelta(seconds=len(list(clip.folder.iterdir())) / clip.rate))
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = pb_grpc.RecognitionServiceStub(channel)  # type: ignore[no-untyped-call]
        call = stub.StreamFrames(metadata=(("authorization", f"Bearer {token}"),))
        await call.read()
        for second, request in requests(camera, clip, seen.begins):
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
