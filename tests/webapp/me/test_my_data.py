"""*My data* is whole, is only the student's, and is never in memory as one piece."""

import csv
import io
import json
import zipfile

import pytest
import sqlalchemy as sa

from attendance.database.models import (
    AttendanceEvidence,
    ClassSession,
    EventKind,
    GalleryJob,
    GalleryJobKind,
    PhotoProposal,
    Student,
    TimetableCalendar,
    WebhookEndpoint,
)
from attendance.database.outgoing.events import add_event
from attendance.texts import english
from tests.attendance.database.full_database import fill
from tests.attendance.database.upkeep.test_forgetting import DECIDED_OF_STUDENTS, NOBODY, referring
from tests.factories import make_student
from tests.webapp.me.students import enter
from webapp.tools.archives import zip_pieces

# Of a link there is a hash only, and it opens nothing that is not here. What a program was told once more is kept for a
# day, and says of the student what is here; and so is a file that somebody imports. Photos are the student's own; who
# has carried an erasure out is a machine. The rest are digests, of which nobody can say whose they are.
LEFT_OUT = {
    "student_link", "kept_answer", "imported_file", "imported_file_part", "gallery_job_photo",
    "erasure_acknowledgement", "sign_in_attempt", "spent_answer", "lti_nonce",
}  # fmt: skip


@pytest.fixture
def full(site_db):
    """A database with a row in every table, most of them one student's."""
    fill(site_db)
    student = site_db.scalars(sa.select(Student).where(Student.index_number == "s1")).one()
    student.name = "=Zoë 学生"
    site_db.commit()
    return student


def unpacked(site, db, student):
    answer = enter(site, db, student).get("/me/data.zip")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == f"attachment; filename=my-data_{student.index_number}.zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_table_that_may_name_a_student_is_in_it(site, site_db, full):
    visitor = enter(site, site_db, full)
    site.statements.clear()
    assert visitor.get("/me/data.zip").data
    asked = " ".join(" ".join(site.statements).replace("\n", " ").split())
    naming = {name for name, why in DECIDED_OF_STUDENTS.items() if why != NOBODY} | {"student"}
    missing = {
        name for name in referring("student") | naming if f" FROM {name}" not in asked and f" JOIN {name}" not in asked
    }
    assert missing == LEFT_OUT


def test_both_forms_say_the_same_and_a_name_is_no_formula(site, site_db, full):
    files = unpacked(site, site_db, full)
    names = {name.rsplit(".", 1)[0] for name in files} - {"README"}
    assert {f"{name}.{form}" for name in names for form in ("csv", "json")} | {"README.txt"} == set(files)
    filled = set()
    for name in names:
        rows = json.loads(files[f"{name}.json"])
        text = files[f"{name}.csv"].decode("utf-8-sig")
        table = list(csv.reader(io.StringIO(text)))
        assert len(table) == 1 + len(rows), name
        assert all(list(row) == table[0] for row in rows), name
        filled |= {name} if rows else set()
    assert filled >= {
        "student", "courses", "register", "corrections", "evidence", "held", "guest", "excuses", "consent",
        "disputes", "proposed-photos", "gallery", "erasures",
    }  # fmt: skip
    assert json.loads(files["student.json"])[0]["name"] == "=Zoë 学生"
    assert ",'=Zoë 学生," in files["student.csv"].decode()
    register = json.loads(files["register.json"])[0]
    assert register["starts_at"] == "2026-11-23T10:00:00+01:00"
    assert json.loads(files["corrections.json"])[0]["reason"] == "ill"
    assert json.loads(files["evidence.json"])[0]["pictures"] == 3


def test_of_others_there_is_nothing_but_who_decided(site, site_db, full):
    other = make_student(site_db, "of-another", "Somebody Else")
    detail = {"photo": "a.jpg", "outcome": "like another student", "detail": "0.4 to of-another", "other": "of-another"}
    site_db.add(GalleryJob(kind=GalleryJobKind.ENROL, index_number="s1", report=[detail]))
    site_db.add(PhotoProposal(student_id=other.id, file_name="of-another.jpg", content=b"picture of another"))
    frame = {"captured_at": "2026-11-23T09:00:00+00:00", "distance": 0.4, "runner_up": 0.4321, "weight": 1.0}
    for row in site_db.scalars(sa.select(AttendanceEvidence)):
        row.details = [frame | {"width": 60.0, "sharpness": 10.0}]
    site_db.commit()
    whole = b"\n".join(unpacked(site, site_db, full).values())
    for of_others in (b"of-another", b"Somebody Else", b"@", b"0.4321", b"password", b"4" * 64):
        assert of_others not in whole.replace("zoë@example.edu".encode(), b""), of_others
    assert b"a.jpg: like another student" in whole
    assert b"Ada Lovelace" in whole


def test_what_programs_are_told_of_a_student_is_in_it_and_nothing_of_others(site, site_db, full):
    other = make_student(site_db, "of-another", "Somebody Else")
    hook = site_db.scalars(sa.select(WebhookEndpoint)).one()
    session = site_db.scalars(sa.select(ClassSession)).first()
    entries = [
        {"student": each.id, "from": None, "to": "late", "unrecorded": None, "label": None, "by": "camera"}
        for each in (full, other)
    ]
    entries[1]["to"] = "excused"
    add_event(site_db, EventKind.STATUS_CHANGED, {"session": session.id, "entries": entries}, [hook.id])
    risk = {
        "course": session.course_id,
        "student": full.id,
        "rate": 33.3,
        "threshold": 80,
        "attended": 1,
        "expected": 3,
    }
    add_event(site_db, EventKind.AT_RISK, risk, [hook.id])
    add_event(site_db, EventKind.AT_RISK, risk | {"student": other.id, "rate": 12.5}, [hook.id])
    calendar = site_db.scalars(sa.select(TimetableCalendar)).one()
    calendar.report = {"notes": [english("%(name)s (%(number)s), and Somebody Else", name="Zoë", number="s1")]}
    site_db.commit()
    files = unpacked(site, site_db, full)
    told = json.loads(files["told.json"])
    changed = next(row for row in told if row["event"] == "attendance.changed")
    assert (changed["to_status"], changed["receiver"], changed["state"]) == ("late", "Ü", "waiting")
    assert changed["starts_at"] == "2026-11-23T10:00:00+01:00"
    assert [row["rate_percent"] for row in told if row["state"] == "waiting"] == [None, 33.3]
    assert b"12.5" not in files["told.csv"]
    assert b"excused" not in files["told.json"]
    assert [row["calendar"] for row in json.loads(files["calendar-notes.json"])] == ["Ü"]
    assert b"Somebody Else" not in files["calendar-notes.csv"]


def test_an_archive_is_written_in_pieces():
    taken = []

    def lines():
        for number in range(20_000):
            taken.append(number)
            yield f"{number} {number * 7919 % 104_729}\n" * 5

    largest, whole, ahead = 0, b"", []
    for piece in zip_pieces([("a.csv", lines()), ("b.csv", iter(["x"]))]):
        largest, whole = max(largest, len(piece)), whole + piece
        ahead.append(len(taken))
    assert largest < 100_000 < len(whole)
    assert ahead[0] == 1  # nothing is read before the first piece is asked for
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert archive.read("b.csv") == b"x"
