"""One at a time, on both databases."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.engine import DatabaseError, create_database_engine
from attendance.database.locks import exclusive, in_passing
from attendance.database.models import Room


def test_what_is_counted_and_then_written_is_right(engine: sa.Engine, db: Session) -> None:
    """Each adds a room only while there are fewer than three; all begin at the same moment, as processes would."""
    at_once = 8
    together = threading.Barrier(at_once)

    def add(number: int) -> None:
        own = create_database_engine(engine.url.render_as_string(hide_password=False))
        together.wait()
        with exclusive(own, "rooms") as connection:
            if connection.scalar(sa.select(sa.func.count()).select_from(Room)) < 3:  # type: ignore[operator]
                connection.execute(sa.insert(Room).values(name=f"Room {number}"))
        own.dispose()

    with ThreadPoolExecutor(at_once) as pool:
        for done in [pool.submit(add, number) for number in range(at_once)]:
            done.result()
    assert db.scalar(sa.select(sa.func.count()).select_from(Room)) == 3


def test_what_fails_is_undone_and_lets_others_in(engine: sa.Engine, db: Session) -> None:
    def fail() -> None:
        with exclusive(engine, "rooms") as connection:
            connection.execute(sa.insert(Room).values(name="Room 1"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with exclusive(engine, "rooms") as connection:
        assert connection.scalars(sa.select(Room.name)).all() == []


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
def test_who_waits_too_long_is_told(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits for its write lock in its own way."""
    monkeypatch.setattr("attendance.database.locks._WAIT_S", 0)
    with (
        exclusive(engine, "rooms"),
        pytest.raises(DatabaseError, match="others held the lock rooms"),
        exclusive(engine, "rooms"),
    ):
        pass
    with exclusive(engine, "rooms"), exclusive(engine, "cameras"):
        pass


def test_what_is_written_in_passing_does_not_wait(engine: sa.Engine, db: Session) -> None:
    rename = sa.update(Room).values(name="Hall")
    assert in_passing(engine, sa.insert(Room).values(name="Room 1"))
    with engine.connect() as other, other.begin():
        other.execute(sa.update(Room).values(name="Held"))
        began = time.monotonic()
        assert not in_passing(engine, rename)
        assert time.monotonic() - began < 10
    assert in_passing(engine, rename)
    assert db.scalars(sa.select(Room.name)).all() == ["Hall"]


def test_the_next_one_of_that_connection_waits_again(engine: sa.Engine) -> None:
    asked = "PRAGMA busy_timeout" if engine.dialect.name == "sqlite" else "SELECT @@innodb_lock_wait_timeout"
    with engine.connect() as connection:
        before = connection.exec_driver_sql(asked).scalar()
    in_passing(engine, sa.insert(Room).values(name="Room 1"))
    in_passing(engine, sa.insert(Room).values(name=None))  # refused
    with engine.connect() as connection:
        assert connection.exec_driver_sql(asked).scalar() == before
