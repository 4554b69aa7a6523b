"""Moving from one database to another."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.engine import DatabaseError, create_database_engine, downgrade, upgrade
from attendance.database.models import Base, Room, Student
from attendance.database.upkeep.copying import copy_database
from operations.cli.main import attendance
from tests.attendance.database.full_database import fill, rows_of


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = create_database_engine(f"sqlite:///{tmp_path / 'other.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()


def test_every_row_arrives(sqlite: sa.Engine, engine: sa.Engine) -> None:
    with Session(sqlite) as db:
        fill(db)
    said: dict[str, int] = {}
    copied = copy_database(sqlite, engine, tell=lambda table, rows: said.update({table: rows}))
    assert set(copied) == {table.name for table in Base.metadata.sorted_tables}
    assert all(rows > 0 for rows in copied.values())
    assert copied == said
    assert rows_of(engine) == rows_of(sqlite)


def test_and_back_and_the_next_row_gets_a_new_key(sqlite: sa.Engine, engine: sa.Engine, db: Session) -> None:
    fill(db)
    copy_database(engine, sqlite)
    assert rows_of(sqlite) == rows_of(engine)
    for copy in (engine, sqlite):
        with sessionmaker(copy).begin() as session:
            session.add(Room(name="another"))


def test_a_target_without_tables_gets_them(sqlite: sa.Engine, engine: sa.Engine) -> None:
    with Session(sqlite) as db:
        fill(db)
    downgrade(engine, "base")
    copy_database(sqlite, engine)
    assert rows_of(engine) == rows_of(sqlite)


def test_a_target_with_rows_is_left_alone(sqlite: sa.Engine, engine: sa.Engine, db: Session) -> None:
    db.add(Room(name="there"))
    db.commit()
    before = rows_of(engine)
    with pytest.raises(DatabaseError, match=r"already holds rows .*room"):
        copy_database(sqlite, engine)
    assert rows_of(engine) == before


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)  # SQLite takes a text of any length
def test_one_row_that_does_not_fit_leaves_nothing_behind(sqlite: sa.Engine, engine: sa.Engine) -> None:
    with Session(sqlite) as db:
        fill(db)
        db.add(Student(index_number="long", name="x" * 500))
        db.commit()
    with pytest.raises(DatabaseError, match="row of the table student does not fit"):
        copy_database(sqlite, engine)
    assert not any(rows_of(engine).values())


def test_a_database_is_not_copied_into_itself(engine: sa.Engine) -> None:
    with pytest.raises(DatabaseError, match="same database"):
        copy_database(engine, engine)


def test_as_an_operator_types_it(
    sqlite: sa.Engine, engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Session(sqlite) as db:
        fill(db)
    before = rows_of(sqlite)  # where it is noted, too, that the copy was made
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", sqlite.url.render_as_string(hide_password=False))
    done = CliRunner().invoke(attendance, ["db", "copy", "-"], input=database_url + "\n")
    assert done.exit_code == 0, done.stderr
    assert "Copied and compared" in done.stdout
    assert rows_of(engine) == before
    again = CliRunner().invoke(attendance, ["db", "copy", database_url])
    assert again.exit_code == 1
    assert "already holds rows" in again.stderr
