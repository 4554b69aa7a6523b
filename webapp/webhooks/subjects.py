"""What an event is about, in a few words, for whoever looks for one among the deliveries."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import parts
from attendance.database.models import ClassSession, Course, WebhookEvent
from webapp.tools.class_sessions.words import audience_codes
from webapp.tools.times import moment_text


def subjects_of(db: Session, events: Sequence[WebhookEvent]) -> dict[int, str]:
    """By the id of an event, the session or the course that it tells of; nothing for what is of neither, or deleted."""
    session_ids = {event.data["session"] for event in events if "session" in event.data}
    course_ids = {event.data["course"] for event in events if "course" in event.data}
    sessions = db.scalars(sa.select(ClassSession).options(*parts()).where(ClassSession.id.in_(session_ids)))
    words = {
        ("session", each.id): f"{audience_codes(each)}, {moment_text(each.starts_at)}"
        for each in (sessions if session_ids else ())
    }
    if course_ids:
        rows = db.execute(sa.select(Course.id, Course.code).where(Course.id.in_(course_ids)))
        words |= {("course", course_id): code for course_id, code in rows}
    found = {}
    for event in events:
        keys = (("session", event.data.get("session")), ("course", event.data.get("course")))
        told = next((words[key] for key in keys if key in words), None)
        if told is not None:
            found[event.id] = told
    return found
