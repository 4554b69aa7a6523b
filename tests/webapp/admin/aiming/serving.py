"""A recognition service's aiming view for tests of the page: real but for the camera, which is a picture in a file."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy.orm import Session, sessionmaker

from attendance.aiming import AimingProblem
from attendance.face_engine.interface import Face, Image
from attendance.settings.families import Family
from attendance.settings.model import MatchingSettings
from recognition_service.aiming.errors import AimingError
from recognition_service.aiming.server import AimingServer
from recognition_service.aiming.shots import Shot, drawn, shot_of
from recognition_service.engine.found import FoundFaces
from recognition_service.engine.looks import measure
from tests.recognition_service.engines import encoded

RULES = MatchingSettings().rules(Family.DLIB)
MOST = 10_000_000


def a_picture() -> Image:
    """A wall with a slope of light."""
    slope = np.linspace(70, 190, 640).astype(np.uint8)
    return np.dstack([np.tile(slope, (360, 1))] * 3)


@dataclass
class FilmedRoom:
    """What the camera shows: set from tests."""

    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    sharpness: float = 40.0
    session: bool = False
    picture: Image = field(default_factory=a_picture)
    problem: AimingProblem | None = None
    clock_off: Any = None
    number: int = 0
    asked: list[tuple[int | None, float]] = field(default_factory=list)
    address: str = ""
    _shots: dict[int, Shot] = field(default_factory=dict)

    async def shot(self, camera_id: int, *, after: int | None, wait_s: float) -> Shot:
        """As `AimingViews.shot`."""
        self.asked.append((after, wait_s))
        if self.problem is not None:
            raise AimingError(self.problem)
        self.number += 1
        points = np.zeros((5, 2), np.float32)
        faces = [
            Face(np.array(box, np.float32), 1.0, points, np.zeros(128, np.float32), self.sharpness)
            for box in self.boxes
        ]
        now = datetime.now(UTC)
        height, width = self.picture.shape[:2]
        self._shots[self.number] = shot_of(
            self.number,
            encoded(self.picture),
            FoundFaces(faces, width, height, picture=measure(self.picture)),
            captured_at=now + self.clock_off if self.clock_off else now,
            arrived_at=now,
            session=self.session,
            rules=RULES,
        )
        return self._shots[self.number]

    async def picture_of(self, number: int, *, clear: bool) -> bytes:
        if number not in self._shots:
            raise AimingError(AimingProblem.GONE)
        return drawn(self._shots[number], clear=clear, max_pixels=MOST)


class _Views:
    def __init__(self, room: FilmedRoom) -> None:
        self._room = room
        self.shot = room.shot

    async def picture(self, camera_id: int, number: int, *, clear: bool) -> bytes:
        return await self._room.picture_of(number, clear=clear)


@contextmanager
def served(room: FilmedRoom, sessions: sessionmaker[Session]) -> Iterator[FilmedRoom]:
    """Serve a room on a free port, with tickets checked against this database."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    views: Any = _Views(room)
    server = AimingServer("127.0.0.1:0", None, views, sessions)

    async def start() -> None:
        server.start()

    try:
        asyncio.run_coroutine_threadsafe(start(), loop).result(30)
        room.address = server.address or ""
        yield room
    finally:
        server.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
