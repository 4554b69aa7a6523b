"""Importing the timetable, on SQLite and on MariaDB."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from attendance.database.models import Attendance, ClassSession, Source, Status
from attendance.tables.reading import read_table
from tests.factories import enrol, make_course, make_room, make_student
from webapp.imports.report import Outcome
from webapp.imports.run import run_import
from webapp.imports.timetable import TimetableImporter

WARSAW = ZoneInfo("Europe/Warsaw")
LONG_BEFORE = datetime(2026, 10, 1, tzinfo=UTC)
HEADER = "course_code,room,date,start,end,repeat_until,early_minutes,grace_minutes\n"


@pytest.fixture
def campus(db):
    """Two courses, two rooms."""
    made = {"MA1": make_course(db, "MA1"), "PH1": make_course(db, "PH1"), "101": make_room(db, "101")}
    made["102"] = make_room(db, "102")
    db.commit()
    return made


def imported(db, text, *, apply=True):
    outcomes: list[Outcome] = []
    importer = TimetableImporter(WARSAW, now=LONG_BEFORE)
    table = read_table((HEADER + text).encode(), importer.columns)
    report = run_import(db, table, importer, apply=apply, on_outcome=outcomes.append)
    return report, [(outcome.line, outcome.result.value, outcome.message) for outcome in outcomes]


def local_times(db):
    query = sa.select(ClassSession.starts_at, ClassSession.ends_at).order_by(ClassSession.starts_at)
    return [
        f"{start.astimezone(WARSAW):%m-%d %H:%M}-{end.astimezone(WARSAW):%H:%M}" for start, end in db.execute(query)
    ]


def test_a_weekly_session_keeps_its_local_time_across_the_clock_change(db, campus):
    text = "MA1,101,2026-10-19,09:00,10:30,2026-11-02,5,15\n"
    tried = imported(db, text, apply=False)
    assert local_times(db) == []
    report, outcomes = imported(db, text)
    assert (report, outcomes) == tried
    assert (report.records, outcomes) == (3, [(2, "added", "")])
    assert local_times(db) == ["10-19 09:00-10:30", "10-26 09:00-10:30", "11-02 09:00-10:30"]
    starts = db.scalars(sa.select(ClassSession.starts_at).order_by(ClassSession.starts_at)).all()
    assert [start.hour for start in starts] == [7, 8, 8]
    one = db.scalars(sa.select(ClassSession)).first()
    assert (one.early_minutes, one.grace_minutes) == (5, 15)
    again, outcomes = imported(db, text)
    assert (again.records, outcomes) == (0, [(2, "unchanged", "")])
    assert len(local_times(db)) == 3


def test_a_longer_repetition_adds_what_is_missing(db, campus):
    imported(db, "MA1,101,2026-11-02,09:00,10:00,,,\n")
    _, outcomes = imported(db, "MA1,101,2026-11-02,09:00,10:00,2026-11-09,,\n")
    assert outcomes == [(2, "added", "1 of 2 sessions added; the others were there.")]


BAD_LINES = [
    ("XX,101,2026-11-02,9:00,10:00,,,", "There is no course with the code XX."),
    ("ma1,101,2026-11-02,9:00,10:00,,,", "Did you mean MA1?"),
    ("MA1,999,2026-11-02,9:00,10:00,,,", "There is no room called 999."),
    ("MA1,,2026-11-02,9:00,10:00,,,", "room is empty."),
    ("MA1,101,2.11.26,9:00,10:00,,,", "date '2.11.26' is no date"),
    ("MA1,101,2026-11-02,nine,10:00,,,", "start 'nine' is no time of day. Write it like 09:00."),
    ("MA1,101,2026-11-02,9:00,25:00,,,", "end '25:00' is no time of day"),
    ("MA1,101,2026-11-02,10:00,9:00,,,", "The end (09:00) is before the start (10:00)."),
    ("MA1,101,2026-11-02,9:00,9:00,,,", "The end is the same as the start."),
    ("MA1,101,2026-11-02,9:00,10:00,2026-11-01,,", "before the first session"),
    ("MA1,101,2026-11-02,9:00,10:00,2030-11-01,,", "60 weeks at most"),
    ("MA1,101,2026-11-02,9:00,10:00,,-5,", "early_minutes '-5' must be a whole number of minutes from 0 to 240."),
    ("MA1,101,2026-11-02,9:00,10:00,,,999", "grace_minutes '999' must be"),
    ("MA1,101,2027-03-28,2:30,4:00,,,", "02:30 does not exist on Sun 28 Mar 2027"),
    ("MA1,101,2027-03-21,2:30,4:00,2027-04-04,,", "02:30 does not exist on Sun 28 Mar 2027"),
]


def test_bad_lines_are_named_and_spoil_no_others(db, campus):
    text = "MA1,102,2026-11-02,09:00,10:00,,,\n" + "".join(f"{line}\n" for line, _ in BAD_LINES)
    _, outcomes = imported(db, text + "PH1,102,02.11.2026,10:00,11.30,,,\n")
    assert [result for _, result, _ in outcomes] == ["added", *["refused"] * len(BAD_LINES), "added"]
    for (line, message), (_, _, said) in zip(BAD_LINES, outcomes[1:-1], strict=True):
        assert message in said, line
    assert local_times(db) == ["11-02 09:00-10:00", "11-02 10:00-11:30"]


def test_of_a_time_that_clocks_show_twice_the_first_is_meant_and_said(db, campus):
    report, _ = imported(db, "MA1,101,2026-10-25,02:30,05:00,,,\n")
    assert report.notes == ["Line 2: clocks show 02:30 twice on Sun 25 Oct 2026; the first is meant."]
    assert db.scalars(sa.select(ClassSession.starts_at)).all() == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]


@pytest.mark.parametrize("apply", [True, False])
@pytest.mark.parametrize("batch_size", [1, 100])
def test_a_taken_room_is_named(db, campus, monkeypatch, apply, batch_size):
    monkeypatch.setattr(TimetableImporter, "batch_size", batch_size)
    imported(db, "PH1,101,2026-11-09,09:30,10:30,,,\n")
    text = (
        "MA1,101,2026-11-02,09:00,10:00,2026-11-16,,\n"  # taken in its second week
        "MA1,101,2026-11-02,09:00,10:00,,,\n"  # the same start as the line above: refused as a second line
        "MA1,102,2026-11-02,09:00,10:00,,,\n"
        "PH1,102,2026-11-02,09:59,11:00,,,\n"  # taken by line 4
        "PH1,102,2026-11-02,10:00,11:00,,,\n"
    )
    _, outcomes = imported(db, text, apply=apply)
    assert [(line, result) for line, result, _ in outcomes] == [
        (2, "refused"),
        (3, "refused"),
        (4, "added"),
        (5, "refused"),
        (6, "added"),
    ]
    assert outcomes[0][2] == (
        "Mon 9 Nov 2026, 09:00\u201310:00: the room is taken by PH1, Mon 9 Nov 2026, 09:30\u201310:30, in 101."
    )
    assert outcomes[3][2] == (
        "Mon 2 Nov 2026, 09:59\u201311:00: the room is taken by line 4 (MA1, Mon 2 Nov 2026, 09:00\u201310:00)."
    )


@pytest.mark.parametrize("batch_size", [1, 100])
def test_moving_an_end_makes_room_for_a_later_line(db, campus, monkeypatch, batch_size):
    monkeypatch.setattr(TimetableImporter, "batch_size", batch_size)
    imported(db, "MA1,101,2026-11-02,09:00,11:00,,,\n")
    text = "MA1,101,2026-11-02,09:00,10:00,,,\nPH1,101,2026-11-02,10:00,11:00,,,\n"
    tried = imported(db, text, apply=False)
    assert imported(db, text) == tried
    assert tried[1] == [(2, "updated", "1 of 1 sessions changed."), (3, "added", "")]
    assert local_times(db) == ["11-02 09:00-10:00", "11-02 10:00-11:00"]
    assert imported(db, text)[1] == [(2, "unchanged", ""), (3, "unchanged", "")]


def test_changed_times_change_what_the_machine_decided_and_nothing_a_person_did(db, campus):
    imported(db, "MA1,101,2026-11-02,09:00,10:00,,10,10\n")
    session = db.scalars(sa.select(ClassSession)).one()
    late, kept = make_student(db), make_student(db)
    enrol(db, campus["MA1"], late, kept)
    seen = session.starts_at + timedelta(minutes=12)
    for student, source in ((late, Source.MACHINE), (kept, Source.PERSON)):
        db.add(
            Attendance(
                session_id=session.id,
                student_id=student.id,
                status=Status.LATE,
                source=source,
                first_seen=seen,
                last_seen=seen,
            )
        )
    db.commit()
    imported(db, "MA1,101,2026-11-02,09:00,10:00,,10,15\n")
    db.expire_all()
    statuses = dict(db.execute(sa.select(Attendance.student_id, Attendance.status)).all())
    assert statuses == {late.id: Status.PRESENT, kept.id: Status.LATE}
