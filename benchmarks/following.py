"""`python -m benchmarks.following`: what it saves to encode only faces that can change a decision, and whom it costs.

Two clips, those of `benchmarks.skipping`, are sent to the service once with every face encoded and once with those of
settled students followed, in one run. Then a hall of forty faces is filmed in this process: each frame is looked at
both ways, in turn, so that a load from elsewhere falls on both. Who sits where in the hall is known, so encodings
there are made up for the decisions; the time is that of the real ones. Its people sway, and one in a hundred faces a
frame is turned so far that it looks like somebody else's; in the lively hall they lean over to a neighbour besides.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from attendance.database.engine import create_database_engine, session_factory
from attendance.database.timetable import SessionPlan
from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.faces import detect_faces, encode_faces
from attendance.face_engine.interface import DetectedFace, Face, FaceBoxes, FaceEngine, Image
from attendance.face_engine.opencv_engine import OpenCvEngine
from attendance.gallery.gallery import Gallery
from attendance.settings.families import Family
from attendance.settings.matching import MatchingRules, MatchingSettings, Presentation
from benchmarks.hall import COLUMNS, FACES, HEIGHT, WIDTH, WIDTHS, Hall, shown_by
from benchmarks.pictures import face_crops
from benchmarks.service.campus import Campus, make_campus
from benchmarks.skipping import Clip, Seen, make_calm, send_clip
from operations.demo.people import FRAMES_PER_SECOND, LATE, ON_TIME
from recognition_service.engine.layouts import layouts_of
from recognition_service.evidence.flow import CameraFlow
from recognition_service.evidence.frame_plan import FramePlan
from recognition_service.evidence.matching import Matcher, is_too_small
from recognition_service.evidence.timetable import Timetable
from recognition_service.outbox.store import Outbox

INTERVALS = (0.0, 60.0)
_BEGINS = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_SETTLED_AFTER, _FRAMES = 40, 120
"""Frames that count for nothing, until everybody who is large enough is settled, and those that count: a minute. The
smallest faces take a dozen to be confirmed."""
_RATE = 2.0
_CUT = 100
"""Pixels of a face before it is scaled to its seat's."""
_NOISE = 3.0
_SWAY, _LEAN, _LEANING = 0.06, 0.5, 0.02
"""Widths of a face: how people sway, and how far they lean over; and how many begin to in a second."""


@dataclass
class Cost:
    """What looking at frames one way has cost."""

    found: int = 0
    """Faces large enough to be named."""
    encoded: int = 0
    searching_s: float = 0.0
    encoding_s: float = 0.0
    present: frozenset[str] = frozenset()

    @property
    def engine_s(self) -> float:
        """In the engine."""
        return self.searching_s + self.encoding_s


def main() -> None:
    """Send, film, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few frames of the hall, and no clips: does it work")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="face_recognition_models")
    with tempfile.TemporaryDirectory(prefix="following-") as folder:
        if not options.quick:
            _clips(Path(folder))
        engine = OpenCvEngine()
        frames = 10 if options.quick else _FRAMES
        for name, lively in (("calm", False), ("lively", True)):
            whole, chosen = film(engine, Path(folder) / f"{name}-hall", frames=frames, lively=lively)
            print(f"\nThe {name} hall, {frames} frames of {FACES} faces, {_RATE:g} a second, once all are settled")
            same = "the same" if chosen.present == whole.present else f"{len(whole.present)}"
            usual_ms = 1000 * whole.engine_s / frames
            print(f"  faces encoded   {chosen.encoded:>6} of {chosen.found} ({chosen.encoded / chosen.found:.1%})")
            print(f"  encoding, time  {chosen.encoding_s / whole.encoding_s:>6.0%} of that of all faces")
            print(f"  engine, time    {chosen.engine_s / whole.engine_s:>6.0%} of {usual_ms:.0f} ms a frame")
            print(f"  students        {len(chosen.present):>6} named, with all faces encoded {same}")


def _clips(folder: Path) -> None:
    campus = make_campus(folder / "campus", cameras=2 * len(INTERVALS), students=100)
    lively = campus.folder / "every-frame"
    tokens = iter(campus.tokens.items())
    for name, clip in (("lively", lively), ("calm", make_calm(lively, campus.folder / "calm"))):
        print(f"\nThe {name} clip")
        sent = [_send(campus, next(tokens), clip, interval_s) for interval_s in INTERVALS]
        print("encoded again after | faces encoded | engine time | students confirmed | later, longest")
        usual = sent[0]
        for interval_s, seen in zip(INTERVALS, sent, strict=True):
            both = usual.confirmed_s.keys() & seen.confirmed_s.keys()
            later = max((seen.confirmed_s[who] - usual.confirmed_s[who] for who in both), default=0.0)
            print(
                f"{interval_s:>17g} s | {seen.encoded:>5.0f} of {seen.found:>4.0f} |"
                f" {seen.engine_s / usual.engine_s:>10.0%} |"
                f" {len(seen.confirmed_s):>10} of {len(ON_TIME + LATE):>3}    | {later:>6.1f} s"
            )


def _send(campus: Campus, own: tuple[str, str], clip: Path, interval_s: float) -> Seen:
    settings = {"ATTENDANCE_MATCHING_ENCODE_INTERVAL_S": str(interval_s)}
    return send_clip(campus, own, Clip(clip, FRAMES_PER_SECOND), settings)


def film(engine: FaceEngine, folder: Path, *, frames: int, lively: bool) -> tuple[Cost, Cost]:
    """Look at a hall both ways.

    Args:
        engine: of the models opencv.
        folder: for an outbox each; made.
        frames: counted.
        lively: whether people lean over.

    Returns:
        What it costs to encode every face, and to encode those that can change a decision.
    """
    rules = MatchingSettings(presentation=Presentation.OFF).rules(Family.OPENCV)
    seats = Seats()
    ways = [
        Way(engine, folder / name, rules, seats, follows=follows)
        for name, follows in (("all", False), ("chosen", True))
    ]
    for number, hall in enumerate(_film(frames + _SETTLED_AFTER, lively=lively)):
        if number == _SETTLED_AFTER:
            for way in ways:
                way.cost = Cost()
        at = _BEGINS + timedelta(seconds=number / _RATE)
        for way in ways if number % 2 else ways[::-1]:
            way.look(hall, at)
    return ways[0].cost, ways[1].cost


class Way:
    """A camera's flow, whose faces are all encoded, or those that it asks for."""

    def __init__(
        self, engine: FaceEngine, folder: Path, rules: MatchingRules, seats: "Seats", *, follows: bool
    ) -> None:
        """Begin; `folder` is made."""
        self.cost = Cost()
        self._engine = engine
        self._rules = rules
        self._seats = seats
        self._follows = follows
        folder.mkdir(parents=True)
        nobody = session_factory(create_database_engine(f"sqlite:///{folder / 'empty.db'}"))
        matcher, timetable = Matcher(seats.gallery, rules), Timetable(nobody, 60.0)
        self._flow = CameraFlow(1, 1, timetable, lambda: matcher, Outbox(folder / "outbox.db"), rules)

    def look(self, hall: Hall, at: datetime) -> None:
        """Look at a frame."""
        began = time.perf_counter()
        [found] = detect_faces(self._engine, [hall.frame])
        self.cost.searching_s += time.perf_counter() - began
        detected = found.faces()
        self.cost.found += sum(not is_too_small(face, self._rules) for face in detected)
        faces: list[Face | DetectedFace] = [*detected]
        choice, places = None, list(range(len(faces)))
        if self._follows:
            choice = self._flow.choose(self._seats.plan, at, detected, partial(layouts_of, hall.frame))
            places = choice.to_encode
        who = shown_by(hall, found.boxes)
        while places:
            encoded = {
                place: self._seats.as_seen(face, int(who[place]), at)
                for place, face in zip(places, self._encode(hall.frame, found, places), strict=True)
            }
            for place, face in encoded.items():
                faces[place] = face
            places = [] if choice is None else self._flow.choose_more(choice, encoded)
        seen = self._flow.observe(self._seats.plan, at, faces, choice=choice)
        self.cost.present |= {one.match.student for one in seen if one.confirmed and one.match.student}

    def _encode(self, frame: Image, found: FaceBoxes, places: Sequence[int]) -> list[Face]:
        began = time.perf_counter()
        [encoded] = encode_faces(self._engine, [frame], [found.chosen(places)])
        self.cost.encoding_s += time.perf_counter() - began
        self.cost.encoded += sum(not is_too_small(face, self._rules) for face in encoded)
        return encoded


class Seats:
    """Who sits where: forty students, and encodings made up for them."""

    def __init__(self) -> None:
        random = np.random.default_rng(40)
        directions = random.normal(size=(2 * FACES, 128))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        self._enrolled = directions[:FACES].astype(np.float32)
        self._usual = (0.9 * directions[:FACES] + 0.45 * directions[FACES:]).astype(np.float32)
        names = [f"s{seat:02}" for seat in range(FACES)]
        rows = {name: row[np.newaxis] for name, row in zip(names, self._enrolled, strict=True)}
        self.gallery = Gallery.from_encodings(rows, model="made up", encoding_size=128)
        ends = _BEGINS + timedelta(hours=2)
        session = SessionPlan(1, 1, 1, _BEGINS, ends, 10, 10, frozenset(names))
        self.plan = FramePlan((session,), 1, frozenset(names))

    def as_seen(self, face: Face, seat: int, at: datetime) -> Face:
        """A face with the encoding of whoever sits there; of none of the seats, of nobody."""
        random = np.random.default_rng([seat + 1, int(1000 * (at - _BEGINS).total_seconds())])  # the same both ways
        noise = random.normal(size=128)
        noise *= 0.15 / np.linalg.norm(noise)
        if seat < 0 or random.random() < 0.01:
            noise *= 10
        encoding = (noise + (0 if seat < 0 else self._usual[seat])).astype(np.float32)
        return replace(face, encoding=encoding / np.linalg.norm(encoding))


def _film(frames: int, *, lively: bool) -> Iterator[Hall]:
    engine = AcceleratedEngine()
    crops = [crop[120:340, 40:280] for crop in face_crops(engine, _CUT)]
    engine.close()
    random = np.random.default_rng(42)
    patches = [
        cv2.resize(crops[seat % len(crops)], None, fx=width / _CUT, fy=width / _CUT, interpolation=cv2.INTER_AREA)
        for seat, width in enumerate(WIDTHS)
    ]
    widths = np.array(WIDTHS, np.float64)[:, np.newaxis]
    rows, columns = np.divmod(np.arange(FACES), COLUMNS)
    corners = np.stack([columns * (WIDTH // COLUMNS) + 20, rows * (HEIGHT // (FACES // COLUMNS)) + 10], axis=1)
    middles = np.array([patch.shape[1::-1] for patch in patches]) / 2 + np.array([0.0, 0.1]) * widths
    leaning = np.zeros(FACES)
    for _ in range(frames):
        if lively:
            begins = random.random(FACES) < _LEANING / _RATE
            leaning = np.where(begins, random.integers(4, 20, FACES), np.maximum(leaning - 1, 0))
        sway = random.normal(0, _SWAY, (FACES, 2)) + np.stack([_LEAN * (leaning > 0), np.zeros(FACES)], axis=1)
        places = np.maximum(corners + sway * widths, 0).astype(int)
        frame = np.full((HEIGHT, WIDTH, 3), 105, np.float32)
        for patch, (left, top) in zip(patches, places, strict=True):
            frame[top : top + patch.shape[0], left : left + patch.shape[1]] = patch[: HEIGHT - top, : WIDTH - left]
        noisy = np.clip(frame + random.normal(0, _NOISE, frame.shape), 0, 255).astype(np.uint8)
        yield Hall(noisy, places + middles)


if __name__ == "__main__":
    main()
