from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import Student
from attendance.database.upkeep.erasure import withdraw
from attendance.database.watching.recognisable import differences, note_index, note_index_in_use
from tests.factories import NINE, make_student

DAY = timedelta(days=1)


def since(sessions: sessionmaker[Session]) -> dict[str, datetime | None]:
    with sessions() as db:
        return {row[0]: row[1] for row in db.execute(sa.select(Student.index_number, Student.recognisable_since))}


def class_of(sessions: sessionmaker[Session], *students: str) -> None:
    with sessions.begin() as db:
        for student in students:
            make_student(db, student)


def test_it_begins_with_the_first_index_and_ends_with_one_that_does_not_hold_the_student(
    sessions: sessionmaker[Session],
) -> None:
    class_of(sessions, "s1", "s2", "s3")
    note_index(sessions, ["s1", "s2", "stranger"], NINE)
    assert since(sessions) == {"s1": NINE, "s2": NINE, "s3": None}
    note_index(sessions, ["s1", "s3"], NINE + DAY)
    assert since(sessions) == {"s1": NINE, "s2": None, "s3": NINE + DAY}
    note_index(sessions, ["s1", "s2", "s3"], NINE + 2 * DAY)
    assert since(sessions) == {"s1": NINE, "s2": NINE + 2 * DAY, "s3": NINE + DAY}
    note_index(sessions, [], NINE + 3 * DAY)
    assert set(since(sessions).values()) == {None}


def test_index_numbers_are_told_apart_exactly(sessions: sessionmaker[Session]) -> None:
    class_of(sessions, "ab1", "AB1", "7123", "007123")
    note_index(sessions, ["AB1", "007123"], NINE)
    assert since(sessions) == {"ab1": None, "AB1": NINE, "7123": None, "007123": NINE}


def test_who_withdraws_is_not_recognisable_whatever_an_index_holds(sessions: sessionmaker[Session]) -> None:
    class_of(sessions, "s1", "s2")
    note_index(sessions, ["s1", "s2"], NINE)
    assert withdraw(sessions, "s1", now=NINE + DAY)
    assert since(sessions) == {"s1": None, "s2": NINE}
    note_index(sessions, ["s1", "s2"], NINE + 2 * DAY)  # published before the erasure got there
    assert note_index_in_use(sessions, ["s1", "s2"], NINE + 2 * DAY) == 0
    assert since(sessions) == {"s1": None, "s2": NINE}


def test_an_index_in_use_adds_and_takes_nobody_back(sessions: sessionmaker[Session]) -> None:
    class_of(sessions, "s1", "s2", "s3")
    note_index(sessions, ["s1"], NINE)
    assert note_index_in_use(sessions, ["s2"], NINE + DAY) == 1
    assert note_index_in_use(sessions, ["s2"], NINE + 2 * DAY) == 0
    assert since(sessions) == {"s1": NINE, "s2": NINE + DAY, "s3": None}


def test_differences_are_told_from_both_sides(sessions: sessionmaker[Session], db: Session) -> None:
    class_of(sessions, "s1", "s2", "s3")
    note_index(sessions, ["s1", "s2"], NINE)
    ids = {row[0]: row[1] for row in db.execute(sa.select(Student.index_number, Student.id))}
    found = differences(db, {"s2", "s3", "stranger"})
    assert (found.unmarked, found.marked) == ((ids["s3"],), (ids["s1"],))


def test_a_campus_is_noted_in_batches(sessions: sessionmaker[Session]) -> None:
    numbers = [f"s{number:05d}" for number in range(1_203)]
    with sessions.begin() as db:
        db.add_all(Student(index_number=number, name="Alan Turing") for number in numbers)
    changed = note_index(sessions, numbers[:-1], NINE)
    assert (len(changed.unmarked), len(changed.marked)) == (1_202, 0)
    known = since(sessions)
    assert [number for number in numbers if known[number] is None] == numbers[-1:]
    again = note_index(sessions, numbers[:-1], NINE + DAY)
    assert (again.unmarked, again.marked) == ((), ())
