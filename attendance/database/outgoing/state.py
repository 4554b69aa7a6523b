"""How what goes out, and what is fetched, fares: for the doctor, which says it in words, and for the metrics."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import (
    LtiCourse,
    LtiDeployment,
    LtiPlatform,
    QueuedMail,
    QueueState,
    StandingCheck,
    TimetableCalendar,
    WebhookDelivery,
    WebhookEndpoint,
)
from attendance.database.models.queues import Queued
from attendance.database.outgoing.deliveries import is_told
from attendance.database.outgoing.queue import is_due

MAIL, WEBHOOKS, CALENDARS, RATES = "mail", "webhooks", "calendars", "rates"
_NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Due:
    """What one kind of work has to do now.

    Attributes:
        number: of rows that are due and that no worker has taken.
        age: for how long the oldest has been due.
    """

    number: int
    age: timedelta


@dataclass(frozen=True, slots=True)
class OutgoingState:
    """All of it, at one moment.

    Attributes:
        due: by kind of work.
        mails_failed: mails that were given up.
        deliveries_failed: deliveries of webhooks that were given up.
        failing_receivers: on, and failed at the last attempt.
        off_receivers: switched off because they failed, and by no person.
        failing_calendars: that could not be read the last time.
        waiting_calendars: with changes that a person is asked about.
        refused_courses: of learning platforms that did not take rates the last time.
        checks: what the worker looks after.
    """

    due: dict[str, Due]
    mails_failed: int
    deliveries_failed: int
    failing_receivers: list[WebhookEndpoint]
    off_receivers: list[WebhookEndpoint]
    failing_calendars: list[TimetableCalendar]
    waiting_calendars: list[TimetableCalendar]
    refused_courses: list[LtiCourse]
    checks: dict[str, StandingCheck]


def outgoing_state(db: Session, now: datetime) -> OutgoingState:
    """Look at every queue once; counts and the few rows that are in trouble."""
    told = sa.select(WebhookEndpoint.id).where(is_told(now))
    receivers, calendars = sa.select(WebhookEndpoint), sa.select(TimetableCalendar)
    return OutgoingState(
        due={
            MAIL: _due_in(db, QueuedMail, now),
            WEBHOOKS: _due_in(db, WebhookDelivery, now, WebhookDelivery.endpoint_id.in_(told)),
            CALENDARS: _oldest(db, TimetableCalendar.next_fetch_at, now, _is_free(TimetableCalendar, now)),
            RATES: _oldest(db, LtiCourse.leased_until, now, LtiCourse.id.in_(_sending())),
        },
        mails_failed=_failed(db, QueuedMail),
        deliveries_failed=_failed(db, WebhookDelivery),
        failing_receivers=_rows(
            db, receivers.where(WebhookEndpoint.off_at.is_(None), WebhookEndpoint.failing_since.is_not(None))
        ),
        off_receivers=_rows(
            db, receivers.where(WebhookEndpoint.off_at.is_not(None), WebhookEndpoint.off_reason.is_not(None))
        ),
        failing_calendars=_rows(
            db,
            calendars.where(TimetableCalendar.failing_since.is_not(None), TimetableCalendar.next_fetch_at.is_not(None)),
        ),
        waiting_calendars=_rows(db, calendars.where(TimetableCalendar.waiting_since.is_not(None))),
        refused_courses=_rows(
            db, sa.select(LtiCourse).where(LtiCourse.problem.is_not(None), LtiCourse.id.in_(_sending()))
        ),
        checks={check.name: check for check in db.scalars(sa.select(StandingCheck))},
    )


def _due_in(db: Session, kind: type[Queued], now: datetime, *only: sa.ColumnElement[bool]) -> Due:
    """What waits to be sent, and what a worker has let go of by dying."""
    since = sa.case((kind.state == QueueState.WAITING, kind.not_before), else_=kind.leased_until)
    return _oldest(db, since, now, is_due(kind, now), *only)


def _oldest(db: Session, since: Any, now: datetime, *conditions: sa.ColumnElement[bool]) -> Due:
    typed = sa.type_coerce(sa.func.min(since), TimetableCalendar.next_fetch_at.type)
    number, oldest = db.execute(sa.select(sa.func.count(), typed).where(since <= now, *conditions)).one()
    return Due(number, max(now - oldest, _NONE) if oldest is not None else _NONE)


def _is_free(kind: type[TimetableCalendar], now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(kind.leased_until.is_(None), kind.leased_until <= now)


def _sending() -> sa.Select[int]:
    """The courses of learning platforms whose rates are sent."""
    query = sa.select(LtiCourse.id).join(LtiCourse.deployment).join(LtiDeployment.platform)
    return query.where(LtiCourse.sends_rates, LtiCourse.course_id.is_not(None), LtiPlatform.active)


def _failed(db: Session, kind: type[Queued]) -> int:
    query = sa.select(sa.func.count()).select_from(kind).where(kind.state == QueueState.FAILED)
    return db.scalar(query) or 0


def _rows(db: Session, query: sa.Select[Any]) -> list[Any]:
    return list(db.scalars(query))
