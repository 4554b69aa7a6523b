"""What a receiver is told of an event: made when it is sent, of what the database holds then.

Students are told of by id and index number; no text holds a name, a mail address, a photo, an encoding, a remark or a
reason that somebody typed. docs/webhooks.md shows each text, and a test holds it against these.
"""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import parts
from attendance.database.models import (
    Camera,
    ClassSession,
    Course,
    EventKind,
    Room,
    Status,
    StatusLabel,
    Student,
    WebhookEvent,
)

Part = dict[str, Any]


def body_of(db: Session, event: WebhookEvent) -> str | None:
    """The text of an event, JSON; None where what it tells of is gone, so that there is nothing to tell.

    Args:
        db: any session.
        event: of a kind that this version knows.

    Raises:
        KeyError: the kind is not known.
    """
    data = _MAKERS[event.kind](db, event.data)
    if data is None:
        return None
    told = {"type": event.kind, "timestamp": moment(event.happened_at), "data": data}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def moment(value: datetime) -> str:
    """A time as receivers get it: UTC, ISO 8601, like 2026-10-05T07:00:00Z."""
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _closed(db: Session, data: Part) -> Part | None:
    session = _session(db, data["session"])
    if session is None:
        return None
    entries = _entries(db, data["entries"])
    counts = {status.value: sum(each["status"] == status for each in entries) for status in Status}
    counts["unrecorded"] = sum(each["status"] is None for each in entries)
    return {"session": session, "counts": counts, "entries": entries}


def _changed(db: Session, data: Part) -> Part | None:
    session, entries = _session(db, data["session"]), _entries(db, data["entries"])
    return None if session is None or not entries else {"session": session, "entries": entries}


def _not_recorded(db: Session, data: Part) -> Part | None:
    session = _session(db, data["session"])
    if session is None:
        return None
    return {"session": session, "students": data["students"], "reason": data["unrecorded"]}


def _at_risk(db: Session, data: Part) -> Part | None:
    course, students = db.get(Course, data["course"]), _students(db, [data["student"]])
    if course is None or not students:
        return None
    told = {name: data[name] for name in ("rate", "threshold", "attended", "expected")}
    return {"student": students[data["student"]], "course": _course(course), **told}


def _camera_away(db: Session, data: Part) -> Part | None:
    session, room = _session(db, data["session"]), db.get(Room, data["room"])
    ids = [each["camera"] for each in data["cameras"]]
    names = dict(db.execute(sa.select(Camera.id, Camera.name).where(Camera.id.in_(ids))).all())
    cameras = [
        {"id": each["camera"], "name": names[each["camera"]], "fault": each["fault"], "since": each["since"]}
        for each in data["cameras"]
        if each["camera"] in names
    ]
    if session is None or room is None or not cameras:
        return None
    return {"room": {"id": room.id, "name": room.name}, "session": session, "cameras": cameras}


def _ping(_db: Session, data: Part) -> Part:
    return data


_MAKERS: dict[str, Callable[[Session, Part], Part | None]] = {
    EventKind.SESSION_CLOSED: _closed,
    EventKind.STATUS_CHANGED: _changed,
    EventKind.NOT_RECORDED: _not_recorded,
    EventKind.AT_RISK: _at_risk,
    EventKind.CAMERA_AWAY: _camera_away,
    EventKind.PING: _ping,
}


def _session(db: Session, session_id: int) -> Part | None:
    session = db.scalar(sa.select(ClassSession).options(*parts()).where(ClassSession.id == session_id))
    if session is None:
        return None
    whom = [(session.course, session.group), *((each.course, each.group) for each in session.further_audiences)]
    rooms = [session.room, *(each.room for each in session.further_rooms)]
    return {
        "id": session.id,
        "starts_at": moment(session.starts_at),
        "ends_at": moment(session.ends_at),
        "audiences": [{"course": _course(course), "group": group.name if group else None} for course, group in whom],
        "rooms": [{"id": room.id, "name": room.name} for room in rooms],
    }


def _course(course: Course) -> Part:
    return {"id": course.id, "code": course.code}


def _entries(db: Session, entries: list[Part]) -> list[Part]:
    """Entries of students who are still there."""
    students = _students(db, (each["student"] for each in entries))
    label_ids = {each["label"] for each in entries} - {None}
    labels = dict(db.execute(sa.select(StatusLabel.id, StatusLabel.name).where(StatusLabel.id.in_(label_ids))).all())
    return [
        {
            "student": students[each["student"]],
            **({"before": each["from"]} if "from" in each else {}),
            "status": each["to"],
            "unrecorded": each["unrecorded"],
            "label": labels.get(each["label"]),
            "by": each["by"],
        }
        for each in entries
        if each["student"] in students
    ]


def _students(db: Session, student_ids: Iterable[int]) -> dict[int, Part]:
    rows = db.execute(sa.select(Student.id, Student.index_number).where(Student.id.in_(set(student_ids))))
    return {student_id: {"id": student_id, "index_number": number} for student_id, number in rows}
