"""What is counted for the exam office, on SQLite and on MariaDB."""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask

from attendance.database.audiences import Audience, among, set_audiences
from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import Attendance, SessionState, Status, Unrecorded
from attendance.settings import AttendanceSettings
from tests.factories import enrol, make_course, make_group, make_room, make_session, make_student
from webapp.exam_office.lines import ExamFilter, exam_courses, exam_lines
from webapp.tools.names import teach_sqlite
from webapp.tools.times import init_times

LAST_DAY = date(2024, 3, 8)
MONDAY = datetime(2024, 3, 4, 8, 0, tzinfo=UTC)
P, L, A, E = Status.PRESENT, Status.LATE, Status.ABSENT, Status.EXCUSED


@pytest.fixture
def factory(engine, database_url):
    app = Flask(__name__)
    init_times(app, "Europe/Warsaw")
    taught = create_database_engine(database_url)
    teach_sqlite(taught)
    with app.app_context():
        yield session_factory(taught, AttendanceSettings())
    taught.dispose()


@pytest.fixture
def db(factory):
    with factory() as session:
        yield session


def hold(db, course, starts_at, statuses, **columns):
    """A session with these statuses by student; a reason stands for one of whom nothing is recorded."""
    session = make_session(db, course, starts_at=starts_at, **columns)
    for student, status in statuses.items():
        reason = status if isinstance(status, Unrecorded) else None
        row = Attendance(session_id=session.id, student_id=student.id, unrecorded_reason=reason)
        row.status = None if reason else status
        db.add(row)
    return session


def counted(factory, course, as_of=LAST_DAY):
    """By name: attended, late, absent, excused, recorded, not recorded, met."""
    lines = exam_lines(factory, course.id, ExamFilter(as_of))
    return {
        line.student.name: (
            line.tally.attended,
            line.tally.late,
            line.tally.absent,
            line.tally.excused,
            line.tally.recorded,
            line.tally.unrecorded,
            line.met,
        )
        for line in lines
    }


def test_counts_by_status_and_says_who_meets_the_threshold(factory, db):
    course = make_course(db)
    ada, kurt, zoe, alan = (make_student(db, name=name) for name in ("Ada", "Kurt", "Zoe", "Alan"))
    enrol(db, course, ada, kurt, zoe, alan)
    columns = zip((P, L, P, A), (P, A, A, E), (E, E, E, Unrecorded.UNWATCHED), strict=True)
    for day, (of_ada, of_kurt, of_zoe) in enumerate(columns):
        hold(db, course, MONDAY + timedelta(days=day), {ada: of_ada, kurt: of_kurt, zoe: of_zoe})
    db.commit()
    assert counted(factory, course) == {
        "Ada": (3, 1, 1, 0, 4, 0, True),  # exactly 75 %
        "Alan": (0, 0, 0, 0, 0, 0, None),
        "Kurt": (1, 0, 2, 1, 4, 0, False),  # one of three
        "Zoe": (0, 0, 0, 3, 3, 1, None),  # expected nowhere
    }


def test_sessions_count_up_to_the_end_of_the_day_at_the_institution(factory, db):
    course, ada = make_course(db), make_student(db, name="Ada")
    enrol(db, course, ada)
    late_evening = datetime(2024, 3, 8, 22, 59, tzinfo=UTC)  # a minute to midnight in Warsaw
    hold(db, course, late_evening, {ada: P})
    hold(db, course, late_evening + timedelta(minutes=1), {ada: A})
    db.commit()
    assert counted(factory, course, date(2024, 3, 7))["Ada"][:3] == (0, 0, 0)
    assert counted(factory, course, date(2024, 3, 8))["Ada"][:3] == (1, 0, 0)
    assert counted(factory, course, date(2024, 3, 9))["Ada"][:3] == (1, 0, 1)


def test_joint_sessions_groups_and_cancelled_ones_count_where_they_belong(factory, db):
    maths, physics = make_course(db, "MAT"), make_course(db, "PHY")
    ada, kurt = make_student(db, name="Ada"), make_student(db, name="Kurt")
    enrol(db, maths, ada)
    enrol(db, physics, kurt)
    room = make_room(db)
    joint = hold(db, maths, MONDAY, {ada: P, kurt: A}, room=room)
    set_audiences(joint, [Audience(maths.id), Audience(physics.id)])
    group = make_group(db, maths, members=(ada,))
    of_group = hold(db, maths, MONDAY + timedelta(days=1), {ada: L}, room=room)
    set_audiences(of_group, [Audience(maths.id, group.id)])
    cancelled = hold(db, maths, MONDAY + timedelta(days=2), {ada: A}, room=room)
    cancelled.state = SessionState.CANCELLED
    db.commit()
    assert counted(factory, maths) == {"Ada": (2, 1, 0, 0, 2, 0, True)}
    assert counted(factory, physics) == {"Kurt": (0, 0, 1, 0, 1, 0, False)}


def test_who_left_the_course_has_no_line_and_a_course_of_nobody_none(factory, db):
    course, empty = make_course(db, "A"), make_course(db, "B")
    left, ada = make_student(db, name="Left"), make_student(db, name="Ada")
    enrol(db, course, ada)
    hold(db, course, MONDAY, {left: P, ada: P})
    db.commit()
    assert list(counted(factory, course)) == ["Ada"]
    everything = exam_courses(db, ExamFilter(LAST_DAY), among([course.id, empty.id]))
    assert everything == [(course.id, "A")]
    assert exam_courses(db, ExamFilter(LAST_DAY), among([empty.id])) == []
    assert list(exam_lines(factory, 12345, ExamFilter(LAST_DAY))) == []
