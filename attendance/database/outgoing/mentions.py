"""Which events and mails tell of one person: shown to a student, and forgotten with whoever is deleted.

They name a person by the id alone, and SQLite gives the id of the last row that was deleted to the next one: what is
left of somebody would be told of somebody else.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from attendance.database.models import QueuedMail, WebhookEvent
from attendance.database.outgoing.events import Data

_AT_ONCE = 200
_STUDENT, _ENTRIES, _STUDENTS, _ACCOUNT = "student", "entries", "students", "account"


def events_about(db: Session, student_id: int) -> Iterator[tuple[WebhookEvent, Data]]:
    """The events that tell of a student, the oldest first, each with what it says of this one and of nobody else."""
    query = sa.select(WebhookEvent).where(_may_name(WebhookEvent.data, _STUDENT, student_id)).order_by(WebhookEvent.id)
    for event in db.scalars(query.execution_options(yield_per=_AT_ONCE)):
        if event.data.get(_STUDENT) == student_id:
            yield event, event.data
        for entry in event.data.get(_ENTRIES, ()):
            if entry.get(_STUDENT) == student_id:
                yield event, entry


def forget_student_in_queues(db: Session, student_id: int) -> None:
    """Take a student out of what waits to be told, or was told, in the caller's transaction.

    An event that tells of nobody else goes, with its deliveries; so does a mail. The rest of a register stays.

    Args:
        db: begun with `begin_writing`.
        student_id: of the student; the row may be gone.
    """
    named = sa.select(WebhookEvent).where(_may_name(WebhookEvent.data, _STUDENT, student_id))
    for event in db.scalars(named).all():
        if event.data.get(_STUDENT) == student_id:
            db.delete(event)
        elif _ENTRIES in event.data:
            others = [entry for entry in event.data[_ENTRIES] if entry.get(_STUDENT) != student_id]
            if others:
                event.data = {**event.data, _ENTRIES: others}
            else:
                db.delete(event)
    db.flush()
    for mail in db.scalars(sa.select(QueuedMail).where(_may_name(QueuedMail.data, _STUDENT, student_id))).all():
        if mail.data.get(_STUDENT) == student_id:
            db.delete(mail)
    lists = sa.type_coerce(QueuedMail.data, sa.Text).contains(f'"{_STUDENTS}": [', autoescape=True)
    for mail in db.scalars(sa.select(QueuedMail).where(lists)).all():
        others = [number for number in mail.data[_STUDENTS] if number != student_id]
        if not others:
            db.delete(mail)
        elif others != mail.data[_STUDENTS]:
            mail.data = {**mail.data, _STUDENTS: others}
    db.flush()


def forget_account_in_queues(db: Session, account_id: int) -> None:
    """Delete mail that tells of an account, to whatever address, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        account_id: of the account; the row may be gone.
    """
    for mail in db.scalars(sa.select(QueuedMail).where(_may_name(QueuedMail.data, _ACCOUNT, account_id))).all():
        if mail.data.get(_ACCOUNT) == account_id:
            db.delete(mail)
    db.flush()


def _may_name(column: InstrumentedAttribute[Any], name: str, number: int) -> sa.ColumnElement[bool]:
    """The condition that a text of JSON may hold a number under a name: as the text begins, so may 17 be 170."""
    return sa.type_coerce(column, sa.Text).contains(f'"{name}": {number}', autoescape=True)
