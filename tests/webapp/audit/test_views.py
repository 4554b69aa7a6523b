"""The page of the log: who sees it, its filters in the address, its pages and its files."""

from datetime import timedelta
from io import BytesIO

import openpyxl
import pytest
import sqlalchemy as sa

from attendance.database.audit.noting import NOBODY, THE_STUDENT, Actor, by_program, note
from attendance.database.models import DELETED_STUDENT, ActorKind, AuditAction, AuditEntry, Role, utc_now
from tests.factories import NINE, enrol, make_course, make_department, make_lecturer, make_session, make_student
from tests.webapp.visiting import plain


@pytest.fixture
def admin(site, site_db):
    account = make_lecturer(site_db, role=Role.ADMIN, email="ada@example.edu")
    site_db.commit()
    return site.visitor(account)


def _add(db, number=1, action="student.changed", **columns):
    for place in range(number):
        entry = AuditEntry(action=action, actor_kind=ActorKind.ACCOUNT, actor="kim@example.edu", student=f"s{place:03}")
        entry.happened_at = NINE + timedelta(minutes=place)
        for name, value in columns.items():
            setattr(entry, name, value)
        db.add(entry)
    db.commit()


def test_only_administrators_see_it(site, site_db):
    course = make_course(site_db, department=make_department(site_db))
    roles = [(Role.DEPARTMENT, course.department), (Role.LECTURER, course), (Role.ASSISTANT, course)]
    people = [make_lecturer(site_db, role=role, of=of) for role, of in roles]
    site_db.commit()
    for path in ("/admin/audit", "/admin/audit/log.csv"):
        assert [site.visitor(person).get(path).status_code for person in people] == [403] * 3
        assert site.visitor().get(path).status_code == 302


def test_it_says_who_did_what_to_whom_when_and_from_where(admin, site_db):
    session = Actor(ActorKind.ACCOUNT, "kim@example.edu", 7, "192.0.2.1")
    note(site_db, AuditAction.ROLE_GIVEN, actor=session, subject="leo@example.edu", details={"role": "lecturer"})
    note(site_db, AuditAction.STUDENT_DELETED, actor=session, student=DELETED_STUDENT)
    note(site_db, AuditAction.CONSENT_GIVEN, actor=THE_STUDENT, student="s1")
    note(site_db, AuditAction.SIGN_IN_FAILED, actor=NOBODY, address="2001:db8::1")
    note(site_db, AuditAction.INDEX_PUBLISHED, actor=by_program("gallery worker"))
    site_db.commit()
    _add(site_db, action="future.action", student=None)
    said = admin.text("/admin/audit")
    for words in (
        "Role given role: lecturer kim@example.edu leo@example.edu 192.0.2.1",
        "Student deleted kim@example.edu deleted student 192.0.2.1",
        "Consent recorded The student s1",
        "Sign-in failed Nobody signed in \u2013 2001:db8::1",
        "The program gallery worker",
        "future.action",
    ):
        assert words in said
    assert "Mon 23 Nov 2026 10:00:00" in said  # at the institution, in Warsaw


def test_filters_stand_in_the_address_and_narrow_pages_and_files(admin, site_db):
    _add(site_db, 3)
    _add(site_db, action="sign_in.done", actor="leo@example.edu", student=None)
    for query, kept in (
        ("action=student", 3),
        ("action=sign_in.done", 1),
        ("person=LEO@example.edu", 1),
        ("student=s002", 1),
        ("from=2026-11-23&to=2026-11-23", 4),
        ("from=2026-11-24&to=2026-11-24", 0),
        ("action=student.changed&student=s000&person=kim@example.edu", 1),
    ):
        page = admin.get(f"/admin/audit?{query}")
        assert page.text.count('<th scope="row">') == kept, query
        lines = admin.get(f"/admin/audit/log.csv?{query}").text.strip().splitlines()
        # Taking the file is an entry, too, and newer than what is asked for.
        assert len([line for line in lines[1:] if "kim@" in line or "leo@" in line]) == kept, query


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("action=nonsense", "Choose one of the list."),
        ("from=yesterday", "This is no date."),
        ("to=2026-02-30", "This is no date."),
        ("from=2026-11-24&to=2026-11-23", "This day is before the first one."),
    ],
)
def test_a_filter_that_makes_no_sense_is_said_at_its_field(admin, query, words):
    page = admin.get(f"/admin/audit?{query}")
    assert (page.status_code, words in page.text) == (422, True)
    assert admin.get(f"/admin/audit/log.csv?{query}").status_code == 400


@pytest.mark.parametrize("place", ["x", "-", "1", "9" * 40 + "-1", "1-" + "9" * 40, "99999999999999999-1", "é-1"])
def test_a_place_that_is_none_shows_the_newest(admin, site_db, place):
    _add(site_db)
    assert "Student changed" in admin.text(f"/admin/audit?below={place}&above={place}")


def test_pages_lead_down_and_up_again_through_all_entries(admin, site_db):
    _add(site_db, 120)
    seen: list[str] = []
    pages: list[str] = []
    address: str | None = "/admin/audit?action=student"
    while address:
        page = admin.get(address)
        pages.append(address)
        seen += _numbers(page.text)
        address = _link(page.text, "next")
    assert seen == [f"s{number:03}" for number in reversed(range(120))]
    assert len(pages) == 3
    back = admin.get(_link(admin.get(pages[2]).text, "prev"))
    assert _numbers(back.text) == seen[50:100]
    first = admin.get(_link(back.text, "prev"))
    assert _numbers(first.text) == seen[:50]
    assert _link(first.text, "prev") is None


def test_it_is_as_quick_however_long_the_log_is(admin, site, site_db):
    row = {"action": "sign_in.done", "actor_kind": "account", "actor": "kim@example.edu"}
    site_db.execute(
        sa.insert(AuditEntry),
        [row | {"happened_at": NINE + timedelta(seconds=number)} for number in range(20_000)],
    )
    site_db.commit()
    site.statements.clear()
    admin.get("/admin/audit?person=kim@example.edu&action=sign_in.done")
    asked = [statement for statement in site.statements if "FROM audit_entry" in statement]
    assert len(asked) == 2  # who did it, and to whose account
    assert all("LIMIT" in statement and "count(" not in statement for statement in asked)
    for statement in asked:
        plan = site_db.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", ("x",) * statement.count("?"))
        assert "SCAN" not in str(plan.all())


def test_a_workbook_holds_what_the_page_shows_and_formulas_stay_text(admin, site_db):
    _add(site_db, subject="=1+1", details={"fields": "name"})
    book = openpyxl.load_workbook(BytesIO(admin.get("/admin/audit/log.xlsx?action=student").data))
    header, row = book.active.iter_rows(values_only=True)
    assert header[2:7] == ("What", "Action", "By whom", "Index number", "To what")
    assert row[2:8] == ("Student changed", "student.changed", "kim@example.edu", "s000", "=1+1", "fields: name")


def test_each_file_is_noted_with_its_filter_and_no_name(admin, site, site_db):
    course = make_course(site_db, "CS101")
    student = make_student(site_db, "s77", name="Zoë Łuczak")
    enrol(site_db, course, student)
    session = make_session(site_db, course, starts_at=NINE)
    site_db.commit()
    for path in (
        f"/admin/courses/{course.id}/students.csv?q=Zo%C3%AB",
        f"/students/{student.id}.xlsx",
        "/records.csv?student=Zo%C3%AB&from=2026-11-01&status=absent&status=late",
        f"/sessions/{session.id}/register.csv",
    ):
        assert admin.get(path).status_code == 200, path
    said = site_db.scalars(sa.select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [entry.action for entry in said] == ["file.exported"] * 4
    roster, history, records, register = said
    assert (roster.subject, roster.details) == (
        "CS101",
        {"page": "admin.export_roster", "form": "csv", "q": "(something)"},
    )
    assert (history.student, history.subject) == ("s77", None)
    assert records.details["student"] == "(something)"
    assert (records.details["from"], records.details["status"]) == ("2026-11-01", "absent, late")
    assert register.subject == "CS101 2026-11-23T09:00Z"
    assert "Zo" not in str([vars(entry) for entry in said])


def test_noting_a_file_takes_no_second_connection(admin, site, site_db):
    """With one of each request, many files at once would wait for each other until the pool gives up."""
    course = make_course(site_db, "CS101")
    site_db.commit()
    pool, out = site.sessions.kw["bind"].pool, []
    sa.event.listen(pool, "checkout", lambda *_call: out.append(pool.checkedout()))
    for path in (f"/admin/courses/{course.id}/students.csv", "/records.csv", "/records.xlsx"):
        assert admin.get(path).status_code == 200
    assert set(out) == {1}
    assert site_db.scalar(sa.select(sa.func.count()).select_from(AuditEntry)) == 3


def test_a_file_that_cannot_be_noted_does_not_leave(admin, site, site_db):
    with site.sessions.kw["bind"].begin() as connection:
        connection.exec_driver_sql("DROP TABLE audit_entry")
    assert admin.get("/records.csv").status_code == 500


def test_old_entries_are_said_to_go(admin, site_db):
    note(site_db, AuditAction.MAIL_TESTED, actor=None)
    site_db.commit()
    assert "Entries are kept for 365 days." in admin.text("/admin/audit")
    assert (utc_now() - site_db.scalars(sa.select(AuditEntry.happened_at)).one()).total_seconds() < 60


def _numbers(html: str) -> list[str]:
    return [word for word in plain(html.partition("<tbody>")[2]).split() if word[0] == "s" and word[1:].isdecimal()]


def _link(html: str, rel: str) -> str | None:
    before, _, _after = html.partition(f'rel="{rel}" href="')
    return None if before == html else html.partition(f'rel="{rel}" href="')[2].partition('"')[0].replace("&amp;", "&")
