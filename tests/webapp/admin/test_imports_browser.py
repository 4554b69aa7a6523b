"""Imports of several files, and links to set a password, in Chromium: on a phone, and held to WCAG."""

from functools import partial
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.models import Role
from tests.factories import make_lecturer

SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 390, "height": 844}}


@pytest.fixture
def db(dashboard):
    with dashboard.sessions() as session:
        yield session


@pytest.fixture
def visit(open_page, db):
    """`visit(path, …)`: a page, signed in as an administrator."""
    lecturer = make_lecturer(db, name="Barbara Liskov", role=Role.ADMIN)
    db.commit()
    return partial(open_page, lecturer)


def csv_file(name, text):
    return {"name": name, "mimeType": "text/csv", "buffer": text.encode()}


@pytest.mark.parametrize(("size", "scheme"), [("wide", "light"), ("narrow", "dark")])
def test_a_term_is_imported_and_its_lecturers_get_links(visit, open_page, assert_accessible, *, size, scheme):
    tag = f"{size[0]}{scheme[0]}".upper()
    page = visit("/admin/import/together", size=SIZES[size], color_scheme=scheme)
    assert_accessible(page)
    enrolments = "".join(f"{tag}{number % 4},{tag}{number},Student {number}\n" for number in range(40))
    page.set_input_files(
        "#files",
        [
            csv_file("enrolments.csv", f"course_code,index_number,name\n{enrolments},x,y\n"),
            csv_file("lecturers.csv", f"email,name\nada-{tag}@example.edu,Ada Lovelace\nbob-{tag}@example.edu,Bob\n"),
            csv_file("courses.csv", f"code,name\n{tag}0,Algebra\n"),
        ],
    )
    page.click("text=Try the files")
    expect(page.locator("h1")).to_have_text("Ready to import")
    assert_accessible(page)
    page.check("text=These 3 courses do not exist: create them")
    page.click("text=Try again with this")
    expect(page.get_by_text(f"3 courses will be created: {tag}1, {tag}2, {tag}3")).to_be_visible()
    assert_accessible(page)
    page.click("text=enrolments.csv")
    expect(page.get_by_text("course_code is empty.")).to_be_visible()
    assert_accessible(page)
    page.go_back()
    page.click("text=Import 43 lines")
    expect(page.locator("h1")).to_have_text("Imported")
    page.click("text=Make links to set a password")
    assert_accessible(page)
    page.click("text=Make the links")
    link = page.locator(".link-sheet code").first.inner_text()
    assert_accessible(page)

    address = urlsplit(link)
    other = open_page(None, f"{address.path}?{address.query}", size=SIZES[size])
    expect(other.locator("h1")).to_have_text("Set your password")
    assert_accessible(other)
    other.fill("#new_password", "four words make one")
    other.fill("#repeat", "four words make one")
    other.click("text=Set the password")
    expect(other.get_by_text("Your password is set. Sign in with it.")).to_be_visible()
    other.goto(f"{address.path}?{address.query}")
    expect(other.locator("h1")).to_have_text("This link does not work")
    assert_accessible(other)


def test_a_lecturer_without_a_password_gets_a_link(visit, db, assert_accessible):
    lecturer = make_lecturer(db, name="Emmy Noether")
    lecturer.password_hash = NO_PASSWORD
    db.commit()
    page = visit(f"/admin/accounts/{lecturer.id}", size=SIZES["narrow"])
    assert_accessible(page)
    page.click("text=New link…")
    page.click("main button[type=submit]")
    expect(page.locator("#link")).to_contain_text("/password?link=pw_")
    assert_accessible(page)
