"""OneRoster archives: tried, imported, changed by the next, refused when hostile; and one out, which comes in again."""

import csv
import io
import re
import zipfile
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import (
    Account,
    AccountRole,
    Attendance,
    Course,
    CourseGroup,
    CourseGroupMember,
    Department,
    Enrolment,
    ExternalIdentity,
    Source,
    Status,
    Student,
)
from tests.factories import enrol, make_course, make_session, make_student
from tests.webapp.rosters.archives import (
    ENROLLMENTS,
    HEADERS,
    OUT_ONLY,
    USERS,
    VOCABULARY,
    WHOLE,
    archive,
    manifest,
    user,
    zipped,
)
from tests.webapp.visiting import Site, Visitor, plain


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day in the term of the archives."""
    monkeypatch.setattr("webapp.rosters.views.today", lambda: date(2026, 11, 26))


def send(admin: Visitor, data: bytes, **form: Any) -> Any:
    fields = {"file": (BytesIO(data), "oneroster.zip"), "number_from": "identifier", **form}
    return admin.post("/admin/oneroster", fields)


def refusal(admin: Visitor, data: bytes, **form: Any) -> str:
    answer = send(admin, data, **form)
    assert answer.status_code == 422, answer.headers
    return plain(answer.text)


def reports(admin: Visitor, address: str) -> dict[str, str]:
    """What the report of each file says, by the title of its kind."""
    found = re.findall(r'href="(/admin/import/runs/[^"]+)">[^<]*</a></th>\s*<td[^>]*>([^<]+)<', admin.get(address).text)
    return {kind: admin.text(path) for path, kind in found}


def take(admin: Visitor, data: bytes, **form: Any) -> str:
    """Try an archive, make what is missing, and import it; the address of the report."""
    address: str = send(admin, data, **form).headers["Location"]
    admin.post(f"{address}/again", {"create": ["departments"]})
    done = admin.post(address, {"checked": "y"})
    assert done.status_code == 302
    return address


def rosters(db: Session) -> dict[str, set[str]]:
    """Who takes each course, and who is in each group ("MAT101/A")."""
    db.rollback()
    taking = sa.select(Course.code, Student.index_number).select_from(Enrolment).join(Course).join(Student)
    members = sa.select(Course.code + "/" + CourseGroup.name, Student.index_number).select_from(CourseGroupMember)
    members = members.join(CourseGroup).join(Course).join(Student)
    found: dict[str, set[str]] = {}
    for query in (taking, members):
        for place, number in db.execute(query):
            found.setdefault(place, set()).add(number)
    return found


def test_a_whole_archive_becomes_courses_people_and_rosters(site_db: Session, admin: Visitor) -> None:
    data = archive(WHOLE)
    answer = send(admin, data)
    page = admin.text(answer.headers["Location"])
    assert "1 class is over or deleted" in page
    assert "1 course has no class that goes on" in page
    assert site_db.scalars(sa.select(Course)).all() == []
    site_db.commit()
    take(admin, data)
    assert rosters(site_db) == {
        "MAT101": {"100001", "100002"}, "PHY200": {"100001"}, "MAT101/A": {"100001"}, "MAT101/B": {"100002"}
    }  # fmt: skip
    courses = {course.code: course for course in site_db.scalars(sa.select(Course))}
    assert {code: (course.name, course.department and course.department.name) for code, course in courses.items()} == {
        "MAT101": ("Linear algebra", "Mathematics"),
        "PHY200": ("Mechanics", None),
    }
    students = site_db.execute(sa.select(Student.index_number, Student.name, Student.email)).all()
    assert sorted(map(tuple, students)) == [
        ("100001", "Maria Nowak", "maria@example.edu"), ("100002", "Łukasz Żak", None)
    ]  # fmt: skip
    held = sa.select(Account.email, Course.code, AccountRole.role).select_from(AccountRole).join(Account).join(Course)
    assert sorted(map(tuple, site_db.execute(held))) == [
        ("ada@example.edu", "MAT101", "lecturer"), ("alan@example.edu", "PHY200", "assistant")
    ]  # fmt: skip
    site_db.commit()
    # The same again changes nothing.
    again = reports(admin, send(admin, data).headers["Location"])
    assert set(again) == {"Courses", "Students", "Lecturers", "Roster with removals", "Identities of another system"}
    assert all("Nothing to import" in text for text in again.values()), again


def test_the_next_whole_archive_takes_off_whom_it_does_not_name(site_db: Session, admin: Visitor) -> None:
    take(admin, archive(WHOLE))
    course = site_db.scalars(sa.select(Course).where(Course.code == "PHY200")).one()
    more = [make_student(site_db, f"20000{number}") for number in range(3)]
    enrol(site_db, course, *more)
    enrol(site_db, make_course(site_db, "OTHER"), *more)
    site_db.commit()
    moved = ENROLLMENTS.replace("e1,active,,k1,", "e1,active,,k2,")
    address = send(admin, archive({**WHOLE, "enrollments": moved})).headers["Location"]
    said = reports(admin, address)["Roster with removals"]
    assert "takes 3 of the 4 students off PHY200" in said
    assert "100001 Maria Nowak leaves the group A of MAT101" in said
    assert admin.post(address).status_code == 422  # asked first
    assert len(rosters(site_db)["PHY200"]) == 4
    admin.post(address, {"checked": "y"})
    assert rosters(site_db) == {
        "MAT101": {"100001", "100002"}, "PHY200": {"100001"}, "MAT101/B": {"100001", "100002"},
        "OTHER": {"200000", "200001", "200002"},
    }  # fmt: skip
    assert site_db.scalar(sa.select(sa.func.count()).select_from(Student)) == 5


def test_a_delta_changes_what_it_names_by_the_systems_own_identities(site_db: Session, admin: Visitor) -> None:
    take(admin, archive(WHOLE))
    changed = {
        "enrollments": "e2,tobedeleted,,k2,o1,u2,student,false,,\ne20,active,,k3,o1,u2,student,false,,\n"
        "e21,active,,k3,o1,u7,student,false,,\ne22,active,,k99,o1,u2,student,false,,\n",
        "users": user("u7", "New Student", "100007") + user("u1", "Marie Nowak", "100001", "maria@example.edu")
        + user("u2", "Łukasz Żak", "100002", status="tobedeleted"),
    }  # fmt: skip
    address = send(admin, archive(changed, mode="delta")).headers["Location"]
    assert "Nobody is deleted by a roster" in admin.text(address)
    said = reports(admin, address)
    assert "There is no class k99 in classes.csv" in said["Roster with removals"]
    assert "the name changes from Maria Nowak to Marie Nowak" in said["Students"]
    admin.post(address, {"checked": "y"})
    assert rosters(site_db) == {"MAT101": {"100001"}, "PHY200": {"100001", "100002", "100007"}, "MAT101/A": {"100001"}}
    assert site_db.scalar(sa.select(Student.name).where(Student.index_number == "100001")) == "Marie Nowak"
    # Another system's identities are other ones.
    other = archive({"enrollments": changed["enrollments"]}, mode="delta", system="another")
    assert "no class k3" in reports(admin, send(admin, other).headers["Location"])["Roster with removals"]


def test_lines_are_named_by_their_numbers_in_the_archive(admin: Visitor) -> None:
    users = USERS.replace("100002", "").replace("ada@example.edu", "")
    said = reports(admin, send(admin, archive({**WHOLE, "users": users})).headers["Location"])
    assert "index_number is empty" in said["Students"]
    assert "5 to 6" in said["Lecturers"]
    assert "Ada Lovelace has no e-mail address" in said["Lecturers"]


@pytest.mark.parametrize(("field", "number"), [("username", "u1.login"), ("sourcedId", "u1")])
def test_the_index_number_may_be_another_field(site_db: Session, admin: Visitor, field: str, number: str) -> None:
    take(admin, archive(WHOLE), number_from=field)
    assert number in rosters(site_db)["MAT101"]


def test_what_one_eleven_calls_otherwise_is_understood(site_db: Session, admin: Visitor) -> None:
    whole = {f"{name}.csv": f"{HEADERS[name]}\n{text}" for name, text in WHOLE.items()}
    whole["classes.csv"] = whole["classes.csv"].replace("termSourcedIds", "termSourcedId")
    take(admin, zipped({"manifest.csv": manifest(WHOLE, version="1.1"), **whole}))
    assert rosters(site_db)["PHY200"] == {"100001"}


OVER = "k0,active,,Old one,,c3,,scheduled,,o1,t0,,,\n"
ENDED = "e7,active,,k0,o1,u3,student,false,,\n"
BOMB = b"\0" * 20_000_000
HOSTILE: dict[str, tuple[bytes, str]] = {
    "no archive": (b"PK\x03\x04 no archive", "no ZIP file"),
    "text": (b"sourcedId,status", "no ZIP file"),
    "empty": (zipped({}), "lacks manifest.csv"),
    "no manifest": (zipped({"users.csv": "sourcedId"}), "lacks manifest.csv"),
    "another version": (archive(WHOLE, version="2.0"), "OneRoster 2.0"),
    "another mode": (archive(WHOLE, mode="everything"), "absent, bulk or delta"),
    "up": (zipped({"../manifest.csv": manifest(WHOLE)}), "without folders"),
    "root": (zipped({"/etc/passwd": "x", "manifest.csv": manifest(WHOLE)}), "without folders"),
    "windows": (zipped({"C:\\x.csv": "x", "manifest.csv": manifest(WHOLE)}), "without folders"),
    "folder": (zipped({"roster/manifest.csv": manifest(WHOLE)}), "without folders"),
    "a bomb": (zipped({"manifest.csv": manifest(WHOLE), **{f"{n}.csv": BOMB for n in WHOLE}}), "larger than 16 MB"),
    "many": (zipped({f"{number}.csv": "x" for number in range(61)}), "more than 60 files"),
    "a file that is not there": (zipped({"manifest.csv": manifest(WHOLE)}), "but it is not"),
    "nothing of ours": (archive({}), "lacks courses.csv"),
    "cut off": (archive(WHOLE)[:-40], "no ZIP file"),
    "a column that lacks": (
        zipped({"manifest.csv": manifest({"enrollments": ""}), "enrollments.csv": "sourcedId,role\n"}),
        "enrollments.csv:",
    ),
    "nothing that goes on": (
        archive({**WHOLE, "classes": OVER, "enrollments": ENDED}), "concerns a class that goes on"
    ),
}  # fmt: skip


def test_what_is_no_archive_is_refused_and_nothing_is_changed(site_db: Session, admin: Visitor) -> None:
    for hostile, (data, words) in HOSTILE.items():
        assert words in refusal(admin, data), hostile
    assert site_db.scalars(sa.select(Course)).all() == []


def test_sizes_that_an_archive_lies_about(admin: Visitor) -> None:
    """The bytes count, not what the archive says of them."""
    data = bytearray(zipped({"manifest.csv": b"\0" * 17_000_000}))
    size = (17_000_000).to_bytes(4, "little")
    assert data.count(size) == 2
    lying = bytes(data).replace(size, (100).to_bytes(4, "little"))
    assert refusal(admin, lying)
    assert "larger than 16 MB" in refusal(admin, bytes(data))


def test_an_archive_out_says_the_same_and_comes_in_again(site: Site, site_db: Session, admin: Visitor) -> None:
    take(admin, archive(WHOLE))
    course = site_db.scalars(sa.select(Course).where(Course.code == "PHY200")).one()
    maria = site_db.scalars(sa.select(Student).where(Student.index_number == "100001")).one()
    session = make_session(site_db, course, starts_at=datetime(2025, 11, 24, 9, tzinfo=UTC))
    make_session(site_db, course, starts_at=datetime(2026, 12, 7, 9, tzinfo=UTC))
    site_db.add(Attendance(session_id=session.id, student_id=maria.id, status=Status.PRESENT, source=Source.PERSON))
    site_db.commit()
    answer = admin.get("/admin/oneroster/export.zip")
    assert answer.mimetype == "application/zip"
    with zipfile.ZipFile(BytesIO(answer.data)) as made:
        tables = {name: list(csv.DictReader(io.StringIO(made.read(name).decode()))) for name in made.namelist()}
        for name, columns in {**HEADERS, **OUT_ONLY}.items():
            assert made.read(f"{name}.csv").decode().splitlines()[0] == columns, name
    for (name, column), words in VOCABULARY.items():
        assert {row[column] for row in tables[f"{name}.csv"]} <= words, (name, column)
    said = {row["propertyName"]: row["value"] for row in tables["manifest.csv"]}
    assert {name for name, value in said.items() if value == "bulk"} == {
        f"file.{name.removesuffix('.csv')}" for name in tables if name != "manifest.csv"
    }
    assert {row["sourcedId"]: row["courseCode"] for row in tables["courses.csv"]} == {"c1": "MAT101", "c2": "PHY200"}
    assert {"u1", "u2", "u8", "u9"} == {row["sourcedId"] for row in tables["users.csv"]}
    (result,) = tables["results.csv"]
    assert (result["studentSourcedId"], result["score"], result["classSourcedId"]) == ("u1", "100", "k3")
    ids = {name: {row["sourcedId"] for row in rows} for name, rows in tables.items() if name != "manifest.csv"}
    for row in tables["enrollments.csv"]:
        assert row["classSourcedId"] in ids["classes.csv"]
        assert row["userSourcedId"] in ids["users.csv"]
        assert row["schoolSourcedId"] in ids["orgs.csv"]
    # Into an empty dashboard it brings the same rosters.
    before = rosters(site_db)
    for table in (ExternalIdentity, Course, Student, Department):
        site_db.execute(sa.delete(table))
    site_db.commit()
    take(admin, answer.data)
    after = rosters(site_db)
    assert after == before
