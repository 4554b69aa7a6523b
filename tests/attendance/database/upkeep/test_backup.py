"""Backups and restores, on SQLite and with MariaDB's own programs."""

import gzip
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from attendance.database.engine import DatabaseError, create_database_engine, downgrade, newest_revision, upgrade
from attendance.database.models import Account, Student
from attendance.database.upkeep.backup import backup, backups_in, delete_older_backups, require_whole, restore
from attendance.database.upkeep.digests import digest_file_of
from operations.cli.main import attendance
from tests.attendance.database.full_database import fill, rows_of

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _programs(require_program: Callable[[list[str], str], str]) -> None:
    require_program(["mariadb-dump"], "mariadb-client")


def test_a_restored_backup_is_the_database_as_it_was(engine: sa.Engine, db: Session, tmp_path: Path) -> None:
    fill(db)
    before = rows_of(engine)
    written = backup(engine, tmp_path / "backups", NOW)
    assert written.name.startswith("attendance-20261123T090000Z.")
    assert stat.S_IMODE(written.stat().st_mode) == 0o600

    db.execute(sa.delete(Student))
    db.add(Student(index_number="later", name="x"))
    db.commit()
    restore(engine, written, replace=True)
    assert rows_of(engine) == before
    assert sorted((tmp_path / "backups").iterdir()) == [written, digest_file_of(written)]
    assert stat.S_IMODE(digest_file_of(written).stat().st_mode) == 0o600


def test_a_backup_is_restored_into_a_new_database(engine: sa.Engine, db: Session, tmp_path: Path) -> None:
    fill(db)
    before = rows_of(engine)
    written = backup(engine, tmp_path, NOW)
    db.close()
    downgrade(engine, "base", lossy=True)
    restore(engine, written)
    assert rows_of(engine) == before


def test_rows_are_not_lost_unasked(engine: sa.Engine, db: Session, tmp_path: Path) -> None:
    fill(db)
    written = backup(engine, tmp_path, NOW)
    before = rows_of(engine)
    with pytest.raises(DatabaseError, match=r"the database holds rows .*--replace"):
        restore(engine, written)
    assert rows_of(engine) == before


def test_a_backup_is_of_one_moment_while_others_write(engine: sa.Engine, db: Session, tmp_path: Path) -> None:
    fill(db)
    with engine.connect() as other, other.begin():
        other.execute(
            sa.insert(Account).values(
                email="unfinished@x.org",
                name="x",
                password_hash="x",
                active=True,
                created_at=NOW,
            )
        )
        written = backup(engine, tmp_path, NOW)
    restore(engine, written, replace=True)
    assert "unfinished@x.org" not in db.scalars(sa.select(Account.email)).all()


def test_a_backup_cut_short_is_refused_and_changes_nothing(engine: sa.Engine, db: Session, tmp_path: Path) -> None:
    fill(db)
    before = rows_of(engine)
    written = backup(engine, tmp_path, NOW)
    data = written.read_bytes()
    written.write_bytes(data[: len(data) // 2])
    with pytest.raises(DatabaseError, match=re.escape(f"the backup {written}")):
        restore(engine, written, replace=True)
    digest_file_of(written).unlink()  # a backup of before there were digests
    with pytest.raises(DatabaseError, match=re.escape(f"the backup {written}")):
        restore(engine, written, replace=True)
    if written.name.endswith(".gz"):
        written.write_bytes(gzip.compress(gzip.decompress(data)[:-100]))
        with pytest.raises(DatabaseError, match="cut short"):
            restore(engine, written, replace=True)
    assert rows_of(engine) == before


@pytest.mark.parametrize("place", [0.02, 0.5, 0.98])
def test_a_flipped_byte_is_named_and_changes_nothing(
    engine: sa.Engine, db: Session, tmp_path: Path, place: float
) -> None:
    fill(db)
    before = rows_of(engine)
    written = backup(engine, tmp_path, NOW)
    data = bytearray(written.read_bytes())
    data[int(len(data) * place)] ^= 0x10
    written.write_bytes(data)
    with pytest.raises(DatabaseError, match=re.escape(f"the backup {written} is damaged: its SHA-256 is ")):
        restore(engine, written, replace=True)
    assert rows_of(engine) == before


def test_every_byte_of_a_dump_without_a_digest_is_looked_at_in_our_own_words(
    mariadb_server: Any, tmp_path: Path
) -> None:
    file = tmp_path / "attendance-20260101T000000Z.sql.gz"
    whole = gzip.compress(
        b"INSERT INTO `alembic_version` VALUES\n('0001');\n" + b"x" * 5000 + b"\n-- Dump completed on 2026-01-01\n"
    )
    file.write_bytes(whole)
    assert not require_whole(file, "mysql"), "there is no digest to hold it against"
    for place in range(10, len(whole)):  # before are the name and the time of the file
        data = bytearray(whole)
        data[place] ^= 0x55
        file.write_bytes(data)
        with pytest.raises(DatabaseError, match="backup"):
            require_whole(file, "mysql")


def test_a_damaged_digest_is_no_digest_that_fits(engine: sa.Engine, db: Session, tmp_path: Path) -> None:
    fill(db)
    written = backup(engine, tmp_path, NOW)
    digest_file_of(written).write_bytes(b"\xff\x00")
    with pytest.raises(DatabaseError, match=r"sha256 is damaged: it holds no SHA-256"):
        restore(engine, written, replace=True)


def test_the_digest_is_one_that_sha256sum_reads(tmp_path: Path) -> None:
    engine = create_database_engine(f"sqlite:///{tmp_path / 'a.db'}")
    upgrade(engine)
    written = backup(engine, tmp_path, NOW)
    engine.dispose()
    done = subprocess.run(["sha256sum", "--check", digest_file_of(written).name], cwd=tmp_path, check=False)
    assert done.returncode == 0


def test_a_newer_versions_backup_is_refused_before_anything_goes(
    engine: sa.Engine, db: Session, tmp_path: Path
) -> None:
    fill(db)
    before = rows_of(engine)
    db.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    db.commit()
    written = backup(engine, tmp_path, NOW)
    db.execute(sa.text("UPDATE alembic_version SET version_num = :revision"), {"revision": newest_revision()})
    db.commit()
    with pytest.raises(DatabaseError, match="made by a newer version"):
        restore(engine, written, replace=True)
    assert rows_of(engine) == before


def test_nothing_is_restored_while_another_has_the_database_open(
    engine: sa.Engine, db: Session, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", database_url)
    monkeypatch.setenv("ATTENDANCE_SERVICE_LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("ATTENDANCE_WEB_LISTEN", "127.0.0.1:1")
    fill(db)
    written = backup(engine, tmp_path, NOW)
    program = (
        "import sys, time; from attendance.database.engine import create_database_engine\n"
        "connection = create_database_engine(sys.argv[1]).connect()\n"
        "connection.exec_driver_sql('SELECT 1 FROM account'); print('open', flush=True); time.sleep(60)"
    )
    db.close()
    engine.dispose()
    before = rows_of(engine)
    engine.dispose()
    with subprocess.Popen([sys.executable, "-c", program, database_url], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        refused = _type("db", "restore", str(written), "--replace")
        other.kill()
    assert refused.exit_code == 1
    assert "the system is running: the database is open to" in refused.stderr
    assert rows_of(engine) == before
    engine.dispose()
    with socket.create_server(("127.0.0.1", 0)) as web:
        monkeypatch.setenv("ATTENDANCE_WEB_LISTEN", f"127.0.0.1:{web.getsockname()[1]}")
        refused = _type("db", "restore", str(written), "--replace")
    assert "the system is running (dashboard at 127.0.0.1:" in refused.stderr
    monkeypatch.setenv("ATTENDANCE_WEB_LISTEN", "127.0.0.1:1")
    digest_file_of(written).unlink()
    done = _type("db", "restore", str(written), "--replace")
    assert done.exit_code == 0, done.stderr
    assert "has no digest beside it" in done.stderr


def test_the_other_kinds_backup_and_a_missing_one_are_named(engine: sa.Engine, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="no backup of this kind"):
        restore(engine, tmp_path / "backup.zip")
    suffix = ".sqlite" if engine.dialect.name == "sqlite" else ".sql.gz"
    with pytest.raises(DatabaseError, match=rf"backup .*missing{suffix}"):
        restore(engine, tmp_path / f"missing{suffix}")


def test_nothing_is_backed_up_of_a_database_without_tables(database_url: str, tmp_path: Path) -> None:
    engine = create_database_engine(database_url)
    with pytest.raises(DatabaseError, match="no tables yet"):
        backup(engine, tmp_path, NOW)
    engine.dispose()


def test_a_folder_that_cannot_be_written_is_named(engine: sa.Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseError, match="cannot write the backup"):
        backup(engine, tmp_path / "file", NOW)


def test_the_oldest_backups_go_and_nothing_else(tmp_path: Path) -> None:
    engine = create_database_engine(f"sqlite:///{tmp_path / 'a.db'}")
    upgrade(engine)
    (tmp_path / "attendance-notes.sqlite").write_text("mine")
    written = [backup(engine, tmp_path, NOW + timedelta(days=day)) for day in range(4)]
    engine.dispose()
    assert delete_older_backups(tmp_path, keep=2) == written[:2]
    assert sorted(tmp_path.glob("*.sha256")) == [digest_file_of(path) for path in written[2:]]
    assert sorted(tmp_path.glob("*.sqlite")) == [*written[2:], tmp_path / "attendance-notes.sqlite"]


def test_an_older_backup_is_brought_up_to_date(
    engine: sa.Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", database_url)
    downgrade(engine, "0001")
    assert _type("db", "backup", str(tmp_path)).exit_code == 0
    upgrade(engine)
    (written,) = backups_in(tmp_path)
    engine.dispose()
    done = _type("db", "restore", str(written), "--replace")
    assert f"at schema {newest_revision()}" in done.stdout


def test_a_dump_that_fails_says_why_and_leaves_no_file(mariadb_server: Any, tmp_path: Path) -> None:
    wrong = create_database_engine(mariadb_server.url("mysql").replace(mariadb_server.password, "wr%22on%5Cg"))
    with pytest.raises(DatabaseError, match="Access denied") as caught:
        backup(wrong, tmp_path, NOW)
    assert "on\\g" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_a_password_of_any_characters_reaches_the_dump(engine: sa.Engine, mariadb_server: Any, tmp_path: Path) -> None:
    password = "q\"u'o\\te #;=%"
    mariadb_server.execute(
        "CREATE OR REPLACE USER odd@'127.0.0.1' IDENTIFIED BY '" + pymysql.converters.escape_string(password) + "'",
        "GRANT ALL ON *.* TO odd@'127.0.0.1'",
    )
    odd = create_database_engine(
        engine.url.set(username="odd", password=password).render_as_string(hide_password=False)
    )
    assert backup(odd, tmp_path, NOW).is_file()
    odd.dispose()


def _type(*words: str) -> Result:
    return CliRunner().invoke(attendance, words)
