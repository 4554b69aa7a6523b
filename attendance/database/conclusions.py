"""What the machine concludes of a session: statuses, or why there is none. Rules only; nothing here asks the database.

The rules are those of the table in docs/attendance-rules.md, line by line. In short: whoever was seen is present, or
late where the room was watched before; whoever was not seen is absent only where enough of the session was watched and
the student could have been recognised. Otherwise nothing is recorded, and the reason stands in the entry.

A minute is that of the clock. It belongs to a time that it overlaps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from attendance.database.models import ClassSession, Closing, Status, Unrecorded
from attendance.database.watching.observation import SessionMinute, minutes_between

SHORTEST_WATCH = timedelta(minutes=5)
"""Before somebody is late, the room was watched for about so long without seeing them, however short grace is."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class StudentFacts:
    """What is known of one student who was expected in a session.

    Attributes:
        first_seen: the first time at which being seen counts for the session; None when the student was not seen.
        excused: whether an excuse covers the session.
        recognisable_since: from when on every published index held the student; None: the present one does not.
        was_absent: whether a version that kept no observation recorded an absence.
        held: whether a sighting is held that nobody has answered, so that an absence would not be what was observed.
    """

    first_seen: datetime | None = None
    excused: bool = False
    recognisable_since: datetime | None = None
    was_absent: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the machine makes of one student.

    Attributes:
        status: None when nothing is recorded.
        unrecorded: why nothing is; None beside a status, and while the session is not closed.
        watched_from: beside *present*: the student came after the grace period, and the room was not watched before
            this moment.
    """

    status: Status | None = None
    unrecorded: Unrecorded | None = None
    watched_from: datetime | None = None


NOTHING_YET = Conclusion()
"""Of a student who was not seen in a session that is not closed."""


def conclude(
    session: ClassSession,
    students: Mapping[int, StudentFacts],
    minutes: Sequence[SessionMinute],
    *,
    closing: Closing | None,
    required: float,
) -> dict[int, Conclusion]:
    """What the machine makes of a session's students; the same facts always give the same.

    Args:
        session: its times.
        students: all who were expected, by id, also those whom a person has decided: the rule about people who could
            not be named compares them with all whom nobody saw.
        minutes: what was observed, from `watch_begins` to the session's end.
        closing: what its entries rest on; None while it is not closed.
        required: share of the time that must have been watched, 0 to 1 (`attendance.required_observation`).
    """
    enough = closing is Closing.OBSERVED and is_watched(minutes, session.starts_at, session.ends_at, required=required)
    concluded = {}
    for student, known in students.items():
        if known.first_seen is None:
            concluded[student] = NOTHING_YET if closing is None else _of_unseen(session, known, closing, enough=enough)
        elif closing is Closing.BEFORE_OBSERVATION:
            concluded[student] = Conclusion(status_for(session, known.first_seen))
        else:
            concluded[student] = conclude_seen(session, known.first_seen, minutes, required=required)
    if closing is not Closing.OBSERVED:
        return concluded
    absent = [student for student, conclusion in concluded.items() if conclusion.status is Status.ABSENT]
    if absent and 2 * unnamed_people(session, minutes) >= len(absent):
        concluded |= dict.fromkeys(absent, Conclusion(unrecorded=Unrecorded.UNNAMED))
    return concluded


def is_within(session: ClassSession, first_seen: datetime, last_seen: datetime) -> bool:
    """Whether being seen from then to then counts for a session as its times are now."""
    return first_seen < session.ends_at and last_seen >= session.opens_at


def basis_of(session: ClassSession) -> Closing | None:
    """What a session's entries rest on; None while it is open."""
    if session.closed_at is None:
        return None
    # A program of the version before notes none: it closes without a look at what was watched.
    return session.closed_as or Closing.BEFORE_OBSERVATION


def closing_of(session: ClassSession) -> Closing:
    """What the entries of a session rest on that is closed now."""
    late = session.entered_at is not None and session.entered_at >= session.ends_at
    return Closing.ENTERED_LATE if late else Closing.OBSERVED


def conclude_seen(
    session: ClassSession, first_seen: datetime, minutes: Sequence[SessionMinute], *, required: float
) -> Conclusion:
    """What the machine makes of a student who was seen then, within the session's times.

    Args:
        session: its times.
        first_seen: aware.
        minutes: what was observed, from `watch_begins` to the moment at least.
        required: share of the time before the end of grace that must have been watched, 0 to 1.
    """
    by_time = Conclusion(status_for(session, first_seen))
    if by_time.status is Status.PRESENT or is_watched(
        minutes, watch_begins(session), grace_end(session), required=required
    ):
        return by_time
    return Conclusion(Status.PRESENT, watched_from=_watched_from(session, first_seen, minutes))


def status_for(session: ClassSession, first_seen: datetime) -> Status:
    """What a time alone makes of a student first seen then: present until the grace period ends, then late."""
    return Status.PRESENT if first_seen <= grace_end(session) else Status.LATE


def grace_end(session: ClassSession) -> datetime:
    """Until when whoever is seen first is present, not late."""
    return session.starts_at + timedelta(minutes=session.grace_minutes)


def watch_begins(session: ClassSession) -> datetime:
    """From when on the room must have been watched for somebody to be late; before the start if grace is short."""
    return min(session.starts_at, grace_end(session) - SHORTEST_WATCH)


def is_watched(minutes: Sequence[SessionMinute], since: datetime, until: datetime, *, required: float) -> bool:
    """Whether the required share (0 to 1) of the minutes of a time was watched."""
    watched, of = watched_minutes(minutes, since, until)
    return of > 0 and watched >= required * of - _ROUNDING


def watched_minutes(minutes: Sequence[SessionMinute], since: datetime, until: datetime) -> tuple[int, int]:
    """How many of the minutes that a time overlaps were watched, and how many it overlaps."""
    wanted = set(minutes_between(since, until))
    return sum(minute.watched for minute in minutes if minute.at in wanted), len(wanted)


def unnamed_people(session: ClassSession, minutes: Sequence[SessionMinute]) -> float:
    """How many people were seen and not named: the median over the session's watched minutes; 0 if none was watched."""
    wanted = set(minutes_between(session.starts_at, session.ends_at))
    counts = [minute.counts.unnamed for minute in minutes if minute.at in wanted and minute.watched and minute.counts]
    return median(counts) if counts else 0


def _of_unseen(session: ClassSession, known: StudentFacts, closing: Closing, *, enough: bool) -> Conclusion:
    """What is concluded of a student whom nobody saw in a closed session; `enough` of it was watched, or not."""
    if known.excused:
        return Conclusion(Status.EXCUSED)
    if closing is Closing.ENTERED_LATE:
        return Conclusion(unrecorded=Unrecorded.ENTERED_LATE)
    if closing is Closing.BEFORE_OBSERVATION and known.was_absent:
        return Conclusion(Status.ABSENT)  # what was recorded then stands; nothing is concluded now
    if not enough:
        return Conclusion(unrecorded=Unrecorded.UNWATCHED)
    if known.recognisable_since is None or known.recognisable_since > session.starts_at:
        return Conclusion(unrecorded=Unrecorded.UNRECOGNISABLE)
    return Conclusion(unrecorded=Unrecorded.HELD) if known.held else Conclusion(Status.ABSENT)


def _watched_from(session: ClassSession, first_seen: datetime, minutes: Sequence[SessionMinute]) -> datetime:
    """When the watch began that saw a student come after the grace period: after the last gap before its end."""
    watched = {minute.at for minute in minutes if minute.watched}
    gaps = [at for at in minutes_between(watch_begins(session), grace_end(session)) if at not in watched]
    since = gaps[-1] if gaps else grace_end(session)
    return min(first_seen, min((at for at in watched if at > since), default=first_seen))
