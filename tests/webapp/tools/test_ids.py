"""Ids that no row can have, at every address, on SQLite and on MariaDB."""

import re

import pytest
import sqlalchemy as sa
from werkzeug.routing import IntegerConverter

from attendance.database.models import Account, Role
from tests.factories import make_lecturer
from tests.webapp.api.programs import PREFIX, make_program
from tests.webapp.visiting import Site, Visitor, make_settings
from webapp.app import create_app
from webapp.tools.requests import LARGEST_ID, read_id
from webapp.tools.storage import sessions_of

BEYOND = (LARGEST_ID + 1, 2**63 - 1, 2**63, int("9" * 25), "9" * 5_000)


@pytest.fixture
def admin_site(tmp_path, migrated_file, engine, database_url):
    """A dashboard on either database, and an administrator who visits it."""
    settings = make_settings(tmp_path / "site", migrated_file, database={"url": database_url})
    app = create_app(settings)
    app.testing = False
    made = Site(settings, app, sessions_of(app))
    with made.sessions() as db:
        visitor = made.visitor(make_lecturer(db, role=Role.ADMIN))
        db.commit()
        yield made, visitor
    made.sessions.kw["bind"].dispose()


def numbered_routes(app):
    return [
        rule
        for rule in app.url_map.iter_rules()
        if any(isinstance(converter, IntegerConverter) for converter in rule._converters.values())
    ]


def addresses(rule, number):
    """The rule's address with the number in each of its places in turn, the largest possible one in the others."""
    places = re.findall(r"<int:[^>]+>", rule.rule)
    for place in places:
        address = rule.rule.replace(place, str(number))
        yield re.sub(r"<int:[^>]+>", str(LARGEST_ID), address)


def test_every_route_answers_404_to_an_id_beyond_the_column(admin_site):
    site, visitor = admin_site
    rules = [rule for rule in numbered_routes(site.app) if not rule.endpoint.startswith("me.")]  # a student's
    assert {"register.page", "register.export", "register.correct", "students.history", "admin.student"} <= {
        rule.endpoint for rule in rules
    }
    token = visitor.token()
    with site.sessions() as db:
        program = make_program(site, db, db.scalars(sa.select(Account)).one())
    for rule in rules:
        of_programs = rule.rule.startswith(f"{PREFIX}/")
        [method] = [one for one in ("GET", "POST", "PUT", "PATCH", "DELETE") if one in rule.methods][:1]
        for number in (LARGEST_ID, *BEYOND):
            for address in addresses(rule, number):
                if of_programs:
                    answer = program.ask(method, address.removeprefix(PREFIX))
                else:
                    data = {"csrf_token": token} if method == "POST" else None
                    answer = visitor.client.open(address, method=method, data=data)
                # A program's body is looked at first, and this one has none.
                refused = {404, 422} if of_programs and method != "GET" else {404}
                assert answer.status_code in refused, (method, address, answer.status)


@pytest.mark.parametrize("number", ["9" * 25, str(LARGEST_ID + 1), str(LARGEST_ID), "0", "-1", "1e3", "²"])
def test_no_filter_of_an_address_breaks_a_page(admin_site, number):
    _, visitor = admin_site
    for path in (
        "/records?course={}",
        "/records?session={}",
        "/records.csv?session={}",
        "/records/sessions?course={}",
        "/admin/timetable?course={}&room={}",
        "/admin/cameras/new?room={}",
        "/admin/timetable/new?course={}&room={}",
    ):
        assert visitor.get(path.replace("{}", number)).status_code < 500, path


def test_a_signed_out_visitor_learns_nothing_from_a_large_id(admin_site):
    site, _ = admin_site
    assert Visitor(site.app).get(f"/sessions/{'9' * 25}").status_code in (302, 404)


def test_ids_that_are_none():
    assert read_id(str(LARGEST_ID)) == LARGEST_ID
    assert [read_id(text) for text in ("", "-1", "+1", "1.0", "²", str(LARGEST_ID + 1), "9" * 5_000)] == [None] * 7
