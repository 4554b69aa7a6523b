"""Corrections by people who do not know of each other, on SQLite and on MariaDB."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.corrections import (
    CorrectionError,
    EntryChangedError,
    NoEntryError,
    correct,
    give_back,
    set_remark,
)
from attendance.database.entries import history_of
from attendance.database.models import Attendance, AttendanceChange, ClassSession, Course, Source, Status, Student
from attendance.database.register import Sighting, apply_session_times, close_ended_sessions, record_sighting
from tests.factories import NINE, enrol, make_course, make_lecturer, make_session, make_student, watch_whole

END = NINE + timedelta(minutes=90)


@pytest.fixture
def course_session(db: Session) -> ClassSession:
    """A session of a course with two students, s1 and s2."""
    course = make_course(db)
    enrol(db, course, make_student(db, "s1"), make_student(db, "s2"))
    session = make_session(db, course)
    watch_whole(db, session)
    db.commit()
    return session


@pytest.fixture
def people(db: Session) -> tuple[int, int]:
    """Two lecturers."""
    made = make_lecturer(db, name="Ada").id, make_lecturer(db, name="Grace").id
    db.commit()
    return made


def student_of(db: Session, number: str = "s1") -> int:
    return db.scalars(sa.select(Student.id).where(Student.index_number == number)).one()


def row_of(db: Session) -> Attendance:
    db.expire_all()
    return db.scalars(sa.select(Attendance)).one()


def sight(db: Session, session: ClassSession, minute: float) -> None:
    at = NINE + timedelta(minutes=minute)
    assert record_sighting(db, Sighting(session.id, "s1", at, at, 0.9, None))
    db.commit()


def say(db, session, status, lecturer, version, why="why"):  # noqa: PLR0917
    return correct(
        db,
        session_id=session.id,
        student_id=student_of(db),
        status=status,
        reason=why,
        account_id=lecturer,
        version=version,
    )


def test_a_version_starts_at_one_and_rises_with_what_a_person_would_decide_on(db, course_session, people):
    sight(db, course_session, 20)
    assert (row_of(db).version, row_of(db).status) == (1, Status.LATE)
    sight(db, course_session, 25)  # seen again: nothing decided
    assert row_of(db).version == 1
    sight(db, course_session, 5)
    assert (row_of(db).version, row_of(db).status) == (2, Status.PRESENT)
    say(db, course_session, Status.EXCUSED, people[0], 2)
    say(db, course_session, Status.EXCUSED, people[0], 3, "another reason")
    assert row_of(db).version == 4
    sight(db, course_session, 1)  # what a person decided stays
    assert row_of(db).version == 4
    changes = db.scalars(history_of(course_session.id, student_of(db))).all()
    assert [change.version for change in changes] == [4, 3, 2]
    assert [change.old_source for change in changes] == [Source.PERSON, Source.MACHINE, Source.MACHINE]


@pytest.mark.parametrize("seen", [True, False])
def test_the_second_of_two_is_told_and_changes_nothing(db, course_session, people, seen):
    if seen:
        sight(db, course_session, 2)
    looked_at = 1 if seen else 0
    say(db, course_session, Status.ABSENT, people[0], looked_at)
    with pytest.raises(EntryChangedError):
        say(db, course_session, Status.EXCUSED, people[1], looked_at)
    assert row_of(db).status is Status.ABSENT
    say(db, course_session, Status.EXCUSED, people[1], looked_at + 1)
    assert row_of(db).status is Status.EXCUSED


def test_what_the_machine_entered_meanwhile_is_told_too(db, course_session, people):
    sight(db, course_session, 2)
    with pytest.raises(EntryChangedError):
        say(db, course_session, Status.EXCUSED, people[0], 0)


def test_an_entry_that_is_gone_meanwhile_is_told(db, course_session, people, sessions):
    close_ended_sessions(sessions, END)
    assert row_of_student(db, student_of(db)).version == 1
    course_session = db.get(ClassSession, course_session.id)
    course_session.starts_at, course_session.ends_at = END + timedelta(days=1), END + timedelta(days=1, hours=1)
    apply_session_times(db, course_session, END + timedelta(hours=1))
    db.commit()
    with pytest.raises(EntryChangedError):
        say(db, course_session, Status.EXCUSED, people[0], 1)
    assert db.scalars(sa.select(Attendance)).all() == []


def row_of_student(db: Session, student_id: int) -> Attendance:
    db.rollback()
    return db.scalars(sa.select(Attendance).where(Attendance.student_id == student_id)).one()


@pytest.mark.parametrize("version", [0, 1])
def test_the_same_correction_sent_twice_is_one_change(db, course_session, people, version):
    if version:
        sight(db, course_session, 2)
    for _ in range(2):
        say(db, course_session, Status.EXCUSED, people[0], version)
    assert row_of(db).version == version + 1
    assert db.scalar(sa.select(sa.func.count()).select_from(AttendanceChange)) == 1


@pytest.mark.parametrize(
    ("lecturer", "status", "why"), [(1, Status.EXCUSED, "why"), (0, Status.LATE, "why"), (0, Status.EXCUSED, "other")]
)
def test_another_person_status_or_reason_is_another_change(db, course_session, people, lecturer, status, why):  # noqa: PLR0917
    say(db, course_session, Status.EXCUSED, people[0], 0)
    with pytest.raises(EntryChangedError):
        say(db, course_session, status, people[lecturer], 0, why)


@pytest.mark.parametrize("seen", [True, False])
def test_of_two_at_the_same_moment_one_wins_and_one_is_told(
    db: Session, sessions: sessionmaker[Session], course_session: ClassSession, people: tuple[int, int], seen: bool
) -> None:
    if seen:
        sight(db, course_session, 2)
    together, outcomes = Barrier(2), []

    def one(lecturer: int, status: Status) -> None:
        with sessions() as own:
            own.get(ClassSession, course_session.id)
            together.wait(10)
            try:
                say(own, course_session, status, lecturer, int(seen))
            except EntryChangedError:
                outcomes.append("told")
            else:
                outcomes.append("saved")

    threads = [Thread(target=one, args=pair) for pair in zip(people, (Status.ABSENT, Status.EXCUSED), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["saved", "told"]
    assert row_of(db).version == int(seen) + 1
    assert db.scalar(sa.select(sa.func.count()).select_from(AttendanceChange)) == 1


def test_the_history_of_an_entry_that_was_taken_out_stays(db, course_session, sessions):
    sight(db, course_session, 20)
    sight(db, course_session, 5)
    course_session = db.get(ClassSession, course_session.id)
    course_session.starts_at += timedelta(days=7)
    course_session.ends_at += timedelta(days=7)
    close_ended_sessions(sessions, END)
    apply_session_times(db, course_session, END)
    db.commit()
    student = student_of(db)
    assert [c.new_status for c in db.scalars(history_of(course_session.id, student))] == [None, Status.PRESENT]


def back(db, session, lecturer, version=None, number="s1"):
    return give_back(db, session_id=session.id, student_id=student_of(db, number), account_id=lecturer, version=version)


@pytest.mark.parametrize(("minute", "status"), [(2, Status.PRESENT), (20, Status.LATE)])
def test_given_back_the_machine_decides_from_what_it_saw(db, course_session, people, minute, status):
    sight(db, course_session, minute)
    say(db, course_session, Status.EXCUSED, people[0], 1)
    sight(db, course_session, minute - 1)  # seen while the entry was a person's
    back(db, course_session, people[1], 2)
    row = row_of(db)
    assert (row.status, row.source, row.version) == (status, Source.MACHINE, 3)
    last = db.scalar(history_of(course_session.id, student_of(db)).limit(1))
    assert (last.old_status, last.new_status, last.account_id) == (Status.EXCUSED, status, people[1])
    sight(db, course_session, -5)  # and goes on deciding
    assert row_of(db).status is Status.PRESENT


def test_given_back_while_nobody_was_seen_there_is_no_entry_but_a_history(db, sessions, course_session, people):
    say(db, course_session, Status.EXCUSED, people[0], 0)
    assert back(db, course_session, people[0], 1) is None
    assert db.scalars(sa.select(Attendance)).all() == []
    history = db.scalars(history_of(course_session.id, student_of(db))).all()
    assert [(c.old_status, c.new_status) for c in history] == [(Status.EXCUSED, None), (None, Status.EXCUSED)]
    assert back(db, course_session, people[0], 1) is None  # sent twice
    assert len(db.scalars(history_of(course_session.id, student_of(db))).all()) == 2
    close_ended_sessions(sessions, END)
    assert row_of_student(db, student_of(db)).status is Status.ABSENT


def test_given_back_after_the_end_who_was_expected_is_absent_and_who_came_later_has_none(
    db, sessions, course_session, people
):
    words = {"session_id": course_session.id, "student_id": student_of(db), "account_id": people[0]}
    correct(db, **words, status=Status.EXCUSED, reason="ill", now=NINE)
    close_ended_sessions(sessions, END)
    later = make_student(db, "later")
    enrol(db, db.get(Course, course_session.course_id), later)
    db.commit()
    correct(db, **words | {"student_id": later.id}, status=Status.PRESENT, reason="was there")
    assert back(db, course_session, people[0]).status is Status.ABSENT
    assert back(db, course_session, people[0], number="later") is None


def test_what_no_person_decided_cannot_be_given_back(db, course_session, people):
    with pytest.raises(NoEntryError):
        back(db, course_session, people[0])
    sight(db, course_session, 2)
    with pytest.raises(CorrectionError, match="decides this entry already"):
        back(db, course_session, people[0], 1)


def test_what_was_changed_meanwhile_is_not_given_back(db, course_session, people):
    say(db, course_session, Status.EXCUSED, people[0], 0)
    say(db, course_session, Status.LATE, people[1], 1)
    with pytest.raises(EntryChangedError):
        back(db, course_session, people[0], 1)
    assert row_of(db).status is Status.LATE


def note(db, session, lecturer, version, remark):
    return set_remark(
        db, session_id=session.id, student_id=student_of(db), remark=remark, account_id=lecturer, version=version
    )


def test_a_remark_stands_beside_the_status_and_counts_as_a_change(db, course_session, people):
    with pytest.raises(NoEntryError, match="none yet"):
        note(db, course_session, people[0], 0, "limps")
    sight(db, course_session, 2)
    for _ in range(2):  # sent twice
        note(db, course_session, people[0], 1, " left at ten ")
    row = row_of(db)
    assert (row.remark, row.status, row.source, row.version) == ("left at ten", Status.PRESENT, Source.MACHINE, 2)
    with pytest.raises(EntryChangedError):
        say(db, course_session, Status.EXCUSED, people[1], 1)
    with pytest.raises(EntryChangedError):
        note(db, course_session, people[1], 1, "stayed")
    note(db, course_session, people[1], 2, "")
    assert row_of(db).remark is None
    assert [change.remark for change in db.scalars(history_of(course_session.id, student_of(db)))] == [
        "",
        "left at ten",
    ]
    with pytest.raises(CorrectionError, match="at most 500"):
        note(db, course_session, people[1], 3, "x" * 501)
