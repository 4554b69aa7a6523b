"""A term from a calendar that changes three times leaves exactly the right sessions; on SQLite and on MariaDB."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from attendance.database.audit.noting import by_program
from attendance.database.consent import BY_COMMAND
from attendance.database.engine import begin_writing
from attendance.database.models import (
    Attendance,
    ClassSession,
    Course,
    SessionSeries,
    SessionState,
    Source,
    Status,
    TimetableCalendar,
)
from attendance.database.register import close_ended_sessions
from attendance.database.teaching.changes import cancel
from attendance.database.teaching.series import delete_sessions
from attendance.database.upkeep.erasure import delete_student
from tests.factories import enrol, make_course, make_group, make_lecturer, make_room, make_session, make_student
from webapp.calendars.running import read_calendar, run_calendar, write_calendar

WARSAW = ZoneInfo("Europe/Warsaw")
NOW = datetime(2026, 9, 20, 12, 0, tzinfo=UTC)

LECTURE = """BEGIN:VEVENT
UID:lecture@university
DTSTART;TZID=Europe/Warsaw:20261005T090000
DTEND;TZID=Europe/Warsaw:20261005T103000
RRULE:FREQ=WEEKLY;COUNT={count}{more}
SUMMARY:MAT101 Lecture
LOCATION:Hall A
END:VEVENT"""
SEMINAR = """BEGIN:VEVENT
UID:seminar@university
DTSTART;TZID=Europe/Warsaw:20261007T120000
DTEND;TZID=Europe/Warsaw:20261007T133000
RRULE:FREQ=WEEKLY;COUNT=3
SUMMARY:MAT101 Seminar (B)
LOCATION:Hall B
END:VEVENT"""
EXAM = """BEGIN:VEVENT
UID:exam@university
DTSTART;TZID=Europe/Warsaw:{start}
DURATION:PT2H
SUMMARY:Exam MAT101
LOCATION:{room}
END:VEVENT"""


def one(recurrence, lines):
    return f"BEGIN:VEVENT\nUID:lecture@university\nRECURRENCE-ID;TZID=Europe/Warsaw:{recurrence}\n{lines}\nEND:VEVENT"


def text(*events):
    return "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *events, "END:VCALENDAR"]).encode()


@pytest.fixture
def term(db):
    """A calendar, its course with a student, and two rooms."""
    course = make_course(db, "MAT101")
    make_room(db, "Hall A")
    make_room(db, "Hall B")
    ada = make_student(db)
    enrol(db, course, ada)
    make_group(db, course, "B", members=(ada,))
    calendar = TimetableCalendar(name="Term", first_day=date(2026, 10, 1), last_day=date(2027, 1, 31))
    db.add(calendar)
    db.commit()
    return calendar


@pytest.fixture
def follow(db, term):
    """`follow(events...)`: let the timetable follow a calendar, after a trial that says the same; the report."""

    def follow_(*events, now=NOW):
        read = read_calendar(term, text(*events), WARSAW)
        tried = run_calendar(db, term, read, WARSAW, apply=False, now=now)
        done = write_calendar(db, term, read, WARSAW, actor=by_program("worker"), now=now)
        assert (tried.report.counts, tried.asks) == (done.report.counts, done.asks)
        return done

    return follow_


def held(db):
    """The sessions that take place: (local start, room, group)."""
    db.expire_all()
    query = sa.select(ClassSession).where(ClassSession.state == SessionState.SCHEDULED).order_by(ClassSession.starts_at)
    return [
        (
            session.starts_at.astimezone(WARSAW).strftime("%m-%d %H:%M"),
            session.room.name,
            session.group.name if session.group else None,
        )
        for session in db.scalars(query)
    ]


def ids(db):
    return dict(db.execute(sa.select(ClassSession.planned_at, ClassSession.id)).all())


def test_moved_cancelled_and_extended(db, sessions, follow):
    exam = EXAM.format(start="20261215T090000", room="Hall A")
    first = follow(LECTURE.format(count=4, more=""), SEMINAR, exam)
    assert first.report.counts == {"added": 3, "updated": 0, "unchanged": 0, "refused": 0}
    lectures = [("10-05 09:00", "Hall A", None), ("10-12 09:00", "Hall A", None), ("10-19 09:00", "Hall A", None)]
    seminars = [("10-07 12:00", "Hall B", "B"), ("10-14 12:00", "Hall B", "B"), ("10-21 12:00", "Hall B", "B")]
    start = sorted([*lectures, ("10-26 09:00", "Hall A", None), *seminars, ("12-15 09:00", "Hall A", None)])
    assert held(db) == start
    before = ids(db)
    assert follow(LECTURE.format(count=4, more=""), SEMINAR, exam).report.counts["unchanged"] == 3

    moved = one(
        "20261012T090000", "DTSTART;TZID=Europe/Warsaw:20261013T150000\nDURATION:PT90M\nSUMMARY:MAT101\nLOCATION:Hall B"
    )
    exam = EXAM.format(start="20261217T100000", room="Hall B")
    follow(LECTURE.format(count=4, more=""), moved, SEMINAR, exam)
    after_move = sorted(
        [
            lectures[0], ("10-13 15:00", "Hall B", None), lectures[2], ("10-26 09:00", "Hall A", None), *seminars,
            ("12-17 10:00", "Hall B", None),
        ]
    )  # fmt: skip
    assert held(db) == after_move
    assert set(ids(db).values()) == set(before.values()), "moved, and none of them another session"
    assert ids(db)[datetime(2026, 10, 12, 7, tzinfo=UTC)] == before[datetime(2026, 10, 12, 7, tzinfo=UTC)]

    gone = one("20261019T090000", "STATUS:CANCELLED\nDTSTART;TZID=Europe/Warsaw:20261019T090000")
    follow(LECTURE.format(count=4, more="\nEXDATE;TZID=Europe/Warsaw:20261026T090000"), moved, gone, SEMINAR)
    after_cancelling = sorted([lectures[0], ("10-13 15:00", "Hall B", None), *seminars])
    assert held(db) == after_cancelling
    cancelled = db.scalars(sa.select(ClassSession).where(ClassSession.state == SessionState.CANCELLED)).all()
    assert {session.cancelled_reason for session in cancelled} == {"Not in the timetable any more."}

    follow(LECTURE.format(count=6, more="\nEXDATE;TZID=Europe/Warsaw:20261026T090000"), moved, gone, SEMINAR)
    extended = sorted([*after_cancelling, ("11-02 09:00", "Hall A", None), ("11-09 09:00", "Hall A", None)])
    assert held(db) == extended
    series = db.scalars(sa.select(SessionSeries.uid).order_by(SessionSeries.uid)).all()
    assert series == ["exam@university", "lecture@university", "seminar@university"]

    close_ended_sessions(sessions, datetime(2027, 3, 1, tzinfo=UTC))
    assert db.scalars(sa.select(Attendance).where(Attendance.status == Status.ABSENT)).all() == [], "no camera watched"


def test_what_was_cancelled_comes_back(db, follow):
    follow(LECTURE.format(count=3, more=""))
    before = ids(db)
    follow(LECTURE.format(count=3, more="\nEXDATE;TZID=Europe/Warsaw:20261012T090000"))
    assert len(held(db)) == 2
    follow(LECTURE.format(count=3, more=""))
    assert len(held(db)) == 3
    assert ids(db) == before


def test_a_series_that_is_moved_as_a_whole_keeps_its_sessions(db, follow):
    follow(LECTURE.format(count=3, more=""))
    before = set(ids(db).values())
    follow(LECTURE.format(count=3, more="").replace("T090000", "T110000").replace("T103000", "T123000"))
    assert [start for start, _, _ in held(db)] == ["10-05 11:00", "10-12 11:00", "10-19 11:00"]
    thursday = LECTURE.format(count=3, more="").replace("20261005", "20261008")
    follow(thursday)
    assert [start for start, _, _ in held(db)] == ["10-08 09:00", "10-15 09:00", "10-22 09:00"]
    assert set(ids(db).values()) == before


def test_what_has_attendance_is_not_removed_without_being_asked(db, follow):
    follow(LECTURE.format(count=3, more=""))
    session = db.scalars(sa.select(ClassSession).order_by(ClassSession.starts_at)).first()
    student = make_student(db)
    db.add(Attendance(session_id=session.id, student_id=student.id, status=Status.PRESENT, source=Source.PERSON))
    db.commit()
    removed = follow(LECTURE.format(count=3, more="\nEXDATE;TZID=Europe/Warsaw:20261005T090000"))
    assert removed.asks
    assert "cancelled in which attendance is recorded" in removed.report.questions[0].question
    restored = follow(LECTURE.format(count=3, more=""))
    assert not restored.asks
    moved = one(
        "20261005T090000", "DTSTART;TZID=Europe/Warsaw:20261006T150000\nDURATION:PT90M\nSUMMARY:MAT101\nLOCATION:Hall B"
    )
    assert (
        "moved in which attendance is recorded"
        in follow(LECTURE.format(count=3, more=""), moved).report.questions[0].question
    )


def test_a_calendar_that_lost_most_of_its_sessions_is_asked_about(db, follow):
    assert not follow(LECTURE.format(count=10, more=""), SEMINAR).asks
    empty = follow(SEMINAR)
    assert empty.asks
    assert "10 of 13 sessions to come would be cancelled" in empty.report.questions[0].question
    assert len(held(db)) == 3


def test_what_cannot_be_read_has_not_ended(db, follow):
    follow(LECTURE.format(count=3, more=""))
    for broken in (
        LECTURE.format(count=3, more="").replace("Hall A", "Hall nobody knows"),
        LECTURE.format(count=3, more="").replace("Europe/Warsaw", "Mars/Phobos"),
        LECTURE.format(count=3, more="").replace("MAT101", "Something else"),
    ):
        report = follow(broken).report
        assert report.counts["refused"] == 1
        assert len(held(db)) == 3


def test_what_a_person_changed_or_deleted_stays(db, follow):
    follow(LECTURE.format(count=4, more=""))
    first, second, *_ = db.scalars(sa.select(ClassSession).order_by(ClassSession.starts_at)).all()
    account = make_lecturer(db)
    cancel(db, first, reason="ill", account_id=account.id)
    delete_sessions(db, [second])
    db.commit()
    follow(LECTURE.format(count=4, more=""))
    assert [start for start, _, _ in held(db)] == ["10-19 09:00", "10-26 09:00"]


def test_the_past_is_left_alone(db, follow):
    follow(LECTURE.format(count=4, more=""))
    later = datetime(2026, 10, 15, tzinfo=UTC)
    follow(LECTURE.format(count=4, more="").replace("T090000", "T110000").replace("T103000", "T123000"), now=later)
    assert [start for start, _, _ in held(db)][-2:] == ["10-19 11:00", "10-26 11:00"]
    assert [start for start, _, _ in held(db)][:1] == ["10-05 09:00"]
    follow(SEMINAR, now=later)
    assert "10-05 09:00" in [start for start, _, _ in held(db)]


def test_sessions_that_were_there_before_become_the_calendars(db, follow):
    course = make_course(db, "PHY200")
    by_hand = make_session(db, course, starts_at=datetime(2026, 10, 5, 7, tzinfo=UTC))
    by_hand.room.name = "Hall D"
    db.commit()
    follow(LECTURE.format(count=2, more="").replace("MAT101", "PHY200").replace("Hall A", "Hall D"))
    assert len(held(db)) == 2
    db.refresh(by_hand)
    assert by_hand.series_id is not None


def test_two_rooms_are_one_session_and_times_of_one_day_are_two(db, follow):
    twice = (
        SEMINAR.replace("seminar@", "double@")
        .replace("20261007T12", "20261007T16")
        .replace("20261007T13", "20261007T17")
    )
    rdate = twice.replace("RRULE:FREQ=WEEKLY;COUNT=3", "RDATE;TZID=Europe/Warsaw:20261007T190000").replace(
        "Hall B", "Hall A; Hall B"
    )
    follow(rdate)
    sessions = db.scalars(sa.select(ClassSession).order_by(ClassSession.starts_at)).all()
    assert [len(session.further_rooms) for session in sessions] == [1, 1]
    assert sessions[1].starts_at - sessions[0].starts_at == timedelta(hours=3)


@pytest.mark.parametrize("name", ['Bob "B" Żak', "Cid"])
def test_no_note_names_a_student_who_was_deleted(db, follow, name):
    bob = make_student(db, name=name)
    for course in (make_course(db, "PHY200"), db.scalars(sa.select(Course).where(Course.code == "MAT101")).one()):
        enrol(db, course, bob)
    exam = EXAM.format(start="20261005T093000", room="Hall B").replace("MAT101", "PHY200")
    follow(LECTURE.format(count=1, more=""), exam)
    report = db.scalar(sa.select(TimetableCalendar.report))
    assert bob.index_number in str(report["notes"])
    db.commit()
    begin_writing(db)
    delete_student(db, bob, now=NOW, recorder=BY_COMMAND)
    db.commit()
    assert db.scalar(sa.select(TimetableCalendar.report)) == {**report, "notes": []}
