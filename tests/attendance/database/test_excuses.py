"""Excuses and the register, on SQLite and on MariaDB."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.corrections import correct, give_back
from attendance.database.entries import history_of
from attendance.database.excuses import ExcuseError, NewExcuse, give_excuse, take_back_excuse
from attendance.database.models import Attendance, ClassSession, Excuse, Source, Status
from attendance.database.register import Sighting, apply_session_times, close_ended_sessions, record_sighting
from tests.factories import NINE, enrol, make_course, make_lecturer, make_session, make_student, watch_whole

DAY, END = timedelta(days=1), NINE + timedelta(minutes=90)


@pytest.fixture
def term(db):
    """Two courses with one session each on a day, and two students of both: the ids of all, and of a lecturer."""
    courses = [make_course(db), make_course(db)]
    students = [make_student(db, "s0"), make_student(db, "s1")]
    for course in courses:
        enrol(db, course, *students)
    sessions = [make_session(db, course) for course in courses]
    watch_whole(db, *sessions)
    ids = [[row.id for row in rows] for rows in (courses, sessions, students)]
    lecturer = make_lecturer(db).id
    db.commit()
    return *ids, lecturer


def excuse(db, term, courses=None, first=NINE - DAY, last=NINE + DAY, student=0, **words):  # noqa: PLR0917
    new = NewExcuse(term[2][student], courses, first, last, **{"reason": "ill"} | words)
    return give_excuse(db, new, account_id=term[3])


def statuses(db, term, student=0):
    db.rollback()
    db.expire_all()
    rows = db.scalars(
        sa.select(Attendance).where(Attendance.student_id == term[2][student]).order_by(Attendance.session_id)
    ).all()
    return [row.status for row in rows]


@pytest.mark.parametrize("first_closed", [True, False])
def test_who_is_not_seen_is_excused_whichever_comes_first(db, sessions, term, first_closed):
    if first_closed:
        close_ended_sessions(sessions, END)
        excuse(db, term)
    else:
        excuse(db, term)
        assert statuses(db, term) == []  # an excuse for what is to come is no entry yet
        close_ended_sessions(sessions, END)
    assert statuses(db, term) == [Status.EXCUSED] * 2
    assert statuses(db, term, 1) == [Status.ABSENT] * 2
    row = db.scalars(sa.select(Attendance).where(Attendance.student_id == term[2][0])).first()
    assert row.source is Source.MACHINE


def test_taking_it_back_undoes_exactly_that(db, sessions, term):
    _, (first, second), (student, _), lecturer = term
    assert record_sighting(db, Sighting(first, "s0", NINE, NINE, 0.9, None))
    db.commit()
    close_ended_sessions(sessions, END)
    before = statuses(db, term)
    assert before == [Status.PRESENT, Status.ABSENT]
    (made,) = excuse(db, term)
    assert statuses(db, term) == [Status.PRESENT, Status.EXCUSED]  # who was seen stays so
    assert take_back_excuse(db, made.id, account_id=lecturer)
    assert statuses(db, term) == before
    assert not take_back_excuse(db, made.id, account_id=lecturer)
    assert [change.reason for change in db.scalars(history_of(second, student))] == [
        "The excuse was taken back.",
        "Excused: ill",
    ]


def test_of_two_that_overlap_one_is_enough(db, sessions, term):
    close_ended_sessions(sessions, END)
    (wide,), (narrow,) = excuse(db, term), excuse(db, term, [term[0][0]])
    take_back_excuse(db, wide.id, account_id=term[3])
    assert statuses(db, term) == [Status.EXCUSED, Status.ABSENT]
    take_back_excuse(db, narrow.id, account_id=term[3])
    assert statuses(db, term) == [Status.ABSENT] * 2


@pytest.mark.parametrize(
    ("first", "last", "covered"),
    [
        (NINE, NINE + DAY, True),
        (NINE - DAY, NINE, False),
        (NINE + timedelta(seconds=1), NINE + DAY, False),
        (NINE - timedelta(days=300), NINE + timedelta(seconds=1), True),
    ],
)
def test_what_starts_in_the_time_is_covered(db, sessions, term, first, last, covered):  # noqa: PLR0917
    excuse(db, term, first=first, last=last)
    close_ended_sessions(sessions, END)
    assert statuses(db, term) == [Status.EXCUSED if covered else Status.ABSENT] * 2


def test_what_a_person_decided_stays_and_is_excused_when_given_back(db, sessions, term):
    _, (first, _), (student, _), lecturer = term
    close_ended_sessions(sessions, END)
    words = {"session_id": first, "student_id": student, "account_id": lecturer}
    correct(db, **words, status=Status.LATE, reason="saw him", now=END)
    excuse(db, term)
    assert statuses(db, term) == [Status.LATE, Status.EXCUSED]
    give_back(db, **words)
    assert statuses(db, term) == [Status.EXCUSED] * 2


def test_who_is_seen_after_all_is_present(db, sessions, term):
    excuse(db, term)
    close_ended_sessions(sessions, END)
    assert record_sighting(db, Sighting(term[1][0], "s0", NINE, NINE, 0.9, None))
    db.commit()
    assert statuses(db, term) == [Status.PRESENT, Status.EXCUSED]


def test_a_session_that_is_moved_out_of_the_excuse_is_missed(db, sessions, term):
    excuse(db, term, last=NINE + timedelta(hours=1))
    close_ended_sessions(sessions, END)
    session = db.get(ClassSession, term[1][0], populate_existing=True)
    session.starts_at += 2 * timedelta(hours=1)
    session.ends_at += 2 * timedelta(hours=1)
    watch_whole(db, session)
    apply_session_times(db, session, END)
    db.commit()
    close_ended_sessions(sessions, NINE + DAY)
    assert statuses(db, term) == [Status.ABSENT, Status.EXCUSED]


def test_the_same_excuse_sent_twice_is_one(db, term):
    assert excuse(db, term, reference="A 7")[0].id == excuse(db, term, reference="A 7")[0].id
    excuse(db, term, reference="A 8")
    assert db.scalar(sa.select(sa.func.count()).select_from(Excuse)) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"first": NINE, "last": NINE - DAY}, "The last day is before the first"),
        ({"first": NINE, "last": NINE + 5 * 365 * DAY}, "a year at most"),
        ({"reason": " "}, "The reason is empty"),
        ({"reason": "x" * 501}, "The reason has 501 characters"),
        ({"reference": "x" * 121}, "The reference has 121 characters"),
        ({"courses": []}, "Choose a course"),
    ],
)
def test_an_excuse_that_makes_no_sense_is_refused(db, term, words, message):
    with pytest.raises(ExcuseError, match=message):
        excuse(db, term, **words)
    assert db.scalars(sa.select(Excuse)).all() == []
