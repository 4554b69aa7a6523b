"""Two dashboards on one database: any of them serves any request, on SQLite and on MariaDB.

Each request here is answered by the other dashboard than the one before, as behind a balancer, so that whatever one
keeps to itself is missed at the next step.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from PIL import Image
from sqlalchemy.orm import Session
from werkzeug.test import Client, TestResponse

from attendance.database.models import (
    Account,
    Attendance,
    AuditEntry,
    GalleryJobPhoto,
    ImportedFile,
    QueuedMail,
    Role,
    Status,
    Student,
    utc_now,
)
from attendance.settings import Settings
from tests.factories import NINE, PASSWORD, enrol, make_course, make_lecturer, make_session, make_student
from tests.webapp.me.students import link_of
from tests.webapp.tools.test_photos import PHOTO
from tests.webapp.visiting import WITH_MAIL
from webapp.app import create_app
from webapp.cli import check_before_serving
from webapp.tools.storage import engine_of

KEY = "the key that all replicas are given by their operator"
ROSTER = b"index_number,name\n990001,Grace Hopper\n990002,Katherine Johnson\n"


class Balancer:
    """Hands each request to the next replica."""

    def __init__(self, replicas: Iterable[Flask]) -> None:
        self._next = cycle([replica.wsgi_app for replica in replicas])

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return next(self._next)(environ, start_response)


class Person:
    """A browser before a balancer; keeps cookies and sends each form's token."""

    def __init__(self, balancer: Balancer) -> None:
        self.client = Client(balancer)

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def post(self, path: str, data: dict[str, Any] | None = None) -> TestResponse:
        """Send a form, to the other replica than the one that made it."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.get("/signin").text)
        token = token or re.search(r'name="csrf_token" value="([^"]+)"', self.get("/profile").text)
        token = token or re.search(r'name="csrf_token" value="([^"]+)"', self.get("/me/consent").text)
        assert token, "no form"
        return self.client.post(path, data={"csrf_token": token[1], **(data or {})})

    def sign_in(self, account: Account, password: str = PASSWORD) -> "Person":
        assert self.post("/signin", {"email": account.email, "password": password}).status_code == 302
        return self


@pytest.fixture
def balancer(settings: Settings, engine: sa.Engine, tmp_path: Path) -> Iterator[Balancer]:
    """Two dashboards with folders of their own, and nothing in common but the database and the key."""
    common = {"database": {"url": settings.database_url}, "students": {"photos": True}, **WITH_MAIL}
    common["web"] = {**WITH_MAIL["web"], "secret_key": KEY}
    replicas = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        replicas.append(create_app(Settings.model_validate({"data": {"directory": folder}, **common})))
    yield Balancer(replicas)
    for replica in replicas:
        engine_of(replica).dispose()


@pytest.fixture
def admin(db: Session) -> Account:
    account = make_lecturer(db, role=Role.ADMIN)
    db.commit()
    return account


def test_an_import_begun_at_one_goes_on_at_the_other(balancer, db, admin):
    person = Person(balancer).sign_in(admin)
    tried = person.post("/admin/import/students", {"file": (BytesIO(ROSTER), "students.csv")})
    assert tried.status_code == 302
    address = tried.headers["Location"]
    assert all("students.csv" in person.get(address).text for _ in range(2))
    assert [person.get(f"{address}/report.csv").status_code for _ in range(2)] == [200, 200]
    assert person.post(address).status_code == 302
    assert sorted(db.scalars(sa.select(Student.index_number))) == ["990001", "990002"]
    assert db.scalars(sa.select(ImportedFile.done)).all() == [True]


def test_several_files_begun_at_one_go_on_at_the_other(balancer, db, admin):
    person = Person(balancer).sign_in(admin)
    files = [(BytesIO(ROSTER), "a.csv"), (BytesIO(b"code,name\nCS101,Computing\n"), "b.csv")]
    tried = person.post("/admin/import/together", {"files": files})
    assert person.post(tried.headers["Location"]).status_code == 302
    assert len(db.scalars(sa.select(Student)).all()) == 2


def test_wrong_passwords_are_counted_together(balancer, admin):
    person = Person(balancer)
    wrong = [person.post("/signin", {"email": admin.email, "password": f"wrong {n}"}).status_code for n in range(5)]
    assert wrong == [422] * 5
    for _ in range(2):  # at either
        assert person.post("/signin", {"email": admin.email, "password": PASSWORD}).status_code == 429
        person.get("/signin")


def test_links_of_students_are_counted_and_used_once_for_both(balancer, db, admin):
    student = make_student(db, "s1")
    address = link_of(db, student)
    token = address.partition("=")[2]
    first, second = Person(balancer), Person(balancer)
    assert first.post("/me/link", {"link": token, "index_number": "s1"}).status_code == 302
    assert [first.get("/me").status_code for _ in range(2)] == [200, 200]
    assert [second.post("/me/link", {"link": token, "index_number": "s1"}).status_code for _ in range(2)] == [404] * 2


def test_who_signs_out_or_loses_the_password_at_one_is_out_at_both(balancer, db, admin):
    other = make_lecturer(db)
    db.commit()
    person, victim = Person(balancer).sign_in(admin), Person(balancer).sign_in(other)
    assert [victim.get("/profile").status_code for _ in range(2)] == [200, 200]
    assert person.post(f"/admin/accounts/{other.id}/password").status_code == 200
    assert [victim.get("/profile").status_code for _ in range(2)] == [302, 302]
    assert person.post("/signout").status_code == 302
    assert [person.get("/admin").status_code for _ in range(2)] == [302, 302]


def test_pictures_photos_and_mail_are_at_both(balancer, db, admin):
    student = make_student(db, "s1")
    student.consent_given_at, student.email = utc_now(), "s1@example.edu"
    db.commit()
    person = Person(balancer).sign_in(admin)
    picture = BytesIO()
    Image.new("RGB", (200, 200)).save(picture, "PNG")
    picture.seek(0)
    assert person.post("/profile/picture", {"picture": (picture, "me.png")}).status_code == 302
    db.rollback()
    digest = db.scalars(sa.select(Account.picture_digest)).one()
    assert [person.get(f"/profile/pictures/{digest}").status_code for _ in range(2)] == [200, 200]
    assert person.post(f"/admin/students/{student.id}/photos", {"photos": (BytesIO(PHOTO), "a.jpg")}).status_code == 302
    db.rollback()
    assert db.scalars(sa.select(GalleryJobPhoto.file_name)).all() == ["a.jpg"]
    assert person.post("/admin/mail/test").status_code == 302
    db.rollback()
    assert db.scalars(sa.select(QueuedMail.kind)).all() == ["test"]


def test_a_change_of_many_at_one_is_undone_at_the_other(balancer, db, admin):
    course = make_course(db, "CS101")
    students = [make_student(db) for _ in range(3)]
    enrol(db, course, *students)
    session = make_session(db, course, starts_at=NINE, closed_at=utc_now())
    db.commit()
    person = Person(balancer).sign_in(admin)
    page = person.get(f"/sessions/{session.id}").text
    shown = re.findall(r'name="shown" type="hidden" value="([^"]+)"', page)[0]
    fields = {"scope": "shown", "status": "present", "reason": "all were there", "shown": shown}
    assert person.post(f"/sessions/{session.id}/bulk", fields).status_code == 302
    db.rollback()
    assert db.scalars(sa.select(Attendance.status)).all() == [Status.PRESENT] * 3
    db.rollback()
    pages = person.get(f"/sessions/{session.id}").text + person.get(f"/sessions/{session.id}").text
    undo = re.search(rf"/sessions/{session.id}/bulk/([0-9a-f]+)/undo", pages)
    assert undo, "the change is offered to be undone"
    assert person.post(undo[0]).status_code == 302
    db.rollback()
    assert Status.PRESENT not in db.scalars(sa.select(Attendance.status)).all()


def test_files_are_noted_whichever_writes_them(balancer, db, admin):
    person = Person(balancer).sign_in(admin)
    for form in ("csv", "xlsx", "csv", "xlsx"):
        assert person.get(f"/records.{form}").status_code == 200
    noted = db.scalars(sa.select(AuditEntry.action).where(AuditEntry.action == "file.exported")).all()
    assert len(noted) == 4


def test_a_replica_with_another_key_is_told_so(settings, engine, tmp_path, capsys):
    def start(name: str, **web: str) -> str:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        given = {"data": {"directory": folder}, "database": {"url": settings.database_url}, "web": web}
        check_before_serving(Settings.model_validate(given))
        return capsys.readouterr().err

    assert start("one") == ""
    assert start("one") == ""
    # The fingerprint that is kept is short, so that it proves no guess: one key in 4,096 looks like the first.
    said = [start(f"other {number}") for number in range(3)]
    assert any("give all of them one ATTENDANCE_WEB_SECRET_KEY" in text for text in said)
    start("one", secret_key=KEY)
    assert start("two", secret_key=KEY) == ""
