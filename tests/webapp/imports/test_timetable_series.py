"""A timetable that is imported again: moved, ended, cancelled and deleted sessions, on SQLite and on MariaDB."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from attendance.database.audiences import audiences_of, rooms_of
from attendance.database.engine import session_factory
from attendance.database.models import (
    Attendance,
    ClassSession,
    CourseGroup,
    Room,
    SeriesOrigin,
    SessionSeries,
    SessionState,
    TeachingBreak,
)
from attendance.database.register import close_ended_sessions
from attendance.database.teaching.changes import Placement, cancel, move
from attendance.database.teaching.series import delete_sessions, new_series
from attendance.settings.installation import ZONE_LEFT_WARNING
from attendance.tables.reading import read_table
from tests.factories import enrol, make_course, make_group, make_lecturer, make_room, make_session, make_student
from webapp.imports.report import Outcome
from webapp.imports.run import run_import
from webapp.imports.timetable import TimetableImporter

WARSAW = ZoneInfo("Europe/Warsaw")
NOW = datetime(2027, 2, 1, tzinfo=UTC)
"""A Monday before every date here that is not said to be past."""
HEADER = "course_code,room,date,start,end,repeat_until,group,uid\n"
WEEKLY = "MA1,101,2027-03-01,09:00,10:30,2027-03-22,,\n"


@pytest.fixture
def campus(db):
    """Two courses, three rooms, a group."""
    made: dict[str, Any] = {"MA1": make_course(db, "MA1"), "PH1": make_course(db, "PH1")}
    made |= {name: make_room(db, name) for name in ("101", "102", "Aula")}
    made["A"], made["B"] = make_group(db, made["MA1"], "A"), make_group(db, made["MA1"], "B")
    made["ada"] = make_lecturer(db)
    db.commit()
    return made


def imported(db, text, *, apply=True, whole=False, now=NOW, zone=WARSAW):
    """Try and then import a file: both say the same."""
    told = []
    for applies in (False, True) if apply else (False,):
        outcomes: list[Outcome] = []
        importer = TimetableImporter(zone, whole=whole, now=now)
        table = read_table((HEADER + text).encode(), importer.columns)
        report = run_import(db, table, importer, apply=applies, on_outcome=outcomes.append)
        told.append((report, [(one.line, one.result.value, one.message) for one in outcomes]))
    assert all(one == told[0] for one in told)
    db.expire_all()
    return told[0]


def there(db):
    """Every session in local time, with its rooms, and whether it takes place."""
    rooms = dict(db.execute(sa.select(Room.id, Room.name)).all())
    found = []
    for one in db.scalars(sa.select(ClassSession).order_by(ClassSession.starts_at, ClassSession.id)):
        where = "+".join(sorted(rooms[room_id] for room_id in rooms_of(one)))
        found.append(f"{one.starts_at.astimezone(WARSAW):%m-%d %H:%M} {where}{' cancelled' if one.cancelled else ''}")
    return found


def ids(db):
    return set(db.scalars(sa.select(ClassSession.id)))


def test_another_room_moves_the_sessions_that_are_there(db, campus):
    imported(db, WEEKLY)
    before = ids(db)
    _, outcomes = imported(db, WEEKLY.replace("101", "102"))
    assert outcomes == [(2, "updated", "4 of 4 sessions moved to another room.")]
    assert there(db) == [f"03-{day} 09:00 102" for day in ("01", "08", "15", "22")]
    assert ids(db) == before
    assert imported(db, WEEKLY.replace("101", "102"))[1] == [(2, "unchanged", "")]


def test_a_start_beyond_the_old_slot_moves_them_too(db, campus):
    imported(db, WEEKLY)
    before = ids(db)
    _, outcomes = imported(db, "MA1,101,2027-03-01,14:00,15:30,2027-03-22,,\n")
    assert outcomes == [(2, "updated", "4 of 4 sessions moved to 14:00.")]
    assert there(db) == [f"03-{day} 14:00 101" for day in ("01", "08", "15", "22")]
    assert ids(db) == before


def test_another_weekday_moves_a_weekly_series_week_by_week(db, campus):
    imported(db, WEEKLY)
    before = ids(db)
    _, outcomes = imported(db, "MA1,101,2027-03-02,09:00,10:30,2027-03-23,,\n")
    assert outcomes == [(2, "updated", "4 of 4 sessions moved to 09:00.")]
    assert there(db) == [f"03-{day} 09:00 101" for day in ("02", "09", "16", "23")]
    assert ids(db) == before


def test_a_second_lecture_of_the_week_is_no_move_of_the_first(db, campus):
    imported(db, WEEKLY)
    second = "MA1,101,2027-03-01,14:00,15:30,2027-03-22,,\n"
    assert imported(db, second + WEEKLY)[1] == [(2, "added", ""), (3, "unchanged", "")]
    assert len(ids(db)) == 8


def test_a_single_extra_session_is_no_move_of_the_series(db, campus):
    imported(db, WEEKLY)
    _, outcomes = imported(db, "MA1,101,2027-03-08,14:00,15:30,,,\nMA1,102,2027-03-11,09:00,10:30,,,\n")
    assert outcomes == [(2, "added", ""), (3, "added", "")]
    assert len(ids(db)) == 6


def test_sessions_from_before_there_were_series_are_found_again(db, campus):
    for week in range(4):
        starts_at = datetime(2027, 3, 1, 8, tzinfo=UTC) + timedelta(weeks=week)
        session = make_session(db, campus["MA1"], campus["101"], starts_at=starts_at)
        series = new_series(db, SeriesOrigin.SESSION, audiences_of(session)[0])
        session.series_id, session.planned_at = series.id, starts_at
    db.commit()
    before = ids(db)
    assert imported(db, WEEKLY)[1] == [(2, "unchanged", "")]
    _, outcomes = imported(db, "MA1,102,2027-03-01,11:00,12:30,2027-03-22,,\n")
    assert outcomes == [(2, "updated", "4 of 4 sessions moved to 11:00 and to another room.")]
    assert ids(db) == before
    assert len(set(db.scalars(sa.select(ClassSession.series_id)))) == 1


def test_what_has_ended_is_not_moved(db, campus):
    imported(db, WEEKLY)
    _, outcomes = imported(db, WEEKLY.replace("101", "102"), now=datetime(2027, 3, 10, tzinfo=UTC))
    assert outcomes == [(2, "updated", "2 of 4 sessions moved to another room.")]
    assert there(db) == ["03-01 09:00 101", "03-08 09:00 101", "03-15 09:00 102", "03-22 09:00 102"]
    _, outcomes = imported(db, "MA1,102,2027-03-01,11:00,12:30,2027-03-22,,\n", now=datetime(2027, 3, 10, tzinfo=UTC))
    assert outcomes == [(2, "updated", "2 of 4 sessions moved to 11:00.")]
    assert len(ids(db)) == 4


def test_deleted_sessions_do_not_come_back_wherever_they_were(db, campus):
    imported(db, WEEKLY)
    past, to_come = db.scalars(sa.select(ClassSession).order_by(ClassSession.starts_at)).all()[1:3]
    delete_sessions(db, [past, to_come])
    db.commit()
    now = datetime(2027, 3, 10, tzinfo=UTC)
    assert imported(db, WEEKLY, now=now)[1] == [(2, "unchanged", "2 stay deleted.")]
    moved = imported(db, WEEKLY.replace("101", "102"), now=now)
    assert moved[1] == [(2, "updated", "1 of 4 sessions moved to another room. 2 stay deleted.")]
    assert there(db) == ["03-01 09:00 101", "03-22 09:00 102"]
    imported(db, "MA1,102,2027-03-01,12:00,13:00,2027-03-22,,\n", now=now)
    assert there(db) == ["03-01 09:00 101", "03-22 12:00 102"]
    close_ended_sessions(session_factory(db.get_bind()), now)
    assert db.scalars(sa.select(Attendance)).all() == []


def test_what_a_person_moved_or_cancelled_stays(db, campus):
    imported(db, WEEKLY)
    first, second, third, _ = db.scalars(sa.select(ClassSession).order_by(ClassSession.starts_at)).all()
    ada = campus["ada"].id
    later = first.starts_at + timedelta(days=2, hours=3)
    move(db, first, Placement(later, later + timedelta(hours=1), [campus["Aula"].id]), account_id=ada, now=NOW)
    cancel(db, second, reason="ill", account_id=ada, now=NOW)
    shorter = third.ends_at - timedelta(minutes=30)
    move(db, third, Placement(third.starts_at, shorter, [campus["101"].id]), account_id=ada, now=NOW)
    db.commit()
    after = ["03-03 12:00 Aula", "03-08 09:00 101 cancelled", "03-15 09:00 101", "03-22 09:00 101"]
    assert there(db) == after
    assert imported(db, WEEKLY)[1] == [(2, "unchanged", "3 left as a person changed them.")]
    assert there(db) == after
    imported(db, WEEKLY.replace("101", "102"))
    assert there(db) == [*after[:3], "03-22 09:00 102"]
    db.refresh(third)
    assert third.ends_at == shorter


def test_a_series_that_ends_sooner_cancels_the_rest_and_may_bring_it_back(db, campus):
    imported(db, WEEKLY)
    shorter = WEEKLY.replace("03-22", "03-08")
    _, outcomes = imported(db, shorter)
    assert outcomes == [(2, "updated", "2 cancelled, not in the file any more.")]
    assert there(db)[2:] == ["03-15 09:00 101 cancelled", "03-22 09:00 101 cancelled"]
    assert imported(db, shorter)[1] == [(2, "unchanged", "")]
    assert imported(db, WEEKLY)[1] == [(2, "updated", "2 no longer cancelled.")]
    assert not any("cancelled" in one for one in there(db))


def test_a_whole_timetable_cancels_what_it_has_not_any_more(db, campus):
    other = "MA1,102,2027-03-02,09:00,10:30,2027-03-23,,\n"
    imported(db, WEEKLY + other + "PH1,Aula,2027-03-01,09:00,10:00,,,\n")
    report, _ = imported(db, WEEKLY)
    assert report.notes == [
        "4 sessions to come of these courses came from an earlier file and are not in this one. They stay; import it "
        "as a whole timetable to cancel them."
    ]
    tried, _ = imported(db, WEEKLY, apply=False, whole=True)
    assert not any("cancelled" in one for one in there(db))
    report, _ = imported(db, WEEKLY, whole=True)
    assert report.notes == tried.notes == ["4 sessions to come are not in the file any more: cancelled."]
    assert sorted(one for one in there(db) if "cancelled" in one) == [
        f"03-{day} 09:00 102 cancelled" for day in ("02", "09", "16", "23")
    ]


def test_an_identifier_finds_a_series_wherever_it_went(db, campus):
    imported(db, WEEKLY.replace(",,\n", ",,x-17\n"))
    before = ids(db)
    moved = "MA1,Aula,2027-03-04,16:00,17:30,2027-03-25,,x-17\n"
    # Another series at the very time of the old one is a new one: the identifier says which is which.
    _, outcomes = imported(db, moved + WEEKLY.replace(",,\n", ",,x-18\n"))
    assert [result for _, result, _ in outcomes] == ["updated", "added"]
    assert set(db.scalars(sa.select(ClassSession.id).join(SessionSeries).where(SessionSeries.uid == "x-17"))) == before
    assert [one for one in there(db) if "Aula" in one] == [f"03-{day} 16:00 Aula" for day in ("04", "11", "18", "25")]


def test_a_series_whose_identifier_changes_is_the_same_series(db, campus):
    imported(db, WEEKLY.replace(",,\n", ",,old\n"))
    before = ids(db)
    assert imported(db, WEEKLY.replace(",,\n", ",,new\n"))[1] == [(2, "unchanged", "")]
    assert ids(db) == before
    assert db.scalars(sa.select(SessionSeries.uid).join(ClassSession)).unique().all() == ["new"]


def test_one_class_in_two_rooms_is_one_session(db, campus):
    text = "MA1,101,2027-03-01,09:00,10:30,,,\nMA1,Aula,2027-03-01,09:00,10:30,,,\n"
    _, outcomes = imported(db, text)
    assert outcomes == [(2, "added", ""), (3, "added", "One session with line 2.")]
    assert there(db) == ["03-01 09:00 101+Aula"]
    assert imported(db, text)[1] == [(2, "unchanged", ""), (3, "unchanged", "")]
    assert imported(db, "MA1,101; Aula,2027-03-01,09:00,10:30,,,\n")[1] == [(2, "unchanged", "")]


@pytest.mark.parametrize("batch_size", [1, 100])
def test_sessions_that_stood_side_by_side_become_one(db, campus, batch_size, monkeypatch):
    monkeypatch.setattr(TimetableImporter, "batch_size", batch_size)
    starts_at = datetime(2027, 3, 1, 8, tzinfo=UTC)
    for room in ("101", "Aula"):
        make_session(db, campus["MA1"], campus[room], starts_at=starts_at)
    db.commit()
    text = "MA1,101,2027-03-01,09:00,10:30,,,\nMA1,Aula,2027-03-01,09:00,10:30,,,\n"
    _, outcomes = imported(db, text)
    assert [result for _, result, _ in outcomes] == ["updated", "updated"]
    assert "1 that stood beside them in the other room made one with them" in outcomes[0][2]
    assert there(db) == ["03-01 09:00 101+Aula"]


def test_a_register_is_not_lost_where_a_class_stood_twice(db, campus):
    starts_at = datetime(2027, 3, 1, 8, tzinfo=UTC)
    student = make_student(db)
    for room in ("101", "Aula"):
        session = make_session(db, campus["MA1"], campus[room], starts_at=starts_at)
        db.add(Attendance(session_id=session.id, student_id=student.id, status="present"))
    db.commit()
    _, outcomes = imported(db, "MA1,101; Aula,2027-03-01,09:00,10:30,,,\n")
    assert outcomes[0][1] == "refused"
    assert "both registers have entries" in outcomes[0][2]
    assert len(ids(db)) == 2


def test_a_joint_lecture_is_one_session_for_two_courses(db, campus):
    text = "MA1,101,2027-03-01,09:00,10:30,,,\nPH1,101,2027-03-01,09:00,10:30,,,\n"
    assert imported(db, text)[1] == [(2, "added", ""), (3, "added", "One session with line 2.")]
    (session,) = db.scalars(sa.select(ClassSession))
    assert {audience.course_id for audience in audiences_of(session)} == {campus["MA1"].id, campus["PH1"].id}
    assert imported(db, "MA1; PH1,101,2027-03-01,09:00,10:30,,,\n")[1] == [(2, "unchanged", "")]


def test_groups_meet_by_themselves(db, campus):
    text = (
        "MA1,101,2027-03-01,09:00,10:30,,A,\nMA1,102,2027-03-01,09:00,10:30,,B,\n"
        "MA1,Aula,2027-03-02,09:00,10:00,,A; B,\n"
        "MA1,Aula,2027-03-03,09:00,10:00,,C,\nMA1; PH1,Aula,2027-03-04,09:00,10:00,,A,\n"
    )
    _, outcomes = imported(db, text)
    assert [result for _, result, _ in outcomes] == ["added", "added", "added", "refused", "refused"]
    assert outcomes[3][2] == "There is no group C in MA1."
    first, second, both = db.scalars(sa.select(ClassSession).order_by(ClassSession.starts_at, ClassSession.room_id))
    groups = dict(db.execute(sa.select(CourseGroup.id, CourseGroup.name)).all())
    assert [[groups[audience.group_id] for audience in audiences_of(one)] for one in (first, second, both)] == [
        ["A"], ["B"], ["A", "B"],
    ]  # fmt: skip


def test_a_file_that_begins_to_name_groups_means_the_sessions_that_are_there(db, campus):
    imported(db, WEEKLY)
    before = ids(db)
    _, outcomes = imported(db, WEEKLY.replace(",,\n", ",A,\n"))
    assert outcomes == [(2, "updated", "4 of 4 sessions changed.")]
    assert ids(db) == before
    assert set(db.scalars(sa.select(ClassSession.group_id))) == {campus["A"].id}


def test_a_room_that_is_not_there_refuses_its_own_line_only(db, campus):
    text = "".join(f"MA1,{room},2027-03-01,09:00,10:30,,,\n" for room in ("101", "Nowhere", "Aula"))
    _, outcomes = imported(db, text)
    assert [(result, message) for _, result, message in outcomes] == [
        ("added", ""),
        ("refused", "There is no room called Nowhere."),
        ("added", "One session with line 2."),
    ]
    assert there(db) == ["03-01 09:00 101+Aula"]


def test_breaks_are_left_out(db, campus):
    db.add(TeachingBreak(first_day=datetime(2027, 3, 8).date(), last_day=datetime(2027, 3, 15).date(), name="Carnival"))
    db.commit()
    _, outcomes = imported(db, WEEKLY + "PH1,102,2027-03-10,09:00,10:00,,,\n")
    assert outcomes == [
        (2, "added", "2 days without teaching left out (Carnival)."),
        (3, "unchanged", "1 day without teaching left out (Carnival)."),
    ]
    assert there(db) == ["03-01 09:00 101", "03-22 09:00 101"]


def test_the_trial_says_how_many_sessions_are_past(db, campus):
    report, _ = imported(db, WEEKLY, now=datetime(2027, 3, 10, tzinfo=UTC), apply=False)
    assert report.notes == ["2 sessions have ended: they are entered without attendance."]
    report, _ = imported(db, WEEKLY, now=datetime(2027, 3, 3, tzinfo=UTC), apply=False)
    assert report.notes == ["1 session has ended: it is entered without attendance."]


def test_a_student_expected_in_two_sessions_at_once_is_told(db, campus):
    both, other = make_student(db, "s1", name="Ada Byron"), make_student(db, "s2")
    enrol(db, campus["MA1"], both, other)
    enrol(db, campus["PH1"], both)
    make_session(db, campus["PH1"], campus["102"], starts_at=datetime(2027, 3, 8, 8, 30, tzinfo=UTC))
    db.commit()
    report, _ = imported(db, WEEKLY)
    assert report.notes == [
        "1 student is expected in two sessions at once: Ada Byron (s1): MA1 and PH1 on Mon 8 Mar 2027, "
        "09:30\u201311:00."
    ]
    assert imported(db, WEEKLY)[0].notes == report.notes


def test_a_zone_left_at_utc_is_warned_of(db, campus):
    report, _ = imported(db, WEEKLY, zone=ZoneInfo("UTC"), apply=False)
    assert report.notes == [ZONE_LEFT_WARNING]


def test_after_the_zone_is_set_the_same_file_moves_the_sessions_back_to_their_hours(db, campus):
    imported(db, WEEKLY, zone=ZoneInfo("UTC"))
    assert there(db)[0] == "03-01 10:00 101"
    before = ids(db)
    _, outcomes = imported(db, WEEKLY)
    assert outcomes == [(2, "updated", "4 of 4 sessions moved to 09:00.")]
    assert there(db) == [f"03-{day} 09:00 101" for day in ("01", "08", "15", "22")]
    assert ids(db) == before


def test_rooms_that_are_swapped_are_free(db, campus):
    imported(db, WEEKLY + "PH1,102,2027-03-01,09:00,10:30,2027-03-22,,\n")
    swapped = WEEKLY.replace("101", "102") + "PH1,101,2027-03-01,09:00,10:30,2027-03-22,,\n"
    _, outcomes = imported(db, swapped)
    assert outcomes == [
        (2, "updated", "4 of 4 sessions moved to another room."),
        (3, "updated", "4 of 4 sessions moved to another room."),
    ]


def test_a_cancelled_session_leaves_its_room_free(db, campus):
    imported(db, "MA1,101,2027-03-01,09:00,10:30,,,\n")
    (session,) = db.scalars(sa.select(ClassSession))
    session.state = SessionState.CANCELLED
    session.changed_at = NOW
    db.commit()
    assert imported(db, "PH1,101,2027-03-01,09:00,10:00,,,\n")[1] == [(2, "added", "")]
