"""The first minutes of the hour, simulated: every lecture begins at once, and all cameras want the same machine.

The batcher with its fair queueing, the window that slows a camera down, following and the confirmation are the
service's own (`room`). The engine, the decoders and Python's lock only wait, for as long as they were measured to take.
Time is virtual, so that a quarter of an hour with hundreds of cameras takes minutes at most.

A frame goes the service's way (`streams.examining`): while nobody in its room is settled it is searched and encoded in
one turn at the engine. Later it is searched, waits until the frame before it is counted, and has those faces encoded in
a second turn that must be.

One service process is simulated. A larger machine runs several, each with its cores and its share of the cameras.
"""

import asyncio
import math
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from attendance.face_engine.faces import encoding_parts
from attendance.settings.families import Family
from attendance.settings.matching import MatchingSettings
from attendance.settings.service import ServiceSettings
from benchmarks.scaling.measured import FrameCosts
from benchmarks.scaling.room import Room, Student
from benchmarks.scaling.virtual_time import run
from recognition_service.app import HAND_OVER_S, LARGE_S
from recognition_service.engine.at_work import Pauses
from recognition_service.engine.batcher import Batcher
from recognition_service.engine.pipeline import FACES_GATHERED_S
from recognition_service.engine.places import Place
from recognition_service.errors import ServiceError
from recognition_service.evidence.following import FaceChoice
from recognition_service.streams.state import Window

EARLY_S = 300.0
"""Cameras look so long before the hour."""
GRACE_S = 600.0
"""Who is there so long after it is in time: the default of a class session."""
_FIRST, _LAST, _MOST = -240.0, 240.0, 0.0
"""When people sit down, seconds from the hour: a triangle that is highest at the hour."""
FACING = 0.6
"""Share of the frames in which somebody's face can be seen; in others they look away or down."""
_FIND, _SEARCH, _ENCODE = "find", "search", "encode"
"""Buckets of the batcher: search and encode at once; search alone; encode faces found before."""


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
    facing: float = FACING
    """Share of the frames in which somebody's face can be seen."""
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
    encoded_share: float
    """Of the faces that were visible in frames looked at in those ten minutes, those that were encoded."""

    def as_dict(self) -> dict[str, Any]:
        """For results.json."""
        return asdict(self)


@dataclass(slots=True)
class _Camera:
    name: str
    room: Room
    window: Window
    counted: asyncio.Event
    """Of its newest frame."""
    in_flight: int = 0
    offered: int = 0
    looked_at: int = 0


@dataclass(slots=True, eq=False)
class _Frame:
    camera: _Camera
    at: float
    """When it was captured."""
    seats: Sequence[int]
    """Who is visible in it."""
    choice: FaceChoice | None = None
    """Who of those is encoded; None: all."""


@dataclass(frozen=True, slots=True)
class _Job:
    """What the engine does with a frame in one turn."""

    faces: int
    """That are encoded in it."""


def simulate(hour: Hour) -> Beginning:
    """Run the beginning of the hour."""
    return run(Simulation(hour).begin())


class Simulation:
    """One hour's beginning; to be begun in virtual time."""

    def __init__(self, hour: Hour) -> None:
        """Prepare."""
        self._hour = hour
        self._chance = np.random.default_rng(hour.seed)
        rules = MatchingSettings().rules(hour.family)
        self._rules = replace(rules, encode_interval_s=0.0) if hour.every_face else rules
        self._settings = ServiceSettings()
        costs = hour.costs
        # What decoding and Python take of the cores goes off the search, so that all together take no more than all.
        self._search_s = (costs.decode_s + costs.search_s + costs.rest_s) / hour.cores
        self._face_s = costs.face_s / hour.cores
        self._visible = self._encoded = 0

    async def begin(self) -> Beginning:
        """Simulate, from five minutes before the hour until the grace period is over."""
        settings = self._settings
        self._loop = asyncio.get_running_loop()
        self._decoders = asyncio.Semaphore(settings.decode_threads)
        self._interpreter, self._engine = asyncio.Lock(), asyncio.Lock()
        self._cameras = [self._camera(number) for number in range(self._hour.cameras)]
        self._batcher: Batcher[_Job, _Job] = Batcher(
            self._work,
            max_batch=settings.max_batch,
            max_delay_s=settings.max_delay_ms / 1e3,
            max_queue=settings.max_queue,
            large=LARGE_S,
            hand_over_s=HAND_OVER_S,
        )
        self._batcher.start()
        async with asyncio.TaskGroup() as group:
            for camera in self._cameras:
                group.create_task(self._watch(camera, group))
        await self._batcher.close()
        return self._beginning()

    def _camera(self, number: int) -> _Camera:
        students = [
            Student(f"{number}-{seat}", EARLY_S + self._chance.triangular(_FIRST, _MOST, _LAST))
            for seat in range(self._hour.students)
        ]
        room = Room(students, self._rules, self._chance, self._loop.time, facing=self._hour.facing)
        counted = asyncio.Event()
        counted.set()
        return _Camera(f"camera-{number}", room, Window(self._settings.window), counted)

    async def _watch(self, camera: _Camera, group: asyncio.TaskGroup) -> None:
        """Offer a frame at each interval, unless the window is full."""
        interval = 1 / self._hour.rate
        await asyncio.sleep(self._chance.uniform(0, interval))
        while (now := self._loop.time()) < EARLY_S + GRACE_S:
            camera.offered += now >= EARLY_S
            if camera.in_flight < camera.window.size:
                group.create_task(self._send(_Frame(camera, now, camera.room.visible(now))))
            await asyncio.sleep(interval)

    async def _send(self, frame: _Frame) -> None:
        """A frame's way, to its answer; those of a camera are counted in their order."""
        camera = frame.camera
        before, camera.counted = camera.counted, asyncio.Event()
        counted = camera.counted
        camera.in_flight += 1
        try:
            await self._examine(frame, before)
            examined = True
        except ServiceError:  # overloaded, or past its deadline: the camera goes on with its next frame
            examined = False
        await before.wait()
        if examined:
            async with self._interpreter:
                await asyncio.sleep(self._hour.costs.rest_s)
            self._count(frame)
        counted.set()
        camera.in_flight -= 1
        camera.window.answer(self._batcher.load)

    async def _examine(self, frame: _Frame, before: asyncio.Event) -> None:
        """All that is done for a frame before its evidence is counted.

        Raises:
            ServiceError: it cannot be looked at now.
        """
        name, room = frame.camera.name, frame.camera.room
        follows = room.follows
        bucket, job = (_SEARCH, _Job(0)) if follows else (_FIND, _Job(len(frame.seats)))
        with self._batcher.reserve(name) as place:
            async with self._decoders:
                await asyncio.sleep(self._hour.costs.decode_s)
            await self._submit(place, job, bucket, frame.at + self._settings.frame_deadline_ms / 1e3)
        if not follows:
            return
        with self._batcher.reserve(name, again=True) as kept:
            await before.wait()
            frame.choice = room.choose(frame.at, frame.seats)
            await self._encode(frame, kept)

    async def _encode(self, frame: _Frame, kept: Place[_Job, _Job]) -> None:
        """Have those faces of a frame encoded that must be, with the place that its picture was kept in."""
        choice, room, held = frame.choice, frame.camera.room, kept
        if choice is None:
            raise RuntimeError("nobody was chosen")
        places = choice.to_encode
        while places:
            with held:
                await self._submit(held, _Job(len(places)), _ENCODE)
            places = room.choose_more(choice, frame.seats, places)
            if places:
                held = self._batcher.reserve(frame.camera.name, again=True)

    async def _submit(self, place: Place[_Job, _Job], job: _Job, bucket: str, deadline: float = math.inf) -> None:
        expected = self._cost_s(job, bucket)
        await place.submit(
            job,
            bucket=bucket,
            deadline=deadline,
            expected=expected,
            prompt=bucket == _ENCODE,
            gathers_s=FACES_GATHERED_S,
        )

    def _cost_s(self, job: _Job, bucket: Hashable) -> float:
        """How long the engine is at work on it, on all cores, seconds."""
        return (0.0 if bucket == _ENCODE else self._search_s) + job.faces * self._face_s

    async def _work(self, bucket: Hashable, jobs: list[_Job], pauses: Pauses[_Job]) -> Sequence[_Job | Exception]:
        """The engine, piece by piece: a search is one, and so are the faces that are encoded together."""
        if bucket != _ENCODE:
            for number in range(len(jobs)):
                await self._piece(self._search_s)
                answered = {} if bucket == _FIND else {number: jobs[number]}
                await pauses.after_piece({number: self._search_s}, answered)
        if bucket != _SEARCH:
            for part in encoding_parts([job.faces for job in jobs]):
                spent = {number: (end - start) * self._face_s for number, start, end in part}
                await self._piece(sum(spent.values()))
                finished = {number: jobs[number] for number, _, end in part if end == jobs[number].faces}
                await pauses.after_piece(spent, finished)
        return jobs

    async def _piece(self, seconds: float) -> None:
        """Be at work, which the engine's thread is on one piece at a time, also where the next is handed over early."""
        async with self._engine:
            await asyncio.sleep(seconds)

    def _count(self, frame: _Frame) -> None:
        camera, now = frame.camera, self._loop.time()
        confirmed = camera.room.count(frame.at, frame.seats, frame.choice)
        if now > EARLY_S + GRACE_S:
            return
        if now >= EARLY_S:
            camera.looked_at += 1
            self._visible += len(frame.seats)
            self._encoded += len(frame.seats if frame.choice is None else frame.choice.to_encode)
        for student in confirmed:
            student.confirmed_at = now if student.confirmed_at is None else student.confirmed_at

    def _beginning(self) -> Beginning:
        students = [student for camera in self._cameras for student in camera.room.students]
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
            encoded_share=self._encoded / max(self._visible, 1),
        )


def _took(student: Student) -> float:
    return math.inf if student.confirmed_at is None else student.confirmed_at - student.sits_at


def _at(took: Sequence[float], share: float) -> float | None:
    found = took[math.ceil(share * len(took)) - 1]
    return found if found < math.inf else None
