"""The queue of mail: who wants to say something puts it here, and any number of workers send it.

A worker claims a mail for some minutes, sends it, and writes down how that ended. Whoever claims it counts an attempt,
and only the last attempt may write: a worker whose time ran out changes nothing. A mail may come twice in one case
only: the mail server took it, and the worker died, or lost the connection, before that was known.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import MailState, QueuedMail, utc_now
from attendance.database.transactions import inserted
from attendance.texts import english

GIVE_UP = timedelta(days=1)
"""After so long a mail that the server does not take for now is not tried again (RFC 5321, 4.5.4.1, asks for days of
servers that pass mail on; ours has a server beside it that does)."""
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=2)
_CANDIDATES = 10
_LONGEST_ERROR = 500


def queue_mail(db: Session, *, kind: str, to: str, language: str | None, key: str | None, data: dict[str, Any]) -> bool:
    """Put a mail into the queue, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        kind: the name of a kind of mail, which makes the text when the mail is sent.
        to: the address of one person.
        language: of the text, a code like "fr"; None: the institution's.
        key: of what must not be said twice, e.g. "weekly:7:2026-11-23"; None: nothing of the kind.
        data: what the kind makes the text of. Ids rather than names, and never a secret: a link that opens something
            is made when the mail is sent.

    Returns:
        False when a mail with that key was queued already.
    """
    now = utc_now()
    mail = QueuedMail(kind=kind, recipient=to, language=language, key=key, data=data, queued_at=now, not_before=now)
    return inserted(db, mail)


def claim_mail(
    db: Session, *, now: datetime, lease: timedelta, urgent: Collection[str], most_a_minute: int
) -> QueuedMail | None:
    """Take the mail that is due next, in the caller's transaction; it is the caller's until the lease ends.

    Args:
        db: begun with `begin_writing`.
        now: aware.
        lease: longer than sending one takes.
        urgent: the kinds that go before all others: somebody waits for them.
        most_a_minute: mails that all workers together send a minute; with n workers it may be n - 1 more.

    Returns:
        The mail as claimed; None when none is due, or as many as may be were sent in the last minute.
    """
    taken = sa.or_(
        sa.and_(QueuedMail.state == MailState.SENT, QueuedMail.ended_at > now - timedelta(minutes=1)),
        sa.and_(QueuedMail.state == MailState.SENDING, QueuedMail.leased_until > now),
    )
    if (db.scalar(sa.select(sa.func.count()).select_from(QueuedMail).where(taken)) or 0) >= most_a_minute:
        return None
    due = sa.or_(
        sa.and_(QueuedMail.state == MailState.WAITING, QueuedMail.not_before <= now),
        sa.and_(QueuedMail.state == MailState.SENDING, QueuedMail.leased_until <= now),
    )
    first = sa.case((QueuedMail.kind.in_(urgent), 0), else_=1)
    query = sa.select(QueuedMail.id).where(due).order_by(first, QueuedMail.not_before, QueuedMail.id)
    for number in db.scalars(query.limit(_CANDIDATES)).all():
        claim = sa.update(QueuedMail).where(QueuedMail.id == number, due)
        values = {
            "state": MailState.SENDING,
            "attempts": QueuedMail.attempts + 1,
            "leased_until": now + lease,
            "first_tried_at": sa.func.coalesce(QueuedMail.first_tried_at, now, type_=QueuedMail.first_tried_at.type),
        }
        # On databases where readers do not wait, another worker may have been quicker.
        if _changed(db, claim.values(values)):
            return db.get_one(QueuedMail, number, populate_existing=True)
    return None


def note_sent(db: Session, mail: QueuedMail, *, now: datetime) -> bool:
    """The mail server has taken it; False where the lease ended before and it is somebody else's."""
    return _settle(db, mail, state=MailState.SENT, ended_at=now, last_error=None)


def note_failed(db: Session, mail: QueuedMail, reason: str, *, now: datetime) -> bool:
    """It will not be tried again; the reason is a sentence for people."""
    return _settle(db, mail, state=MailState.FAILED, ended_at=now, last_error=reason[:_LONGEST_ERROR])


def note_dropped(db: Session, mail: QueuedMail, reason: str, *, now: datetime) -> bool:
    """Nobody wants it any more; the reason is a sentence for people."""
    return _settle(db, mail, state=MailState.DROPPED, ended_at=now, last_error=reason[:_LONGEST_ERROR])


def put_off(db: Session, mail: QueuedMail, reason: str, *, now: datetime, pause: timedelta | None = None) -> bool:
    """It was not taken for now: try again after a pause, which doubles each time unless given; give up after a day."""
    if now - (mail.first_tried_at or now) >= GIVE_UP:
        return note_failed(
            db, mail, english("Not sent within a day. The last reason: %(reason)s", reason=reason), now=now
        )
    pause = pause or min(_FIRST_PAUSE * 2 ** min(mail.attempts - 1, 16), _LONGEST_PAUSE)
    return _settle(
        db, mail, state=MailState.WAITING, ended_at=None, last_error=reason[:_LONGEST_ERROR], not_before=now + pause
    )


def try_again(db: Session, mail: QueuedMail, *, now: datetime) -> bool:
    """Let a mail that failed be tried again, as if it were new, in the caller's transaction; False unless it failed."""
    again = sa.update(QueuedMail).where(QueuedMail.id == mail.id, QueuedMail.state == MailState.FAILED)
    values = {"state": MailState.WAITING, "not_before": now, "first_tried_at": None, "ended_at": None}
    return _changed(db, again.values(values))


def forget_recipient(db: Session, address: str) -> None:
    """Delete every mail to an address, in the caller's transaction: whoever it belonged to is no longer kept."""
    db.execute(sa.delete(QueuedMail).where(QueuedMail.recipient == address))


def _settle(db: Session, mail: QueuedMail, **values: Any) -> bool:
    """Write how an attempt ended, unless another attempt has begun since."""
    mine = sa.and_(
        QueuedMail.id == mail.id, QueuedMail.attempts == mail.attempts, QueuedMail.state == MailState.SENDING
    )
    return _changed(db, sa.update(QueuedMail).where(mine).values(leased_until=None, **values))


def _changed(db: Session, statement: sa.Update) -> bool:
    done = db.execute(statement, execution_options={"synchronize_session": False})
    return bool(done.rowcount)  # type: ignore[attr-defined]  # of an update it is a CursorResult
