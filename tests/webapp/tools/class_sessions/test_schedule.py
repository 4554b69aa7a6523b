"""Local times across clock changes, weekly repetition and rooms that are taken."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from webapp.tools.class_sessions.schedule import (
    Booking,
    RoomCalendar,
    ScheduleError,
    Slot,
    is_ambiguous,
    slot_on,
    slot_text,
    to_utc,
    weekly_days,
)

WARSAW = ZoneInfo("Europe/Warsaw")
SPRING, AUTUMN = date(2027, 3, 28), date(2026, 10, 25)


def test_nine_stays_nine_across_both_clock_changes():
    for first in (date(2026, 10, 19), date(2027, 3, 22)):
        days = weekly_days(first, first + timedelta(weeks=2))
        moments = [to_utc(day, time(9), WARSAW) for day in days]
        assert [moment.astimezone(WARSAW).time() for moment in moments] == [time(9)] * 3
        assert len({moment.time() for moment in moments}) == 2  # in UTC it moves by an hour


def test_a_time_that_the_spring_skips_is_refused_by_name():
    with pytest.raises(ScheduleError, match=r"02:30 does not exist on Sun 28 Mar 2027"):
        to_utc(SPRING, time(2, 30), WARSAW)
    assert to_utc(SPRING, time(3), WARSAW) == datetime(2027, 3, 28, 1, tzinfo=UTC)


def test_of_a_time_that_the_autumn_has_twice_the_first_is_meant():
    assert is_ambiguous(AUTUMN, time(2, 30), WARSAW)
    assert not is_ambiguous(AUTUMN, time(3), WARSAW)
    assert not is_ambiguous(SPRING, time(2, 30), WARSAW)
    assert to_utc(AUTUMN, time(2, 30), WARSAW) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert slot_on(AUTUMN, time(1), time(4), WARSAW).ends_at - slot_on(AUTUMN, time(1), time(4), WARSAW).starts_at == (
        timedelta(hours=4)
    )


def test_a_session_may_go_past_midnight():
    slot = slot_on(date(2026, 11, 2), time(23), time(0, 30), WARSAW)
    assert slot.ends_at - slot.starts_at == timedelta(minutes=90)
    assert slot_text(slot, WARSAW) == "Mon 2 Nov 2026, 23:00\u201300:30"


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (time(9), time(9), "same as the start"),
        (time(10), time(9), r"end \(09:00\) is before the start \(10:00\)"),
        (time(7), time(20), "longer than 12 hours"),
    ],
)
def test_refuses_ends_that_cannot_be_meant(start, end, message):
    with pytest.raises(ScheduleError, match=message):
        slot_on(date(2026, 11, 2), start, end, WARSAW)


def test_weekly_days_end_with_the_last_day_that_fits():
    first = date(2026, 10, 5)
    assert weekly_days(first, None) == [first]
    assert weekly_days(first, date(2026, 10, 19)) == [first, date(2026, 10, 12), date(2026, 10, 19)]
    assert weekly_days(first, date(2026, 10, 18)) == [first, date(2026, 10, 12)]
    with pytest.raises(ScheduleError, match="before the first"):
        weekly_days(first, date(2026, 10, 4))
    with pytest.raises(ScheduleError, match="60 weeks"):
        weekly_days(first, date(2028, 10, 4))


def at(hour, minutes=60, day=2):
    start = datetime(2026, 11, day, hour, tzinfo=UTC)
    return Slot(start, start + timedelta(minutes=minutes))


def test_rooms_are_taken_until_the_end_and_no_longer():
    calendar = RoomCalendar()
    calendar.add(1, Booking(at(9), "first", 7))
    calendar.add(1, Booking(at(23, 120), "late", 8))
    assert calendar.clash(1, at(10)) is None
    assert calendar.clash(1, at(8)) is None
    assert calendar.clash(2, at(9)) is None
    assert calendar.clash(1, at(8, 61)).label == "first"
    assert calendar.clash(1, at(9, 1)).label == "first"
    assert calendar.clash(1, at(9), ignoring={7}) is None
    assert calendar.clash(1, at(0, 30, day=3)).label == "late"
    assert calendar.clash(1, at(8, 20 * 60)).label == "first"
