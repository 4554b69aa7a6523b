"""The register as rows, on SQLite and on MariaDB."""

from datetime import timedelta

import pytest

from attendance.database.corrections import correct_status
from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import Enrolment, Source, Status
from attendance.database.register import close_ended_sessions
from attendance.settings import AttendanceSettings
from tests.factories import enrol, make_student
from tests.webapp.lessons import LONG_AGO, make_lesson, see
from webapp.records.tallies import tally_sessions
from webapp.register.rows import read_register, read_row
from webapp.tools.class_sessions.phases import Phase, phase_of
from webapp.tools.names import teach_sqlite


@pytest.fixture
def taught(engine, database_url):
    made = create_database_engine(database_url)
    teach_sqlite(made)
    yield session_factory(made, AttendanceSettings(settle_minutes=0))
    made.dispose()


@pytest.fixture
def db(taught):
    with taught() as session:
        yield session


@pytest.fixture
def lesson(db):
    return make_lesson(db, "Łukasz Żak", "Ada Byron", "Zoe Nowak", starts_at=LONG_AGO)


AT = {
    Phase.SCHEDULED: LONG_AGO - timedelta(minutes=11),
    Phase.OPEN: LONG_AGO - timedelta(minutes=10),
    Phase.RUNNING: LONG_AGO,
    Phase.ENDED: LONG_AGO + timedelta(minutes=90),
}


@pytest.mark.parametrize(
    ("phase", "state", "live"),
    [
        (Phase.SCHEDULED, "scheduled", False),
        (Phase.OPEN, "unseen", True),
        (Phase.RUNNING, "unseen", True),
        (Phase.ENDED, "unseen", True),
    ],
)
def test_what_no_row_means_depends_on_when_one_looks(db, lesson, phase, state, live):
    register = read_register(db, lesson.session, AT[phase])
    assert phase_of(lesson.session, AT[phase]) is register.phase is phase
    assert [(row.name, row.state) for row in register.rows] == [
        ("Ada Byron", state),
        ("Łukasz Żak", state),
        ("Zoe Nowak", state),
    ]
    assert register.counts == {state: 3}
    assert register.live is live


def test_a_closed_register_has_everybody_who_was_enrolled(db, taught, lesson):
    see(db, lesson, lesson.students[1], minute=3, until=50, confidence=0.75)
    assert close_ended_sessions(taught, AT[Phase.ENDED]) == 1
    db.expire_all()
    latecomer = make_student(db, name="Zzz Later")
    enrol(db, lesson.course, latecomer)
    register = read_register(db, lesson.session, AT[Phase.ENDED])
    assert [(row.name, row.state) for row in register.rows] == [
        ("Ada Byron", "present"),
        ("Łukasz Żak", "absent"),
        ("Zoe Nowak", "absent"),
        ("Zzz Later", "unrecorded"),
    ]
    assert not register.live
    seen = register.rows[0]
    assert (seen.first_seen, seen.last_seen) == (
        LONG_AGO + timedelta(minutes=3),
        LONG_AGO + timedelta(minutes=50),
    )
    assert (seen.confidence, seen.source, seen.changes) == (0.75, Source.MACHINE, 0)


def test_who_left_the_course_keeps_the_row(db, lesson):
    student = lesson.students[1]
    see(db, lesson, student)
    db.delete(db.get(Enrolment, (lesson.course.id, student.id)))
    db.commit()
    register = read_register(db, lesson.session, AT[Phase.RUNNING])
    assert next((row.name, row.enrolled) for row in register.rows) == ("Ada Byron", False)
    assert len(register.rows) == 3


def test_a_row_says_who_changed_it_last_and_how_often(db, lesson):
    student = lesson.students[1]
    see(db, lesson, student)
    before = read_register(db, lesson.session, AT[Phase.RUNNING])
    for status in (Status.LATE, Status.EXCUSED):
        correct_status(
            db,
            session_id=lesson.session.id,
            student_id=student.id,
            status=status,
            reason="because",
            account_id=lesson.lecturer.id,
        )
    after = read_register(db, lesson.session, AT[Phase.RUNNING])
    row = after.rows[0]
    assert (row.state, row.changes, row.changed_by, row.by_person) == ("excused", 2, "Ada Lovelace", True)
    assert row == read_row(db, lesson.session, student.id, AT[Phase.RUNNING])
    assert row.version != before.rows[0].version
    assert after.revision != before.revision
    assert after.rows[1].version == before.rows[1].version


def test_no_row_of_a_stranger(db, lesson):
    assert read_row(db, lesson.session, make_student(db).id, AT[Phase.RUNNING]) is None


def test_tallies_count_by_status(db, lesson):
    see(db, lesson, lesson.students[0])
    see(db, lesson, lesson.students[1], minute=11)
    tally = tally_sessions(db, [lesson.session.id])[lesson.session.id]
    assert (tally.present, tally.late, tally.absent, tally.attended, tally.rate) == (1, 1, 0, 2, 1.0)
    assert tally_sessions(db, []) == {}
