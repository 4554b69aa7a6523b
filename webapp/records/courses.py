"""The lecturer's courses: today's sessions, the list of courses, a course's sessions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from attendance.database.audiences import (
    TAKES_PLACE,
    Condition,
    among,
    counts_for,
    courses_of,
    parts,
    session_ids_of_courses,
    sessions_of_courses,
)
from attendance.database.models import (
    Attendance,
    ClassSession,
    Closing,
    Course,
    Source,
    Unrecorded,
    utc_now,
)
from attendance.database.requests.disputes import open_disputes
from attendance.database.thresholds import threshold_of
from webapp.account.identity import roles_with
from webapp.account.permissions import Permission, needs
from webapp.account.reach import departments_of_courses, reach_course, reachable
from webapp.exports.answers import Form, answer, file_stem
from webapp.held.waiting import held_by_session, held_in_courses
from webapp.records.course_sheets import sessions_sheet
from webapp.records.proposals import proposing_students
from webapp.records.tallies import Tally, count_below, expected_sizes, roster_sizes, tally_sessions
from webapp.tools.class_sessions.phases import Phase, phase_of
from webapp.tools.class_sessions.watching import troubles
from webapp.tools.live_parts import ask_again_s, fragment
from webapp.tools.names import contains_text
from webapp.tools.paging import paginate
from webapp.tools.storage import database
from webapp.tools.times import day_bounds, today

blueprint = Blueprint("courses", __name__)

_TODAY_AT_MOST = 60
_COURSES_A_PAGE = 24
_SESSIONS_A_PAGE = 20
_NEXT_SHOWN = 5
_TASKS_AT_MOST = 8
_MINE = "mine"
_TASKS_FOR = timedelta(days=28)
"""After so long nobody remembers who was there."""


@dataclass(frozen=True)
class SessionLine:
    """A session in a list.

    Attributes:
        roster: how many students are expected, as things are now.
        held: how much is held and waits for a person's word.
    """

    session: ClassSession
    phase: Phase
    tally: Tally
    roster: int
    held: int = 0

    @property
    def unseen(self) -> int:
        """Students of whom nothing is known yet."""
        return max(0, self.roster - self.tally.recorded)


@dataclass(frozen=True)
class Task:
    """A register that a person is asked to take by hand.

    Attributes:
        students: of how many nothing is recorded.
    """

    session: ClassSession
    students: int


@dataclass(frozen=True)
class Disputed:
    """A session of which students call entries wrong, and nobody has answered.

    Attributes:
        entries: how many.
        since: when the first of them did.
    """

    session: ClassSession
    entries: int
    since: datetime


@dataclass(frozen=True)
class CourseCard:
    """A course in the list of courses.

    Attributes:
        below: how many students attend less than `threshold` percent; None where that was not counted.
    """

    course: Course
    roster: int
    next_start: datetime | None
    threshold: int
    below: int | None


@blueprint.get("/")
@needs(Permission.READ)
def home() -> str:
    """Today's sessions, the running ones first, and the courses; `?q=` searches them, `?of=` shows a part."""
    db, now = database(), utc_now()
    search, part, parts_offered = request.args.get("q", "").strip(), request.args.get("of", ""), _parts_offered()
    part = part if part in dict(parts_offered) else ""
    query = sa.select(Course).where(reachable(Course.id)).order_by(Course.code)
    if part == _MINE:
        query = query.where(Course.id.in_(_own_courses()))
    elif part:
        query = query.where(Course.department_id == int(part))
    if search:
        query = query.where(sa.or_(contains_text(Course.code, search), contains_text(Course.name, search)))
    page = paginate(db, query, size=_COURSES_A_PAGE)
    ids = [course.id for course in page.items]
    rosters, starts = roster_sizes(db, ids), _next_starts(db, ids, now)
    thresholds = {course.id: threshold_of(db, course) for course in page.items}
    # Counted in one's own courses only: in all of an institution's it would take longer than the rest of the page.
    own = {role.course_id for role in roles_with(Permission.READ)}
    below = count_below(db, {key: thresholds[key] for key in ids if key in own})
    cards = [
        CourseCard(course, rosters[course.id], starts.get(course.id), thresholds[course.id], below.get(course.id))
        for course in page.items
    ]
    return render_template(
        "courses/home.html",
        today=today(),
        **_today(db, now),
        page=page,
        cards=cards,
        search=search,
        part=part,
        parts_offered=parts_offered,
    )


@blueprint.get("/today")
@needs(Permission.READ)
def todays_sessions() -> ResponseReturnValue:
    """The part of the first page that changes while sessions run, for its script."""
    return fragment(render_template("courses/_today.html", **_today(database(), utc_now())))


@blueprint.get("/courses/<int:course_id>/now")
@needs(Permission.READ)
def sessions_now(course_id: int) -> ResponseReturnValue:
    """The part of a course's page that changes while sessions run, for its script."""
    return fragment(render_template("courses/_now.html", **_now(database(), reach_course(course_id), utc_now())))


@blueprint.get("/courses/<int:course_id>")
@needs(Permission.READ)
def course(course_id: int) -> str:
    """A course: what runs and comes next, and past sessions; or with `?show=upcoming`, all that is to come."""
    db, now, found = database(), utc_now(), reach_course(course_id)
    all_upcoming, threshold = request.args.get("show") == "upcoming", threshold_of(db, found)
    of_course = _sessions_of(course_id)
    upcoming = _upcoming(of_course, now)
    past = of_course.where(ClassSession.ends_at <= now).order_by(ClassSession.starts_at.desc(), ClassSession.id.desc())
    page = paginate(db, upcoming if all_upcoming else past, size=_SESSIONS_A_PAGE)
    return render_template(
        "courses/course.html",
        **_now(db, found, now),
        roster=roster_sizes(db, [course_id])[course_id],
        all_upcoming=all_upcoming,
        lines=session_lines(db, page.items, now, among([course_id])),
        page=page,
        threshold=threshold,
        below=count_below(db, {course_id: threshold})[course_id],
        export_addresses=_addresses("courses.export_sessions", course_id),
    )


@blueprint.get("/courses/<int:course_id>/sessions.csv", defaults={"form": Form.CSV})
@blueprint.get("/courses/<int:course_id>/sessions.xlsx", defaults={"form": Form.XLSX})
@needs(Permission.TERM)
def export_sessions(course_id: int, form: Form) -> ResponseReturnValue:
    """All sessions of a course, past and to come, as its page lists them."""
    db, found = database(), reach_course(course_id)
    sessions = db.scalars(_sessions_of(course_id).order_by(ClassSession.starts_at, ClassSession.id)).all()
    lines = session_lines(db, sessions, utc_now(), among([course_id]))
    name = file_stem(["sessions", found.code, today().isoformat()])
    return answer([sessions_sheet(found, lines)], file_name=name, form=form)


def session_lines(db: Session, sessions: Sequence[ClassSession], now: datetime, reach: Condition) -> list[SessionLine]:
    """The sessions with what their lists show; a few statements for all of them.

    Args:
        db: any session.
        sessions: loaded with `audiences.parts`.
        now: aware.
        reach: of joint sessions, the courses whose students are counted.
    """
    of_sessions = [courses_of(session) for session in sessions]
    courses = {course_id for each in of_sessions for course_id in each}
    joint = any(len(each) > 1 for each in of_sessions)
    if joint:  # of others, the only course is in reach, or the session would not be here
        courses = set(db.scalars(sa.select(Course.id).where(Course.id.in_(courses), reach(Course.id))))
    ids, whose = [session.id for session in sessions], reach if joint else None
    tallies = tally_sessions(db, ids, whose)
    sizes = expected_sizes(db, sessions, courses)
    held = held_by_session(db, ids, whose)
    return [
        SessionLine(session, phase_of(session, now), tallies[session.id], sizes[session.id], held[session.id])
        for session in sessions
    ]


def _addresses(endpoint: str, course_id: int, *, q: str | None = None) -> dict[Form, str]:
    return {form: url_for(endpoint, course_id=course_id, form=form, q=q) for form in Form}


def _today(db: Session, now: datetime) -> dict[str, Any]:
    """What the first page shows of today."""
    lines = _todays_lines(db, now)
    return {
        "lines": lines,
        "troubles": troubles(db, [line.session for line in lines], now),
        "tasks": _by_hand(db, now),
        "disputed": _disputed(db),
        "proposing": proposing_students(db),
        "held": held_in_courses(db, among(_own_courses())).count,
        "again_s": ask_again_s([line.session for line in lines], now),
    }


def _now(db: Session, course: Course, now: datetime) -> dict[str, Any]:
    """What a course's page shows of what runs and comes next."""
    nearest = paginate(db, _upcoming(_sessions_of(course.id), now), size=_NEXT_SHOWN, number=1)
    return {
        "course": course,
        "next_lines": session_lines(db, nearest.items, now, among([course.id])),
        "upcoming_total": nearest.total,
        "again_s": ask_again_s(nearest.items, now),
    }


def _upcoming(sessions: sa.Select[Any], now: datetime) -> sa.Select[Any]:
    return sessions.where(ClassSession.ends_at > now).order_by(ClassSession.starts_at, ClassSession.id)


def _sessions_of(course_id: int) -> sa.Select[Any]:
    theirs = sessions_of_courses(among([course_id]))
    return sa.select(ClassSession).join(theirs, theirs.c.session_id == ClassSession.id).options(*parts())


def _todays_lines(db: Session, now: datetime) -> list[SessionLine]:
    first, after = day_bounds(today())
    mine = session_ids_of_courses(reachable, ClassSession.starts_at < after, ClassSession.ends_at > first)
    query: sa.Select[Any] = (
        sa.select(ClassSession)
        .join(mine, mine.c.session_id == ClassSession.id)
        .options(*parts())
        .order_by(ClassSession.ends_at <= now, ClassSession.starts_at, ClassSession.id)
        .limit(_TODAY_AT_MOST)
    )
    lines = session_lines(db, db.scalars(query).all(), now, reachable)
    order = {Phase.RUNNING: 0, Phase.OPEN: 1, Phase.SCHEDULED: 2}
    return sorted(lines, key=lambda line: order.get(line.phase, 3))


def _by_hand(db: Session, now: datetime) -> list[Task]:
    """The latest sessions of one's own courses that were not watched, and of which nobody has said what became."""
    own = _own_courses()
    theirs = session_ids_of_courses(
        among(own),
        TAKES_PLACE,
        ClassSession.closed_as == Closing.OBSERVED,
        ClassSession.starts_at > now - _TASKS_FOR,
    )
    waiting = sa.and_(Attendance.unrecorded_reason == Unrecorded.UNWATCHED, Attendance.source == Source.MACHINE)
    found = (
        sa.select(Attendance.session_id, sa.func.count().label("students"))
        .join(ClassSession, ClassSession.id == Attendance.session_id)
        .join(theirs, theirs.c.session_id == ClassSession.id)
        .where(waiting, counts_for(Attendance.student_id, among(own)))
        .group_by(Attendance.session_id)
        .subquery("found")
    )
    query = (
        sa.select(ClassSession, found.c.students)
        .join(found, found.c.session_id == ClassSession.id)
        .options(*parts())
        .order_by(ClassSession.starts_at.desc(), ClassSession.id.desc())
        .limit(_TASKS_AT_MOST)
    )
    return [Task(session, students) for session, students in db.execute(query)]


def _disputed(db: Session) -> list[Disputed]:
    """The sessions of one's own courses that wait for an answer, those that wait longest first."""
    waiting = {
        session_id: (number, since) for session_id, number, since in db.execute(open_disputes(among(_own_courses())))
    }
    oldest = sorted(waiting, key=lambda session_id: waiting[session_id][1])[:_TASKS_AT_MOST]
    query = sa.select(ClassSession).options(*parts()).where(ClassSession.id.in_(oldest))
    sessions = {session.id: session for session in db.scalars(query)}
    return [Disputed(sessions[session_id], *waiting[session_id]) for session_id in oldest]


def _own_courses() -> list[int]:
    """The courses in which one has a role oneself, not through a department."""
    return [role.course_id for role in roles_with(Permission.CORRECT) if role.course_id is not None]


def _parts_offered() -> list[tuple[str, str]]:
    """Parts of the list of courses, as the address calls them and in words; empty where there is nothing to choose."""
    sees_others = any(role.course_id is None for role in roles_with(Permission.READ))
    mine = [(_MINE, gettext("My own courses"))] if sees_others and _own_courses() else []
    departments = [(str(each.id), each.name) for each in departments_of_courses()]
    found = [*mine, *(departments if len(departments) > 1 else [])]
    return [("", gettext("All courses")), *found] if found else []


def _next_starts(db: Session, course_ids: Sequence[int], now: datetime) -> dict[int, datetime]:
    to_come = sessions_of_courses(among(course_ids), ClassSession.starts_at > now, TAKES_PLACE)
    query = (
        sa.select(to_come.c.course_id, sa.func.min(ClassSession.starts_at))
        .join(ClassSession, ClassSession.id == to_come.c.session_id)
        .group_by(to_come.c.course_id)
    )
    return dict(db.execute(query).all())
