"""Reading iCalendar: zones, exceptions, what repeats for ever, and files that mean no good."""

import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from webapp.calendars.ics.occurrences import MOST_TIMES, Term, find_series
from webapp.calendars.ics.text import MAX_BYTES, MAX_EVENTS, CalendarError, read_text

WARSAW = ZoneInfo("Europe/Warsaw")
TERM = Term(date(2026, 10, 1), date(2027, 1, 31), WARSAW)


def calendar(*events, before=""):
    """A calendar of events, each a text of lines."""
    blocks = "\n".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{before}\n{blocks}\nEND:VCALENDAR\n".encode()


def event(start="DTSTART;TZID=Europe/Warsaw:20261005T090000", more="DURATION:PT90M", uid="a"):
    return f"UID:{uid}\n{start}\n{more}\nSUMMARY:MAT101\nLOCATION:Hall A"


def read(data, term=TERM, **more):
    return find_series(read_text(data), term, **more)


def starts(found, zone=WARSAW):
    (series,) = found.series
    assert series.error is None, series.error
    return [each.slot.starts_at.astimezone(zone).strftime("%m-%d %H:%M") for each in series.occurrences]


def refused(found):
    (series,) = found.series
    assert series.error is not None
    return series.error.message


def test_a_weekly_series_over_the_autumns_clock_change():
    found = read(calendar(event(more="DURATION:PT90M\nRRULE:FREQ=WEEKLY;COUNT=5")))
    assert starts(found) == ["10-05 09:00", "10-12 09:00", "10-19 09:00", "10-26 09:00", "11-02 09:00"]
    assert [each.slot.starts_at.hour for each in found.series[0].occurrences] == [7, 7, 7, 8, 8], "in UTC"


def test_exceptions_moved_and_cancelled_ones():
    series = event(more="DURATION:PT90M\nRRULE:FREQ=WEEKLY;COUNT=6\nEXDATE;TZID=Europe/Warsaw:20261012T090000")
    moved = event("RECURRENCE-ID:20261019T070000Z\nDTSTART;TZID=Europe/Warsaw:20261021T110000", "DURATION:PT60M")
    moved = moved.replace("Hall A", "B")
    at = ";TZID=Europe/Warsaw:20261102T090000"
    cancelled = event(f"RECURRENCE-ID{at}\nDTSTART{at}", "STATUS:CANCELLED")
    found = read(calendar(series, moved, cancelled))
    assert starts(found) == ["10-05 09:00", "10-21 11:00", "10-26 09:00", "11-09 09:00"]
    one = found.series[0].occurrences[1]
    assert (one.planned_at, one.location) == (datetime(2026, 10, 19, 7, tzinfo=UTC), "B")
    others = [each for each in found.series[0].occurrences if each is not one]
    assert all(each.planned_at == each.slot.starts_at for each in others), "each has a RECURRENCE-ID; none was moved"


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20261019", "10-19"),  # that day included, as who wrote it meant
        ("20261019T070000Z", "10-19"),
        ("20261019T065959Z", "10-12"),
        ("20261019T090000", "10-19"),
    ],
)
def test_the_last_day_of_a_rule(until, last):
    found = read(calendar(event(more=f"DURATION:PT90M\nRRULE:FREQ=WEEKLY;UNTIL={until}")))
    assert starts(found)[-1] == f"{last} 09:00"


def test_west_of_greenwich_the_last_day_is_there_too():
    york = ZoneInfo("America/New_York")
    data = calendar(
        event("DTSTART;TZID=America/New_York:20261005T190000", "DURATION:PT1H\nRRULE:FREQ=WEEKLY;UNTIL=20261019")
    )
    assert starts(read(data, Term(TERM.first_day, TERM.last_day, york)), york)[-1] == "10-19 19:00"


@pytest.mark.parametrize(
    "tzid",
    [
        "W. Europe Standard Time",
        "Central European Standard Time",
        '"Europe/Warsaw"',
        "/mozilla.org/20050126_1/Europe/Warsaw",
        "/freeassociation.sourceforge.net/Tzfile/Europe/Warsaw",
    ],
)
def test_zones_by_other_names(tzid):
    assert starts(read(calendar(event(f"DTSTART;TZID={tzid}:20261005T090000")))) == ["10-05 09:00"]


DEFINED = """BEGIN:VTIMEZONE
TZID:{name}
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:{standard}
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE"""


def test_a_definition_that_agrees_with_our_own_zone():
    name = "Customized Time Zone"
    data = calendar(event(f"DTSTART;TZID={name}:20261102T090000"), before=DEFINED.format(name=name, standard="+0100"))
    assert starts(read(data)) == ["11-02 09:00"]


def test_a_definition_of_another_calendar_means_nothing_here():
    name = "Customized Time Zone"
    other = DEFINED.format(name=name, standard="-0300")
    data = calendar(event(f"DTSTART;TZID={name}:20261102T090000"), before=other)
    assert f"The time zone {name} is not known" in refused(read(data))
    ours = DEFINED.format(name=name, standard="+0100")
    assert starts(read(calendar(event(f"DTSTART;TZID={name}:20261102T090000"), before=ours))) == ["11-02 09:00"]
    assert "is not known" in refused(read(calendar(event(f"DTSTART;TZID={name}:20261102T090000"))))


@pytest.mark.parametrize("tzid", ["Mars/Phobos", "../../etc/passwd", "Customized Time Zone", ""])
def test_a_zone_that_nobody_knows_is_refused_by_name(tzid):
    assert f"The time zone {tzid} is not known" in refused(
        read(calendar(event(f"DTSTART;TZID={tzid}:20261005T090000")))
    )


def test_times_without_a_zone_are_the_institutions_and_that_is_said():
    found = read(calendar(event("DTSTART:20261102T090000", "DURATION:PT1H\nRRULE:FREQ=WEEKLY;UNTIL=20261109")))
    assert starts(found) == ["11-02 09:00", "11-09 09:00"]
    assert found.floating
    assert not read(calendar(event())).floating


def test_whole_days_are_no_sessions():
    found = read(calendar("UID:h\nDTSTART;VALUE=DATE:20261101\nSUMMARY:All Saints", event()))
    assert (len(found.series), found.all_day) == (1, 1)


def test_what_repeats_for_ever_ends_with_the_term():
    assert len(starts(read(calendar(event(more="DURATION:PT90M\nRRULE:FREQ=WEEKLY"))))) == 17
    assert starts(read(calendar(event(more="DURATION:PT90M\nRRULE:FREQ=WEEKLY"))))[-1] == "01-25 09:00"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("FREQ=SECONDLY", "repeats SECONDLY"),
        ("FREQ=MINUTELY;INTERVAL=5", "repeats MINUTELY"),
        ("FREQ=HOURLY", "repeats HOURLY"),
        ("FREQ=NEVER", "repeats NEVER"),
        ("INTERVAL=2", "repeats ?"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL"),
        ("FREQ=DAILY;COUNT=0", "COUNT"),
        ("FREQ=DAILY;UNTIL=20269999", "UNTIL"),
        ("FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))), "several times a day"),
        ("FREQ=DAILY;BYMINUTE=0,1;BYSECOND=1,2,3", "several times a day"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "makes no sense: BYMONTHDAY"),
        ("FREQ=WEEKLY;BYDAY=XX", "cannot be understood"),
        ("FREQ=WEEKLY;BYMONTH=13", "makes no sense: BYMONTH"),
        ("FREQ=DAILY;BYMONTH=0;COUNT=5", "makes no sense: BYMONTH"),
        ("FREQ=YEARLY;BYMONTH=2,x", "makes no sense: BYMONTH"),
        ("FREQ=YEARLY;BYWEEKNO=54", "makes no sense: BYWEEKNO"),
        ("FREQ=MONTHLY;BYMONTHDAY=-32", "makes no sense: BYMONTHDAY"),
        ("FREQ=DAILY;BYHOUR=24", "makes no sense: BYHOUR"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=", "makes no sense: BYSETPOS"),
    ],
)
def test_rules_that_nobodys_timetable_has(rule, says):
    begun = time.monotonic()
    assert says in refused(read(calendar(event(more=f"DURATION:PT1H\nRRULE:{rule}"))))
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTHDAY=31;BYDAY=MO;BYSETPOS=5",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=WEEKLY;INTERVAL=999999999",
    ],
)
def test_rules_that_never_come_true_take_no_time(rule):
    begun = time.monotonic()
    read(calendar(event(more=f"DURATION:PT1H\nRRULE:{rule}")))
    assert time.monotonic() - begun < 60


def test_more_times_than_anybody_has_are_refused():
    hours = [f"202610{day:02}T{hour:02}" for day in range(1, 29) for hour in range(24)]
    lines = "\n".join(f"RDATE:{hour}0000Z,{hour}3000Z" for hour in hours)
    found = read(calendar(event("DTSTART:20261005T090000Z", f"DURATION:PT1H\n{lines}")))
    assert f"at most {MOST_TIMES:,}" in refused(found)
    one = "RDATE:" + ",".join(f"{hour}0000Z,{hour}3000Z" for hour in hours)
    assert "a line that is too long: RDATE" in refused(read(calendar(event(more=f"DURATION:PT1H\n{one}"))))


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("DTSTART:20261005T090000Z\nDTEND:20261005T080000Z", "ends when it begins"),
        ("DTSTART:20261005T090000Z\nDTEND:20261007T090000Z", "longer than 12 hours"),
        ("DTSTART:20261005T090000Z\nDURATION:-PT1H", "ends when it begins"),
        ("DTSTART:nonsense\nDURATION:PT1H", "The year"),
        ("DTSTART:00010101T000000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY", "The year"),
        ("SUMMARY:no start", "does not say when it begins"),
    ],
)
def test_events_that_make_no_sense_are_named_and_the_others_read(lines, says):
    found = read(calendar(f"UID:bad\n{lines}", event(uid="good")))
    bad, good = found.series
    assert says in bad.error.message
    assert len(good.occurrences) == 1


def test_an_event_without_an_identifier_is_named():
    found = read(calendar("DTSTART:20261005T090000Z\nDURATION:PT1H\nSUMMARY:x"))
    assert "has no UID" in refused(found)


def test_folded_lines_and_escaped_signs():
    found = read(
        calendar("UID:a\nDTSTART:20261005T090000Z\nDURATION:PT1H\nSUMMARY:MAT\n 101\\, part\n\tt two\nLOCATION:Hall A")
    )
    assert found.series[0].occurrences[0].summary == "MAT101, partt two"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "does not begin with BEGIN:VCALENDAR"),
        (b"<!DOCTYPE html>", "does not begin with BEGIN:VCALENDAR"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\n", "END:VEVENT is missing"),
        (b"BEGIN:VCALENDAR\nEND:VEVENT\n", "ends nothing"),
        (b"BEGIN:VCALENDAR\n" + b"BEGIN:VEVENT\n" * 50, "nested too deep"),
        (b"BEGIN:VCALENDAR\n" + b"x" * MAX_BYTES, "larger than 10 MB"),
    ],
)
def test_what_is_no_calendar(data, says):
    with pytest.raises(CalendarError, match=says):
        read_text(data)


def test_a_file_of_50_mb_is_refused_at_once():
    data = b"BEGIN:VCALENDAR\n" + b"BEGIN:VEVENT\nUID:a\nEND:VEVENT\n" * 1_700_000
    begun = time.monotonic()
    with pytest.raises(CalendarError, match="larger than"):
        read_text(data)
    assert time.monotonic() - begun < 1


def test_too_many_events_are_refused():
    with pytest.raises(CalendarError, match=f"more than {MAX_EVENTS:,} events"):
        read_text(b"BEGIN:VCALENDAR\n" + b"BEGIN:VEVENT\nUID:a\nEND:VEVENT\n" * (MAX_EVENTS + 1) + b"END:VCALENDAR\n")


def test_a_calendar_that_takes_too_long_is_left():
    with pytest.raises(CalendarError, match="too long"):
        read(calendar(*(event(uid=str(number)) for number in range(50))), patience_s=0)
