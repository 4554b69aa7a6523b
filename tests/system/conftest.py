"""The whole system as programs of their own: a university, its gallery, and the service under test."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.access.tokens import new_token
from attendance.database.models import Attendance, ClassSession, Course, Room, Student
from operations.demo.classroom import write_frames, write_photos
from operations.demo.programs import Programs, free_port
from operations.demo.university import CAMERA_NAME, COURSE_CODE, Passwords, found_university
from tests.factories import GRACE_ENDS_S, make_session, watch


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave SQLite to the demo, which runs the same path on it, where a test has MariaDB too."""
    on_sqlite = isinstance(item, pytest.Function) and item.callspec.params.get("database_url") == "sqlite"
    if on_sqlite and item.get_closest_marker("parametrize") is None:
        item.add_marker("exhaustive")


RATE = 1.0
"""Frames a second of what the cameras of these tests send."""


@dataclass
class System:
    """A service, cameras, and the database that they fill."""

    programs: Programs
    sessions: sessionmaker[Session]
    environ: dict[str, str]
    first_frame: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2))

    @property
    def address(self) -> str:
        return self.environ["ATTENDANCE_SERVICE_LISTEN"]

    def start_service(self) -> None:
        """Start the service and wait until it is ready."""
        self.programs.start("service", ["serve"], self.environ)
        self.programs.wait_until(self._ready, "the service is not ready", timeout_s=120)

    def _ready(self) -> bool:
        with grpc.insecure_channel(self.address) as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)  # type: ignore[attr-defined]
            except grpc.RpcError:
                return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def start_camera(self, source: Path, *options: str) -> None:
        """Start a camera that sends a recording as fast as the service takes it."""
        words = ["camera", "run", "--source", str(source), "--rate", str(RATE), "--as-fast-as-possible"]
        words += ["--start-time", self.first_frame.isoformat(), "--give-up-after", "60"]
        self.programs.start("camera", [*words, *options], self.environ)

    def camera_has_ended(self) -> bool:
        return self.programs.has_ended("camera")

    def wait_for_camera(self) -> None:
        """Wait until the camera has its answers."""
        self.programs.wait_until(self.camera_has_ended, "the camera does not end", timeout_s=240)
        self.programs.check()

    def schedule(self, lasts: timedelta = timedelta(minutes=1)) -> int:
        """Put a class session in the timetable that the cameras' frames belong to."""
        with self.sessions() as db:
            grace_ends = self.first_frame + timedelta(seconds=GRACE_ENDS_S)
            session = make_session(
                db,
                db.scalars(sa.select(Course).where(Course.code == COURSE_CODE)).one(),
                db.scalars(sa.select(Room)).one(),
                starts_at=grace_ends - timedelta(minutes=10),
                ends_at=self.first_frame + lasts,
            )
            watch(db, session)  # also before the first frame, and after the last
            db.commit()
            return session.id

    def register(self, session_id: int) -> dict[str, str]:
        """Status by index number; fails on a second row for a student, which the database should not even hold."""
        with self.sessions() as db:
            rows = db.execute(
                sa.select(Student.index_number, Attendance.status)
                .join(Attendance, Attendance.student_id == Student.id)
                .where(Attendance.session_id == session_id)
            ).all()
        assert len(rows) == len({index_number for index_number, _ in rows})
        return {index_number: status.value if status else "not recorded" for index_number, status in rows}

    def wait_until_closed(self, session_id: int, complete: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """Wait until the session is closed and its register complete."""

        def done() -> bool:
            with self.sessions() as db:
                closed = db.scalar(sa.select(ClassSession.closed_at).where(ClassSession.id == session_id))
            return closed is not None and complete(self.register(session_id))

        self.programs.wait_until(done, "the register is not complete", timeout_s=60)
        return self.register(session_id)


@pytest.fixture(scope="session")
def recording(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a camera saw of the demo's class, one frame a second."""
    every, kept = tmp_path_factory.mktemp("frames"), tmp_path_factory.mktemp("recording")
    write_frames(pictures, every)
    for path in sorted(every.iterdir())[::2]:
        shutil.copy(path, kept)
    return kept


@pytest.fixture(scope="session")
def class_index(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published index of the demo's students, enrolled from their photos."""
    folder = tmp_path_factory.mktemp("gallery")
    write_photos(pictures, folder / "photos")
    environ = clean_environ() | {"ATTENDANCE_DATA_DIRECTORY": str(folder)}
    enrolled = ["enrol", str(folder / "photos"), "--consent", "demo", "--new", "add", "--publish"]
    for words in (["db", "upgrade"], enrolled):
        subprocess.run([sys.executable, "-m", "operations.cli", *words], check=True, env=environ, capture_output=True)
    return folder / "gallery" / "index"


@pytest.fixture
def system(
    tmp_path: Path, database_url: str, engine: sa.Engine, sessions: sessionmaker[Session], class_index: Path
) -> Iterator[System]:
    """The demo's university on the test's database; nothing runs yet."""
    token, recording_token = new_token("cam"), new_token("op")
    with sessions() as db:
        found_university(
            db,
            passwords=Passwords("unused", "unused", "unused"),
            camera_token=token,
            now=datetime.now(UTC),
            recording_token=recording_token,
        )
    environ = clean_environ() | {
        "ATTENDANCE_DATA_DIRECTORY": str(tmp_path / "data"),
        "ATTENDANCE_DATABASE_URL": database_url,
        "ATTENDANCE_GALLERY_INDEX": str(class_index),
        "ATTENDANCE_SERVICE_LISTEN": f"127.0.0.1:{free_port(0)}",
        "ATTENDANCE_SERVICE_METRICS_LISTEN": "off",
        "ATTENDANCE_SERVICE_CLOSE_INTERVAL_S": "0.5",
        "ATTENDANCE_ATTENDANCE_SETTLE_MINUTES": "0",
        "ATTENDANCE_SERVICE_TIMETABLE_REFRESH_S": "0.5",
        "ATTENDANCE_MATCHING_PRESENTATION": "off",  # its cameras show pictures
        "ATTENDANCE_CAMERA_NAME": CAMERA_NAME,
        "ATTENDANCE_CAMERA_TOKEN": token,
        "ATTENDANCE_CAMERA_RECORDING_TOKEN": recording_token,
    }
    environ["ATTENDANCE_CAMERA_SERVER"] = environ["ATTENDANCE_SERVICE_LISTEN"]
    with Programs(tmp_path / "logs") as programs:
        yield System(programs, sessions, environ)


def clean_environ() -> dict[str, str]:
    """The environment without settings from outside."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ATTENDANCE_")}
