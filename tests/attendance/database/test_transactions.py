"""A transaction that loses a race is run again, on what the winner wrote; one that fails for another reason is not."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database import transactions
from attendance.database.models import Room
from attendance.database.transactions import ATTEMPTS, is_lost_race, is_transient, transact

DEADLOCK = sa.exc.OperationalError("UPDATE", {}, Exception(1213, "Deadlock found"))
TAKEN = sa.exc.IntegrityError("INSERT", {}, Exception(1062, "Duplicate entry"))
TOO_LONG = sa.exc.DataError("INSERT", {}, Exception(1406, "Data too long"))


def names(sessions: sessionmaker[Session]) -> list[str]:
    with sessions() as db:
        return sorted(db.scalars(sa.select(Room.name)))


class Losing:
    """Work that adds a room, and then loses some races."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, db: Session) -> int:
        self.calls += 1
        db.add(Room(name=f"room {self.calls}"))
        db.flush()
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


@pytest.mark.parametrize("error", [DEADLOCK, TAKEN])
def test_a_lost_race_is_run_again_from_the_beginning(
    sessions: sessionmaker[Session], db: Session, error: Exception
) -> None:
    work = Losing(error, error)
    assert transact(db, work) == 3
    assert names(sessions) == ["room 3"]


@pytest.mark.parametrize("error", [TOO_LONG, LookupError("no such room"), KeyboardInterrupt()])
def test_what_is_no_race_ends_it_at_once_and_nothing_is_written(
    sessions: sessionmaker[Session], error: BaseException
) -> None:
    work = Losing(error)  # type: ignore[arg-type]
    with pytest.raises(type(error)), sessions() as db:
        transact(db, work)
    assert work.calls == 1
    assert names(sessions) == []


def test_enough_is_enough(sessions: sessionmaker[Session], db: Session) -> None:
    work = Losing(*[DEADLOCK] * ATTEMPTS)
    with pytest.raises(sa.exc.OperationalError, match="Deadlock"):
        transact(db, work)
    assert work.calls == ATTEMPTS
    assert transact(db, work) == ATTEMPTS + 1  # and the session can be used
    assert names(sessions) == [f"room {ATTEMPTS + 1}"]


def test_somebody_who_waits_is_not_kept_waiting(db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "_PATIENCE_S", -1.0)
    work = Losing(DEADLOCK)
    with pytest.raises(sa.exc.OperationalError):
        transact(db, work)
    assert work.calls == 1


def test_what_was_read_before_is_read_anew_after_a_lost_race(sessions: sessionmaker[Session], db: Session) -> None:
    db.add(Room(name="old"))
    db.commit()
    room = db.scalars(sa.select(Room)).one()

    def rename(db: Session) -> str:
        if room.name == "old":
            room.name = "mine"
            db.flush()
            db.rollback()  # as the database does with the loser of a deadlock
            with sessions.begin() as other:
                other.execute(sa.update(Room).values(name="theirs"))
            raise DEADLOCK
        room.name = f"{room.name} and mine"
        return room.name

    assert transact(db, rename) == "theirs and mine"
    assert names(sessions) == ["theirs and mine"]


def test_many_at_once_all_come_through(sessions: sessionmaker[Session]) -> None:
    """Each adds the room whose number comes next: the database refuses those who counted at the same moment."""
    workers, each = 4, 5

    def add_next(db: Session) -> None:
        number = db.scalar(sa.select(sa.func.count()).select_from(Room)) or 0
        db.add(Room(name=f"{number:03}"))

    def add_some(_: int) -> None:
        for _ in range(each):
            with sessions() as db:
                transact(db, add_next)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(add_some, range(workers)))
    assert names(sessions) == [f"{number:03}" for number in range(workers * each)]


def test_a_lost_connection_is_transient_and_a_fault_is_not() -> None:
    lost = sa.exc.InterfaceError("SELECT", {}, Exception(0, ""), connection_invalidated=True)
    assert [is_transient(one) for one in (DEADLOCK, lost, TAKEN, TOO_LONG, ValueError())] == [True, True] + [False] * 3
    assert [is_lost_race(one) for one in (DEADLOCK, lost, TAKEN, TOO_LONG, ValueError())] == [True] * 3 + [False] * 2
