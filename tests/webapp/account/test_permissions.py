"""Every address with every role and with nobody: each answers as the view says that it needs, and as the role may."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from flask import url_for
from sqlalchemy.orm import Session

from attendance.database.models import (
    Account,
    Attendance,
    Course,
    Dispute,
    Excuse,
    LabelColour,
    PhotoProposal,
    QueuedMail,
    Role,
    Source,
    Status,
    StatusLabel,
    TeachingBreak,
    utc_now,
)
from attendance.settings import Settings
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
from tests.webapp.visiting import WITH_MAIL, Site, Visitor, make_settings
from webapp.account.permissions import PERMISSIONS, Access, Permission, need_of


class Answer(StrEnum):
    """What is expected of a request."""

    ALLOWED = "allowed"
    SIGN_IN = "asked to sign in"
    REFUSED = "refused"
    MISSING = "as if it were not there"


@dataclass(frozen=True)
class Address:
    """One way to call a view."""

    endpoint: str
    method: str
    path: str
    need: Permission | Access
    has_place: bool
    """Whether the path names a course, or what belongs to one."""


@dataclass(frozen=True)
class Campus:
    """A course with everything that addresses can name, another like it, and somebody of each role."""

    people: dict[Role | None, Account]
    here: dict[str, Any]
    elsewhere: dict[str, Any]


ELSEWHERE = ("course_id", "session_id", "student_id", "excuse_id", "department_id")
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
    holidays = TeachingBreak(first_day=NINE.date(), last_day=NINE.date(), name="Holidays")
    look = {"kind": Status.LATE, "colour": LabelColour.BLUE, "weight": 1}
    label = StatusLabel(name=f"Online {number}", letter=f"O{number}", **look)
    course_label = StatusLabel(course_id=course.id, name="Tram", letter="T", **look)
    mail = QueuedMail(kind="test", recipient="ada@example.edu", data={})
    db.add_all([excuse, holidays, label, course_label, mail])
    db.add(Attendance(session_id=session.id, student_id=student.id, status=Status.PRESENT, source=Source.PERSON))
    dispute = Dispute(session_id=session.id, student_id=student.id, claimed=Status.LATE, text="Late.")
    photo = PhotoProposal(student_id=student.id, file_name="a.jpg", content=PHOTO)
    db.add_all([dispute, photo])
    group = make_group(db, course, members=(student,))
    other = make_lecturer(db, role=Role.LECTURER, of=course)
    db.flush()
    return {
        "account_id": other.id, "role_id": other.roles[0].id, "department_id": department.id, "course_id": course.id,
        "student_id": student.id, "room_id": room.id, "camera_id": make_camera(db, room=room).id,
        "session_id": session.id, "group_id": group.id, "break_id": holidays.id, "excuse_id": excuse.id,
        "label_id": label.id, "course_label_id": course_label.id,
        "dispute_id": dispute.id, "proposal_id": photo.id,
        "kind_name": "students", "token": "A" * 22, "batch": "b" * 32, "digest": "d" * 64,
        "mail_id": mail.id, "mail_kind": "invitation",
    }  # fmt: skip


@pytest.fixture
def site_settings(tmp_path: Path, migrated_file: Path) -> Settings:
    """Of a site whose mail is on: some addresses are there only then."""
    return make_settings(tmp_path / "site", migrated_file, **WITH_MAIL)


@pytest.fixture
def campus(site: Site, site_db: Session) -> Campus:
    """Both courses; the people have their roles here only."""
    here, elsewhere = furnish(site_db, 1), furnish(site_db, 2)
    people: dict[Role | None, Account] = {None: make_lecturer(site_db)}
    people[Role.ADMIN] = make_lecturer(site_db, role=Role.ADMIN)
    course = site_db.get_one(Course, here["course_id"])
    people[Role.DEPARTMENT] = make_lecturer(site_db, role=Role.DEPARTMENT, of=course.department)
    for role in (Role.LECTURER, Role.ASSISTANT):
        people[role] = make_lecturer(site_db, role=role, of=course)
    site_db.commit()
    return Campus(people, here, elsewhere)


def addresses(site: Site, values: dict[str, Any]) -> list[Address]:
    """Every address of the dashboard, with every method."""
    found = []
    with site.app.test_request_context():
        for rule in site.app.url_map.iter_rules():
            if rule.endpoint == "static":
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


def expected(address: Address, role: Role | None, *, here: bool) -> Answer:
    """What the table of roles says about somebody who is signed in."""
    need = address.need
    if need is Access.STUDENT:
        return Answer.SIGN_IN
    if isinstance(need, Access):
        return Answer.ALLOWED
    held = frozenset() if role is None else PERMISSIONS[role]
    if need is Permission.ADMINISTER:
        return Answer.ALLOWED if need in held else Answer.REFUSED
    everywhere = Permission.ADMINISTER in held
    if address.has_place:
        return Answer.ALLOWED if everywhere or (here and need in held) else Answer.MISSING
    return Answer.ALLOWED if need in held or need is Permission.READ else Answer.REFUSED


def ask(visitor: Visitor, address: Address) -> Answer:
    """What the dashboard says; forms are sent with their token and nothing else."""
    data = {"csrf_token": visitor.token()} if address.method == "POST" else None
    answer = visitor.client.open(address.path, method=address.method, data=data)
    if answer.status_code == 302 and answer.headers["Location"].partition("?")[0] in ("/signin", "/me/signin"):
        return Answer.ALLOWED if "Clear-Site-Data" in answer.headers else Answer.SIGN_IN  # signing out leads there too
    assert answer.status_code < 500, (address, answer.status_code)
    if answer.mimetype == "text/event-stream":  # which lasts as long as the session
        answer.close()
        return Answer.ALLOWED
    assert b"This form was open while your sign-in ended" not in answer.data, (address, "the token was refused")
    return {403: Answer.REFUSED, 404: Answer.MISSING}.get(answer.status_code, Answer.ALLOWED)


NEVER_THERE = frozenset(
    {
        "admin.import_report", "admin.import_now", "admin.try_again", "admin.download_report", "admin.download_faults",
        "admin.together_report", "admin.import_together_now", "admin.try_together_again", "profile.picture",
        "links.page", "links.set_password_now", "me.link_page", "me.open_link",
    }
)  # fmt: skip
"""Of something that is kept for minutes, or of a picture: the test makes none, so who may open it gets 404."""


@pytest.fixture
def as_it_was(site_settings: Any) -> Callable[[], None]:
    """Call it to have the database as it was when it was first called: forms that are allowed do what they do."""
    file = Path(site_settings.data.directory) / "attendance.db"
    kept = sqlite3.connect(":memory:")

    def restore() -> None:
        with sqlite3.connect(file) as live:
            if not kept.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                live.backup(kept)
            else:
                kept.backup(live)
        live.close()

    return restore


@pytest.mark.long("every address with every role: hundreds of requests")
def test_every_view_says_what_it_needs_and_no_role_opens_more(
    site: Site, campus: Campus, as_it_was: Callable[[], None]
) -> None:
    as_it_was()
    asked = 0
    for role, person in campus.people.items():
        for here, values in ((True, campus.here), (False, campus.elsewhere)):
            for address in addresses(site, values):
                if not (here or address.has_place) or (not here and address.need is Permission.ADMINISTER):
                    continue  # the same whichever course it is
                wanted = expected(address, role, here=here)
                got = ask(site.visitor(person), address)
                if wanted is Answer.ALLOWED and address.endpoint in NEVER_THERE:
                    assert got in (Answer.ALLOWED, Answer.MISSING), (role, address)
                else:
                    assert got is wanted, (role, "here" if here else "elsewhere", address)
                asked += 1
                if address.method == "POST" and wanted is Answer.ALLOWED:
                    as_it_was()
    assert asked > 600


def test_nobody_opens_what_wants_a_sign_in(site: Site, campus: Campus) -> None:
    visitor = site.visitor()
    for address in addresses(site, campus.here):
        got, wanted = ask(visitor, address), Answer.SIGN_IN
        if address.need is Access.ANYBODY:
            wanted = Answer.MISSING if address.endpoint in NEVER_THERE else Answer.ALLOWED
        assert got is wanted, address


def test_each_role_may_what_the_table_says() -> None:
    """The table itself: no head, lecturer or assistant administers, and each may less than the one before."""
    assert PERMISSIONS[Role.ADMIN] == frozenset(Permission)
    assert PERMISSIONS[Role.ADMIN] > PERMISSIONS[Role.DEPARTMENT] > PERMISSIONS[Role.LECTURER]
    assert PERMISSIONS[Role.LECTURER] > PERMISSIONS[Role.ASSISTANT] == {Permission.READ, Permission.CORRECT}
    assert Permission.ADMINISTER not in PERMISSIONS[Role.DEPARTMENT]
