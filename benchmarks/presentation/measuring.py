"""The service's own way from frames to sightings, for one sequence at a time."""

import itertools
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.database.engine import create_database_engine, session_factory
from attendance.database.timetable import SessionPlan
from attendance.face_engine.faces import find_faces
from attendance.face_engine.interface import FaceEngine, Image
from attendance.gallery.gallery import Gallery
from attendance.settings.matching import MatchingRules
from benchmarks.presentation import attacks
from benchmarks.presentation.attacks import Instrument, Show
from benchmarks.presentation.camera import Conditions, conditions, filmed
from benchmarks.presentation.clips import Clip
from recognition_service.evidence.flow import CameraFlow
from recognition_service.evidence.frame_plan import FramePlan
from recognition_service.evidence.matching import Matcher
from recognition_service.evidence.timetable import Timetable
from recognition_service.outbox.store import Outbox
from recognition_service.presentation.check import PresentationCheck
from recognition_service.presentation.views import views_of

STILLS: Mapping[str, Show] = {
    "one frame, sent again": attacks.sent_again,
    "a print that stands": attacks.still,
    "a print, moved": attacks.moved,
    "a print, moved, nearer, tilted": attacks.turned,
    "a print, bent and straightened": attacks.bent,
    "a photo on a tablet, its border in view": attacks.on_screen,
    "a photo on a screen that fills the view": attacks.screen_fills_the_view,
}
"""What a photo can do."""
VIDEOS: Mapping[str, Show] = {
    "a video on a tablet, its border in view": attacks.on_screen,
    "a video on a screen that fills the view": attacks.screen_fills_the_view,
    "a video's frames, sent in a loop": attacks.video_sent,
}
"""What a video can do."""
_FRAMES = 14
_SMALLEST = 32
"""Pixels of the smallest face here: smaller ones need not be looked for."""
_WINDOW_S = 10.0
_NINE = datetime(2026, 11, 26, 9, tzinfo=UTC)
_STUDENT, _PLAN_MINUTES = "240101", 90
_OUTCOMES = ("confirmed", "held", "not named")


@dataclass(frozen=True, slots=True)
class Bench:
    """What every sequence is shown to."""

    engine: FaceEngine
    rules: MatchingRules
    outbox: Outbox
    timetable: Timetable

    def outcome(self, enrolled: NDArray[np.float32], frames: Iterator[Image], rate: float) -> tuple[str, list[str]]:
        """What the service makes of frames in which the one student may be: one of `_OUTCOMES`, and why."""
        model = self.engine.info.model
        rows = {_STUDENT: enrolled.reshape(1, -1)}
        gallery = Gallery.from_encodings(rows, model=model, encoding_size=enrolled.size)
        matcher = Matcher(gallery, self.rules)
        flow = CameraFlow(1, 1, self.timetable, lambda: matcher, self.outbox, self.rules)
        plan = _plan()
        for number, frame in enumerate(frames):
            (faces,) = find_faces(self.engine, [frame], smallest_face=_SMALLEST)
            at = _NINE + timedelta(seconds=number / rate)
            flow.observe(plan, at, faces, views=views_of(frame, faces))
        flow.finish()
        waiting = self.outbox.pending(1000)
        self.outbox.discard([number for number, _ in waiting])
        if any(not seen.held for _, seen in waiting):
            return "confirmed", []
        if waiting:
            return "held", sorted({reason.value for _, seen in waiting for reason in seen.held})
        return "not named", []


@contextmanager
def bench(engine: FaceEngine, rules: MatchingRules) -> Iterator[Bench]:
    """A bench with an outbox in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="presentation-") as folder:
        database = create_database_engine(f"sqlite:///{Path(folder) / 'empty.db'}")
        outbox, timetable = Outbox(Path(folder) / "outbox.db"), Timetable(session_factory(database), 60.0)
        try:
            yield Bench(engine, rules, outbox, timetable)
        finally:
            timetable.close()
            outbox.close()
            database.dispose()


def photo_instrument(engine: FaceEngine, name: str, picture: Image) -> Instrument | None:
    """A photo with one clear face; None where there is none."""
    (faces,) = find_faces(engine, [picture])
    if not faces:
        return None
    face = max(faces, key=lambda one: float(one.box[2] - one.box[0]))
    left, top, right, bottom = (float(value) for value in face.box)
    if right - left < 100:
        return None
    return Instrument(name, (picture,), 1.0, ((left + right) / 2, (top + bottom) / 2, right - left))


def video_instrument(engine: FaceEngine, clip: Clip) -> Instrument:
    """A clip as a video to be shown."""
    for frame in clip.frames[:: max(1, len(clip.frames) // 8)]:
        (faces,) = find_faces(engine, [_large(frame)[0]])
        if faces:
            scale = _large(frame)[1]
            left, top, right, bottom = (float(value) / scale for value in faces[0].box)
            middle = (left + right) / 2, (top + bottom) / 2
            return Instrument(clip.name, clip.frames, 1 / clip.rate, (*middle, right - left))
    raise SystemExit(f"{clip.name} shows no face")


def enrolled_from(engine: FaceEngine, picture: Image) -> NDArray[np.float32]:
    """An encoding as of another photo of the same person: of the picture in a mirror."""
    large, _ = _large(picture)
    (faces,) = find_faces(engine, [np.ascontiguousarray(large[:, ::-1])])
    if not faces:
        raise SystemExit("a picture shows no face in a mirror")
    return max(faces, key=lambda one: float(one.box[2] - one.box[0])).encoding


def measure_attacks(  # noqa: PLR0917 - what is shown to what
    to: Bench, shows: Mapping[str, Show], instruments: Sequence[Instrument], each: int, seed: int, tell: Any
) -> dict[str, Any]:
    """What becomes of each kind of attack.

    Args:
        to: the bench.
        shows: kinds of attack.
        instruments: each is shown `each` times in every kind.
        each: times.
        seed: of what is left to chance.
        tell: told what is being measured.
    """
    enrolled = {one.name: enrolled_from(to.engine, one.frames[0]) for one in instruments}
    results = {}
    for kind, show in shows.items():
        tell(kind)
        counts, reasons = dict.fromkeys(_OUTCOMES, 0), dict[str, int]()
        chance = np.random.default_rng(seed)
        for one, _ in itertools.product(instruments, range(each)):
            how = conditions(chance)
            outcome, why = to.outcome(enrolled[one.name], show(one, how, chance, _FRAMES), how.rate)
            counts[outcome] += 1
            for reason in why:
                reasons[reason] = reasons.get(reason, 0) + 1
        results[kind] = {**counts, "reasons": reasons, "instruments": len(instruments)}
    return results


def measure_living(to: Bench, clips: Sequence[Clip], each: int, seed: int, tell: Any) -> dict[str, Any]:
    """What becomes of living faces: windows of each clip, filmed in any conditions."""
    results = {}
    for clip in clips:
        tell(f"living: {clip.name}")
        counts, reasons = dict.fromkeys(_OUTCOMES, 0), dict[str, int]()
        chance = np.random.default_rng(seed)
        instrument = video_instrument(to.engine, clip)
        rows = enrolled_from(to.engine, clip.frames[0])
        for _ in range(each):
            how = conditions(chance)
            if clip.seconds < 2 * 3:  # too short for a slow camera to see three frames
                how = replace(how, rate=4.0)
            outcome, why = to.outcome(rows, _window(clip, instrument, how, chance), how.rate)
            counts[outcome] += 1
            for reason in why:
                reasons[reason] = reasons.get(reason, 0) + 1
        results[clip.name] = {**counts, "reasons": reasons, "seconds": round(clip.seconds, 1)}
    return results


def measure_cost(to: Bench, instrument: Instrument, rounds: int) -> dict[str, float]:
    """Milliseconds of detection and encoding, of views, and of the check of one face that is not clear yet."""
    chance = np.random.default_rng(5)
    how = replace(conditions(chance), face=90.0, noise=2.0)
    frames = list(attacks.turned(instrument, how, chance, rounds))
    taken = {"find": 0.0, "views": 0.0, "check": 0.0}
    check = PresentationCheck(to.rules)
    nothing = np.empty((0, to.engine.info.encoding_size), np.float32)
    count = 0
    for number, frame in enumerate(frames):
        began = time.perf_counter()
        (faces,) = find_faces(to.engine, [frame], smallest_face=_SMALLEST)
        found = time.perf_counter()
        views = views_of(frame, faces)
        cut = time.perf_counter()
        if views:
            check.see(1, float(number), views[0], faces[0].encoding, lambda: nothing)
        taken["find"] += found - began
        taken["views"] += cut - found
        taken["check"] += time.perf_counter() - cut
        count += bool(views)
    return {name: round(1e3 * seconds / max(1, count), 3) for name, seconds in taken.items()}


def _window(clip: Clip, instrument: Instrument, how: Conditions, chance: np.random.Generator) -> Iterator[Image]:
    """A part of a clip, from anywhere in it."""
    length = min(clip.seconds, _WINDOW_S)
    begin = float(chance.uniform(0, clip.seconds - length))
    scale = how.face / instrument.face[2]
    for number in range(int(length * how.rate)):
        frame = clip.frames[min(int((begin + number / how.rate) * clip.rate), len(clip.frames) - 1)]
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        scene = np.asarray(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=method), np.uint8)
        yield filmed(scene, how, chance)


def _large(picture: Image) -> tuple[Image, float]:
    """The picture, doubled where it is small, and by what."""
    scale = 2.0 if picture.shape[1] < 400 else 1.0
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8), scale


def _plan() -> FramePlan:
    plan = SessionPlan(
        session_id=1,
        course_id=1,
        room_id=1,
        starts_at=_NINE - timedelta(minutes=1),
        ends_at=_NINE + timedelta(minutes=_PLAN_MINUTES),
        early_minutes=0,
        grace_minutes=10,
        roster=frozenset({_STUDENT}),
    )
    return FramePlan((plan,), 1, plan.roster)
