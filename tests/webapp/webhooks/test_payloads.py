"""The texts, and that docs/webhooks.md shows them as they are."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from attendance.database.corrections import correct_status
from attendance.database.models import EventKind, Status, Student, WebhookEvent
from attendance.database.register import close_ended_sessions
from attendance.database.transactions import transact
from tests.factories import (
    enrol,
    make_camera,
    make_course,
    make_group,
    make_lecturer,
    make_room,
    make_session,
    make_student,
)
from webapp.mail.kinds.low_attendance import note_crossings
from webapp.webhooks.payloads import body_of
from webapp.webhooks.telling import tell_of_cameras

DOCUMENT = Path(__file__).parents[3] / "docs" / "webhooks.md"
START = datetime(2026, 10, 5, 7, 0, tzinfo=UTC)


@pytest.fixture
def texts(site, site_db, hook):
    """By type, what is told of one small term."""
    hook()
    lecturer = make_lecturer(site_db)
    room = make_room(site_db, "Hall A")
    course, also = make_course(site_db, "MAT101", lecturers=(lecturer,)), make_course(site_db, "PHY200")
    ada, alan = (make_student(site_db, number, name="Zoë Łuczak") for number in ("s000017", "s000018"))
    enrol(site_db, course, ada, alan)
    enrol(site_db, also, ada)
    group = make_group(site_db, also, "B", members=(ada,))
    session = make_session(site_db, course, room, starts_at=START, ends_at=START + timedelta(minutes=90))
    make_camera(site_db, name="hall-a-front", room=room)
    empty = make_session(site_db, also, room, group=group, starts_at=START + timedelta(hours=3))
    site_db.commit()
    now = START + timedelta(minutes=5)
    assert transact(site_db, lambda db: tell_of_cameras(db, ahead=timedelta(minutes=15), now=now)) == 1
    assert transact(site_db, lambda db: tell_of_cameras(db, ahead=timedelta(minutes=15), now=now)) == 0
    more: dict[str, Any] = {"reason": "said so, she was ill", "account_id": lecturer.id, "session_id": session.id}
    correct_status(site_db, student_id=ada.id, status=Status.ABSENT, **more)
    site_db.commit()
    close_ended_sessions(site.sessions, empty.ends_at + timedelta(hours=1))
    transact(site_db, lambda db: note_crossings(db, course.id, fewest_sessions=1, now=START + timedelta(days=1)))
    return {event.kind: (event, body_of(site_db, event)) for event in site_db.scalars(sa.select(WebhookEvent))}


def shape(value: Any) -> Any:
    """A text without what it says."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "-"


def test_the_document_shows_each_text_as_it_is(texts):
    shown = {text["type"]: text for text in map(json.loads, re.findall(r"(?s)```json\n(.*?)```", DOCUMENT.read_text()))}
    assert shown.keys() == {kind.value for kind in EventKind}
    assert texts.keys() == shown.keys() - {"ping"}
    for kind, (_, body) in texts.items():
        assert shape(json.loads(body)) == shape(shown[kind]), kind


def test_students_are_told_of_by_number_and_never_by_name_or_reason(texts):
    for _, body in texts.values():
        assert "Zoë" not in body
        assert "ill" not in body
    changed = json.loads(texts["attendance.changed"][1])["data"]
    assert changed["entries"][0]["student"]["index_number"] == "s000017"
    assert (changed["entries"][0]["before"], changed["entries"][0]["status"]) == (None, "absent")
    assert changed["session"]["starts_at"] == "2026-10-05T07:00:00Z"
    at_risk = json.loads(texts["student.at_risk"][1])["data"]
    assert (at_risk["rate"], at_risk["attended"], at_risk["expected"]) == (0.0, 0, 1)
    away = json.loads(texts["camera.away"][1])["data"]
    assert [(each["name"], each["fault"]) for each in away["cameras"]] == [("hall-a-front", "silent")]
    nothing = json.loads(texts["register.not_recorded"][1])["data"]
    assert (nothing["students"], nothing["reason"]) == (1, "unwatched")
    (audience,) = nothing["session"]["audiences"]
    assert (audience["course"]["code"], audience["group"]) == ("PHY200", "B")


def test_a_student_who_is_deleted_is_in_no_text_any_more(site_db, texts):
    ada = site_db.scalars(sa.select(Student).where(Student.index_number == "s000017")).one()
    assert "s000017" in texts["session.closed"][1]
    assert "s000017" not in json.dumps([event.data for event, _ in texts.values()]), "the queue holds ids alone"
    site_db.execute(sa.delete(Student).where(Student.id == ada.id))
    site_db.commit()
    site_db.expire_all()
    assert "s000017" not in (body_of(site_db, texts["session.closed"][0]) or "s000017")
    assert body_of(site_db, texts["student.at_risk"][0]) is None
    assert body_of(site_db, texts["attendance.changed"][0]) is None
