"""A healthy installation, and broken ones: what the operator is told of each."""

import os
import re
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
import trustme
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from attendance.database.engine import create_database_engine, downgrade
from attendance.database.models import Camera, ClassSession, Course, Role, Room, Student
from attendance.database.register import Sighting
from attendance.database.upkeep.backup import backups_in, written_at
from attendance.face_engine.factory import create_engine
from attendance.face_engine.interface import FaceEngine
from attendance.gallery.publishing import build_index
from attendance.gallery.store import Store
from attendance.settings.families import traits_of
from index_builder.index_versions import record_version
from operations.cli.main import attendance
from recognition_service.outbox.store import Outbox
from tests.databases import make_tables
from tests.factories import make_camera, make_lecturer, make_room, make_student
from tests.stores import write_store

NOW = datetime.now(UTC)
Doctor = Callable[[], Result]


@pytest.fixture(scope="module")
def load_once() -> Iterator[Callable[..., FaceEngine]]:
    """`create_engine`, which loads an engine when it is first asked for and goes on with it; that takes a second."""
    loaded: dict[str, FaceEngine] = {}
    with pytest.MonkeyPatch.context() as patch:

        def load(**arguments: Any) -> FaceEngine:
            key = repr(sorted(arguments.items()))
            if key not in loaded:
                loaded[key] = create_engine(**arguments)
                patch.setattr(loaded[key], "close", lambda: None)
            return loaded[key]

        yield load
    for engine in loaded.values():
        engine.close()


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load_once: Callable[..., FaceEngine]) -> Iterator[Doctor]:
    """Examines a healthy installation in `tmp_path`, which a test breaks first."""
    monkeypatch.setattr("attendance.models_in_use.create_engine", load_once)
    data = tmp_path / "data"
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(data))
    engine = create_database_engine(f"sqlite:///{data / 'attendance.db'}")
    make_tables(engine)
    with Session(engine) as db:
        make_lecturer(db, role=Role.ADMIN)
        room = Room(name="Hall")
        db.add_all([room, Student(index_number="s1", name="Ada")])
        db.flush()
        db.add(Camera(name="hall", room_id=room.id, token_hash="0" * 64, last_seen_at=datetime.now(UTC)))
        db.commit()
    engine.dispose()
    write_store(data / "gallery" / "encodings.pickle", Store({"s1": np.full((1, 128), 0.1)}))
    built = build_index(data / "gallery" / "encodings.pickle", data / "gallery" / "index", traits_of=traits_of)
    record_version(f"sqlite:///{data / 'attendance.db'}", built)
    with socket.create_server(("127.0.0.1", 0)) as service, socket.create_server(("127.0.0.1", 0)) as web:
        monkeypatch.setenv("ATTENDANCE_SERVICE_LISTEN", f"127.0.0.1:{service.getsockname()[1]}")
        monkeypatch.setenv("ATTENDANCE_WEB_LISTEN", f"127.0.0.1:{web.getsockname()[1]}")
        yield lambda: CliRunner().invoke(attendance, ["doctor"])


@pytest.fixture
def db(doctor: Doctor, tmp_path: Path) -> Iterator[Session]:
    """The installation's database."""
    engine = create_database_engine(f"sqlite:///{tmp_path / 'data' / 'attendance.db'}")
    with Session(engine) as session:
        yield session
    engine.dispose()


def problems(result: Result) -> list[str]:
    """The subjects of the problems told."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return [line.split()[1].rstrip(":") for line in result.stdout.splitlines() if line.startswith("PROBLEM")]


def test_a_healthy_installation(doctor: Doctor) -> None:
    done = doctor()
    assert problems(done) == [], done.stdout
    assert done.exit_code == 0
    for subject in ("settings", "disk", "certificate", "database", "administrators", "model", "index", "enrolment",
                    "recognisable", "outbox", "cameras", "service", "dashboard"):  # fmt: skip
        assert f"ok       {subject}: " in done.stdout


def test_a_wrong_setting(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_SERVICE_WINDOW", "many")
    done = doctor()
    assert (problems(done), done.exit_code) == (["settings"], 1)
    assert "ATTENDANCE_SERVICE_WINDOW" in done.stdout


def test_a_database_that_is_away_and_others_examined_nevertheless(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", "mysql+pymysql://u:secret@127.0.0.1:9/attendance")
    done = doctor()
    assert (problems(done), done.exit_code) == (["database"], 1)
    assert "Start the database" in done.stdout
    assert "secret" not in done.stdout
    assert "ok       index" in done.stdout


def test_a_schema_of_an_older_version(doctor: Doctor, tmp_path: Path) -> None:
    engine = create_database_engine(f"sqlite:///{tmp_path / 'data' / 'attendance.db'}")
    downgrade(engine, "0001", lossy=True)  # of the audit log, which knows how this was set up
    engine.dispose()
    done = doctor()
    assert "database" in problems(done)
    assert "attendance db upgrade" in done.stdout


def test_an_index_with_a_flipped_bit(doctor: Doctor, tmp_path: Path) -> None:
    index = tmp_path / "data" / "gallery" / "index"
    file = max((path for path in index.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    data = bytearray(file.read_bytes())
    data[-20] ^= 1
    file.write_bytes(data)
    done = doctor()
    assert problems(done) == ["index"]
    assert "attendance index build" in done.stdout


def test_no_index_at_all(doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ATTENDANCE_GALLERY_INDEX", str(tmp_path / "none"))
    done = doctor()
    assert problems(done) == ["index"]
    assert "nobody can be recognised" in done.stdout


def test_distances_by_their_former_names(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_MATCHING_THRESHOLD", "0.5")
    done = doctor()
    assert problems(done) == []
    assert "WARNING  settings: matching.threshold is the former name of matching.dlib.threshold" in done.stdout
    assert "Set ATTENDANCE_MATCHING_DLIB_THRESHOLD (or threshold under [matching.dlib]) to 0.5" in done.stdout


def test_the_family_in_use_is_told(doctor: Doctor) -> None:
    done = doctor()
    assert "ok       model: family dlib (the index 000001-" in done.stdout
    assert ", family dlib: 1 students, 1 encodings" in done.stdout


def test_a_store_of_another_family_than_the_index(doctor: Doctor, tmp_path: Path) -> None:
    store = tmp_path / "data" / "gallery" / "encodings.pickle"
    write_store(store, Store({"s1": np.full((1, 128), 0.1)}, "sface-2021dec"))
    done = doctor()
    assert problems(done) == ["store"]
    assert "is of family opencv, but the index in use of family dlib" in done.stdout
    assert "attendance gallery convert" in done.stdout


def test_a_family_that_is_set_and_is_not_the_gallerys(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_ENGINE_MODELS", "opencv")
    done = doctor()
    assert problems(done) == ["models"]
    assert "engine.models is opencv, but the index" in done.stdout


@pytest.mark.parametrize("index", [True, False])
def test_a_damaged_store_is_called_damaged(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: bool
) -> None:
    store = tmp_path / "data" / "gallery" / "encodings.pickle"
    store.write_bytes(store.read_bytes()[:-30])
    if not index:
        monkeypatch.setenv("ATTENDANCE_GALLERY_INDEX", str(tmp_path / "none"))
    done = doctor()
    assert problems(done) == [*([] if index else ["index"]), "store"]
    assert (
        f"PROBLEM  store: damaged: the store {store} cannot be used: it holds a pickle that is damaged" in done.stdout
    )


def test_the_age_of_the_newest_backup(doctor: Doctor, tmp_path: Path, db: Session) -> None:
    assert "WARNING  backup: the database has none" in doctor().stdout
    made = CliRunner().invoke(attendance, ["db", "backup"])
    assert made.exit_code == 0, made.output
    folder = tmp_path / "data" / "backups"
    (backup,) = backups_in(folder)
    data = bytearray(backup.read_bytes())
    data[-1] ^= 1
    backup.write_bytes(data)
    done = doctor()
    assert problems(done) == ["backup"]
    assert f"the backup {backup} is damaged: its SHA-256 is" in done.stdout
    # Of another account's folder the audit log tells.
    folder.rename(tmp_path / "elsewhere")
    assert "ok       backup: the newest of the database is of " in doctor().stdout


def test_a_restored_database_knows_its_own_backup(doctor: Doctor, tmp_path: Path, db: Session) -> None:
    made = CliRunner().invoke(attendance, ["db", "backup", str(tmp_path / "elsewhere")])
    assert made.exit_code == 0, made.output
    (backup,) = backups_in(tmp_path / "elsewhere")
    db.close()
    stopped = {"ATTENDANCE_SERVICE_LISTEN": "127.0.0.1:1", "ATTENDANCE_WEB_LISTEN": "127.0.0.1:1"}
    restored = CliRunner(env=stopped).invoke(attendance, ["db", "restore", str(backup), "--replace"])
    assert restored.exit_code == 0, restored.output
    assert (
        f"ok       backup: the newest of the database is of {written_at(backup):%Y-%m-%d %H:%M} UTC" in doctor().stdout
    )


@pytest.mark.parametrize(("days", "verdict"), [(1, "ok"), (3, "WARNING"), (8, "PROBLEM")])
def test_an_old_backup(doctor: Doctor, tmp_path: Path, days: int, verdict: str) -> None:
    folder = tmp_path / "data" / "backups"
    folder.mkdir()
    (folder / f"attendance-{NOW - timedelta(days=days):%Y%m%dT%H%M%SZ}.sqlite").touch()
    (line,) = [line for line in doctor().stdout.splitlines() if " backup: " in line]
    assert line.startswith(verdict)


def test_looking_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(tmp_path / "nowhere" / "data"))
    monkeypatch.setenv("ATTENDANCE_ENGINE_CACHE", str(tmp_path / "nowhere" / "cache"))
    done = CliRunner().invoke(attendance, ["doctor"])
    assert problems(done) == ["disk", "database", "index"], done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_a_frozen_database_is_told_soon(
    doctor: Doctor, engine: sa.Engine, database_url: str, mariadb_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.dispose()
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", database_url)
    mariadb_server.process.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    try:
        done = doctor()
    finally:
        mariadb_server.process.send_signal(signal.SIGCONT)
    assert time.monotonic() - begun < 30, "each examination would wait for a minute"
    assert problems(done) == ["database"], done.stdout
    assert "it is frozen, locked or overloaded" in done.stdout
    assert "ok       index" in done.stdout


def test_a_conversion_that_is_not_complete(doctor: Doctor, tmp_path: Path) -> None:
    second = tmp_path / "data" / "gallery" / "encodings.of-opencv.pickle"
    write_store(second, Store({}, "sface-2021dec"))
    done = doctor()
    assert problems(done) == []
    assert f"WARNING  store: {second} holds encodings of a conversion that is not complete" in done.stdout


@pytest.mark.parametrize(
    ("days", "verdict", "says"),
    [(-1, "PROBLEM", "expired on"), (5, "WARNING", "expires in 4 days"), (90, "ok", "good for")],
)
def test_a_certificate_and_its_end(  # noqa: PLR0917 - three fixtures, three parameters
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, verdict: str, says: str
) -> None:
    _write_certificate(tmp_path, days)
    monkeypatch.setenv("ATTENDANCE_SERVICE_TLS_CERTIFICATE", str(tmp_path / "certificate.pem"))
    monkeypatch.setenv("ATTENDANCE_SERVICE_TLS_KEY", str(tmp_path / "key.pem"))
    (line,) = [line for line in doctor().stdout.splitlines() if "certificate:" in line]
    assert line.startswith(verdict)
    assert says in line


def test_a_service_open_to_the_network_without_tls(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_SERVICE_LISTEN", "0.0.0.0:50051")
    done = doctor()
    assert "WARNING  certificate: the service listens on 0.0.0.0:50051 without TLS" in done.stdout
    assert done.exit_code == 0


def test_sightings_that_do_not_reach_the_database(doctor: Doctor, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    path = tmp_path / "data" / "outbox.db"
    outbox = Outbox(path)
    outbox.put([Sighting(1, "s1", now, now, 0.9, None)])
    outbox.close()
    assert problems(doctor()) == []
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE sighting SET queued_at = queued_at - 3600000000")
    done = doctor()
    assert problems(done) == ["outbox"]
    assert "1 sightings wait for the database, the oldest since 60 minutes" in done.stdout
    path.write_bytes(b"not a database" * 1000)
    assert problems(doctor()) == ["outbox"]


def test_a_camera_that_is_silent_while_a_session_runs(doctor: Doctor, db: Session) -> None:
    now = datetime.now(UTC)
    camera = db.scalars(sa.select(Camera)).one()
    camera.last_seen_at = now - timedelta(minutes=6)
    db.add(Camera(name="lost", token_hash="1" * 64))
    db.commit()
    done = doctor()
    assert problems(done) == []
    assert "WARNING  camera lost: stands in no room" in done.stdout

    db.add(
        ClassSession(
            course=Course(code="c", name="c"),
            room_id=camera.room_id,
            starts_at=now - timedelta(minutes=10),
            ends_at=now + timedelta(minutes=10),
        )
    )
    db.commit()
    done = doctor()
    assert done.exit_code == 1
    assert "PROBLEM  camera hall: last seen" in done.stdout
    assert "while a class session runs in its room" in done.stdout


def test_a_camera_whose_pictures_show_nothing(doctor: Doctor, db: Session) -> None:
    camera = make_camera(db, name="front", room=make_room(db), token="front")
    camera.last_seen_at, camera.blind_since = NOW, NOW - timedelta(hours=1)
    db.commit()
    assert "its pictures have shown nothing since" in doctor().stdout


def test_a_camera_without_a_token_keeps_its_room_from_being_watched(doctor: Doctor, db: Session) -> None:
    make_camera(db, name="front", room=make_room(db), token="front").last_seen_at = NOW
    revoked = make_camera(db, name="revoked", room=make_room(db))
    db.commit()
    found = doctor().stdout
    assert "camera revoked" in found
    assert "attendance camera remove revoked" in found
    revoked.extra = True
    db.commit()
    assert "camera revoked" not in doctor().stdout


def test_the_database_and_the_index_disagree_on_who_can_be_recognised(doctor: Doctor, db: Session) -> None:
    make_student(db, "9001").recognisable_since = NOW
    db.commit()
    found = doctor().stdout
    assert "calls 1 students recognisable whom the index does not hold: 9001" in found


def test_consent_without_enrolment(doctor: Doctor, db: Session) -> None:
    db.add(Student(index_number="s2", name="Bo", consent_given_at=datetime.now(UTC), consent_means="form"))
    db.commit()
    assert "WARNING  enrolment: 1 of 2 students gave their consent and cannot be recognised yet" in doctor().stdout


def test_programs_that_do_not_run(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_WEB_LISTEN", "127.0.0.1:9")
    assert "WARNING  dashboard: nobody listens at 127.0.0.1:9" in doctor().stdout


def test_outboxes_of_another_account_are_no_problem(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "data" / "serve"
    kept.mkdir()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, *modes, **more: path != kept and real(path, *modes, **more))
    assert f"outbox: in {kept}, which only the services' account reads" in doctor().stdout


def test_several_services_of_one_machine_each_have_an_address_and_an_outbox(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "attendance.toml").write_text("")
    (tmp_path / "serve-1.env").write_text("# written\nATTENDANCE_SERVICE_LISTEN=127.0.0.1:9\n")
    (tmp_path / "serve-2.env").write_text("ATTENDANCE_SERVICE_LISTEN=127.0.0.1:7\n")
    monkeypatch.setenv("ATTENDANCE_CONFIG", str(tmp_path / "attendance.toml"))
    for number in (1, 2):
        Outbox(tmp_path / "data" / f"outbox-{number}.db").close()
    said = doctor().stdout
    assert "service: nobody listens at 127.0.0.1:9" in said
    assert "service: nobody listens at 127.0.0.1:7" in said
    assert "outbox-1.db: 0 sightings wait" in said
    assert "outbox-2.db: 0 sightings wait" in said


def test_a_data_folder_that_is_not_there(doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", f"sqlite:///{tmp_path / 'data' / 'attendance.db'}")
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(tmp_path / "nowhere"))
    done = doctor()
    assert problems(done) == ["disk", "index"]
    assert f"the data folder {tmp_path / 'nowhere'} does not exist" in done.stdout


def test_a_database_server_whose_clock_is_an_hour_off(
    doctor: Doctor, mariadb_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An account without all rights, since init_connect is for those.
    mariadb_server.execute(
        "CREATE DATABASE clocks CHARACTER SET utf8mb4",
        "CREATE USER clocks@'127.0.0.1' IDENTIFIED BY 'clocks'",
        "GRANT ALL ON clocks.* TO clocks@'127.0.0.1'",
        "SET GLOBAL init_connect = 'SET timestamp = UNIX_TIMESTAMP() - 3600'",
    )
    try:
        url = sa.make_url(mariadb_server.url("clocks")).set(username="clocks", password="clocks")
        monkeypatch.setenv("ATTENDANCE_DATABASE_URL", url.render_as_string(hide_password=False))
        CliRunner().invoke(attendance, ["db", "upgrade"])
        done = doctor()
    finally:
        mariadb_server.execute("SET GLOBAL init_connect = ''", "DROP DATABASE clocks", "DROP USER clocks@'127.0.0.1'")
    assert problems(done) == ["clock"]
    assert re.search(r"differs from this machine's by 36\d\d s", done.stdout)


def _write_certificate(folder: Path, days: int) -> None:
    now = datetime.now(UTC)
    issued = trustme.CA().issue_cert(
        "service.example.edu", not_before=now - timedelta(days=10), not_after=now + timedelta(days=days)
    )
    issued.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")


def test_index_numbers_that_the_setting_does_not_allow(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "index numbers" not in doctor().stdout
    monkeypatch.setenv("ATTENDANCE_INSTITUTION_INDEX_PATTERN", "s[0-9]")
    assert "ok       index numbers: all look like s[0-9]" in doctor().stdout
    monkeypatch.setenv("ATTENDANCE_INSTITUTION_INDEX_PATTERN", "[0-9]{6}")
    assert "WARNING  index numbers: s1 do not look as ATTENDANCE_INSTITUTION_INDEX_PATTERN says" in doctor().stdout
