"""The overview: what runs now, what is missing, and how much there is."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import render_template
from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session, joinedload

from attendance.database.access.roles import is_taught
from attendance.database.audiences import TAKES_PLACE, courses_of, parts, rooms_of, sessions_in_rooms
from attendance.database.models import (
    Account,
    Attendance,
    Camera,
    ClassSession,
    Course,
    Department,
    Enrolment,
    Room,
    Status,
    Student,
    utc_now,
)
from attendance.database.outgoing.troubled import troubled_systems
from attendance.database.upkeep.services import seen_services
from webapp.admin.blueprint import blueprint
from webapp.admin.erasures import late_erasures
from webapp.admin.gallery_jobs import stalled_since
from webapp.admin.lookup import counts_by
from webapp.admin.sessions import watched_rooms
from webapp.records.tallies import expected_sizes
from webapp.tools.class_sessions.watching import Trouble, troubles
from webapp.tools.storage import database

_AHEAD = timedelta(days=7)
_RECENT = timedelta(minutes=2)
_SHOWN = 8


@dataclass(frozen=True)
class Running:
    """A session that takes place now."""

    session: ClassSession
    attended: int
    expected: int
    watched: bool
    troubles: list[Trouble]


@dataclass(frozen=True)
class Gap:
    """A room in which sessions will take place and no camera looks."""

    room: Room
    sessions: int
    first: datetime


@blueprint.get("")
def home() -> str:
    """The overview."""
    db, now = database(), utc_now()
    watched = watched_rooms(db)
    counts = _counts(db)
    enrolled = db.scalar(sa.select(Enrolment.course_id).limit(1)) is not None
    return render_template(
        "admin/home.html",
        now=now,
        counts=counts,
        enrolled=enrolled,
        set_up=all(counts[name] for name in ("students", "courses", "rooms", "cameras", "sessions")) and enrolled,
        running=_running(db, now, watched),
        gaps=_gaps(db, now, watched),
        cameras=_cameras(db),
        orphans=_some(db, sa.select(Course).where(~is_taught()).order_by(Course.code)),
        empty_courses=_some(db, _without_students()),
        stalled=stalled_since(db, now),
        erasures=late_erasures(db, now),
        systems=troubled_systems(db),
        services=[service for service in seen_services(db, now) if service.troubled],
    )


def _counts(db: Session) -> dict[str, int]:
    """How many there are of each kind; one statement."""
    models = {
        "students": Student,
        "courses": Course,
        "departments": Department,
        "accounts": Account,
        "rooms": Room,
        "cameras": Camera,
        "sessions": ClassSession,
    }
    counted = (
        sa.select(sa.func.count()).select_from(model).scalar_subquery().label(name) for name, model in models.items()
    )
    return dict(db.execute(sa.select(*counted)).one()._mapping)


@blueprint.app_template_filter("ago")
def ago(moment: datetime | None) -> str:
    """How long ago a moment was, in words that stay short: "12 s ago", "3 h ago", "5 days ago"."""
    if moment is None:
        return gettext("never")
    seconds = max(0, int((utc_now() - moment).total_seconds()))
    if seconds >= 86_400:
        return ngettext("%(num)s day ago", "%(num)s days ago", seconds // 86_400)
    if seconds >= 3600:
        return gettext("%(hours)s h ago", hours=seconds // 3600)
    return (
        gettext("%(minutes)s min ago", minutes=seconds // 60)
        if seconds >= 60
        else gettext("%(seconds)s s ago", seconds=seconds)
    )


@blueprint.app_template_test("recent")
def is_recent(moment: datetime | None) -> bool:
    """Whether a camera seen then counts as connected."""
    return moment is not None and utc_now() - moment < _RECENT


def _running(db: Session, now: datetime, watched: set[int]) -> list[Running]:
    query = (
        sa.select(ClassSession)
        .options(*parts())
        .where(TAKES_PLACE, ClassSession.starts_at <= now, ClassSession.ends_at > now)
        .order_by(ClassSession.starts_at, ClassSession.id)
    )
    sessions = db.scalars(query).all()
    attended = counts_by(
        Attendance.session_id,
        Attendance.session_id.in_([session.id for session in sessions]),
        Attendance.status.in_([Status.PRESENT, Status.LATE]),
    )
    expected = expected_sizes(db, sessions, {course_id for session in sessions for course_id in courses_of(session)})
    wrong = troubles(db, sessions, now)
    return [
        Running(
            session,
            attended.get(session.id, 0),
            expected[session.id],
            watched.issuperset(rooms_of(session)),
            wrong[session.id],
        )
        for session in sessions
    ]


def _gaps(db: Session, now: datetime, watched: set[int]) -> list[Gap]:
    soon = (TAKES_PLACE, ClassSession.ends_at > now, ClassSession.starts_at < now + _AHEAD)
    there = sessions_in_rooms(lambda column: column.not_in(watched), *soon)
    query = (
        sa.select(Room, sa.func.count(), sa.func.min(ClassSession.starts_at, type_=ClassSession.starts_at.type))
        .join(there, there.c.room_id == Room.id)
        .join(ClassSession, ClassSession.id == there.c.session_id)
        .group_by(Room.id)
        .order_by(Room.name)
    )
    return [Gap(room, sessions, first) for room, sessions, first in db.execute(query)]


def _cameras(db: Session) -> dict[str, Any]:
    """Every camera that may connect, those that are away first; and how many there are of each."""
    query = sa.select(Camera).options(joinedload(Camera.room)).where(Camera.token_hash.is_not(None))
    groups: defaultdict[bool, list[Camera]] = defaultdict(list)
    for camera in db.scalars(query.order_by(Camera.name)):
        groups[is_recent(camera.last_seen_at)].append(camera)
    return {"shown": [*groups[False], *groups[True]][:_SHOWN], "away": len(groups[False]), "here": len(groups[True])}


def _without_students() -> sa.Select[Any]:
    return sa.select(Course).where(~sa.exists().where(Enrolment.course_id == Course.id)).order_by(Course.code)


def _some(db: Session, query: sa.Select[Any]) -> dict[str, Any]:
    total = db.scalar(sa.select(sa.func.count()).select_from(query.order_by(None).subquery())) or 0
    return {"total": total, "shown": db.scalars(query.limit(_SHOWN)).all()}
