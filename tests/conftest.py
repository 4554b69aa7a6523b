"""What every room's tests share: a clean environment, databases of both kinds, and programs that may be missing."""

import logging
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.engine import create_database_engine, session_factory
from attendance.face_engine.models.cache import default_cache_folder
from attendance.face_engine.models.fetching import AddressSource, WheelSource, fetch
from attendance.settings import Settings, files
from attendance.settings.attendance import AttendanceSettings
from operations.demo.pictures import fetch_pictures
from tests import databases
from tests.lending import Lender
from tests.mariadb import MariaDb, find_program, start_server

pytest_plugins = ["tests.scratch", "tests.sharing", "tests.statements", "tests.tiers"]

SHARED_FACES = Path(__file__).parents[2] / "shared" / "faces"


def require_program(names: list[str], debian_package: str) -> str:
    """Give the path of the first of these programs, or skip the test with what to install; CI fails instead."""
    found = find_program(names)
    if found:
        return found
    reason = f"needs {names[0]}: sudo apt-get install {debian_package}"
    if os.environ.get("CI"):
        pytest.fail(f"{reason} (CI skips nothing)")
    pytest.skip(reason)


@pytest.fixture(name="require_program", scope="session")
def require_program_fixture() -> Callable[[list[str], str], str]:
    """`require_program(names, debian_package)` for tests, which cannot import this file."""
    return require_program


@pytest.fixture(scope="session")
def pictures() -> Path:
    """The folder of pictures of real faces that `operations.demo.pictures` names."""
    return fetch_pictures()


@pytest.fixture(scope="session")
def opencv_models() -> Path:
    """The folder with the files of the models opencv, fetched once as an installation does it."""
    folder = default_cache_folder()
    said: list[str] = []
    if not fetch(folder, [WheelSource(), AddressSource()], said.append):
        if os.environ.get("CI"):
            pytest.fail(f"{said} (CI skips nothing)")
        pytest.skip(f"the models opencv cannot be had: {said}")
    return folder


@pytest.fixture(scope="session")
def shared_faces() -> Path:
    """A folder of further faces beside the repository; tests of it are extra."""
    if not SHARED_FACES.is_dir():
        pytest.skip("no folder of further faces beside the repository")
    return SHARED_FACES


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A test that configures logging, as every command does that goes on for long, leaves none of it behind."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("ATTENDANCE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nowhere")
    monkeypatch.setattr(files, "SYSTEM_FILE", Path("/nowhere/attendance.toml"))


@pytest.fixture(scope="session")
def mariadb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    """A MariaDB server of this test run's own, on a free port of loopback."""
    server = start_server(tmp_path_factory.mktemp("mariadb"), require_program)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def lender(mariadb_server: MariaDb) -> Lender:
    """Lends databases of the server, with every table and no rows."""
    return Lender(mariadb_server)


@pytest.fixture(params=["sqlite", "mariadb"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh database, which `engine` gives its tables; each test runs on SQLite and on MariaDB."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'attendance.db'}"
        return
    server: MariaDb = request.getfixturevalue("mariadb_server")
    if "engine" in request.fixturenames:
        lender: Lender = request.getfixturevalue("lender")
        with lender.lend() as name:
            yield server.url(name)
        return
    name = f"test_{secrets.token_hex(6)}"
    server.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def migrated_file() -> Path:
    """An SQLite file with every table and no rows, to be copied."""
    return databases.migrated_file()


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """A database with every table and no rows."""
    engine = create_database_engine(database_url)
    if engine.url.get_backend_name() == "sqlite":
        databases.make_tables(engine)  # MariaDB's were lent with them
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: sa.Engine) -> sessionmaker[Session]:
    """Makes sessions of `engine`; class sessions are closed as soon as they have ended."""
    return session_factory(engine, AttendanceSettings(settle_minutes=0))


@pytest.fixture
def db(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """One session of `engine`."""
    with sessions() as session:
        yield session


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings with their own data folder and database (which `engine` gives its tables)."""
    return Settings.model_validate(
        {"data": {"directory": tmp_path / "data"}, "database": {"url": database_url}, "log": {"format": "console"}}
    )
