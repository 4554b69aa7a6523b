"""The order of a register: by name, or by family name as a person or the institution wants it."""

import csv
import io
import re

import pytest

from tests.webapp.lessons import make_lesson
from tests.webapp.visiting import Site, make_settings
from webapp.app import create_app
from webapp.tools.storage import sessions_of

NAMES = ("Ada Zuse", "Łukasz Byron", "Zoë Àlvarez", "Curie Sklodowska, Marie")
BY_NAME = ["Ada Zuse", "Curie Sklodowska, Marie", "Łukasz Byron", "Zoë Àlvarez"]
BY_FAMILY = ["Zoë Àlvarez", "Łukasz Byron", "Curie Sklodowska, Marie", "Ada Zuse"]


def order_of(visitor, path):
    return re.findall(
        r'<tr id="student-.*?<th scope="row"><a[^>]*>(?:<bdi>)?([^<]+)<', visitor.get(path).text, re.DOTALL
    )


def test_the_address_and_the_file_keep_the_order(site, site_db):
    lesson = make_lesson(site_db, *NAMES)
    visitor, register = site.visitor(lesson.lecturer), f"/sessions/{lesson.session.id}"
    assert order_of(visitor, register) == order_of(visitor, f"{register}?sort=sideways") == BY_NAME
    assert order_of(visitor, f"{register}?sort=family") == BY_FAMILY
    assert order_of(visitor, f"{register}?sort=family&q=z") == [name for name in BY_FAMILY if "z" in name.lower()]
    page = visitor.get(f"{register}?sort=family").text
    (file,) = re.findall(r'href="([^"]+register\.csv[^"]*)"', page)
    rows = csv.DictReader(io.StringIO(visitor.get(file.replace("&amp;", "&")).text.lstrip("\ufeff")))
    assert [row["Student"] for row in rows] == BY_FAMILY
    pages = visitor.get(register).text + visitor.get(f"{register}?sort=family").text
    revisions = set(re.findall(r'data-revision="(\w+)"', pages))
    assert len(revisions) == 1  # the live stream need not know the order


@pytest.fixture
def by_family(tmp_path, migrated_file):
    """A site whose registers are by family name unless somebody asks otherwise."""
    institution = {"name": "U", "timezone": "Europe/Warsaw", "registers_by": "family"}
    settings = make_settings(tmp_path / "by-family", migrated_file, institution=institution)
    app = create_app(settings)
    made = Site(settings, app, sessions_of(app))
    yield made
    made.sessions.kw["bind"].dispose()


def test_an_institution_may_have_it_the_other_way(by_family):
    with by_family.sessions() as db:
        lesson = make_lesson(db, *NAMES)
    visitor, register = by_family.visitor(lesson.lecturer), f"/sessions/{lesson.session.id}"
    assert order_of(visitor, register) == BY_FAMILY
    assert order_of(visitor, f"{register}?sort=name") == BY_NAME
