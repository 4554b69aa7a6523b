"""Photos that students propose: sent on the own page, looked at by who teaches them."""

import io
import json
import re
from html import unescape
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image

import webapp
from attendance.database.models import Course, GalleryJob, GalleryJobPhoto, PhotoProposal, Role
from attendance.settings import Settings
from tests.factories import NINE, enrol, make_course, make_department, make_lecturer, make_student
from tests.webapp.me.students import enter
from tests.webapp.tools.test_photos import PHOTO, PNG, declared, encoded
from tests.webapp.visiting import make_settings, plain


@pytest.fixture
def site_settings(tmp_path, migrated_file) -> Settings:
    """A site that takes photos of students."""
    return make_settings(tmp_path / "site", migrated_file, students={"photos": True})


@pytest.fixture
def people(site_db):
    """A student who consents and takes a course, and its lecturer."""
    lecturer, ann = make_lecturer(site_db, name="Grace Hopper"), make_student(site_db, "s1", "Ann")
    ann.consent_given_at = NINE
    enrol(site_db, make_course(site_db, "CS101", lecturers=(lecturer,)), ann)
    site_db.commit()
    return lecturer, ann


def send(visitor, *named):
    data = {"photos": [(io.BytesIO(content), name) for name, content in named]}
    return visitor.post("/me/photos", data, content_type="multipart/form-data")


def test_the_page_carries_what_its_scripts_say(site, site_db, people):
    _, ann = people
    page = enter(site, site_db, ann).get("/me/consent").text
    texts = re.findall(r'name="texts" content="([^"]+)"', page)
    carried = {name for each in texts for name in json.loads(unescape(each))}
    script = (Path(webapp.__file__).parent / "static/js/enrolling.js").read_text()
    said = {"camera unusable", *re.findall(r'say\("([^"]+)"', script)}
    assert len(said) > 5
    assert said <= carried


def test_proposed_seen_beside_the_record_and_accepted_or_rejected(site, site_db, people):
    lecturer, ann = people
    student, teacher = enter(site, site_db, ann), site.visitor(lecturer)
    page = student.get("/me/consent")
    assert page.headers["Permissions-Policy"].startswith("camera=(self)")
    assert send(student, ("a.jpg", PHOTO), ("b.png", PNG)).status_code == 302
    assert "2 photos wait until somebody has looked at them." in student.text("/me/consent")
    assert site_db.scalars(sa.select(GalleryJob.id)).all() == []

    home = teacher.text("/")
    assert "Students propose photos of themselves" in home
    assert "(2)" in home
    text = teacher.text("/students/1/photos")
    for words in ("Name Ann", "Index number s1", "CS101", "given on", "Recognised so far by 0 encodings"):
        assert words in text
    for path in ("/students/1/photos/1.jpg", "/students/1/photos/2.jpg"):
        answer = teacher.get(path)
        assert answer.mimetype == "image/jpeg"
        with Image.open(io.BytesIO(answer.data)) as shown:
            assert (shown.format, shown.getexif()) == ("JPEG", {})
    assert student.get("/me/photos/1.jpg").status_code == 200

    refused = teacher.post("/students/1/photos", {"photo-1": "accept", "photo-2": "reject"})
    assert refused.status_code == 422
    assert "The reason is empty." in plain(refused.text)
    assert "Choose for at least one photo." in plain(teacher.post("/students/1/photos", {}).text)
    decisions = {"photo-1": "accept", "photo-2": "reject", "reason": "This is not you."}
    done = teacher.post("/students/1/photos", decisions, follow_redirects=True)
    assert "Accepted: 1, rejected: 1." in plain(done.text)
    site_db.rollback()
    assert site_db.execute(sa.select(GalleryJob.index_number, GalleryJob.requested_by_id)).all() == [
        ("s1", lecturer.id)
    ]
    assert site_db.execute(sa.select(GalleryJobPhoto.file_name, GalleryJobPhoto.content)).all() == [("a.jpg", PHOTO)]
    said = student.text("/me/consent")
    assert "This is not you." in said
    assert "Accepted" in said
    assert teacher.get("/students/1/photos/1.jpg").status_code == 404
    assert "Students propose photos" not in teacher.text("/")


def test_only_who_teaches_the_student_sees_and_decides_them(site, site_db, people):
    _, ann = people
    stranger, admin = make_lecturer(site_db), make_lecturer(site_db, role=Role.ADMIN)
    bob = make_student(site_db, "s2", "Bob")
    bob.consent_given_at = NINE
    site_db.commit()
    send(enter(site, site_db, ann), ("a.jpg", PHOTO))
    other = site.visitor(stranger)
    for answer in (
        other.get("/students/1/photos"), other.get("/students/1/photos/1.jpg"),
        other.post("/students/1/photos", {"photo-1": "accept"}),
        enter(site, site_db, bob).get("/me/photos/1.jpg"), enter(site, site_db, bob).post("/me/photos/1/take-back"),
    ):  # fmt: skip
        assert answer.status_code == 404
    assert "Students propose photos" not in other.text("/")
    course = site_db.scalars(sa.select(Course)).one()
    course.department = make_department(site_db)
    heads = [
        make_lecturer(site_db, role=Role.DEPARTMENT, of=of) for of in (course.department, make_department(site_db))
    ]
    site_db.commit()
    own, foreign = (site.visitor(head).text("/") for head in heads)
    assert "Students propose photos" in own
    assert "Students propose photos" not in foreign
    boss = site.visitor(admin)
    assert "Students propose photos" in boss.text("/")
    assert "1 photo that the student proposes" in boss.text("/admin/students/1")
    # A photo of one student is not decided at another's page.
    boss.post("/students/2/photos", {"photo-1": "accept"})
    site_db.rollback()
    assert site_db.scalars(sa.select(GalleryJob.id)).all() == []


def test_what_is_no_photo_is_named_and_too_many_are_refused(site, site_db, people):
    _, ann = people
    visitor = enter(site, site_db, ann)
    large = encoded(Image.new("1", (5_001, 5_000)), "PNG")
    answer = send(visitor, ("a.txt", b"hello"), ("cut.png", declared(9, 9)), ("b.jpg", PHOTO), ("large.png", large))
    assert answer.status_code == 302
    text = visitor.text("/me/consent")
    assert "1 photo waits until somebody has looked at it." in text
    assert "a.txt is no picture: neither JPEG, PNG, WebP, AVIF nor HEIC." in text
    assert "cut.png is damaged" in text
    assert "large.png takes too much memory to open. Save it as a JPEG" in text
    assert send(visitor).status_code == 422
    many = send(visitor, *((f"{number}.jpg", PHOTO) for number in range(5)))
    assert many.status_code == 422
    assert "At most 5 photos wait at a time; 1 of yours wait already." in plain(many.text)
    assert visitor.post("/me/photos/1/take-back").status_code == 302
    site_db.rollback()
    assert site_db.scalars(sa.select(PhotoProposal.id)).all() == []


def test_without_consent_or_where_the_institution_does_not_want_it_there_is_no_form(site, site_db, people):
    _, ann = people
    ann.consent_given_at = None
    site_db.commit()
    visitor = enter(site, site_db, ann)
    page = visitor.get("/me/consent")
    assert "Photos of you" not in page.text
    assert page.headers["Permissions-Policy"].startswith("camera=()")
    assert send(visitor, ("a.jpg", PHOTO)).status_code == 422
    site.app.config["ATTENDANCE"] = site.settings.model_copy(
        update={"students": site.settings.students.model_copy(update={"photos": False})}
    )
    assert send(visitor, ("a.jpg", PHOTO)).status_code == 404
    site_db.rollback()
    assert site_db.scalars(sa.select(PhotoProposal.id)).all() == []
