"""Every address of the dashboard, and rows for each to name."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from attendance.database.access.access_tokens import NewToken, make_access_token
from attendance.database.audiences import Audience
from attendance.database.models import (
    Attendance,
    Dispute,
    Excuse,
    LabelColour,
    LtiCourse,
    LtiDeployment,
    LtiPlatform,
    PhotoProposal,
    QueuedMail,
    Role,
    SeriesOrigin,
    Source,
    Status,
    StatusLabel,
    TeachingBreak,
    TimetableCalendar,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    utc_now,
)
from attendance.database.teaching.series import new_series
from tests.factories import (
    NINE,
    enrol,
    make_camera,
    make_course,
    make_department,
    make_group,
    make_lecturer,
    make_room,
    make_session,
    make_student,
)
from tests.webapp.tools.test_photos import PHOTO
from tests.webapp.visiting import Site
from webapp.account.permissions import Access, Permission, need_of
from webapp.tools.requests import INTERFACE


@dataclass(frozen=True)
class Address:
    """One way to call a view."""

    endpoint: str
    method: str
    path: str
    need: Permission | Access
    has_place: bool
    """Whether the path names a course, or what belongs to one."""


ELSEWHERE = ("course_id", "session_id", "student_id", "excuse_id", "department_id", "series_id")
"""What an address names that belongs to a course or is reached through one."""


def furnish(db: Session, number: int) -> dict[str, Any]:
    """A department, a course and what belongs to it, by the names that addresses have for them."""
    department, room, student = make_department(db), make_room(db), make_student(db)
    course = make_course(db, f"MA{number}", department=department)
    enrol(db, course, student)
    soon = utc_now().replace(microsecond=0) + timedelta(days=number)
    session = make_session(db, course, room, starts_at=soon)
    excuse = Excuse(
        student_id=student.id, course_id=course.id, starts_at=NINE, ends_at=NINE + timedelta(days=1), reason="ill"
    )
    series = new_series(db, SeriesOrigin.FORM, Audience(course.id), uid=f"series-{number}")
    holidays = TeachingBreak(first_day=NINE.date(), last_day=NINE.date(), name="Holidays")
    look = {"kind": Status.LATE, "colour": LabelColour.BLUE, "weight": 1}
    label = StatusLabel(name=f"Online {number}", letter=f"O{number}", **look)
    course_label = StatusLabel(course_id=course.id, name="Tram", letter="T", **look)
    hook = WebhookEndpoint(
        name=f"Hook {number}", url="https://example.edu/", events=[], secret="whsec_c2VjcmV0c2VjcmV0"
    )
    event = WebhookEvent(uid=f"evt_{number}", kind="ping", data={})
    db.add_all([hook, event])
    db.flush()
    delivery = WebhookDelivery(event_id=event.id, endpoint_id=hook.id)
    term = {"first_day": NINE.date(), "last_day": NINE.date() + timedelta(days=120)}
    calendar = TimetableCalendar(name=f"Calendar {number}", url="https://calendar.example.edu/term.ics", **term)
    db.add(calendar)
    mail = QueuedMail(kind="test", recipient="ada@example.edu", data={})
    db.add_all([excuse, holidays, label, course_label, mail, delivery])
    db.add(Attendance(session_id=session.id, student_id=student.id, status=Status.PRESENT, source=Source.PERSON))
    dispute = Dispute(session_id=session.id, student_id=student.id, claimed=Status.LATE, text="Late.")
    photo = PhotoProposal(student_id=student.id, file_name="a.jpg", content=PHOTO)
    db.add_all([dispute, photo])
    platform = LtiPlatform(
        name=f"Moodle {number}", issuer=f"https://moodle{number}.example", client_id="c", frame_origins="",
        keys_url="https://moodle.example/k", authorisation_url="https://moodle.example/a",
        token_url="https://moodle.example/t",
    )  # fmt: skip
    platform.deployments = [LtiDeployment(external_id="1")]
    db.add(platform)
    db.flush()
    linked = LtiCourse(deployment_id=platform.deployments[0].id, external_id="c1", label="MA", course_id=course.id)
    db.add(linked)
    group = make_group(db, course, members=(student,))
    other = make_lecturer(db, role=Role.LECTURER, of=course)
    db.flush()
    token, _ = make_access_token(
        db, other, NewToken(f"Campus {number}", ("read",), None, timedelta(days=1)), now=utc_now()
    )
    return {
        "account_id": other.id, "role_id": other.roles[0].id, "department_id": department.id, "course_id": course.id,
        "student_id": student.id, "room_id": room.id, "camera_id": make_camera(db, room=room).id,
        "session_id": session.id, "group_id": group.id, "break_id": holidays.id, "excuse_id": excuse.id,
        "label_id": label.id, "series_id": series.id, "course_label_id": course_label.id,
        "dispute_id": dispute.id, "proposal_id": photo.id,
        "kind_name": "students", "token": "A" * 22, "batch": "b" * 32, "digest": "d" * 64,
        "sign_in_id": 1, "shot_id": 1, "mail_id": mail.id, "mail_kind": "invitation",
        "token_id": token.id, "kind": "students", "import_id": "A" * 22,
        "platform_id": platform.id, "lti_course_id": linked.id,
        "webhook_id": hook.id, "delivery_id": delivery.id,
        "calendar_id": calendar.id,
    }  # fmt: skip


def addresses(site: Site, values: dict[str, Any], *, interface: bool = False) -> list[Address]:
    """Every address of the dashboard, with every method; or of the interface for programs."""
    found = []
    with site.app.test_request_context():
        for rule in site.app.url_map.iter_rules():
            if rule.endpoint == "static" or rule.rule.startswith(INTERFACE) is not interface:
                continue
            known = values | dict(rule.defaults or {})
            unknown = rule.arguments - known.keys()
            assert not unknown, f"{rule.rule}: teach this test what {unknown} is"
            need = need_of(site.app, rule.endpoint)
            assert need is not None, f"{rule.rule}: its view must say with `needs` what it wants"
            given = {name: known[name] for name in rule.arguments}
            if rule.endpoint.startswith("labels.") and "label_id" in given:  # the course's, not the institution's
                given["label_id"] = values["course_label_id"]
            path = url_for(rule.endpoint, **given)
            if rule.endpoint == "records.sessions_of_course":
                path += f"?course={values['course_id']}"
            has_place = bool(rule.arguments & set(ELSEWHERE)) or rule.endpoint == "records.sessions_of_course"
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                found.append(Address(rule.endpoint, method, path, need, has_place))
    return found
