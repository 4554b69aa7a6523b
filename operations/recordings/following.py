"""Following a sitting: its stretches in order become matches, tracks, confirmations and minutes watched.

A sitting is a part of a video during which class sessions count, without a pause between them. All of its evidence is
gathered at one seat, by the same flow that serves a live camera; its clock is the video's. What comes of it is handed
over once, at the end, so that a sitting is in the outbox whole or not at all.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from attendance.database.evidence import Evidence
from attendance.database.models import HeldReason, Origin
from attendance.database.register import Sighting
from attendance.database.timetable import SessionPlan
from attendance.database.watching.observation import Observed
from attendance.errors import AttendanceError
from attendance.face_engine.liveness import LivenessModel
from attendance.gallery.format import load_gallery
from attendance.settings.matching import MatchingRules
from operations.recordings.looking import Looked
from operations.recordings.versions import own_index
from recognition_service.evidence.flow import CameraFlow
from recognition_service.evidence.matching import Matcher
from recognition_service.evidence.observing import Observer
from recognition_service.presentation.judging import PresentationJudge

_NAMESPACE = uuid.UUID("6f0c7b0e-3d1a-4d5b-9a53-2b1f0e7c9a11")
"""Of the names of evidence: the same sitting gives the same again, and it is one row."""


class IndexDiffersError(AttendanceError):
    """A machine searches another index than the run does."""


class OutOfOrderError(AttendanceError):
    """A stretch came to a follower that is not the next."""


@dataclass(frozen=True, slots=True)
class FollowJob:
    """A sitting to be followed."""

    key: str
    """The same for the same video, camera, start and sessions."""
    camera_id: int
    room_id: int
    plans: tuple[SessionPlan, ...]
    first_stretch: int
    rules: MatchingRules
    index_path: Path
    index_version: str
    """That is to be searched."""
    model: str
    liveness_model: Path | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """What comes of a sitting: students' index numbers, times and distances; no encodings, no pictures."""

    sightings: tuple[Sighting, ...]
    evidence: tuple[Evidence, ...]
    observed: tuple[Observed, ...]


class Gathered:
    """Takes what a flow would put into the outbox, and merges it as the outbox does."""

    def __init__(self) -> None:
        self._sightings: dict[tuple[int, str, bool], Sighting] = {}
        self._observed: dict[tuple[int | None, int, datetime], Observed] = {}
        self.evidence: list[Evidence] = []

    def put(self, sightings: Sequence[Sighting], evidence: Sequence[Evidence] = ()) -> frozenset[str]:
        """See `Sink.put`."""
        for one in sightings:
            key = one.session_id, one.index_number, bool(one.held)
            before = self._sightings.get(key)
            self._sightings[key] = one if before is None else _merged(before, one)
        self.evidence.extend(evidence)
        return frozenset()

    def put_observed(self, observed: Sequence[Observed]) -> None:
        """See `Sink.put_observed`."""
        for one in observed:
            key = one.camera_id, one.room_id, one.hour
            before = self._observed.get(key)
            self._observed[key] = one if before is None else before.merged(one)

    def records(self, key: str) -> Records:
        """All of it; evidence has names that are the same for the same sitting."""
        named = [
            replace(one, uid=str(uuid.uuid5(_NAMESPACE, f"{key} {number} {one.session_id} {one.index_number}")))
            for number, one in enumerate(self.evidence)
        ]
        return Records(tuple(self._sightings.values()), tuple(named), tuple(self._observed.values()))


def _merged(one: Sighting, other: Sighting) -> Sighting:
    held = {*one.held, *other.held}
    return replace(
        one,
        first_seen=min(one.first_seen, other.first_seen),
        last_seen=max(one.last_seen, other.last_seen),
        confidence=max(one.confidence, other.confidence),
        held=tuple(reason for reason in HeldReason if reason in held),
    )


@dataclass(frozen=True, slots=True)
class _FixedPlans:
    """The timetable as it was when the sitting was begun."""

    sessions: tuple[SessionPlan, ...]

    def plans(self, room_id: int, capture_time: datetime) -> Sequence[SessionPlan]:
        """See `Plans.plans`."""
        return self.sessions


class Follower:
    """Follows one sitting. Sits at a runner's seat."""

    def __init__(self, job: FollowJob) -> None:
        """Load the index.

        Raises:
            IndexDiffersError: it is not the one that is to be searched.
            GalleryError: it cannot be loaded.
        """
        folder = own_index(job.index_path)
        gallery = load_gallery(folder, model=job.model)
        if gallery.version != job.index_version:
            raise IndexDiffersError(
                f"the index in {folder} is {gallery.version}, but the run searches {job.index_version}"
            )
        self._job = job
        self._next = job.first_stretch
        self._now = 0.0
        self._gathered = Gathered()
        matcher = Matcher(gallery, job.rules)
        liveness = None if job.liveness_model is None else LivenessModel(job.liveness_model)
        needed = job.rules.confirm_frames
        self._flow = CameraFlow(
            job.camera_id,
            job.room_id,
            _FixedPlans(job.plans),
            lambda: matcher,
            self._gathered,
            job.rules,
            observer=Observer(job.camera_id, job.room_id, self._gathered, needed, clock=self._clock),
            judge=PresentationJudge(job.rules, job.room_id, model=liveness),
            clock=self._clock,
        )

    def take(self, looked: Looked) -> int:
        """Take the next stretch in; how many pictures counted for a session.

        Raises:
            OutOfOrderError: it is another.
        """
        if looked.number != self._next:
            raise OutOfOrderError(f"stretch {looked.number} came where {self._next} is the next")
        self._next += 1
        counted = 0
        for frame in looked.frames:
            self._now = frame.at.timestamp()
            plan = self._flow.plan(frame.at)
            if plan is None:
                continue
            counted += 1
            if frame.faces is None:
                self._flow.unchanged(frame.at, origin=Origin.RECORDING, look=frame.look)
            else:
                self._flow.observe(
                    plan, frame.at, frame.faces, views=frame.views, origin=Origin.RECORDING, look=frame.look
                )
        return counted

    def finish(self) -> Records:
        """The sitting is over: what comes of it."""
        self._flow.finish()
        return self._gathered.records(self._job.key)

    def _clock(self) -> float:
        return self._now
