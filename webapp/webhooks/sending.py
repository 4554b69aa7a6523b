"""Sending what waits for receivers: one delivery after the other, each in transactions of its own."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import structlog
from flask import Flask
from sqlalchemy.orm import Session, undefer_group

from attendance.database.models import WebhookDelivery, WebhookEndpoint, WebhookEvent, utc_now
from attendance.database.outgoing.deliveries import (
    claim_delivery,
    note_delivered,
    note_gone,
    note_not_delivered,
    note_unwanted,
)
from attendance.database.outgoing.queue import write_down
from attendance.database.transactions import is_databases_fault, transact
from attendance.settings import Settings
from attendance.texts import english
from webapp.outside import Caller, OutsideError, Reply
from webapp.tools.storage import sessions_of
from webapp.webhooks.payloads import body_of
from webapp.webhooks.signing import headers_of
from webapp.webhooks.telling import tell_of_off

log = structlog.get_logger()

TIMEOUT_S = 15.0
"""For all of a delivery; the specification recommends 15 to 30 s."""
_LONGEST_REPLY = 64 * 1024
"""Bytes. What a receiver says beside its status is not read, so nobody needs to say more."""
_LEASE = timedelta(seconds=TIMEOUT_S) + timedelta(minutes=2)
"""Beside what sending takes: for names that are slow to be looked up, and for the database."""
_GONE = 410
_POLL_S = 2.0


@dataclass(frozen=True)
class _End:
    outcome: str
    note: Callable[[Session, WebhookDelivery, datetime], bool]
    """Writes it down; whether it switched the endpoint off."""


class WebhookSender:
    """One worker. Any number may work at once; safe to use in several threads."""

    pause_s = _POLL_S
    refusals = 0

    def __init__(self, app: Flask, settings: Settings, *, caller: Caller | None = None) -> None:
        """Get ready; nothing is opened yet.

        Args:
            app: the dashboard, for its database.
            settings: all of them.
            caller: calls receivers; by the settings unless given.
        """
        self._sessions = sessions_of(app)
        self._settings = settings
        self._caller = caller or Caller(settings.web.private_networks)
        self.outcomes: Counter[str] = Counter()

    def rest(self) -> None:
        """Nothing is held between two deliveries."""

    def close(self) -> None:
        """Nothing is held between two deliveries."""

    def step(self, stopping: threading.Event) -> bool:
        """Send the delivery that is due next; whether there was one."""
        with self._sessions() as db:
            delivery = transact(db, lambda db: claim_delivery(db, now=utc_now(), lease=_LEASE))
            if delivery is None:
                return False
            end = self._try(db, delivery)
            self.outcomes[end.outcome] += 1
            log.info(
                "webhook_ended",
                delivery=delivery.id,
                endpoint=delivery.endpoint_id,
                attempt=delivery.attempts,
                outcome=end.outcome,
            )
            self._write_down(db, delivery, end, stopping)
        return True

    def _try(self, db: Session, delivery: WebhookDelivery) -> _End:
        try:
            sent = self._send(db, delivery)
        except OutsideError as error:
            reason = error.args[0]
            return _End("put_off", lambda db, row, now: note_not_delivered(db, row, reason, now=now))
        except Exception as error:  # a fault of one event must not keep the others
            if is_databases_fault(error):
                raise
            log.exception("webhook_not_written", delivery=delivery.id)
            unwritten = english("Its text could not be made; the worker's log says why.")
            return _End("put_off", lambda db, row, now: note_not_delivered(db, row, unwritten, now=now))
        if sent is None:
            over = english("What it would tell of was deleted.")
            return _End("dropped", lambda db, row, now: note_unwanted(db, row, over, now=now) and False)
        return _judged(sent)

    def _send(self, db: Session, delivery: WebhookDelivery) -> Reply | None:
        """What the receiver answers; None where there is nothing to tell any more."""
        everything = [undefer_group("secrets")]
        endpoint = db.get_one(WebhookEndpoint, delivery.endpoint_id, options=everything, populate_existing=True)
        event = db.get_one(WebhookEvent, delivery.event_id)
        body = body_of(db, event)
        url, headers = endpoint.url, {} if body is None else headers_of(endpoint, event.uid, body, utc_now())
        db.commit()  # no transaction stays open while a receiver thinks
        if body is None:
            return None
        return self._caller.post(url, body=body.encode(), headers=headers, limit=_LONGEST_REPLY, timeout=TIMEOUT_S)

    def _write_down(self, db: Session, delivery: WebhookDelivery, end: _End, stopping: threading.Event) -> None:
        now = utc_now()

        def note(db: Session) -> None:
            if end.note(db, delivery, now):
                tell_of_off(db, delivery.endpoint_id, mail=self._settings.mail.on)

        write_down(db, note, patience=_LEASE, stopping=stopping)


def _judged(reply: Reply) -> _End:
    """What an answer means."""
    status = reply.status
    if 200 <= status < 300:
        return _End("sent", lambda db, row, now: note_delivered(db, row, status, now=now) and False)
    if status == _GONE:
        return _End("failed", lambda db, row, now: note_gone(db, row, now=now))
    if 300 <= status < 400:
        reason = english("The receiver leads elsewhere (%(status)s), which is not followed.", status=str(status))
    else:
        reason = english("The receiver answered %(status)s.", status=str(status))
    wish = _wish(reply.headers.get("retry-after", ""))
    return _End("put_off", lambda db, row, now: note_not_delivered(db, row, reason, now=now, answer=status, wish=wish))


def _wish(retry_after: str) -> timedelta | None:
    """For how long a receiver asks to be left alone (RFC 9110, 10.2.3): seconds, or a date."""
    if retry_after.isascii() and retry_after.isdecimal() and len(retry_after) < 8:
        return timedelta(seconds=int(retry_after))
    try:
        until = parsedate_to_datetime(retry_after)
    except (ValueError, TypeError):
        return None
    return max(until.replace(tzinfo=until.tzinfo or UTC) - utc_now(), timedelta(0))
