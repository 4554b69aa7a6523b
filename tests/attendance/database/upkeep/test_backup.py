"""Backups and restores, on SQLite and with MariaDB's own programs."""

import gzip
import re
import stat
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
from attendance.database.upkeep.backup import backup, delete_older_backups, restore
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
    assert list((tmp_path / "backups").iterdir()) == [written]


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
    if written.name.endswith(".gz"):
        written.write_bytes(gzip.compress(gzip.decompress(data)[:-100]))
        with pytest.raises(DatabaseError, match="cut short"):
            restore(engine, written, replace=True)
    assert rows_of(engine) == before


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
    assert sorted(tmp_path.glob("*.sqlite")) == [*written[2:], tmp_path / "attendance-notes.sqlite"]


def test_an_older_backup_is_brought_up_to_date(
    engine: sa.Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", database_url)
    downgrade(engine, "0001")
    assert _type("db", "backup", str(tmp_path)).exit_code == 0
    upgrade(engine)
    (written,) = [path for path in tmp_path.iterdir() if path.name.startswith("attendance-")]
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
