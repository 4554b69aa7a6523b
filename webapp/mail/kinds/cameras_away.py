"""Cameras that are away, or see nothing, before a class. Data: `account`, and the ids of the `sessions`."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask import url_for
from flask_babel import gettext, lazy_gettext, ngettext
from sqlalchemy.orm import Session

from attendance.database.access.roles import administers
from attendance.database.audiences import TAKES_PLACE, parts, rooms_of
from attendance.database.mail import queue_mail
from attendance.database.models import Account, ClassSession, QueuedMail, utc_now
from attendance.database.watching.rooms import RoomWatch, room_watch
from attendance.texts import english
from webapp.mail.kinds.kind import MailKind
from webapp.mail.kinds.recipients import account_of
from webapp.mail.letters import Button, Item, Letter, Listing, NoLongerWantedError, Paragraph, write_letter
from webapp.tools.class_sessions.words import audience_codes, rooms_by_id
from webapp.tools.times import clock_text, moment_text

NAME = "cameras_away"
_REMEMBERED = timedelta(days=1)


def queue_warnings(db: Session, *, ahead: timedelta, now: datetime) -> int:
    """Tell administrators of sessions that begin soon in rooms whose cameras do not watch; of each session once.

    Args:
        db: begun with `begin_writing`.
        ahead: how long before its start a session is told of.
        now: aware.

    Returns:
        How many mails were queued.
    """
    sessions = db.scalars(
        sa.select(ClassSession)
        .options(*parts())
        .where(TAKES_PLACE, ClassSession.starts_at > now, ClassSession.starts_at <= now + ahead)
        .order_by(ClassSession.starts_at, ClassSession.id)
    ).all()
    unwatched = [session.id for session in sessions if _faults(db, session, now)]
    if not unwatched:
        return 0
    recent = db.scalars(sa.select(QueuedMail).where(QueuedMail.kind == NAME, QueuedMail.queued_at > now - _REMEMBERED))
    told = {(mail.data["account"], session_id) for mail in recent for session_id in mail.data["sessions"]}
    queued = 0
    for account in db.scalars(sa.select(Account).where(administers(), Account.active)):
        new = [session_id for session_id in unwatched if (account.id, session_id) not in told]
        if new:
            data = {"account": account.id, "sessions": new}
            key = f"{NAME}:{account.id}:{new[0]}"
            queued += queue_mail(db, kind=NAME, to=account.email, language=account.language, key=key, data=data)
    return queued


def _faults(db: Session, session: ClassSession, now: datetime) -> list[RoomWatch]:
    """The rooms of a session that have cameras which do not watch now. One without cameras is no surprise."""
    watches = room_watch(db, rooms_of(session), now)
    return [watch for watch in watches.values() if watch.cameras and not watch.watched]


def _render(db: Session, mail: QueuedMail) -> Letter:
    account_of(db, mail)
    now = utc_now()
    sessions = db.scalars(
        sa.select(ClassSession)
        .options(*parts())
        .where(ClassSession.id.in_(mail.data["sessions"]), TAKES_PLACE, ClassSession.ends_at > now)
        .order_by(ClassSession.starts_at, ClassSession.id)
    ).all()
    items = [item for session in sessions for item in _items(db, session, now)]
    if not items:
        raise NoLongerWantedError(english("The cameras are back, or the sessions are over."))
    return _letter(items)


def _items(db: Session, session: ClassSession, now: datetime) -> list[Item]:
    rooms = rooms_by_id(session)
    return [
        _item(
            audience_codes(session),
            session.starts_at,
            rooms[watch.room_id].name,
            watch,
            url_for("register.page", session_id=session.id, _external=True),
        )
        for watch in _faults(db, session, now)
    ]


def _item(course: str, starts_at: datetime, room: str, watch: RoomWatch, address: str) -> Item:
    text = gettext("%(clock)s %(course)s, %(room)s", clock=clock_text(starts_at), course=course, room=room)
    if watch.dead:
        return Item(text, _silent([camera.name for camera in watch.dead], watch.dead_since), address)
    return Item(text, _blind([camera.name for camera in watch.blind], watch.blind_since), address)


def _silent(cameras: Sequence[str], since: datetime | None) -> str:
    names = ", ".join(cameras)
    if since is None:
        return str(gettext("%(cameras)s: never heard of", cameras=names))
    return str(gettext("%(cameras)s: not heard of since %(moment)s", cameras=names, moment=moment_text(since)))


def _blind(cameras: Sequence[str], since: datetime | None) -> str:
    names, moment = ", ".join(cameras), moment_text(since) if since else ""
    return str(gettext("%(cameras)s: the picture shows nothing since %(moment)s", cameras=names, moment=moment))


def _letter(items: Sequence[Item]) -> Letter:
    return write_letter(
        ngettext("Cameras are away before a class", "Cameras are away before %(num)s classes", len(items)),
        Paragraph(
            gettext(
                "While this lasts, these rooms are not watched: nobody is recorded, and the lecturer has to take the "
                "register by hand."
            )
        ),
        Listing(gettext("Sessions about to begin"), items, warns=True),
        Button(gettext("Open the cameras"), url_for("admin.cameras", _external=True)),
        reason=gettext("You get this mail because you are an administrator."),
    )


def _example() -> Letter:
    now, address = utc_now(), url_for("admin.cameras", _external=True)
    text = gettext("%(clock)s %(course)s, %(room)s", clock=clock_text(now), course="CS101", room="Hall A")
    return _letter([Item(text, _silent(["hall-a-front"], now - timedelta(hours=3)), address)])


KIND = MailKind(
    name=NAME,
    title=lazy_gettext("Cameras away"),
    occasion=lazy_gettext("To administrators, shortly before a session in a room whose cameras are not connected."),
    render=_render,
    example=_example,
    urgent=True,
)
