"""The way back to an older schema, with rows that it has no place for; on SQLite and on MariaDB."""

import pytest
import sqlalchemy as sa

from attendance.database.engine import LossyDowngradeError, current_revision, downgrade, losses_of_downgrade, upgrade
from attendance.database.models import Attendance, ClassSession, Closing, Status, Unrecorded
from tests.factories import NINE, enrol, make_course, make_lecturer, make_session, make_student, watch


@pytest.fixture
def filled(db):
    """A closed session of which one entry has a status and two have none, one of them changed by a person."""
    course = make_course(db, "CS101")
    students = [make_student(db) for _ in range(3)]
    enrol(db, course, *students)
    session = make_session(db, course, closed_at=NINE)
    session.closed_as = Closing.OBSERVED
    watch(db, session)
    for student in students[:2]:
        db.add(Attendance(session_id=session.id, student_id=student.id, unrecorded_reason=Unrecorded.UNWATCHED))
    db.add(Attendance(session_id=session.id, student_id=students[2].id, status=Status.PRESENT))
    make_lecturer(db)
    db.commit()


@pytest.mark.usefixtures("filled")
def test_it_says_first_what_would_be_lost_and_does_nothing(db, engine):
    before = current_revision(engine)
    losses = losses_of_downgrade(engine, "0006")
    assert losses[0] == "2 entries without a status in CS101, session of 2026-11-23 09:00 UTC"
    assert losses[-1] == "what cameras watched: 3 rows of one camera and hour each"
    with pytest.raises(LossyDowngradeError, match="2 entries without a status in CS101"):
        downgrade(engine, "0006")
    assert current_revision(engine) == before
    assert db.scalar(sa.select(sa.func.count()).select_from(Attendance)) == 3


@pytest.mark.usefixtures("filled")
def test_asked_to_it_goes_back_and_forth_and_keeps_what_has_a_place(db, engine):
    db.close()
    downgrade(engine, "0006", lossy=True)
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT status FROM attendance")).scalars().all() == ["present"]
    assert losses_of_downgrade(engine, "0005") == []
    upgrade(engine)
    assert db.scalars(sa.select(Attendance.status)).all() == [Status.PRESENT]
    assert db.scalars(sa.select(ClassSession.closed_as)).all() == [Closing.BEFORE_OBSERVATION]


def test_where_nothing_would_be_lost_it_just_goes_back(db, engine):
    make_session(db, make_course(db))
    db.commit()
    db.close()
    assert losses_of_downgrade(engine, "0006") == []
    downgrade(engine, "0006")
    assert current_revision(engine) == "0006"


@pytest.mark.usefixtures("filled")
def test_many_sessions_are_counted_together_after_the_first(db, engine):
    student = make_student(db)
    course = make_course(db)
    for _ in range(30):
        session = make_session(db, course, closed_at=NINE)
        db.add(Attendance(session_id=session.id, student_id=student.id, unrecorded_reason=Unrecorded.ENTERED_LATE))
    db.commit()
    assert "11 entries without a status in 11 more sessions" in losses_of_downgrade(engine, "0006")
