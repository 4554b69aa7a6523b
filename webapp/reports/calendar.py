"""A student's term: the calendar of sessions, and the rate from week to week."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import TAKES_PLACE, Condition, counts_for
from attendance.database.models import Attendance, ClassSession, Course, Status, StatusLabel
from webapp.records.tallies import During, Tally, adds, is_decided
from webapp.tools.labels import ShownLabel, shown_label
from webapp.tools.times import local, monday_of

WEEKS_AT_MOST = 26
"""A calendar is of half a year at most, up to the last session."""
_WEEK = timedelta(weeks=1)
_DAYS = 7


@dataclass(frozen=True, slots=True)
class Visit:
    """A session in a student's calendar.

    Attributes:
        course_code: of the session's first course.
        status: None: nothing is recorded.
        label: of the status.
        adds: what the label adds to those who came (`tallies.adds`).
    """

    session_id: int
    starts_at: datetime
    course_code: str
    status: Status | None
    label: ShownLabel | None = None
    adds: float = 0.0


@dataclass(frozen=True, slots=True)
class CalendarWeek:
    """A week of a student's calendar.

    Attributes:
        days: from Monday, seven: the sessions of each in order of time.
        so_far: what was recorded until its end, from the calendar's beginning.
    """

    monday: date
    days: Sequence[Sequence[Visit]]
    tally: Tally
    so_far: Tally


def read_calendar(db: Session, student_id: int, reach: Condition, during: During = ()) -> list[CalendarWeek]:
    """The weeks of a student's sessions in which something is decided, those between without one too; one statement.

    Args:
        db: any session.
        student_id: of the student.
        reach: of which courses.
        during: which of their sessions.
    """
    query = (
        sa.select(ClassSession.id, ClassSession.starts_at, Course.code, Attendance.status, StatusLabel)
        .join(Attendance, Attendance.session_id == ClassSession.id)
        .join(Course, Course.id == ClassSession.course_id)
        .outerjoin(StatusLabel, StatusLabel.id == Attendance.label_id)
        .where(Attendance.student_id == student_id, TAKES_PLACE, is_decided(), counts_for(Attendance.student_id, reach))
        .where(*during)
        .order_by(ClassSession.starts_at, ClassSession.id)
    )
    of_days: dict[date, list[Visit]] = defaultdict(list)
    for row in db.execute(query):
        session_id, starts_at, code, status, label = row
        visit = Visit(session_id, starts_at, code, status, shown_label(label), adds(label))
        of_days[local(starts_at).date()].append(visit)
    return _weeks(of_days) if of_days else []


def _weeks(of_days: dict[date, list[Visit]]) -> list[CalendarWeek]:
    last = monday_of(max(of_days))
    first = max(monday_of(min(of_days)), last - (WEEKS_AT_MOST - 1) * _WEEK)
    weeks, so_far = [], Tally()
    for number in range((last - first) // _WEEK + 1):
        monday = first + number * _WEEK
        days = [of_days.get(monday + timedelta(days=day), []) for day in range(_DAYS)]
        visits = [visit for day in days for visit in day]
        tally = Tally.of(Counter(visit.status for visit in visits), sum(visit.adds for visit in visits))
        so_far += tally
        weeks.append(CalendarWeek(monday, days, tally, so_far))
    return weeks
