"""Deliveries of webhooks: claimed, ended, put off; and endpoints that fail for long, which are switched off.

Two things fail: a delivery, which is tried again by the schedule of Standard Webhooks, and its endpoint, to which
nothing at all is sent for a while, so that a receiver that is away costs one attempt and not one for each delivery.
One delivery at a time goes to an endpoint.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from attendance.database.models.queues import QueueState
from attendance.database.models.webhooks import WebhookDelivery, WebhookEndpoint, WebhookEvent
from attendance.database.outgoing import queue
from attendance.texts import english

PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""After each attempt at a delivery that failed; after the last there is no other. The schedule that the specification
recommends (Standard Webhooks, "Deliverability and reliability")."""
OFF_AFTER = timedelta(days=5)
"""After so long without a success an endpoint is switched off (the same)."""
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=10)
"""Of an endpoint that fails: doubled with each failure in a row."""
_LONGEST_WISH = timedelta(hours=1)
"""Of what a receiver may ask for by Retry-After."""


def claim_delivery(db: Session, *, now: datetime, lease: timedelta) -> WebhookDelivery | None:
    """Take the delivery that is due next, to an endpoint to which none is under way, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        now: aware.
        lease: longer than sending one takes.
    """
    other = aliased(WebhookDelivery)
    busy = sa.select(other.endpoint_id).where(other.state == QueueState.SENDING, other.leased_until > now)
    ready = sa.select(WebhookEndpoint.id).where(is_told(now), WebhookEndpoint.id.not_in(busy))
    # Asked for first: with none, MariaDB would look at every delivery that waits for an endpoint which pauses.
    endpoint_ids = db.scalars(ready).all()
    if not endpoint_ids:
        return None
    return queue.claim(db, WebhookDelivery, now=now, lease=lease, only=WebhookDelivery.endpoint_id.in_(endpoint_ids))


def is_told(now: datetime) -> sa.ColumnElement[bool]:
    """The condition that an endpoint is on, and not left alone for now."""
    paused = sa.or_(WebhookEndpoint.paused_until.is_(None), WebhookEndpoint.paused_until <= now)
    return sa.and_(WebhookEndpoint.off_at.is_(None), paused)


def note_delivered(db: Session, delivery: WebhookDelivery, answer: int, *, now: datetime) -> bool:
    """The receiver has taken it; False where the lease ended before and it is somebody else's."""
    well = {"succeeded_at": now, "failing_since": None, "failures": 0, "paused_until": None}
    db.execute(sa.update(WebhookEndpoint).where(WebhookEndpoint.id == delivery.endpoint_id).values(well))
    return queue.note_sent(db, delivery, now=now, answer=answer)


def note_not_delivered(
    db: Session,
    delivery: WebhookDelivery,
    reason: str,
    *,
    now: datetime,
    answer: int | None = None,
    wish: timedelta | None = None,
) -> bool:
    """The receiver did not take it: try again later, or give up; switch the endpoint off that fails for long.

    Args:
        db: begun with `begin_writing`.
        delivery: as claimed.
        reason: a sentence for people.
        now: aware.
        answer: the receiver's status, where it gave one.
        wish: for how long the receiver asks to be left alone.

    Returns:
        Whether this switched the endpoint off.
    """
    tried = delivery.attempts - delivery.earlier_attempts
    if tried > len(PAUSES):
        kept = queue.note_failed(db, delivery, reason, now=now, answer=answer)
    else:
        wished = min(wish or timedelta(0), _LONGEST_WISH)
        pause = max(PAUSES[tried - 1], wished)
        kept = queue.put_back(db, delivery, reason, not_before=now + pause, answer=answer)
    endpoint = _as_it_is(db, delivery)
    if not kept or endpoint is None or not endpoint.on:
        return False
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    pause = min(_FIRST_PAUSE * 2 ** min(endpoint.failures - 1, 16), _LONGEST_PAUSE)
    endpoint.paused_until = now + max(pause, min(wish or timedelta(0), _LONGEST_WISH))
    if now - endpoint.failing_since < OFF_AFTER:
        return False
    days = OFF_AFTER.days
    switch_off(
        db,
        endpoint,
        english("It took nothing for %(days)s days. The last reason: %(reason)s", days=days, reason=reason),
        now=now,
    )
    return True


def note_gone(db: Session, delivery: WebhookDelivery, *, now: datetime) -> bool:
    """The receiver says that it is gone for good (410): it is switched off at once; whether this did it."""
    reason = english("The receiver answered that it is gone for good (410).")
    queue.note_failed(db, delivery, reason, now=now, answer=410)
    endpoint = _as_it_is(db, delivery)
    if endpoint is None or not endpoint.on:
        return False
    switch_off(db, endpoint, reason, now=now)
    return True


def _as_it_is(db: Session, delivery: WebhookDelivery) -> WebhookEndpoint | None:
    """The endpoint, locked; None where it was deleted while it was being told."""
    return db.get(WebhookEndpoint, delivery.endpoint_id, with_for_update=True, populate_existing=True)


def note_unwanted(db: Session, delivery: WebhookDelivery, reason: str, *, now: datetime) -> bool:
    """There is nothing to tell any more; the reason is a sentence for people."""
    return queue.note_dropped(db, delivery, reason, now=now)


def switch_off(db: Session, endpoint: WebhookEndpoint, reason: str | None, *, now: datetime) -> None:
    """Tell an endpoint nothing any more, in the caller's transaction. What waits for it is dropped.

    Args:
        db: begun with `begin_writing`.
        endpoint: one that is on.
        reason: a sentence for people; None where a person wanted it.
        now: aware.
    """
    endpoint.off_at, endpoint.off_reason = now, reason
    waiting = sa.and_(WebhookDelivery.endpoint_id == endpoint.id, WebhookDelivery.state == QueueState.WAITING)
    dropped = {"state": QueueState.DROPPED, "ended_at": now, "last_error": english("The receiver is switched off.")}
    db.execute(sa.update(WebhookDelivery).where(waiting).values(dropped).execution_options(synchronize_session=False))
    db.flush()


def switch_on(endpoint: WebhookEndpoint) -> None:
    """Tell an endpoint what happens from now on, in the caller's transaction."""
    endpoint.off_at = endpoint.off_reason = endpoint.failing_since = endpoint.paused_until = None
    endpoint.failures = 0


def deliver_again(db: Session, delivery: WebhookDelivery, *, now: datetime) -> bool:
    """Send a delivery that has ended once more, with the same id, in the caller's transaction; False while it waits."""
    ended = (QueueState.SENT, QueueState.FAILED, QueueState.DROPPED)
    if not queue.try_again(db, delivery, *ended, now=now):
        return False
    anew = {"earlier_attempts": WebhookDelivery.attempts}
    db.execute(sa.update(WebhookDelivery).where(WebhookDelivery.id == delivery.id).values(anew))
    db.execute(sa.update(WebhookEndpoint).where(WebhookEndpoint.id == delivery.endpoint_id).values(paused_until=None))
    return True


def undelivered(event: type[WebhookEvent] = WebhookEvent) -> sa.ColumnElement[bool]:
    """The condition that an event has a delivery that has not ended."""
    open_states = (QueueState.WAITING, QueueState.SENDING)
    return sa.exists().where(WebhookDelivery.event_id == event.id, WebhookDelivery.state.in_(open_states))
