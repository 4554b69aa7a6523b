"""The table of *my data* of what webhooks tell other programs of the student, as long as it is kept."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from flask_babel import lazy_gettext
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from attendance.database.models import ClassSession, Course, StatusLabel, WebhookDelivery
from attendance.database.outgoing.mentions import events_about
from webapp.me.own_data.table import SESSION, OwnTable, Row, moment_text, sessions_by_id

_SOMEWHERE: Row = dict.fromkeys(SESSION)
"""Of what is about no session, or about one that was deleted: of that nobody is told any more."""


def _told(db: Session, student_id: int) -> Iterator[Row]:
    about = [
        (event.id, event.kind, moment_text(event.happened_at), event.data, said)
        for event, said in events_about(db, student_id)
    ]
    session_ids = {data["session"] for *_, data, _ in about if "session" in data}
    sessions = sessions_by_id(db, sa.select(ClassSession.id).where(ClassSession.id.in_(session_ids)))
    courses, labels = _names(db, Course.id, Course.code), _names(db, StatusLabel.id, StatusLabel.name)
    for event_id, kind, happened_at, data, said in about:
        row = (
            _SOMEWHERE
            | sessions.get(data.get("session", 0), {})
            | {
                "event": kind,
                "happened_at": happened_at,
                "from_status": said.get("from"),
                "to_status": said.get("to"),
                "to_label": labels.get(said.get("label", 0)),
                "to_not_recorded_because": said.get("unrecorded"),
                "decided_by": said.get("by"),
                "rate_percent": said.get("rate"),
                "threshold_percent": said.get("threshold"),
            }
        )
        if "course" in said:
            row["courses"] = courses.get(said["course"])
        for delivery in _deliveries(db, event_id):
            yield row | {
                "receiver": delivery.endpoint.name,
                "state": delivery.state,
                "ended_at": moment_text(delivery.ended_at),
            }


def _names(db: Session, key: InstrumentedAttribute[int], name: InstrumentedAttribute[str]) -> dict[int | None, str]:
    return {number: text for number, text in db.execute(sa.select(key, name))}  # noqa: C416 - mypy has no rows of pairs


def _deliveries(db: Session, event_id: int) -> Sequence[WebhookDelivery]:
    query = sa.select(WebhookDelivery).options(joinedload(WebhookDelivery.endpoint)).order_by(WebhookDelivery.id)
    return db.scalars(query.where(WebhookDelivery.event_id == event_id)).all()


TOLD_TABLE = OwnTable(
    "told",
    lazy_gettext("What other programs of the university were told of you when it happened, or will be told."),
    (
        *SESSION, "event", "happened_at", "from_status", "to_status", "to_label", "to_not_recorded_because",
        "decided_by", "rate_percent", "threshold_percent", "receiver", "state", "ended_at",
    ),
    _told,
)  # fmt: skip
