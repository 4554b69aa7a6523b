"""The first minutes of the hour, simulated: every lecture begins at once, and all cameras want the same machine.

The batcher with its fair queueing, the window that slows a camera down, and the confirmation are the service's own. The
engine, the decoders and Python's lock only wait, for as long as they were measured to take. Time is virtual, so that a
quarter of an hour with hundreds of cameras takes seconds.

One service process is simulated. A larger machine runs several, each with its cores and its share of the cameras.
"""

import asyncio
import math
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from attendance.settings.families import Family
from attendance.settings.matching import MatchingRules, MatchingSettings
from attendance.settings.service import ServiceSettings
from benchmarks.scaling.measured import FrameCosts
from benchmarks.scaling.virtual_time import run
from recognition_service.engine.at_work import Pauses
from recognition_service.engine.batcher import Batcher
from recognition_service.errors import ServiceError
from recognition_service.evidence.confirmation import Confirmer
from recognition_service.evidence.seen import FaceMatch, MatchKind
from recognition_service.streams.state import Window

EARLY_S = 300.0
"""Cameras look so long before the hour."""
GRACE_S = 600.0
"""Who is there so long after it is in time: the default of a class session."""
_FIRST, _LAST, _MOST = -240.0, 240.0, 0.0
"""When people sit down, seconds from the hour: a triangle that is highest at the hour."""
_FACING = 0.6
"""Share of the frames in which somebody's face can be seen; in others they look away or down."""
_ENCODED_AGAIN_S = 60.0
"""How often a confirmed face is encoded, where only what can change a decision is."""
_HOUR = datetime(2026, 10, 5, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """What is simulated."""

    cameras: int
    costs: FrameCosts
    family: Family = Family.OPENCV
    cores: int = 2
    """Of the process."""
    students: int = 20
    """Whom each camera sees."""
    rate: float = 0.2
    """Frames a second that a camera offers."""
    every_face: bool = False
    """Whether faces of confirmed students are encoded in every frame."""
    seed: int = 20261005


@dataclass(frozen=True, slots=True)
class Beginning:
    """What became of it."""

    cameras: int
    frames_a_second: float
    """Looked at, in the ten minutes after the hour."""
    of_offered: float
    """The share of what the cameras had."""
    in_time: float
    """Share of the students who were confirmed before the grace period ended."""
    median_s: float | None
    """From sitting down to being confirmed; None: most are not, until the grace period ends."""
    p95_s: float | None
    slowest_camera: float
    """Frames of the camera with fewest, over the mean."""

    def as_dict(self) -> dict[str, Any]:
        """For results.json."""
        return asdict(self)


@dataclass(slots=True)
class _Student:
    name: str
    sits_at: float
    confirmed_at: float | None = None
    encoded_at: float = -1e9


@dataclass(slots=True)
class _Camera:
    name: str
    students: list[_Student]
    confirmer: Confirmer
    window: Window
    in_flight: int = 0
    offered: int = 0
    looked_at: int = 0


@dataclass(slots=True)
class _Frame:
    camera: _Camera
    at: float
    """When it was captured."""
    encoded: list[_Student] = field(default_factory=list)


def simulate(hour: Hour) -> Beginning:
    """Run the beginning of the hour."""
    return run(_Simulation(hour).begin())


class _Simulation:
    def __init__(self, hour: Hour) -> None:
        self._hour = hour
        self._chance = np.random.default_rng(hour.seed)
        self._rules: MatchingRules = MatchingSettings().rules(hour.family)
        self._settings = ServiceSettings()
        self._cameras = [self._camera(number) for number in range(hour.cameras)]
        self._usual_s = hour.costs.frame_s(hour.students) / hour.cores

    async def begin(self) -> Beginning:
        settings = self._settings
        self._loop = asyncio.get_running_loop()
        self._decoders = asyncio.Semaphore(settings.decode_threads)
        self._interpreter = asyncio.Lock()
        self._batcher: Batcher[_Frame, _Frame] = Batcher(
            self._work,
            max_batch=settings.max_batch,
            max_delay_s=settings.max_delay_ms / 1e3,
            max_queue=settings.max_queue,
            large=1.0,
        )
        self._batcher.start()
        async with asyncio.TaskGroup() as group:
            for camera in self._cameras:
                group.create_task(self._watch(camera, group))
        await self._batcher.close()
        return self._beginning()

    def _camera(self, number: int) -> _Camera:
        students = [
            _Student(f"{number}-{seat}", EARLY_S + self._chance.triangular(_FIRST, _MOST, _LAST))
            for seat in range(self._hour.students)
        ]
        window = Window(self._settings.window)
        return _Camera(f"camera-{number}", students, Confirmer(self._rules), window)

    async def _watch(self, camera: _Camera, group: asyncio.TaskGroup) -> None:
        """Offer a frame at each interval, unless the window is full."""
        interval = 1 / self._hour.rate
        await asyncio.sleep(self._chance.uniform(0, interval))
        while (now := self._loop.time()) < EARLY_S + GRACE_S:
            camera.offered += now >= EARLY_S
            if camera.in_flight < camera.window.size:
                group.create_task(self._send(_Frame(camera, now)))
            await asyncio.sleep(interval)

    async def _send(self, frame: _Frame) -> None:
        camera = frame.camera
        camera.in_flight += 1
        try:
            with self._batcher.reserve(camera.name) as place:
                async with self._decoders:
                    await asyncio.sleep(self._hour.costs.decode_s)
                deadline = frame.at + self._settings.frame_deadline_ms / 1e3
                await place.submit(frame, bucket=0, deadline=deadline, expected=self._usual_s)
            async with self._interpreter:
                await asyncio.sleep(self._hour.costs.rest_s)
            self._count(frame)
        except ServiceError:  # overloaded, or past its deadline: the camera goes on with its next frame
            pass
        finally:
            camera.in_flight -= 1
            camera.window.answer(self._batcher.load)

    async def _work(
        self, _bucket: Hashable, frames: list[_Frame], pauses: Pauses[_Frame]
    ) -> Sequence[_Frame | Exception]:
        """The engine: one frame after the other, each on all cores that are left over."""
        for number, frame in enumerate(frames):
            frame.encoded = [student for student in frame.camera.students if self._is_encoded(student, frame.at)]
            took = self._hour.costs.frame_s(len(frame.encoded)) / self._hour.cores
            await asyncio.sleep(took)
            await pauses.after_piece({number: took}, {number: frame})
        return frames

    def _is_encoded(self, student: _Student, at: float) -> bool:
        if student.sits_at > at or self._chance.random() > _FACING:
            return False
        if student.confirmed_at is not None and not self._hour.every_face:
            return at - student.encoded_at >= _ENCODED_AGAIN_S
        return True

    def _count(self, frame: _Frame) -> None:
        camera, now = frame.camera, self._loop.time()
        camera.looked_at += EARLY_S <= now < EARLY_S + GRACE_S
        captured = _HOUR + timedelta(seconds=frame.at - EARLY_S)
        for student in frame.encoded:
            student.encoded_at = frame.at
            person = camera.students.index(student)
            confirmed = camera.confirmer.observe(person, captured, self._match(student))
            if confirmed and student.confirmed_at is None and now <= EARLY_S + GRACE_S:
                student.confirmed_at = now

    def _match(self, student: _Student) -> FaceMatch:
        """As far from the student's photos as a face in a lecture is: two spans within the threshold, give or take one.

        With dlib's numbers 0.45 +- 0.05, which `recognition_service.evidence.confirmation` was judged by.
        """
        rules = self._rules
        distance = self._chance.normal(rules.threshold - 2 * rules.vote_span, rules.vote_span)
        kind = MatchKind.STUDENT if distance <= rules.threshold else MatchKind.UNKNOWN
        named = student.name if kind is MatchKind.STUDENT else None
        return FaceMatch(kind, named, distance, distance + 4 * rules.margin, nearest=student.name)

    def _beginning(self) -> Beginning:
        students = [student for camera in self._cameras for student in camera.students]
        took = sorted(_took(student) for student in students)
        looked_at = [camera.looked_at for camera in self._cameras]
        return Beginning(
            cameras=self._hour.cameras,
            frames_a_second=sum(looked_at) / GRACE_S,
            of_offered=sum(looked_at) / sum(camera.offered for camera in self._cameras),
            in_time=sum(student.confirmed_at is not None for student in students) / len(students),
            median_s=_at(took, 0.5),
            p95_s=_at(took, 0.95),
            slowest_camera=min(looked_at) * len(looked_at) / max(sum(looked_at), 1),
        )


def _took(student: _Student) -> float:
    return math.inf if student.confirmed_at is None else student.confirmed_at - student.sits_at


def _at(took: Sequence[float], share: float) -> float | None:
    found = took[math.ceil(share * len(took)) - 1]
    return found if found < math.inf else None
