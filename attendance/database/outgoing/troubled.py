"""Calendars, receivers of webhooks and courses of learning platforms that wait for an administrator."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from attendance.database.models import LtiCourse, LtiDeployment, LtiPlatform, TimetableCalendar, WebhookEndpoint

_MOST = 8
"""Of each kind; their own pages show all."""


@dataclass(frozen=True)
class Troubled:
    """What is not as it should be with other systems.

    Attributes:
        calendars: that wait for a person's word, or cannot be read.
        receivers: that take nothing, or were switched off because of it.
        courses: of learning platforms, not linked or whose rates were not taken.
    """

    calendars: Sequence[TimetableCalendar] = ()
    receivers: Sequence[WebhookEndpoint] = ()
    courses: Sequence[LtiCourse] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.calendars or self.receivers or self.courses)


def troubled_systems(db: Session) -> Troubled:
    """Look for them: one statement where all is well, which is most days."""
    waits = sa.or_(TimetableCalendar.waiting_digest.is_not(None), TimetableCalendar.failing_since.is_not(None))
    fails = sa.or_(WebhookEndpoint.failing_since.is_not(None), WebhookEndpoint.off_reason.is_not(None))
    unsent = sa.or_(LtiCourse.course_id.is_(None), LtiCourse.problem.is_not(None))
    courses = sa.select(LtiCourse.id).join(LtiCourse.deployment).join(LtiDeployment.platform)
    queries: tuple[sa.Select[Any], ...] = (
        sa.select(TimetableCalendar.id).where(waits),
        sa.select(WebhookEndpoint.id).where(fails),
        courses.where(unsent, LtiPlatform.active),
    )
    kinds = (query.add_columns(sa.literal(kind).label("kind")) for kind, query in enumerate(queries))
    ids: defaultdict[int, list[int]] = defaultdict(list)
    for row_id, kind in db.execute(sa.union_all(*kinds)):
        ids[kind].append(row_id)
    platform = joinedload(LtiCourse.deployment).joinedload(LtiDeployment.platform)
    return (
        Troubled(
            _some(db, sa.select(TimetableCalendar).order_by(TimetableCalendar.name), TimetableCalendar.id.in_(ids[0])),
            _some(db, sa.select(WebhookEndpoint).order_by(WebhookEndpoint.name), WebhookEndpoint.id.in_(ids[1])),
            _some(db, sa.select(LtiCourse).options(platform).order_by(LtiCourse.id), LtiCourse.id.in_(ids[2])),
        )
        if ids
        else Troubled()
    )


def _some(db: Session, query: sa.Select[Any], among: sa.ColumnElement[bool]) -> Sequence[Any]:
    return db.scalars(query.where(among).limit(_MOST)).all()
