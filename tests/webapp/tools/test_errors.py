"""What a person sees when something is wrong."""

import pytest
from flask import abort
from sqlalchemy.exc import OperationalError

from tests.factories import make_lecturer
from webapp.account.permissions import Access, needs


def fail(kind):
    if kind == "database":
        raise OperationalError("SELECT secret", {}, Exception("gone away"))
    if kind == "bug":
        raise RuntimeError("the secret reason")
    abort(int(kind))


@pytest.fixture
def visitor(site, site_db):
    site.app.add_url_rule("/fail/<kind>", "fail", needs(Access.SIGNED_IN)(fail))
    lecturer = make_lecturer(site_db)
    site_db.commit()
    return site.visitor(lecturer)


@pytest.mark.parametrize(
    ("kind", "code", "sentence"),
    [
        ("400", 400, "Go back and try again."),
        ("403", 403, "This page is for administrators."),
        ("404", 404, "There is no such page"),
        ("413", 413, "Choose a smaller file."),
        ("429", 429, "Wait a few minutes"),
        ("500", 500, "The fault is on our side"),
        ("418", 418, "Go back and try again."),
        ("bug", 500, "The fault is on our side"),
        ("database", 503, "The database does not answer just now."),
    ],
)
def test_each_error_is_a_page_that_says_what_to_do(visitor, kind, code, sentence):
    answer = visitor.get(f"/fail/{kind}")
    assert answer.status_code == code
    assert sentence in answer.text
    assert "Go to your courses" in answer.text
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_scripts_get_the_sentence_alone(visitor):
    answer = visitor.get("/fail/bug", headers={"X-Requested-With": "fetch"})
    assert answer.json == {"error": "The fault is on our side and has been noted. Try again in a moment."}


def test_a_fault_has_a_reference_that_is_in_the_log(visitor, capsys):
    answer = visitor.get("/fail/bug")
    reference = answer.text.split("<code>")[1].split("<")[0]
    assert reference in capsys.readouterr().out


def test_an_unknown_page_is_styled_for_everybody(site):
    answer = site.visitor().get("/nothing/here")
    assert answer.status_code == 404
    assert "stylesheet" in answer.text
