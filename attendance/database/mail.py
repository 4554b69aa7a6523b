"""The queue of mail: who wants to say something puts it here, and any number of workers send it.

How rows are claimed and ended is `attendance.database.outgoing.queue`'s. A mail may come twice in one case only: the
mail server took it, and the worker died, or lost the connection, before that was known.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import QueuedMail, QueueState, utc_now
from attendance.database.outgoing import queue
from attendance.database.transactions import inserted
from attendance.texts import english

GIVE_UP = timedelta(days=1)
"""After so long a mail that the server does not take for now is not tried again (RFC 5321, 4.5.4.1, asks for days of
servers that pass mail on; ours has a server beside it that does)."""
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=2)


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
    lately = sa.and_(QueuedMail.state == QueueState.SENT, QueuedMail.ended_at > now - timedelta(minutes=1))
    taken = sa.or_(lately, queue.in_work(QueuedMail, now))
    if (db.scalar(sa.select(sa.func.count()).select_from(QueuedMail).where(taken)) or 0) >= most_a_minute:
        return None
    first = sa.case((QueuedMail.kind.in_(urgent), 0), else_=1)
    return queue.claim(db, QueuedMail, now=now, lease=lease, first=first)


def put_off(db: Session, mail: QueuedMail, reason: str, *, now: datetime, pause: timedelta | None = None) -> bool:
    """It was not taken for now: try again after a pause, which doubles each time unless given; give up after a day."""
    if now - (mail.first_tried_at or now) >= GIVE_UP:
        text = english("Not sent within a day. The last reason: %(reason)s", reason=reason)
        return queue.note_failed(db, mail, text, now=now)
    pause = pause or min(_FIRST_PAUSE * 2 ** min(mail.attempts - 1, 16), _LONGEST_PAUSE)
    return queue.put_back(db, mail, reason, not_before=now + pause)


def forget_recipient(db: Session, address: str) -> None:
    """Delete every mail to an address, in the caller's transaction: whoever it belonged to is no longer kept."""
    db.execute(sa.delete(QueuedMail).where(QueuedMail.recipient == address))
