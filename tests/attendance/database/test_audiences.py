"""Whom a session is for and where it is: groups, joint lectures, overflow rooms, and what counts for which course."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import (
    Audience,
    among,
    audiences_of,
    counts_for,
    courses_of,
    expected_by_index_number,
    expected_students,
    guest_by_index_number,
    is_expected,
    rooms_of,
    sessions_in_rooms,
    sessions_of_courses,
    set_audiences,
    set_rooms,
)
from attendance.database.models import (
    Attendance,
    ClassSession,
    Course,
    Enrolment,
    SessionAudience,
    SessionRoom,
    SessionState,
    Status,
    utc_now,
)
from attendance.database.timetable import room_plans
from tests.factories import NINE, enrol, make_course, make_group, make_room, make_session, make_student


def _expected(db: Session, session: ClassSession) -> list[int]:
    return sorted(db.scalars(expected_students(session)))


def test_the_union_of_audiences_holds_everybody_once(db: Session) -> None:
    first, second = make_course(db), make_course(db)
    one, both, other, stranger = (make_student(db) for _ in range(4))
    enrol(db, first, one, both)
    enrol(db, second, both, other)
    session = make_session(db, first, also_for=(second,))
    assert _expected(db, session) == [one.id, both.id, other.id]
    assert courses_of(session) == (first.id, second.id)
    assert is_expected(db, session, other.id)
    assert not is_expected(db, session, stranger.id)
    assert expected_by_index_number(db, session, both.index_number) == both.id
    assert guest_by_index_number(db, session, both.index_number) is None


def test_of_a_group_count_those_who_take_the_course(db: Session) -> None:
    course = make_course(db)
    in_group, in_other, in_both, left = (make_student(db) for _ in range(4))
    enrol(db, course, in_group, in_other, in_both)
    group = make_group(db, course, "A", members=(in_group, in_both, left))
    other = make_group(db, course, "B", members=(in_other, in_both))
    session = make_session(db, course, group=group)
    assert _expected(db, session) == [in_group.id, in_both.id]
    assert guest_by_index_number(db, session, in_other.index_number) == in_other.id
    assert guest_by_index_number(db, session, in_both.index_number) is None
    assert guest_by_index_number(db, session, left.index_number) is None
    set_audiences(session, [Audience(course.id, group.id), Audience(course.id, other.id)])
    db.flush()
    assert _expected(db, session) == [in_group.id, in_other.id, in_both.id]
    assert courses_of(session) == (course.id,)
    in_other.consent_withdrawn_at = utc_now()
    db.flush()
    assert expected_by_index_number(db, session, in_other.index_number) is None


def test_nobody_is_expected_in_a_cancelled_session(db: Session) -> None:
    course = make_course(db)
    student = make_student(db)
    enrol(db, course, student)
    room = make_room(db)
    session = make_session(db, course, room)
    assert [plan.session_id for plan in room_plans(db, [room.id], NINE, NINE)[room.id]] == [session.id]
    session.state = SessionState.CANCELLED
    db.flush()
    assert _expected(db, session) == []
    assert room_plans(db, [room.id], NINE, NINE)[room.id] == []


def test_a_whole_course_holds_its_groups_and_rows_are_kept(db: Session) -> None:
    first, second = make_course(db), make_course(db)
    group = make_group(db, second)
    one, two, three = make_room(db), make_room(db), make_room(db)
    session = make_session(db, first, one, also_for=(group,), also_in=(two,))
    kept = session.further_rooms[0]
    set_audiences(session, [Audience(second.id, group.id), Audience(second.id), Audience(first.id), Audience(first.id)])
    set_rooms(session, [three.id, two.id, three.id])
    db.flush()
    db.expire_all()
    assert audiences_of(session) == (Audience(second.id), Audience(first.id))
    assert rooms_of(session) == (three.id, two.id)
    assert kept in session.further_rooms
    set_audiences(session, [Audience(first.id)])
    set_rooms(session, [one.id])
    db.flush()
    assert db.scalars(sa.select(SessionAudience)).all() == []
    assert db.scalars(sa.select(SessionRoom)).all() == []


def test_sessions_are_found_by_any_of_their_courses_and_rooms(db: Session) -> None:
    first, second = make_course(db), make_course(db)
    one, two = make_room(db), make_room(db)
    groups = (make_group(db, second, "A"), make_group(db, second, "B"))
    joint = make_session(db, first, one, also_for=groups, also_in=(two,))
    alone = make_session(db, second, two, starts_at=NINE + timedelta(days=1))
    of_second = sessions_of_courses(among([second.id]))
    assert sorted(db.execute(sa.select(of_second)).all()) == [(joint.id, second.id), (alone.id, second.id)]
    on_monday = sessions_of_courses(among([second.id]), ClassSession.starts_at == NINE)
    assert db.execute(sa.select(on_monday)).all() == [(joint.id, second.id)]
    in_two = sessions_in_rooms(among([two.id]), ClassSession.starts_at == NINE)
    assert db.execute(sa.select(in_two)).all() == [(joint.id, two.id)]
    assert db.execute(sa.select(sessions_in_rooms(among([one.id])))).all() == [(joint.id, one.id)]


def test_an_entry_of_a_joint_session_counts_for_the_courses_that_its_student_takes(db: Session) -> None:
    first, second = make_course(db), make_course(db)
    one, both, other, left = (make_student(db) for _ in range(4))
    enrol(db, first, one, both, left)
    enrol(db, second, both, other)
    joint, alone = make_session(db, first, also_for=(second,)), make_session(db, first)
    for session in (joint, alone):
        for student in (one, both, left):
            db.add(Attendance(session_id=session.id, student_id=student.id, status=Status.PRESENT))
    db.add(Attendance(session_id=joint.id, student_id=other.id, status=Status.PRESENT))
    db.execute(sa.delete(Enrolment).where(Enrolment.student_id == left.id))
    db.flush()

    def counted(session: ClassSession, course: Course) -> list[int]:
        query = sa.select(Attendance.student_id).join(ClassSession).where(ClassSession.id == session.id)
        return sorted(db.scalars(query.where(counts_for(Attendance.student_id, among([course.id])))))

    assert counted(joint, first) == [one.id, both.id, left.id]
    assert counted(joint, second) == [both.id, other.id, left.id]
    assert counted(alone, first) == [one.id, both.id, left.id]
    assert counted(alone, second) == []


def test_a_plan_names_who_is_expected_and_who_may_come_as_a_guest_in_each_room(db: Session) -> None:
    course, joined = make_course(db), make_course(db)
    mine, theirs, joint, withdrawn = (make_student(db, name) for name in ("s1", "s2", "s3", "s4"))
    withdrawn.consent_withdrawn_at = utc_now()
    enrol(db, course, mine, theirs, withdrawn)
    enrol(db, joined, joint)
    group = make_group(db, course, members=(mine, withdrawn))
    hall, overflow = make_room(db), make_room(db)
    session = make_session(db, course, hall, group=group, also_for=(joined,), also_in=(overflow,))
    for room in (hall, overflow):
        (plan,) = room_plans(db, [room.id], NINE, NINE + timedelta(hours=1))[room.id]
        assert (plan.session_id, plan.room_id) == (session.id, room.id)
        assert plan.roster == {"s1", "s3"}
        assert plan.guests == {"s2"}
