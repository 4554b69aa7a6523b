"""An installation that the tests of this folder share, and the class that its cameras see."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.access.tokens import hash_token, new_token
from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import Camera, ClassSession, Course, Room
from operations.demo.classroom import write_frames, write_photos
from operations.demo.people import ABSENT, LATE, ON_TIME, UNRECOGNISABLE
from operations.demo.programs import free_port
from operations.demo.university import COURSE_CODE, LECTURER_EMAIL, Passwords, found_university
from tests.deploy.machine import SOURCE, Browser, Machine
from tests.factories import GRACE_ENDS_S, watch
from tests.mariadb import MariaDb

PASSWORD = "a lecturer's long password"
RATE = 0.5
"""Frames a second of what cameras send: every fourth of the demo's."""

RIGHT = (
    {person.index_number: "present" for person in ON_TIME}
    | {person.index_number: "late" for person in LATE}
    | {person.index_number: "absent" for person in ABSENT}
    | {person.index_number: "not recorded" for person in UNRECOGNISABLE}
)


_PATIENCE_S = 1200
"""Of a test here. Whole installations wait for pip, PyInstaller and MariaDB: on a machine that does much beside,
minutes each; the first test of a fixture waits for its installation, too."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder the time that installing takes."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_PATIENCE_S))


@dataclass
class University:
    """The demo's university on an installation, and its classes."""

    machine: Machine
    sessions: sessionmaker[Session]
    recording: Path

    def add_camera(self, name: str, *, course: str = COURSE_CODE) -> int:
        """Put a camera in a room of its own, where a class has begun; gives the class session's number."""
        first_frame = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=60)
        token = new_token("cam")
        with self.sessions.begin() as db:
            room = Room(name=f"Room of {name}")
            db.add(room)
            db.flush()
            db.add(Camera(name=name, room_id=room.id, token_hash=hash_token(token)))
            course_id = db.scalars(sa.select(Course.id).where(Course.code == course)).one()
            starts_at = first_frame + timedelta(seconds=GRACE_ENDS_S) - timedelta(minutes=10)
            session = ClassSession(
                course_id=course_id, room_id=room.id, starts_at=starts_at, ends_at=starts_at + timedelta(hours=2),
                early_minutes=10, grace_minutes=10,
            )  # fmt: skip
            db.add(session)
            db.flush()
            watch(db, session)  # also before the first frame, and after the last
            number = session.id
        file = self.machine.root / f"{name}.token"
        file.write_text(token)
        file.chmod(0o600)
        (self.machine.root / f"{name}.start").write_text(first_frame.isoformat())
        return number

    def start_camera(
        self,
        name: str,
        *,
        program: Path | None = None,
        environ: dict[str, str] | None = None,
        source: Path | None = None,
        rate: float = RATE,
    ) -> None:
        """Let a camera, of the installation or a program of its own, send what it saw through nginx, at full speed."""
        machine = self.machine
        words = [str(machine.at("/opt/attendance/current/venv/bin/attendance")), "camera", "run"]
        if program is not None:
            words = [str(program)]
        words += ["--source", str(source or self.recording), "--rate", str(rate)]
        words += ["--as-fast-as-possible", "--give-up-after", "60"]
        words += ["--start-time", (machine.root / f"{name}.start").read_text(), "--name", name]
        words += ["--server", f"localhost:{machine.grpc_port}", "--tls-ca", str(machine.ca)]
        words += ["--token-file", str(machine.root / f"{name}.token")]
        machine.start(name, words, environ or {}, str(machine.root))

    def end_class(self, session_id: int) -> None:
        """Move the end of a class session to now, when all that was seen of it is in the database."""
        self.machine.wait_until(self.machine.has_stored, "what was seen does not reach the database")
        with self.sessions.begin() as db:
            db.execute(sa.update(ClassSession).where(ClassSession.id == session_id).values(ends_at=datetime.now(UTC)))

    def lecturer(self) -> Browser:
        """The course's lecturer, signed in over HTTPS."""
        browser = self.machine.browser()
        browser.sign_in(LECTURER_EMAIL, PASSWORD)
        return browser


def statuses(browser: Browser, session_id: int) -> dict[str, str]:
    """The register as the dashboard exports it; fails on a student who is there twice."""
    rows = browser.register(session_id)
    found = {row["Index number"]: row["Status"].lower() for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture(scope="session")
def admin_file(mariadb_server: MariaDb, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """How the administrator of the test's MariaDB signs in."""
    file = tmp_path_factory.mktemp("admin") / "admin.cnf"
    file.write_text(f"[client]\nuser=attendance\npassword={mariadb_server.password}\n")
    file.chmod(0o600)
    return file


@pytest.fixture(scope="session")
def make_machine(
    mariadb_server: MariaDb,
    admin_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
    require_program: Callable[[list[str], str], str],
) -> Callable[..., Machine]:
    """`make_machine(services=1)`: an installation that is in order, of which nothing runs."""
    for program, package in (("nginx", "nginx"), ("mariadb", "mariadb-client-core"), ("setpriv", "util-linux")):
        require_program([program], package)

    def make(*, services: int) -> Machine:
        machine = Machine(tmp_path_factory.mktemp("machine"), tuple(free_port(0) for _ in range(services)))
        database = ("--database-port", str(mariadb_server.port), "--database-admin", str(admin_file))
        done = machine.install(*database, "--admin", "operator@example.edu")
        assert done.returncode == 0, done.stderr + done.stdout
        return machine

    return make


@pytest.fixture(scope="session")
def recording(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a camera saw of the demo's class."""
    every, kept = tmp_path_factory.mktemp("frames"), tmp_path_factory.mktemp("recording")
    write_frames(pictures, every)
    for path in sorted(every.iterdir())[::4]:
        shutil.copy(path, kept)
    return kept


@pytest.fixture(scope="session")
def camera_binary() -> Path:
    """The camera's program in one file, as `make camera-binary` builds it."""
    built = subprocess.run(["make", "camera-binary"], cwd=SOURCE, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return SOURCE / "dist" / "attendance-camera"


@pytest.fixture(scope="session")
def machine(make_machine: Callable[..., Machine]) -> Iterator[Machine]:
    """An installation for two recognition services, of which the dashboard and nginx run."""
    machine = make_machine(services=2)
    settings = machine.at("/etc/attendance/attendance.toml")
    quick = "[attendance]\nsettle_minutes = 0\n\n[service]\nclose_interval_s = 0.5\ntimetable_refresh_s = 0.5\n"
    pictures = '[matching]\npresentation = "off"\n\n'  # which its cameras show
    settings.write_text(settings.read_text().replace("[service]\n", pictures + quick))
    try:
        machine.start_unit("attendance-web")
        machine.start_nginx()
        yield machine
    finally:
        machine.stop()


@pytest.fixture(scope="session")
def university(
    machine: Machine, pictures: Path, recording: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[University]:
    """The demo's people on that installation, the students enrolled."""
    engine = create_database_engine(machine.unit("attendance-web").environ["ATTENDANCE_DATABASE_URL"])
    sessions = session_factory(engine)
    with sessions() as db:
        found_university(
            db, passwords=Passwords(PASSWORD, PASSWORD, PASSWORD), camera_token="none", now=datetime.now(UTC)
        )
    photos = tmp_path_factory.mktemp("photos")
    write_photos(pictures, photos)
    machine.attendance("enrol", str(photos))
    machine.attendance("index", "build")
    yield University(machine, sessions, recording)
    engine.dispose()
