"""`attendance register` and `attendance db downgrade`, as an operator types them, with rows in the tables."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from attendance.database.corrections import correct
from attendance.database.engine import current_revision
from attendance.database.entries import history_of
from attendance.database.models import Attendance, Closing, Source, Status, Unrecorded
from operations.cli.main import attendance
from tests.factories import NINE, enrol, make_course, make_lecturer, make_session, make_student

Type = Callable[..., Result]
END = NINE + timedelta(minutes=90)


@pytest.fixture
def type_(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Runs a command on the test's database."""
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", database_url)
    monkeypatch.setenv("ATTENDANCE_INSTITUTION_TIMEZONE", "Europe/Warsaw")
    return lambda *words: CliRunner().invoke(attendance, words)


@pytest.fixture
def term(db):
    """A course of three with sessions as the version before left them: imported late, held, and entered late since."""
    course = make_course(db, "CS101")
    students = [make_student(db, f"s{n}") for n in range(3)]
    enrol(db, course, *students)
    old: dict[str, Any] = {"closed_as": Closing.BEFORE_OBSERVATION, "entered_at": None}
    sessions = [
        make_session(db, course, closed_at=END + timedelta(days=40)),
        make_session(db, course, starts_at=NINE + timedelta(days=1), closed_at=END + timedelta(days=1, seconds=5)),
        make_session(db, course, starts_at=NINE + timedelta(days=2), closed_at=END + timedelta(days=30)),
    ]
    for session, how in zip(
        sessions, (old, old, {"closed_as": None, "entered_at": END + timedelta(days=29)}), strict=True
    ):
        for name, value in how.items():
            setattr(session, name, value)
        for student in students:
            db.add(
                Attendance(session_id=session.id, student_id=student.id, status=Status.ABSENT, source=Source.MACHINE)
            )
    lecturer = make_lecturer(db).id
    db.commit()
    correct(
        db,
        session_id=sessions[0].id,
        student_id=students[0].id,
        status=Status.PRESENT,
        reason="was there",
        account_id=lecturer,
    )
    return [session.id for session in sessions], [student.id for student in students]


def test_absences_of_sessions_that_were_entered_late_are_listed(type_, term):
    (late, _, since), _ = term
    listed = type_("register", "entered-late")
    assert listed.exit_code == 0
    assert listed.stdout.splitlines() == [
        f"session {late}: CS101, 2026-11-23 10:00-11:30, closed 2027-01-02 11:30, 2 absent, 0 seen",
        f"session {since}: CS101, 2026-11-25 10:00-11:30, entered 2026-12-22 11:30, 3 absent, 0 seen",
        "5 absences in 2 sessions. With --take-back they are taken back.",
    ]


def test_and_taken_back_with_their_history(type_, db, term):
    (late, held, since), students = term
    done = type_("register", "entered-late", "--take-back")
    assert done.stdout.endswith("Taken back: 5 absences in 2 sessions. Their histories say so.\n")
    rows = db.execute(
        sa.select(Attendance.session_id, Attendance.status, Attendance.unrecorded_reason).order_by(Attendance.id)
    ).all()
    gone = (None, Unrecorded.ENTERED_LATE)
    assert rows == [
        (late, Status.PRESENT, None),  # a person's word stays
        (late, *gone),
        (late, *gone),
        *[(held, Status.ABSENT, None)] * 3,
        *[(since, *gone)] * 3,
    ]
    [change] = db.scalars(history_of(late, students[1]))
    assert (change.old_status, change.new_unrecorded, change.account_id) == (Status.ABSENT, *gone[1:], None)
    assert change.reason == "Taken back: the session was entered after its end."
    assert type_("register", "entered-late").stdout.startswith("0 absences in 0 sessions.")


def test_one_session_alone(type_, term):
    (late, held, since), _ = term
    assert "3 absences in 1 sessions" in type_("register", "entered-late", "--session", str(since)).stdout
    done = type_("register", "entered-late", "--take-back", "--session", str(held))
    assert done.exit_code == 1
    assert f"No such session has absences that were entered late: {held}." in done.stderr
    assert f"session {late}" in type_("register", "entered-late").stdout


def test_the_way_back_says_what_it_would_lose_and_refuses(type_, db, engine, term):
    type_("register", "entered-late", "--take-back")
    before = current_revision(engine)
    done = type_("db", "downgrade", "0006", "--yes")
    assert done.exit_code == 1
    assert "Would be lost: 2 entries without a status in CS101, session of 2026-11-23 09:00 UTC." in done.stdout
    assert "Nothing was done." in done.stderr
    assert current_revision(engine) == before
    done = type_("db", "downgrade", "0006", "--yes", "--lossy")
    assert done.exit_code == 0, done.stderr
    assert current_revision(engine) == "0006"
    assert "schema" in type_("db", "upgrade").stdout
    assert db.scalar(sa.select(sa.func.count()).select_from(Attendance)) == 4
