"""A small campus for tests of the running service: rooms, cameras, tokens, a class session that runs now, an index."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.access.tokens import hash_token, new_token
from attendance.database.engine import begin_writing, create_database_engine, session_factory
from attendance.database.models import ApiToken, Attendance, Camera, Course, Origin, Student, TokenRole
from attendance.face_engine.interface import Image
from attendance.gallery.format import publish
from attendance.settings import Settings
from attendance.settings.families import traits_of
from protos.attendance.v1 import attendance_pb2 as pb
from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc
from recognition_service.app import RecognitionService
from recognition_service.engine.work import BuildEngine
from recognition_service.telemetry.tracing import Tracing
from tests.databases import make_tables
from tests.factories import enrol, make_camera, make_course, make_room, make_session, make_student
from tests.recognition_service.engines import MODEL, SIZE, ColourEngine, alive, encoded, encoding_of, picture

COLOURS = {"red": (200, 60, 60), "green": (60, 200, 60), "blue": (60, 60, 200)}
STRANGER = (200, 200, 60)
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Campus:
    """What is in the database. `red` and `green` take the course that meets now in `Hall`; `blue` takes another."""

    settings: Settings
    engine: sa.Engine
    sessions: sessionmaker[Session]
    now: datetime
    session_id: int
    front: str
    """Token of the camera "front" in the Hall, where a session runs."""
    back: str
    """Token of the camera "back" in the Hall."""
    empty: str
    """Token of the camera "empty" in a room without sessions."""
    stray: str
    """Token of the camera "stray" in no room."""
    enrolment: str
    monitoring: str
    recording: str
    replica: str

    def status_of(self, student: str) -> str | None:
        """The student's status in the session that runs now."""
        with self.sessions() as db:
            status = db.scalar(
                sa.select(Attendance.status)
                .join(Student)
                .where(Attendance.session_id == self.session_id, Student.index_number == student)
            )
        return status.value if status else None

    def register(self) -> dict[str, str]:
        """Every row of the session that runs now."""
        with self.sessions() as db:
            rows = db.execute(
                sa.select(Student.index_number, Attendance.status)
                .join(Student)
                .where(Attendance.session_id == self.session_id)
            )
            return {index_number: status.value for index_number, status in rows}

    def camera(self, name: str) -> Camera:
        with self.sessions() as db:
            return db.scalars(sa.select(Camera).where(Camera.name == name)).one()


def found_campus(settings: Settings) -> Campus:
    """Fill a fresh database and publish an index of the three students."""
    engine = create_database_engine(settings.database_url)
    make_tables(engine)
    sessions = session_factory(engine)
    now = datetime.now(UTC)
    tokens = {name: new_token("cam") for name in ("front", "back", "empty", "stray")}
    roles = {role: new_token("api") for role in TokenRole}
    with sessions.begin() as db:
        hall, attic = make_room(db, "Hall"), make_room(db, "Attic")
        for name, room in (("front", hall), ("back", hall), ("empty", attic), ("stray", None)):
            make_camera(db, name=name, room=room, token=tokens[name])
        course = make_course(db, "PHY1")
        enrol(db, course, make_student(db, "red"), make_student(db, "green"))
        enrol(db, make_course(db, "LAW1"), make_student(db, "blue"))
        session = make_session(db, course, hall, starts_at=now - timedelta(minutes=5), ends_at=now + timedelta(hours=1))
        for role, token in roles.items():
            db.add(ApiToken(name=role.value, role=role, token_hash=hash_token(token)))
        session_id = session.id
    publish_index(settings)
    return Campus(
        settings,
        engine,
        sessions,
        now,
        session_id,
        **tokens,
        enrolment=roles[TokenRole.ENROLMENT],
        monitoring=roles[TokenRole.MONITORING],
        recording=roles[TokenRole.RECORDING],
        replica=roles[TokenRole.REPLICA],
    )


def publish_index(settings: Settings, students: tuple[str, ...] = tuple(COLOURS)) -> str:
    """Publish an index of these students."""
    rows = {student: encoding_of(COLOURS[student])[np.newaxis] for student in students}
    return publish(settings.index_path, rows, model=MODEL, traits=traits_of(MODEL), encoding_size=SIZE)[0].version


def add_session(campus: Campus, room: str, starts_at: datetime) -> int:
    """One more session of the course, an hour long."""
    with campus.sessions.begin() as db:
        begin_writing(db)
        course = db.scalars(sa.select(Course).where(Course.code == "PHY1")).one()
        camera = db.scalars(sa.select(Camera).where(Camera.name == room)).one()
        assert camera.room is not None
        return make_session(db, course, camera.room, starts_at=starts_at, ends_at=starts_at + timedelta(hours=1)).id


@asynccontextmanager
async def running(
    settings: Settings, build: BuildEngine = ColourEngine, tracing: Tracing | None = None
) -> AsyncIterator[RecognitionService]:
    """The whole service on a free port."""
    service = RecognitionService(settings, build_engine=build, tracing=tracing)
    try:
        await service.start()
        yield service
    finally:
        await service.stop()


@asynccontextmanager
async def calling(
    service: RecognitionService,
    credentials: grpc.ChannelCredentials | None = None,
    options: tuple[tuple[str, int], ...] = (),
) -> AsyncIterator[pb_grpc.RecognitionServiceStub]:
    """A client's stub."""
    channel = (
        grpc.aio.secure_channel(f"localhost:{service.port}", credentials, options)
        if credentials
        else grpc.aio.insecure_channel(service.address, options)
    )
    async with channel:
        yield pb_grpc.RecognitionServiceStub(channel)


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a token."""
    return (("authorization", f"Bearer {token}"),)


class CameraCall:
    """A camera's stream, as a client sees it."""

    def __init__(self, stub: Any, token: str, camera: str, start: datetime, *metadata: tuple[str, str]) -> None:
        self.call = stub.StreamFrames(metadata=(*bearer(token), *metadata))
        self.camera = camera
        self.sequence = 0
        self._time = start

    async def opened(self) -> pb.StreamOpened:
        """The first message."""
        message = await self.read()
        assert message.HasField("opened"), message
        return message.opened

    async def read(self) -> pb.StreamFramesResponse:
        """The next message."""
        async with asyncio.timeout(PATIENCE_S):
            message = await self.call.read()
        assert isinstance(message, pb.StreamFramesResponse), await self.call.code()
        return message

    async def send(
        self,
        jpeg: bytes | Image,
        *,
        camera: str | None = None,
        at: datetime | None = None,
        timed: bool = True,
        origin: Origin = Origin.LIVE,
    ) -> int:
        """Send a frame, captured half a second after the one before; gives its number.

        A face in a picture lives; one in a file is what it is.
        """
        self.sequence += 1
        self._time += timedelta(seconds=0.5)
        request = pb.StreamFramesRequest(
            camera=self.camera if camera is None else camera,
            sequence=self.sequence,
            jpeg=jpeg if isinstance(jpeg, bytes) else encoded(alive(jpeg, self.sequence)),
            replayed=origin is not Origin.LIVE,
            recording=origin is Origin.RECORDING,
        )
        if timed:
            request.capture_time.FromDatetime(at or self._time)
        await self.call.write(request)
        return self.sequence

    async def result(self) -> pb.FrameResult:
        """The next result."""
        message = await self.read()
        assert message.HasField("result"), message
        return message.result

    async def ask(self, jpeg: bytes | Image, **options: Any) -> pb.FrameResult:
        """Send a frame and wait for its result."""
        sequence = await self.send(jpeg, **options)
        result = await self.result()
        assert result.sequence == sequence
        return result

    async def ending(self) -> tuple[grpc.StatusCode, str]:
        """How the call ended, the rest being read."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                while await self.call.read() is not grpc.aio.EOF:
                    pass
            except grpc.aio.AioRpcError:
                pass
            return await self.call.code(), await self.call.details()


def face_of(student: str) -> Image:
    """A picture of a student."""
    return picture(COLOURS[student])


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)
