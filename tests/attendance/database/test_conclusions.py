"""What the machine may conclude: the table of docs/attendance-rules.md, line by line, and what it has no line for."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from attendance.database.conclusions import (
    NOTHING_YET,
    Conclusion,
    StudentFacts,
    conclude,
    unnamed_people,
    watch_begins,
    watched_minutes,
)
from attendance.database.models import ClassSession, Closing, Status, Unrecorded
from attendance.database.watching.observation import NOBODY, SessionMinute, minutes_between
from tests.factories import LONG_SINCE, NINE

DOCUMENT = Path(__file__).parents[3] / "docs" / "attendance-rules.md"
HEADER = "| watched | first seen | known to the cameras | excused | not named | also not seen | the session was |"
END = NINE + timedelta(minutes=90)
NOT_SEEN = "\u2013"
CLOSINGS = {
    "planned": Closing.OBSERVED,
    "entered after its end": Closing.ENTERED_LATE,
    "still running": None,
    "closed before observation": Closing.BEFORE_OBSERVATION,
    "closed before observation, absent": Closing.BEFORE_OBSERVATION,
}


def lines() -> list[list[str]]:
    rows = DOCUMENT.read_text().split(HEADER, 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def class_session(grace: int = 10, **times) -> ClassSession:
    return ClassSession(**{"starts_at": NINE, "ends_at": END, "early_minutes": 10, "grace_minutes": grace} | times)


def clock(text: str) -> datetime:
    hour, minute = map(int, text.split(":"))
    return NINE.replace(hour=hour, minute=minute)


def observed(since: datetime | None, until: datetime | None, unnamed=()) -> list[SessionMinute]:
    """The minutes from before the start, watched in a time; `unnamed`: people in its minutes, over and over."""
    found = []
    for number, at in enumerate(minutes_between(NINE - timedelta(minutes=10), END)):
        watched = since is not None and until is not None and since <= at < until
        people = NOBODY._replace(unnamed=unnamed[number % len(unnamed)]) if unnamed else NOBODY
        found.append(SessionMinute(at, watched, watched, False, not watched, people if watched else None))
    return found


@pytest.mark.parametrize("line", lines(), ids=" ".join)
def test_the_table_says_what_is_concluded(line: list[str]) -> None:
    watched, first_seen, known, excused, not_named, also_not_seen, was, says = line
    times = {"all": (NINE - timedelta(minutes=10), END), "nothing": (None, None)}
    since, until = times[watched] if watched in times else map(clock, watched.split(NOT_SEEN))
    words = {"yes": LONG_SINCE, "no": None}
    known_since = words[known] if known in words else clock(known.removeprefix("since "))
    held = first_seen == "held"
    seen = None if first_seen in (NOT_SEEN, "held") else clock(first_seen)
    student = StudentFacts(seen, excused == "yes", known_since, was_absent=was.endswith(", absent"), held=held)
    others = {number: StudentFacts(recognisable_since=LONG_SINCE) for number in range(1, int(also_not_seen) + 1)}
    minutes = observed(since, until, unnamed=[int(not_named)])
    concluded = conclude(class_session(), {0: student, **others}, minutes, closing=CLOSINGS[was], required=0.6)
    assert in_words(concluded[0]) == says


def in_words(conclusion: Conclusion) -> str:
    if conclusion == NOTHING_YET:
        return "not yet seen"
    if conclusion.status is None:
        return f"not recorded: {conclusion.unrecorded}"
    note = f", not watched before {conclusion.watched_from:%-H:%M}" if conclusion.watched_from else ""
    return f"{conclusion.status}{note}"


def test_the_table_has_every_status_and_every_reason() -> None:
    said = {line[-1].split(",")[0] for line in lines()}
    assert said == {*Status, *(f"not recorded: {reason}" for reason in Unrecorded), "not yet seen"}


@pytest.mark.parametrize(
    ("grace", "begins"), [(0, NINE - timedelta(minutes=5)), (1, NINE - timedelta(minutes=4)), (5, NINE), (10, NINE)]
)
def test_for_late_the_room_was_watched_for_five_minutes_at_least(grace: int, begins: datetime) -> None:
    assert watch_begins(class_session(grace)) == begins


def test_the_number_of_unnamed_is_the_middle_one_of_the_sessions_watched_minutes() -> None:
    # 40 minutes are watched before and in the session: ten early ones of 50 people do not count.
    minutes = observed(NINE - timedelta(minutes=10), NINE + timedelta(minutes=30), unnamed=[1, 3])
    early = NOBODY._replace(unnamed=50)
    minutes = [SessionMinute(m.at, m.watched, m.watched, False, False, early) if m.at < NINE else m for m in minutes]
    assert unnamed_people(class_session(), minutes) == 2
    assert unnamed_people(class_session(), observed(None, None)) == 0


def test_a_minute_belongs_to_a_session_that_overlaps_it() -> None:
    minutes = observed(NINE, END)
    half = NINE + timedelta(seconds=30)
    assert watched_minutes(minutes, half, half + timedelta(minutes=1)) == (2, 2)
    assert watched_minutes(minutes, NINE, NINE) == (0, 0)


def test_who_is_excused_does_not_count_among_the_absent() -> None:
    students = {n: StudentFacts(recognisable_since=LONG_SINCE, excused=n > 2) for n in range(10)}
    concluded = conclude(
        class_session(), students, observed(NINE, END, unnamed=[2]), closing=Closing.OBSERVED, required=0.6
    )
    assert concluded[0].unrecorded is Unrecorded.UNNAMED  # two unnamed, three who would be absent
    assert concluded[9].status is Status.EXCUSED
