"""The administrator's pages on SQLite and on MariaDB: searching, counting, and two people at once."""

import io
from datetime import timedelta
from threading import Barrier, Thread

import pytest
import sqlalchemy as sa

from attendance.database.access.roles import administers
from attendance.database.models import (
    Account,
    Attendance,
    ClassSession,
    GalleryJobPhoto,
    Role,
    Room,
    Status,
    Student,
    utc_now,
)
from attendance.settings import Settings
from tests.factories import enrol, make_camera, make_course, make_lecturer, make_room, make_session, make_student
from tests.webapp.tools.test_photos import PHOTO
from tests.webapp.visiting import Site
from webapp.admin import cameras
from webapp.admin.accounts import details
from webapp.app import create_app
from webapp.changes import courses, rooms, students
from webapp.tools.storage import sessions_of


@pytest.fixture
def campus(settings: Settings, engine):
    """The dashboard on the database under test."""
    assert engine is not None  # it made the tables
    app = create_app(settings)
    app.testing = False
    site = Site(settings, app, sessions_of(app))
    yield site
    site.sessions.kw["bind"].dispose()


@pytest.fixture
def admin(campus, db):
    lecturer = make_lecturer(db, name="Barbara Liskov", role=Role.ADMIN)
    db.commit()
    return campus.visitor(lecturer)


def test_searches_students_as_people_do(admin, db):
    names = ("Jan Nowak", "Maria Nowak", "\u0141ukasz \u017bak", "100% Sure_")
    for number, name in enumerate(names, start=10):
        make_student(db, f"s{number}", name)
    db.commit()
    for search, found in {
        "nowak": ["Jan Nowak", "Maria Nowak"],
        "NOWAK jan": ["Jan Nowak"],
        "\u017bak": ["\u0141ukasz \u017bak"],
        "\u017cAK": ["\u0141ukasz \u017bak"],
        "s10": ["Jan Nowak"],
        "S10": ["Jan Nowak"],
        "100%": ["100% Sure_"],
        "sure_": ["100% Sure_"],
        "%": ["100% Sure_"],
        "_": ["100% Sure_"],
        "\\": [],
        "nobody": [],
    }.items():
        text = admin.get("/admin/students", query_string={"q": search}).text
        assert [name for name in names if name in text] == found, search


def test_what_somebody_else_took_at_the_same_moment_is_refused_by_name(admin, db, monkeypatch):
    """Both looked before either wrote: the database's own rule decides."""
    make_student(db, "s1")
    make_course(db, "MA1")
    make_room(db, "Aula")
    make_camera(db, name="front")
    make_lecturer(db, email="ada@example.edu")
    for module in (cameras, details):
        monkeypatch.setattr(module, "taken", lambda *_, **__: False)
    for module in (courses, rooms, students):
        monkeypatch.setattr(module, "refuse_taken", lambda *_, **__: None)
    others = {
        "students": make_student(db, "s2").id,
        "rooms": make_room(db, "Lab").id,
        "cameras": make_camera(db).id,
        "accounts": make_lecturer(db).id,
    }
    course = make_course(db, "MA2")
    db.commit()
    for path, form, message in (
        ("students", {"index_number": "s1", "name": "X"}, "Another student has this index number."),
        ("courses", {"code": "MA1", "name": "X"}, "Another course has this code."),
        ("rooms", {"name": "Aula"}, "Another room has this name."),
        ("cameras", {"name": "front", "room": "", "upsample": ""}, "Another camera has this name."),
        (
            "accounts",
            {"name": "X", "email": "ada@example.edu"},
            "Somebody else has this e-mail address.",
        ),
    ):
        other = f"courses/{course.id}/edit" if path == "courses" else f"{path}/{others[path]}"
        for address in (f"{path}/new", other):
            answer = admin.post(f"/admin/{address}", form)
            assert (answer.status_code, message in answer.text) == (422, True), address


def test_every_list_and_the_overview_answer(admin, db):
    now = utc_now()
    room, blind = make_room(db, "Aula"), make_room(db, "Cellar")
    make_camera(db, name="aula-left", room=room, token="cam_a")
    ada = make_lecturer(db, name="Ada Byron")
    course = make_course(db, "MA1", "Algebra", lecturers=(ada,))
    make_course(db, "PH1", "Physics")
    ann = make_student(db, "s1", "Ann")
    enrol(db, course, ann)
    session = make_session(db, course, room, starts_at=now - timedelta(minutes=5), ends_at=now + timedelta(hours=1))
    make_session(db, course, blind, starts_at=now + timedelta(hours=5), ends_at=now + timedelta(hours=6))
    db.add(Attendance(session_id=session.id, student_id=ann.id, status=Status.PRESENT))
    db.commit()
    for path, expected in (
        ("/admin", "1 of 1 students present"),
        ("/admin", "Cellar has no camera that may connect 1 session in the next seven days"),
        ("/admin", "1 course without a lecturer who may sign in PH1"),
        ("/admin/courses?list=no-lecturer", "Physics"),
        ("/admin/courses?list=no-student&q=phys", "Physics"),
        ("/admin/courses?q=ALG", "Ada Byron"),
        ("/admin/accounts?q=byron", "Ada Byron"),
        ("/admin/accounts?list=admins", "Barbara Liskov"),
        ("/admin/rooms?q=cel", "Cellar"),
        ("/admin/cameras?q=AULA", "aula-left"),
        ("/admin/students?list=no-consent", "Ann"),
        (f"/admin/courses/{course.id}/students?q=ann", "Ann"),
        (f"/admin/courses/{course.id}", "1 enrolled"),
        ("/admin/timetable", "MA1 Algebra"),
        (f"/admin/timetable/{session.id}/delete", "1 entry of registers"),
        (f"/admin/students/{ann.id}/delete", "1 entry of registers"),
    ):
        assert expected in admin.text(path), path


def test_adds_changes_and_deletes_everything(admin, db):
    """One of each, made and unmade through the pages."""
    admin.post("/admin/rooms/new", {"name": "Aula"})
    admin.post("/admin/courses/new", {"code": "MA1", "name": "Algebra"})
    admin.post("/admin/students/new", {"index_number": "s1", "name": "Ann"})
    admin.post("/admin/accounts/new", {"name": "Ada", "email": "ada@example.edu"})
    room, student = db.scalars(sa.select(Room)).one(), db.scalars(sa.select(Student)).one()
    ada = db.scalars(sa.select(Account).where(Account.email == "ada@example.edu")).one()
    admin.post("/admin/cameras/new", {"name": "aula-left", "room": str(room.id), "upsample": ""})
    admin.post("/admin/courses/1/lecturers", {"lecturer": "ada@example.edu"})
    admin.post("/admin/courses/1/students", {"index_number": "s1"})
    times = {"day": "2027-03-22", "start": "09:00", "end": "10:30", "until": "2027-04-05"}
    minutes = {"early_minutes": "10", "grace_minutes": "10"}
    admin.post("/admin/timetable/new", {"course": "1", "room": str(room.id), **times, **minutes})
    db.rollback()
    assert db.scalar(sa.select(sa.func.count()).select_from(ClassSession)) == 3
    admin.post("/admin/timetable/1", {"course": "1", "room": str(room.id), **times, **minutes, "end": "11:00"})
    for address in (
        "/admin/timetable/1/delete?following=1",
        "/admin/timetable/2/delete?following=1",
        f"/admin/accounts/{ada.id}/delete",
        f"/admin/students/{student.id}/delete",
        "/admin/courses/1/delete",
        "/admin/cameras/1/delete",
        f"/admin/rooms/{room.id}/delete",
    ):
        assert admin.post(address).status_code == 302, address
    text = admin.text("/admin")
    assert "0 Students" in text
    assert "0 Courses" in text
    assert "0 Rooms" in text


def test_identifiers_differ_by_capitals_and_marks(admin, db):
    for number in ("a1", "A1", "\u00e11"):
        assert admin.post("/admin/students/new", {"index_number": number, "name": "X"}).status_code == 302
    assert admin.post("/admin/students/new", {"index_number": "a1", "name": "X"}).status_code == 422
    assert db.scalar(sa.select(sa.func.count()).select_from(Student)) == 3


def test_photos_wait_and_are_withdrawn(campus, admin, db):
    """One photo a statement: a statement with all of them would be larger than MariaDB takes."""
    student = make_student(db, "s1", "Ann")
    student.consent_given_at = utc_now()
    db.commit()
    written = []
    engine = campus.sessions.kw["bind"]
    sa.event.listen(engine, "before_cursor_execute", lambda _c, _k, text, *_rest: written.append(text))
    photos = {"photos": [(io.BytesIO(PHOTO), f"{number}.jpg") for number in range(4)]}
    address = f"/admin/students/{student.id}"
    assert admin.post(f"{address}/photos", photos, content_type="multipart/form-data").status_code == 302
    assert len([one for one in written if "INSERT INTO gallery_job_photo" in one]) == 4
    assert "Photos : 4 photos" in admin.text(address)
    assert db.scalars(sa.select(GalleryJobPhoto.content)).all() == [PHOTO] * 4
    db.rollback()
    assert "4 photos on the way into the gallery" in admin.text(f"{address}/consent/withdraw")
    assert admin.post(f"{address}/consent/withdraw").status_code == 302
    assert db.scalars(sa.select(GalleryJobPhoto.content)).all() == []
    for chosen in ("no-encodings", "withdrawn"):
        assert "Ann" in admin.text(f"/admin/students?list={chosen}")


def test_two_administrators_cannot_book_a_room_at_once(campus, db):
    course, room = make_course(db, "MA1"), make_room(db, "Aula")
    admins = [make_lecturer(db, role=Role.ADMIN) for _ in range(4)]
    db.commit()
    start, answers = Barrier(len(admins)), []
    form = {
        "course": str(course.id),
        "room": str(room.id),
        "day": "2027-03-22",
        "start": "09:00",
        "end": "10:30",
        "early_minutes": "10",
        "grace_minutes": "10",
    }

    def book(visitor, token):
        start.wait(30)
        data = {**form, "csrf_token": token}
        answers.append(visitor.client.post("/admin/timetable/new", data=data).status_code)

    visitors = [(visitor, visitor.token()) for visitor in map(campus.visitor, admins)]
    threads = [Thread(target=book, args=each) for each in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == [302, 422, 422, 422]
    db.rollback()
    assert db.scalar(sa.select(sa.func.count()).select_from(ClassSession)) == 1


def test_two_administrators_cannot_demote_each_other_at_once(campus, db):
    pair = [make_lecturer(db, role=Role.ADMIN) for _ in range(2)]
    db.commit()
    start, answers = Barrier(2), []

    def demote(visitor, token, other):
        start.wait(30)
        form = {"csrf_token": token, "name": other.name, "email": other.email, "active": "y"}
        answer = visitor.client.post(f"/admin/accounts/{other.id}", data=form)
        answers.append(answer.status_code if answer.status_code == 403 else answer.location.partition("?")[0])

    visitors = [(campus.visitor(one), other) for one, other in (pair, pair[::-1])]
    threads = [Thread(target=demote, args=(visitor, visitor.token(), other)) for visitor, other in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    done = [answer for answer in answers if answer in {f"/admin/accounts/{one.id}" for one in pair}]
    # Whoever came second is refused, or already signed out by losing the role.
    assert len(done) == 1, answers
    assert {*answers} - {*done} <= {403, "/signin"}, answers
    db.rollback()
    admins = sa.select(sa.func.count()).select_from(Account).where(administers(), Account.active)
    assert db.scalar(admins) == 1
