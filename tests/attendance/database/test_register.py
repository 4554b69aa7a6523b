"""The rules of attendance, on SQLite and on MariaDB."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.conclusions import status_for
from attendance.database.corrections import correct_status
from attendance.database.models import Attendance, AttendanceChange, ClassSession, Enrolment, Source, Status, Student
from attendance.database.register import (
    Sighting,
    apply_session_times,
    close_ended_sessions,
    enter_sightings,
    record_sighting,
    session_in_force,
)
from tests.factories import (
    NINE,
    enrol,
    make_camera,
    make_course,
    make_lecturer,
    make_session,
    make_student,
    watch_whole,
)

END = NINE + timedelta(minutes=90)
SECOND = timedelta(seconds=1)


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


@pytest.fixture
def course_session(db: Session) -> ClassSession:
    """A session of a course with two students, s1 and s2, which is watched."""
    course = make_course(db)
    enrol(db, course, make_student(db, "s1"), make_student(db, "s2"))
    session = make_session(db, course)
    watch_whole(db, session)
    db.commit()
    return session


def seen(session: ClassSession, first: datetime, last: datetime | None = None, student: str = "s1") -> Sighting:
    return Sighting(session.id, student, first, last or first, 0.9, None)


def row_of(db: Session, student: str = "s1") -> Attendance:
    db.expire_all()
    return db.scalars(sa.select(Attendance).join(Student).where(Student.index_number == student)).one()


@pytest.mark.parametrize(
    ("first_seen", "status"),
    [
        (at(-10), Status.PRESENT),
        (NINE, Status.PRESENT),
        (at(10), Status.PRESENT),
        (at(10) + timedelta(microseconds=1), Status.LATE),
        (END - SECOND, Status.LATE),
    ],
)
def test_present_until_the_grace_period_ends_then_late(
    db: Session, course_session: ClassSession, first_seen: datetime, status: Status
) -> None:
    assert status_for(course_session, first_seen) is status
    record_sighting(db, seen(course_session, first_seen))
    db.commit()
    row = row_of(db)
    assert (row.status, row.source, row.first_seen) == (status, Source.MACHINE, first_seen)


@pytest.mark.parametrize("outside", [at(-10) - SECOND, END, END + SECOND])
def test_a_sighting_outside_the_session_is_none(db: Session, course_session: ClassSession, outside: datetime) -> None:
    assert record_sighting(db, seen(course_session, outside)) is None
    assert db.scalars(sa.select(Attendance)).all() == []


def test_who_is_unknown_or_not_on_the_roster_is_not_entered(db: Session, course_session: ClassSession) -> None:
    make_student(db, "other")
    assert record_sighting(db, seen(course_session, NINE, student="nobody")) is None
    assert record_sighting(db, seen(course_session, NINE, student="other")) is None
    assert record_sighting(db, Sighting(course_session.id + 99, "s1", NINE, NINE, 0.9, None)) is None
    db.commit()
    assert db.scalars(sa.select(Attendance)).all() == []


def entered(db: Session, session: ClassSession, sightings: list[Sighting]) -> list[str | None]:
    """Enters them all at once; for each the student whose row it is."""
    locked = session_in_force(db, session.id)
    assert locked is not None
    rows = enter_sightings(db, locked, sightings)
    numbers = dict(db.execute(sa.select(Student.id, Student.index_number)).all())
    return [None if row is None else numbers[row.student_id] for row in rows]


def test_many_sightings_are_entered_together_each_in_its_place(db: Session, course_session: ClassSession) -> None:
    make_student(db, "other")
    camera, removed = make_camera(db), make_camera(db)
    db.delete(removed)
    record_sighting(db, seen(course_session, at(7), student="s2"))
    db.commit()
    many = [
        replace(seen(course_session, at(5), student="s2"), camera_id=camera.id),
        seen(course_session, at(5), student="other"),
        seen(course_session, at(3), student="s1"),
        seen(course_session, NINE - timedelta(days=1), student="s1"),
        replace(seen(course_session, at(2), at(9), student="s1"), camera_id=removed.id),
        seen(course_session, at(5), student="nobody"),
    ]
    assert entered(db, course_session, many) == ["s2", None, "s1", None, "s1", None]
    db.commit()
    rows = [row_of(db, student) for student in ("s1", "s2")]
    assert [(row.first_seen, row.last_seen, row.camera_id) for row in rows] == [
        (at(2), at(9), None),
        (at(5), at(7), camera.id),
    ]


def test_students_of_a_session_share_their_statements(db: Session) -> None:
    course = make_course(db)
    enrol(db, course, *(make_student(db, f"s{number}") for number in range(20)))
    session = make_session(db, course)
    sightings = [seen(session, at(30), student=f"s{number}") for number in range(20)]
    entered(db, session, sightings)
    db.commit()
    statements: list[str] = []
    sa.event.listen(db.get_bind(), "before_cursor_execute", lambda *call: statements.append(call[2]))
    later = [replace(one, last_seen=at(31)) for one in sightings]
    assert entered(db, session, later) == [one.index_number for one in later]
    db.commit()
    assert {row.last_seen for row in db.scalars(sa.select(Attendance))} == {at(31)}
    assert len(statements) < len(sightings)


def test_a_sighting_outlives_its_camera(db: Session, course_session: ClassSession) -> None:
    camera = make_camera(db)
    record_sighting(db, Sighting(course_session.id, "s1", at(5), at(6), 0.7, camera.id))
    db.commit()
    removed = camera.id
    db.delete(camera)
    db.commit()
    record_sighting(db, Sighting(course_session.id, "s1", at(4), at(4), 0.7, removed))
    record_sighting(db, Sighting(course_session.id, "s2", at(4), at(4), 0.7, removed))
    db.commit()
    assert [(row_of(db, s).first_seen, row_of(db, s).camera_id) for s in ("s1", "s2")] == [(at(4), None)] * 2


def test_an_earlier_sighting_that_comes_later_makes_late_present(db: Session, course_session: ClassSession) -> None:
    camera = make_camera(db)
    record_sighting(db, seen(course_session, at(20)))
    record_sighting(db, Sighting(course_session.id, "s1", at(5), at(6), 0.7, camera.id))
    db.commit()
    row = row_of(db)
    assert (row.status, row.first_seen, row.last_seen) == (Status.PRESENT, at(5), at(20))
    assert (row.confidence, row.camera_id) == (0.9, camera.id)
    assert [(change.old_status, change.new_status) for change in row.changes] == [(Status.LATE, Status.PRESENT)]


def test_who_was_never_seen_is_absent_when_the_session_ends(
    db: Session, sessions: sessionmaker[Session], course_session: ClassSession
) -> None:
    record_sighting(db, seen(course_session, NINE))
    db.commit()
    assert close_ended_sessions(sessions, END - SECOND) == 0
    assert close_ended_sessions(sessions, END) == 1
    assert close_ended_sessions(sessions, END + SECOND) == 0
    assert (row_of(db).status, row_of(db, "s2").status) == (Status.PRESENT, Status.ABSENT)
    assert row_of(db, "s2").source is Source.MACHINE


def test_who_joins_the_course_after_the_end_is_not_absent(
    db: Session, sessions: sessionmaker[Session], course_session: ClassSession
) -> None:
    close_ended_sessions(sessions, END)
    db.add(Enrolment(course_id=course_session.course_id, student_id=make_student(db, "new").id))
    db.commit()
    close_ended_sessions(sessions, END + SECOND)
    assert len(db.scalars(sa.select(Attendance)).all()) == 2


def test_evidence_that_comes_after_the_end_repairs_an_absence(
    db: Session, sessions: sessionmaker[Session], course_session: ClassSession
) -> None:
    close_ended_sessions(sessions, END)
    record_sighting(db, seen(course_session, at(5), at(80)))
    db.commit()
    row = row_of(db)
    assert (row.status, row.first_seen, row.last_seen) == (Status.PRESENT, at(5), at(80))
    [change] = row.changes
    assert (change.account_id, change.old_status, change.new_status) == (None, Status.ABSENT, Status.PRESENT)


@pytest.mark.parametrize("by_person", list(Status))
def test_the_machine_never_overwrites_a_person(
    db: Session, sessions: sessionmaker[Session], course_session: ClassSession, by_person: Status
) -> None:
    lecturer = make_lecturer(db)
    student = db.scalars(sa.select(Student).where(Student.index_number == "s1")).one()
    correct_status(
        db,
        session_id=course_session.id,
        student_id=student.id,
        status=by_person,
        reason="asked me",
        account_id=lecturer.id,
    )
    record_sighting(db, seen(course_session, at(20)))
    record_sighting(db, seen(course_session, at(1)))
    db.commit()
    close_ended_sessions(sessions, END)
    course_session.grace_minutes = 0
    apply_session_times(db, course_session, END)
    db.commit()
    row = row_of(db)
    assert (row.status, row.source) == (by_person, Source.PERSON)
    assert (row.first_seen, row.last_seen) == (at(1), at(20))  # what was seen is known all the same
    assert [change.account_id for change in row.changes] == [lecturer.id]


def test_a_correction_keeps_who_when_why_and_what(db: Session, course_session: ClassSession) -> None:
    lecturer = make_lecturer(db)
    record_sighting(db, seen(course_session, at(20)))
    student_id = row_of(db).student_id
    for status, reason in ((Status.PRESENT, "  train was late "), (Status.EXCUSED, "letter from the dean")):
        correct_status(
            db,
            session_id=course_session.id,
            student_id=student_id,
            status=status,
            reason=reason,
            account_id=lecturer.id,
            now=at(30),
        )
    db.commit()
    changes = db.scalars(sa.select(AttendanceChange).order_by(AttendanceChange.id)).all()
    assert [(c.old_status, c.new_status, c.reason, c.account_id, c.changed_at) for c in changes] == [
        (Status.LATE, Status.PRESENT, "train was late", lecturer.id, at(30)),
        (Status.PRESENT, Status.EXCUSED, "letter from the dean", lecturer.id, at(30)),
    ]


def test_a_correction_before_anything_was_seen_has_no_old_status(db: Session, course_session: ClassSession) -> None:
    student = db.scalars(sa.select(Student).where(Student.index_number == "s2")).one()
    row = correct_status(
        db,
        session_id=course_session.id,
        student_id=student.id,
        status=Status.EXCUSED,
        reason="ill",
        account_id=make_lecturer(db).id,
    )
    assert [change.old_status for change in row.changes] == [None]


def test_wrong_corrections_are_refused(db: Session, course_session: ClassSession) -> None:
    account_id = make_lecturer(db).id
    on_roster = db.scalars(sa.select(Student.id).where(Student.index_number == "s1")).one()
    stranger = make_student(db).id

    def correct(session_id: int, student_id: int, reason: str) -> None:
        correct_status(
            db,
            session_id=session_id,
            student_id=student_id,
            status=Status.LATE,
            reason=reason,
            account_id=account_id,
        )

    with pytest.raises(ValueError, match="needs a reason"):
        correct(course_session.id, on_roster, "  \n")
    with pytest.raises(ValueError, match="at most 500"):
        correct(course_session.id, on_roster, "x" * 501)
    with pytest.raises(LookupError, match="not on the roster"):
        correct(course_session.id, stranger, "why not")
    with pytest.raises(LookupError, match="no such session"):
        correct(course_session.id + 99, on_roster, "why not")
    assert db.scalars(sa.select(Attendance)).all() == []


def test_new_times_decide_again_what_the_machine_decided(
    db: Session, sessions: sessionmaker[Session], course_session: ClassSession
) -> None:
    record_sighting(db, seen(course_session, at(20)))
    db.commit()
    close_ended_sessions(sessions, END)
    db.expire_all()
    course_session.grace_minutes = 30
    apply_session_times(db, course_session, END)
    db.commit()
    assert row_of(db).status is Status.PRESENT
    assert row_of(db, "s2").status is Status.ABSENT

    course_session.starts_at, course_session.ends_at = at(60), at(150)
    apply_session_times(db, course_session, END)
    db.commit()
    assert row_of(db).status is None  # seen before the new early window
    assert course_session.closed_at is None
    assert db.scalars(sa.select(Attendance.first_seen)).all() == [at(20)]  # the machine's other absence is taken back

    course_session.starts_at, course_session.ends_at = NINE, END
    apply_session_times(db, course_session, END - SECOND)
    db.commit()
    assert row_of(db).status is Status.PRESENT  # nothing seen was lost


def test_what_was_seen_before_a_session_was_moved_makes_nobody_present_in_it(
    db: Session, course_session: ClassSession
) -> None:
    record_sighting(db, seen(course_session, at(5)))
    course_session.starts_at, course_session.ends_at = at(60), at(150)
    apply_session_times(db, course_session, at(10))
    record_sighting(db, seen(course_session, at(100)))
    db.commit()
    row = row_of(db)
    assert (row.status, row.first_seen, row.last_seen) == (Status.LATE, at(100), at(100))
