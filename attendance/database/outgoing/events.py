"""Telling webhooks of what happened, in the transaction in which it does: both are written, or neither.

Nothing is written unless somebody wants to be told. The changes of entries that one transaction makes in one register
are one event, told when the transaction is about to be committed.
"""

import secrets
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import courses_of
from attendance.database.models import ClassSession, Course, Source, Status, Unrecorded, utc_now
from attendance.database.models.webhooks import EventKind, WebhookDelivery, WebhookEndpoint, WebhookEvent

MOST_ENTRIES = 200
"""Entries in one event; more changes are several events."""
_PENDING = "webhooks' changes"

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class EntryState:
    """What an entry of a register is, as far as it is told of."""

    status: Status | None = None
    unrecorded: Unrecorded | None = None
    label_id: int | None = None


NO_ENTRY = EntryState()
_Changes = dict[tuple[int, int], tuple[EntryState, EntryState, Source]]
"""By session and student: what the entry was when the transaction began, what it is, and who decided it."""


def tell(
    db: Session,
    kind: EventKind,
    data: Callable[[], Data],
    *,
    course_ids: Collection[int],
    key: str | None = None,
    now: datetime | None = None,
) -> bool:
    """Tell everybody who wants to know that something happened, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        kind: what.
        data: gives what is told, ids and values without names; asked for only where somebody wants to know.
        course_ids: of the courses that it is about; endpoints of other departments are not told.
        key: of what must not be told twice; None: nothing of the kind.
        now: when it happened, aware; the present unless given.

    Returns:
        Whether there is an event that was not there before.
    """
    endpoints = _wanting(db, kind, course_ids)
    if not endpoints:
        return False
    if key is not None and db.scalar(sa.select(WebhookEvent.id).where(WebhookEvent.key == key)) is not None:
        return False
    add_event(db, kind, data(), endpoints, key=key, now=now)
    return True


def add_event(
    db: Session,
    kind: EventKind,
    data: Data,
    endpoint_ids: Collection[int],
    *,
    key: str | None = None,
    now: datetime | None = None,
) -> None:
    """Add an event and its deliveries to these endpoints, in the caller's transaction.

    Raises:
        sqlalchemy.exc.IntegrityError: another told of the key meanwhile; the transaction is to be run again.
    """
    now = now or utc_now()
    event = WebhookEvent(uid=f"evt_{secrets.token_hex(16)}", kind=kind, key=key, data=data, happened_at=now)
    db.add(event)
    db.flush()
    rows = [
        {"event_id": event.id, "endpoint_id": endpoint_id, "queued_at": now, "not_before": now}
        for endpoint_id in endpoint_ids
    ]
    db.execute(sa.insert(WebhookDelivery), rows)


def is_wanted(db: Session, kind: EventKind) -> bool:
    """Whether anybody wants to be told of what is of this kind."""
    query = sa.select(WebhookEndpoint.events).where(WebhookEndpoint.off_at.is_(None))
    return any(kind in events for events in db.scalars(query))


def note_change(  # noqa: PLR0917 - whose entry, and what became of it
    db: Session, session_id: int, student_id: int, before: EntryState, after: EntryState, source: Source
) -> None:
    """An entry of a register changes; it is told of when the caller's transaction is committed."""
    if before == after:
        return
    if _PENDING not in db.info:
        db.info[_PENDING] = {}
        sa.event.listen(db, "before_commit", _tell_changes)
        sa.event.listen(db, "after_soft_rollback", _forget_changes)
    changes: _Changes = db.info[_PENDING]
    first = changes.get((session_id, student_id), (before,))[0]
    changes[session_id, student_id] = first, after, source


def _tell_changes(db: Session) -> None:
    """Before a commit: turn what was noted into events, by session."""
    if db.in_nested_transaction():
        return  # a savepoint ends; the transaction goes on
    noted: _Changes = db.info[_PENDING]
    db.info[_PENDING] = {}
    by_session: defaultdict[int, list[Data]] = defaultdict(list)
    for (session_id, student_id), (before, after, source) in noted.items():
        if before != after:
            by_session[session_id].append(_entry(student_id, before, after, source))
    if not by_session or not is_wanted(db, EventKind.STATUS_CHANGED):
        return
    for session_id, entries in by_session.items():
        session = db.get(ClassSession, session_id)
        if session is None:
            continue  # deleted in the same transaction
        for start in range(0, len(entries), MOST_ENTRIES):
            data = {"session": session_id, "entries": entries[start : start + MOST_ENTRIES]}
            tell(db, EventKind.STATUS_CHANGED, lambda data=data: data, course_ids=courses_of(session))  # type: ignore[misc]


def _forget_changes(db: Session, ended: Any) -> None:
    """After a rollback: nothing changed. Of one to a savepoint, what is noted was noted outside it."""
    if not ended.nested:
        db.info[_PENDING] = {}


def _entry(student_id: int, before: EntryState, after: EntryState, source: Source) -> Data:
    return {
        "student": student_id,
        "from": before.status,
        "to": after.status,
        "unrecorded": after.unrecorded,
        "label": after.label_id,
        "by": source,
    }


def _wanting(db: Session, kind: EventKind, course_ids: Collection[int]) -> list[int]:
    """The ids of the endpoints that are to be told."""
    query = sa.select(WebhookEndpoint.id, WebhookEndpoint.department_id, WebhookEndpoint.events)
    rows = [row for row in db.execute(query.where(WebhookEndpoint.off_at.is_(None))) if kind in row.events]
    if not any(row.department_id is not None for row in rows):
        return [row.id for row in rows]
    of_courses = sa.select(Course.department_id).where(Course.id.in_(course_ids)).distinct()
    departments = {None, *db.scalars(of_courses)}
    return [row.id for row in rows if row.department_id in departments]
