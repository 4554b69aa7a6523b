"""Erasures on pages: what was asked for, by whom, and which services have not carried it out yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask import render_template
from flask_babel import lazy_gettext
from sqlalchemy.orm import Session, joinedload

from attendance.database.models import ConsentRecorder, Erasure, ErasureKind, Service, utc_now
from attendance.database.upkeep.erasure_requests import unfinished_erasures, waited_for
from attendance.database.upkeep.services import is_gone
from webapp.admin.blueprint import blueprint
from webapp.tools.paging import paginate
from webapp.tools.storage import database

_A_PAGE = 50
_LATE = timedelta(minutes=5)
"""Services that run carry an erasure out within seconds."""
_SHOWN = 5
_KINDS = {
    ErasureKind.WITHDRAWAL: lazy_gettext("Withdrawal: no encoding, photo or evidence stays"),
    ErasureKind.DELETION: lazy_gettext("Deletion: no name or number stays either"),
    ErasureKind.FORMER_NUMBER: lazy_gettext("Former index number: nothing under it stays"),
}
_RECORDERS = {
    ConsentRecorder.ACCOUNT: lazy_gettext("somebody whose account is gone"),
    ConsentRecorder.STUDENT: lazy_gettext("the student, on the own page"),
    ConsentRecorder.COMMAND: lazy_gettext("a command on the server"),
    ConsentRecorder.EARLIER: lazy_gettext("not known any more"),
}


@dataclass(frozen=True)
class ShownErasure:
    """An erasure with who has not carried it out.

    Attributes:
        row: of the database.
        waiting: the services that are waited for.
        gone: those that have not acknowledged it and were not seen for so long that nobody waits for them.
    """

    row: Erasure
    waiting: list[Service]
    gone: list[Service]


@blueprint.get("/erasures")
def erasures() -> str:
    """Those that are not finished, and the latest that are."""
    db, now = database(), utc_now()
    query = (
        sa.select(Erasure).options(joinedload(Erasure.requested_by)).where(Erasure.finished_at.is_not(None))
    ).order_by(Erasure.finished_at.desc(), Erasure.id.desc())
    return render_template(
        "admin/erasures.html",
        unfinished=shown(db, unfinished_erasures(db), now),
        page=paginate(db, query, size=_A_PAGE),
        services=[
            (service, is_gone(service, now)) for service in db.scalars(sa.select(Service).order_by(Service.name))
        ],
        on_server=db.get_bind().dialect.name != "sqlite",
    )


def erasures_of(db: Session, index_number: str, now: datetime) -> list[ShownErasure]:
    """The latest erasures of a student, newest first."""
    query = sa.select(Erasure).options(joinedload(Erasure.requested_by), joinedload(Erasure.acknowledgements))
    mine = query.where(Erasure.index_number == index_number).order_by(Erasure.id.desc()).limit(_SHOWN)
    return shown(db, db.scalars(mine).unique().all(), now)


def late_erasures(db: Session, now: datetime) -> list[ShownErasure]:
    """Those that are not finished though they should be: something was left, or a service takes long."""
    unfinished = shown(db, unfinished_erasures(db), now)
    return [
        erasure
        for erasure in unfinished
        if erasure.row.message or (erasure.row.shared_at is not None and now - erasure.row.shared_at > _LATE)
    ]


def shown(db: Session, rows: Sequence[Erasure], now: datetime) -> list[ShownErasure]:
    """Rows with who has not carried them out; of finished ones nobody is asked for."""
    services = waited_for(db, [row for row in rows if row.finished_at is None], now)
    return [
        ShownErasure(
            row,
            [service for service in services.get(row.id, []) if not is_gone(service, now)],
            [service for service in services.get(row.id, []) if is_gone(service, now)],
        )
        for row in rows
    ]


@blueprint.app_template_filter("erasure_kind")
def erasure_kind(kind: ErasureKind) -> str:
    """What is promised, in words."""
    return str(_KINDS[kind])


@blueprint.app_template_filter("asked_by")
def asked_by(erasure: Erasure) -> str:
    """Who asked, in words."""
    return erasure.requested_by.name if erasure.requested_by else str(_RECORDERS[erasure.recorder])
