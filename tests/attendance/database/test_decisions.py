"""What is concluded of a session when it ends, and again when more becomes known; on SQLite and on MariaDB."""

import itertools
import random
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database import decisions
from attendance.database.bulk import WantedEntry, decide_many, undo
from attendance.database.corrections import EntryChangedError, correct, give_back
from attendance.database.decisions import take_in_observation
from attendance.database.engine import begin_writing, session_factory
from attendance.database.entries import history_of
from attendance.database.excuses import NewExcuse, give_excuse, take_back_excuse
from attendance.database.models import (
    Attendance,
    AttendanceChange,
    Camera,
    ClassSession,
    Closing,
    Source,
    Status,
    Student,
    Unrecorded,
)
from attendance.database.register import Sighting, apply_session_times, close_ended_sessions, record_sighting
from attendance.database.watching.observation import NOBODY, MinuteOfCamera, minutes_between, observed_hours
from attendance.settings import AttendanceSettings
from tests.factories import (
    LONG_SINCE,
    NINE,
    enrol,
    make_camera,
    make_course,
    make_lecturer,
    make_room,
    make_session,
    make_student,
    recognisable,
    watch,
)

MINUTE, DAY, END = timedelta(minutes=1), timedelta(days=1), NINE + timedelta(minutes=90)


@pytest.fixture
def lesson(db):
    """A session of ten students, s0 to s9, known to the cameras, in a room with a camera: nothing is watched yet."""
    course, room = make_course(db), make_room(db)
    students = [make_student(db, f"s{n}") for n in range(10)]
    enrol(db, course, *students)
    recognisable(db, *students)
    make_camera(db, room=room)
    session = make_session(db, course, room)
    db.commit()
    return session


def entries(db):
    db.rollback()
    db.expire_all()
    rows = db.execute(
        sa.select(Student.index_number, Attendance).join(Attendance.student).order_by(Student.index_number)
    )
    return {number: row.status or row.unrecorded_reason for number, row in rows}


def see(db, lesson, number, minute=0):
    db.rollback()
    begin_writing(db)
    at = NINE + minute * MINUTE
    assert record_sighting(db, Sighting(lesson.id, f"s{number}", at, at, 0.9, None))
    db.commit()


def reported(lesson, since=NINE - 10 * MINUTE, until=END, unnamed=0, camera=1):
    """What a camera would report of a time."""
    counts = NOBODY._replace(unnamed=unnamed)
    minutes = [
        MinuteOfCamera(at, watched=True, watched_live=True, blind=False, counts=counts)
        for at in minutes_between(since, until)
    ]
    return observed_hours(camera, lesson.room_id, minutes)


def report(db, *observed):
    for one in observed:
        db.rollback()
        begin_writing(db)
        take_in_observation(db, one)
        db.commit()


def ids(db):
    return dict(db.execute(sa.select(Student.index_number, Student.id)).all())


def test_more_faces_in_a_minute_decide_nothing_while_a_session_is_open(db, sessions, lesson, monkeypatch):
    see(db, lesson, 1, 40)
    decided, decide = [], decisions.decide_session

    def noted(db, session, *more):
        decided.append(session.id)
        return decide(db, session, *more)

    monkeypatch.setattr(decisions, "decide_session", noted)
    early = {"since": NINE, "until": NINE + 20 * MINUTE}
    report(db, *reported(lesson, **early, unnamed=1))
    assert decided == [lesson.id]  # it decides whether s1 was late, or only seen late
    report(db, *reported(lesson, **early, unnamed=8))
    assert decided == [lesson.id]
    report(db, *reported(lesson, unnamed=1))
    assert close_ended_sessions(sessions, END) == 1
    assert entries(db)["s2"] is Status.ABSENT
    decided.clear()
    report(db, *reported(lesson, unnamed=8))
    assert decided
    assert entries(db)["s2"] is Unrecorded.UNNAMED


def test_r1_a_session_that_is_entered_after_its_end_makes_nobody_absent(db, sessions, lesson):
    watch(db, lesson)
    lesson.entered_at = END
    db.commit()
    see(db, lesson, 1, 20)
    assert close_ended_sessions(sessions, END) == 1
    assert entries(db) == {f"s{n}": Unrecorded.ENTERED_LATE for n in range(10)} | {"s1": Status.LATE}
    assert db.get(ClassSession, lesson.id).closed_as is Closing.ENTERED_LATE


@pytest.mark.parametrize("camera", ["none", "silent", "half", "blind", "one of two"])
def test_r2_a_room_that_was_not_watched_makes_nobody_absent(db, sessions, lesson, camera):
    if camera == "none":
        db.execute(sa.delete(Camera))
    elif camera == "half":
        watch(db, lesson, until=NINE + 53 * MINUTE)
    elif camera == "blind":
        watch(db, lesson, blind=True)
    elif camera == "one of two":
        second = make_camera(db, room=lesson.room)
        watch(db, lesson, camera=second)
    db.commit()
    see(db, lesson, 1)
    close_ended_sessions(sessions, END)
    assert entries(db) == {f"s{n}": Unrecorded.UNWATCHED for n in range(10)} | {"s1": Status.PRESENT}
    assert db.get(ClassSession, lesson.id).closed_as is Closing.OBSERVED


def test_r3_who_could_not_be_recognised_is_not_absent(db, sessions, lesson):
    watch(db, lesson)
    never, later = (db.scalars(sa.select(Student).where(Student.index_number == n)).one() for n in ("s1", "s2"))
    never.recognisable_since, later.recognisable_since = None, NINE + MINUTE
    db.commit()
    close_ended_sessions(sessions, END)
    unknown = dict.fromkeys(("s1", "s2"), Unrecorded.UNRECOGNISABLE)
    assert entries(db) == {f"s{n}": Status.ABSENT for n in range(10)} | unknown
    # Photos that come or go later change nothing, whatever else makes the session be decided again.
    never.recognisable_since = LONG_SINCE
    db.execute(sa.update(Student).where(Student.index_number == "s3").values(recognisable_since=None))
    db.commit()
    see(db, lesson, 9)
    assert entries(db) == {f"s{n}": Status.ABSENT for n in range(9)} | unknown | {"s9": Status.PRESENT}


def test_r8_a_running_session_that_is_moved_ahead_keeps_its_entries_without_a_status(db, sessions, lesson):
    for number in range(10):
        see(db, lesson, number)
    db.rollback()
    begin_writing(db)
    session = db.get(ClassSession, lesson.id, populate_existing=True)
    session.starts_at, session.ends_at = session.starts_at + 2 * DAY, session.ends_at + 2 * DAY
    apply_session_times(db, session, NINE + 30 * MINUTE)
    db.commit()
    assert entries(db) == dict.fromkeys((f"s{n}" for n in range(10)), None)
    first = ids(db)["s0"]
    history = db.scalars(history_of(lesson.id, first)).all()
    assert [(change.old_status, change.new_status) for change in history] == [(Status.PRESENT, None)]
    # Decided anew at its new end.
    watch(db, session)
    db.commit()
    close_ended_sessions(sessions, END + 2 * DAY)
    assert entries(db) == dict.fromkeys((f"s{n}" for n in range(10)), Status.ABSENT)


def test_r8_a_closed_session_that_is_opened_again_takes_its_absences_back(db, sessions, lesson):
    watch(db, lesson)
    db.commit()
    close_ended_sessions(sessions, END)
    words = {"session_id": lesson.id, "student_id": ids(db)["s0"], "account_id": make_lecturer(db).id}
    db.commit()
    session = db.get(ClassSession, lesson.id, populate_existing=True)
    session.ends_at = END + 60 * MINUTE
    apply_session_times(db, session, END)
    db.commit()
    assert entries(db) == {}
    see(db, lesson, 0)
    # The page that still shows the absence does not change the entry that was made since.
    with pytest.raises(EntryChangedError):
        correct(db, **words, status=Status.EXCUSED, reason="ill", version=1)
    assert entries(db) == {"s0": Status.PRESENT}


def test_an_entry_made_anew_counts_on_and_its_correction_sent_twice_is_one(db, lesson):
    words = {"session_id": lesson.id, "student_id": ids(db)["s0"], "account_id": make_lecturer(db).id}
    db.commit()
    first = correct(db, **words, status=Status.LATE, reason="bus", version=0)
    assert first.version == 1
    give_back(db, **words)
    for _ in range(2):
        again = correct(db, **words, status=Status.LATE, reason="bus", version=0)
    assert again.version == 3
    with pytest.raises(EntryChangedError):
        correct(db, **words, status=Status.EXCUSED, reason="ill", version=1)


def test_unnamed_people_who_are_half_of_the_absent_leave_them_unrecorded(db, sessions, lesson):
    watch(db, lesson, counts=NOBODY._replace(unnamed=5))
    db.commit()
    close_ended_sessions(sessions, END)
    assert entries(db) == dict.fromkeys((f"s{n}" for n in range(10)), Unrecorded.UNNAMED)


def test_unnamed_people_who_are_fewer_leave_absences(db, sessions, lesson):
    watch(db, lesson, counts=NOBODY._replace(unnamed=4))
    db.commit()
    close_ended_sessions(sessions, END)
    assert set(entries(db).values()) == {Status.ABSENT}
    # When two more turn out to have come, four unnamed are half of those who are left: as if it had been known.
    see(db, lesson, 0)
    see(db, lesson, 1)
    assert entries(db) == {"s0": Status.PRESENT, "s1": Status.PRESENT} | {
        f"s{n}": Unrecorded.UNNAMED for n in range(2, 10)
    }


def test_the_closer_waits_until_the_last_sightings_have_settled(db, engine, lesson):
    waiting = session_factory(engine, AttendanceSettings(settle_minutes=3))
    assert close_ended_sessions(waiting, END + 3 * MINUTE - timedelta(seconds=1)) == 0
    assert close_ended_sessions(waiting, END + 3 * MINUTE) == 1


def test_the_required_share_is_a_setting(db, engine, lesson):
    watch(db, lesson, until=NINE + 45 * MINUTE)
    db.commit()
    half = session_factory(engine, AttendanceSettings(settle_minutes=0, required_observation=0.5))
    close_ended_sessions(half, END)
    assert set(entries(db).values()) == {Status.ABSENT}


EVENTS = ("close", "report 9", "report 10", "see in time", "see late")


ORDERS = random.Random(12).sample(list(itertools.permutations(EVENTS)), 8)


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
def test_whatever_becomes_known_first_the_register_is_the_same(db, sessions, lesson, order):
    nine, ten = [one for one in reported(lesson, since=NINE) if one.watched]
    work = {
        "close": lambda: close_ended_sessions(sessions, END),
        "report 9": lambda: report(db, nine),
        "report 10": lambda: report(db, ten),
        "see in time": lambda: see(db, lesson, 0, 5),
        "see late": lambda: see(db, lesson, 1, 30),
    }
    for event in order:
        work[event]()
    # Before the closing nobody is decided again but who counts as present for want of a watch.
    expected = {f"s{n}": Status.ABSENT for n in range(10)} | {"s0": Status.PRESENT, "s1": Status.LATE}
    assert entries(db) == expected
    assert db.scalars(sa.select(Attendance.watched_from).where(Attendance.watched_from.is_not(None))).all() == []


def test_an_observation_that_comes_while_a_session_is_closed_is_not_missed(db, sessions, lesson):
    """The outbox delivers in the very moment of the closing: one of the two waits, and the other's word is heard."""
    observed = reported(lesson)

    def deliver():
        with sessions() as own:
            for one in observed:
                begin_writing(own)
                take_in_observation(own, one)
                own.commit()

    threads = [threading.Thread(target=deliver), threading.Thread(target=close_ended_sessions, args=(sessions, END))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(entries(db).values()) == {Status.ABSENT}


def test_who_came_late_to_an_unwatched_room_is_present_and_the_note_says_why(db, sessions, lesson):
    watch(db, lesson, since=NINE + 20 * MINUTE)
    db.commit()
    see(db, lesson, 0, 25)
    close_ended_sessions(sessions, END)
    row = db.scalars(sa.select(Attendance).where(Attendance.student_id == ids(db)["s0"])).one()
    assert (row.status, row.watched_from) == (Status.PRESENT, NINE + 20 * MINUTE)
    assert entries(db)["s1"] is Status.ABSENT  # 70 of 90 minutes
    report(db, *reported(lesson, until=NINE + 20 * MINUTE))
    db.expire_all()
    assert (row.status, row.watched_from) == (Status.LATE, None)


def test_an_excuse_and_taking_it_back_leave_an_unwatched_register_as_it_was(db, sessions, lesson):
    close_ended_sessions(sessions, END)
    before = entries(db)
    lecturer, student = make_lecturer(db).id, ids(db)["s4"]
    db.commit()
    (excuse,) = give_excuse(db, NewExcuse(student, None, NINE - DAY, NINE + DAY, "ill"), account_id=lecturer)
    assert entries(db) == before | {"s4": Status.EXCUSED}
    take_back_excuse(db, excuse.id, account_id=lecturer)
    assert entries(db) == before
    changes = db.scalars(history_of(lesson.id, student)).all()
    assert [(c.old_status or c.old_unrecorded, c.new_status or c.new_unrecorded) for c in changes] == [
        (Status.EXCUSED, Unrecorded.UNWATCHED),
        (Unrecorded.UNWATCHED, Status.EXCUSED),
    ]


def test_a_register_taken_by_hand_is_undone_exactly_and_sent_twice_is_one(db, sessions, lesson):
    close_ended_sessions(sessions, END)
    lecturer = make_lecturer(db).id
    db.commit()
    before = entries(db)
    numbers = ids(db)
    wanted = {
        student: WantedEntry(1, Status.ABSENT if number in {"s3", "s4"} else Status.PRESENT)
        for number, student in numbers.items()
    }
    words = {"session_id": lesson.id, "account_id": lecturer}
    first = decide_many(db, **words, wanted=wanted, reason="by hand")
    second = decide_many(db, **words, wanted=wanted, reason="by hand")
    assert (first.batch, set(first.changed)) == (second.batch, set(numbers.values()))
    assert entries(db) == {n: Status.ABSENT if n in {"s3", "s4"} else Status.PRESENT for n in numbers}
    assert db.scalar(sa.select(sa.func.count()).select_from(AttendanceChange)) == 10
    undo(db, session_id=lesson.id, batch=first.batch or "", account_id=lecturer)
    assert entries(db) == before


def test_left_unrecorded_is_a_persons_word_which_later_news_leave_alone(db, sessions, lesson):
    close_ended_sessions(sessions, END)
    lecturer = make_lecturer(db).id
    db.commit()
    wanted = {student: WantedEntry(1, None) for student in ids(db).values()}
    done = decide_many(db, session_id=lesson.id, account_id=lecturer, wanted=wanted, reason="looked at")
    report(db, *reported(lesson))
    assert set(entries(db).values()) == {Unrecorded.UNWATCHED}
    assert set(db.scalars(sa.select(Attendance.source))) == {Source.PERSON}
    # Who has a status is not left without one.
    correct(
        db, session_id=lesson.id, student_id=ids(db)["s0"], status=Status.LATE, reason="saw him", account_id=lecturer
    )
    again = decide_many(
        db, session_id=lesson.id, account_id=lecturer, wanted={ids(db)["s0"]: WantedEntry(3, None)}, reason="no"
    )
    assert again.left == (ids(db)["s0"],)
    # Undone, the machine decides from what it knows by now.
    undo(db, session_id=lesson.id, batch=done.batch or "", account_id=lecturer)
    assert entries(db) == {f"s{n}": Status.ABSENT for n in range(10)} | {"s0": Status.LATE}


def test_a_session_of_before_is_never_decided_again_as_to_absence(db, lesson):
    """As migration 0007 leaves them: closed, with an absence that nothing speaks for."""
    students = ids(db)
    session = db.get(ClassSession, lesson.id)
    session.closed_at, session.closed_as = END, Closing.BEFORE_OBSERVATION
    db.add_all(
        Attendance(session_id=lesson.id, student_id=students[number], status=status, source=Source.MACHINE, **seen)
        for number, status, seen in (
            ("s0", Status.ABSENT, {}),
            ("s1", Status.ABSENT, {}),
            ("s2", Status.LATE, {"first_seen": NINE + 30 * MINUTE, "last_seen": END - MINUTE}),
        )
    )
    lecturer = make_lecturer(db).id
    db.commit()
    before = entries(db)
    (excuse,) = give_excuse(db, NewExcuse(students["s0"], None, NINE - DAY, NINE + DAY, "ill"), account_id=lecturer)
    assert entries(db) == before | {"s0": Status.EXCUSED}
    take_back_excuse(db, excuse.id, account_id=lecturer)
    assert entries(db) == before
    words = {"session_id": lesson.id, "student_id": students["s1"], "account_id": lecturer}
    correct(db, **words, status=Status.PRESENT, reason="was there")
    give_back(db, **words)
    report(db, *reported(lesson))
    assert entries(db) == before
    # Not seen in its new time any more, somebody of such a session is not absent: that was never concluded.
    session = db.get(ClassSession, lesson.id, populate_existing=True)
    session.ends_at = NINE + 20 * MINUTE
    apply_session_times(db, session, END)
    db.commit()
    assert entries(db) == before | {"s2": Unrecorded.UNWATCHED}


@pytest.mark.parametrize(("hours", "late"), [(0, False), (0.5, False), (3, True), (-3, True)])
def test_a_session_that_is_moved_into_the_past_counts_as_entered_late(db, sessions, lesson, hours, late):
    watch(db, lesson, since=NINE - 4 * timedelta(hours=1), until=END + 4 * timedelta(hours=1))
    db.commit()
    close_ended_sessions(sessions, END)
    session = db.get(ClassSession, lesson.id, populate_existing=True)
    session.starts_at += hours * timedelta(hours=1)
    session.ends_at += hours * timedelta(hours=1)
    apply_session_times(db, session, END + DAY)
    db.commit()
    assert set(entries(db).values()) == {Unrecorded.ENTERED_LATE if late else Status.ABSENT}


def test_closing_five_hundred_reads_the_minutes_once_and_inserts_once(db, sessions, lesson):
    course = lesson.course
    many = [make_student(db) for _ in range(490)]
    enrol(db, course, *many)
    recognisable(db, *many)
    watch(db, lesson)
    db.commit()
    statements = []
    sa.event.listen(sessions.kw["bind"], "before_cursor_execute", lambda *call: statements.append(call[2]))
    close_ended_sessions(sessions, END)
    assert set(entries(db).values()) == {Status.ABSENT}
    assert len(entries(db)) == 500
    closing = statements[
        : next(n for n, text in enumerate(statements) if text.startswith("INSERT INTO attendance")) + 1
    ]
    assert sum("FROM observation" in text and "observation.counts" in text for text in closing) == 1
    assert sum(text.startswith("INSERT INTO attendance ") for text in statements) == 1
    assert len(closing) < 21
