"""Feeds: the sessions of a lecturer, a room or a student, as a calendar program reads them.

A feed holds times, rooms and courses, and nothing of anybody's attendance. Whoever knows its address reads it, so the
address is shown once, is kept as a hash, and can be made anew, which ends the one before.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from icalendar import Calendar, Event
from sqlalchemy.orm import Session

from attendance.database.access.tokens import hash_token, new_token
from attendance.database.audiences import (
    Audience,
    among,
    audiences_of,
    parts,
    sessions_in_rooms,
    sessions_of_courses,
)
from attendance.database.models import (
    Account,
    AccountRole,
    CalendarFeed,
    ClassSession,
    CourseGroupMember,
    Enrolment,
    FeedKind,
    Role,
    Room,
    Student,
    utc_now,
)
from webapp.tools.class_sessions.words import audience_codes, audience_names, room_names

MOST_READS = 60
"""Of a feed in an hour. Calendar programs read once an hour or so, and a person has a few of them."""
_HOUR = timedelta(hours=1)
_PAST, _AHEAD = timedelta(days=60), timedelta(days=400)
_MOST_SESSIONS = 5_000
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)

Owner = Account | Room | Student


@dataclass(frozen=True)
class FeedReading:
    """What reading a feed brings.

    Attributes:
        feed: whose it is.
        wait_s: seconds to wait before it may be read again; 0: it may be read now.
    """

    feed: CalendarFeed
    wait_s: int = 0


def make_feed(db: Session, owner: Owner) -> str:
    """Give somebody, or a room, a feed, or the feed a new address; in the caller's transaction.

    Returns:
        The secret part of the address, which is kept nowhere.
    """
    token = new_token("cal")
    feed = feed_of(db, owner)
    if feed is None:
        feed = CalendarFeed(kind=_kind(owner), token_hash=hash_token(token), **{f"{_column(owner)}": owner.id})
        db.add(feed)
    feed.token_hash, feed.made_at, feed.used_at = hash_token(token), utc_now(), None
    feed.hour_began_at, feed.reads = None, 0
    db.flush()
    return token


def feed_of(db: Session, owner: Owner) -> CalendarFeed | None:
    """The feed of somebody, or of a room; None: there is none."""
    return db.scalar(sa.select(CalendarFeed).where(getattr(CalendarFeed, _column(owner)) == owner.id))


def is_feed(db: Session, token: str) -> bool:
    """Whether an address is a feed's: asked before a transaction begins, so that whoever guesses delays nobody."""
    return db.scalar(_of_token(token).with_only_columns(CalendarFeed.id)) is not None


def _of_token(token: str) -> sa.Select[CalendarFeed]:
    return sa.select(CalendarFeed).where(CalendarFeed.token_hash == hash_token(token))


def read_feed(db: Session, token: str, *, now: datetime) -> FeedReading | None:
    """Find the feed of an address and count that it is read, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        token: the secret part of the address.
        now: aware.

    Returns:
        None for an address that was never made, or has ended, or whose owner may not sign in any more.
    """
    feed = db.scalar(_of_token(token).with_for_update())
    if feed is None or (feed.account is not None and not feed.account.active):
        return None
    if feed.hour_began_at is None or now - feed.hour_began_at >= _HOUR:
        feed.hour_began_at, feed.reads = now, 0
    if feed.reads >= MOST_READS:
        return FeedReading(feed, wait_s=max(1, int((feed.hour_began_at + _HOUR - now).total_seconds())))
    feed.reads, feed.used_at = feed.reads + 1, now
    return FeedReading(feed)


def calendar_of(db: Session, feed: CalendarFeed, *, institution: str, site: str, now: datetime) -> bytes:
    """The calendar that a feed holds.

    Args:
        db: any session.
        feed: whose.
        institution: its name.
        site: the dashboard's address, whose host stands in identifiers.
        now: aware; sessions long past, or far ahead, are left out.
    """
    calendar = Calendar()
    calendar.add("PRODID", "-//Class attendance//Sessions//EN")
    calendar.add("VERSION", "2.0")
    calendar.add("METHOD", "PUBLISH")
    calendar.add("X-WR-CALNAME", institution if feed.room is None else f"{feed.room.name}, {institution}")
    calendar.add("REFRESH-INTERVAL", timedelta(hours=1), parameters={"VALUE": "DURATION"})
    calendar.add("X-PUBLISHED-TTL", "PT1H")
    host = urlsplit(site).hostname or "localhost"
    for session in _sessions(db, feed, now):
        calendar.add_component(_event(session, host))
    written: bytes = calendar.to_ical()
    return written


def tag_of(calendar: bytes) -> str:
    """What tells a calendar from another, for programs that have read it before."""
    return hashlib.sha256(calendar).hexdigest()[:32]


def _event(session: ClassSession, host: str) -> Event:
    event = Event()
    event.add("UID", f"session-{session.id}@{host}")
    # Not the present: a calendar in which nothing has changed is the same as before.
    event.add("DTSTAMP", session.changed_at or session.entered_at or _LONG_AGO)
    event.add("DTSTART", session.starts_at)
    event.add("DTEND", session.ends_at)
    event.add("SUMMARY", f"{audience_codes(session)} {audience_names(session)}".strip())
    event.add("LOCATION", room_names(session))
    event.add("STATUS", "CANCELLED" if session.cancelled else "CONFIRMED")
    return event


def _sessions(db: Session, feed: CalendarFeed, now: datetime) -> Sequence[ClassSession]:
    when = (ClassSession.starts_at > now - _PAST, ClassSession.starts_at < now + _AHEAD)
    if feed.room_id is not None:
        return _loaded(db, sessions_in_rooms(among([feed.room_id]), *when))
    if feed.account_id is not None:
        teaches = sa.select(AccountRole.course_id).where(
            AccountRole.account_id == feed.account_id,
            AccountRole.course_id.is_not(None),
            AccountRole.role.in_((Role.LECTURER, Role.ASSISTANT)),
        )
        courses: list[Any] = list(db.scalars(teaches))
        return _loaded(db, sessions_of_courses(among(courses), *when)) if courses else []
    takes = set(db.scalars(sa.select(Enrolment.course_id).where(Enrolment.student_id == feed.student_id)))
    in_groups = set(
        db.scalars(sa.select(CourseGroupMember.group_id).where(CourseGroupMember.student_id == feed.student_id))
    )
    if not takes:
        return []
    sessions = _loaded(db, sessions_of_courses(among(takes), *when))
    return [each for each in sessions if any(_expects(one, takes, in_groups) for one in audiences_of(each))]


def _expects(audience: Audience, takes: set[int], in_groups: set[int]) -> bool:
    return audience.course_id in takes and (audience.group_id is None or audience.group_id in in_groups)


def _loaded(db: Session, which: sa.Subquery) -> Sequence[ClassSession]:
    ids = sa.select(which.c.session_id).distinct()
    query = sa.select(ClassSession).options(*parts()).where(ClassSession.id.in_(ids))
    return db.scalars(query.order_by(ClassSession.starts_at, ClassSession.id).limit(_MOST_SESSIONS)).all()


def _kind(owner: Owner) -> FeedKind:
    return {Account: FeedKind.LECTURER, Room: FeedKind.ROOM, Student: FeedKind.STUDENT}[type(owner)]


def _column(owner: Owner) -> str:
    return {Account: "account_id", Room: "room_id", Student: "student_id"}[type(owner)]
