"""The pages of the sign-in at the provider: whole, in plain words, and in every language."""

import itertools

import pytest

from tests.factories import make_lecturer
from tests.webapp.account.oidc.coming import come_in
from tests.webapp.reading import untranslated
from webapp.account.oidc.problems import PROBLEMS, problem_page
from webapp.account.oidc.trouble import Reason
from webapp.tools.languages import LANGUAGES
from webapp.tools.pseudo import LANGUAGES as PSEUDO

DATA = {"Test University", "Example University", "ada@example.edu", *LANGUAGES.values()}


@pytest.fixture
def sections():
    return {"web": {"pseudo_languages": True}}


@pytest.fixture
def site_settings(site_settings):
    """Of an institution that speaks a made-up language."""
    institution = site_settings.institution.model_copy(update={"language": next(iter(PSEUDO))})
    return site_settings.model_copy(update={"institution": institution})


def test_every_reason_has_its_words():
    assert set(PROBLEMS) == set(Reason)


def test_no_page_has_a_text_that_cannot_be_translated(site, site_db, provider):
    for reason, as_student in itertools.product(Reason, (False, True)):
        with site.app.test_request_context("/signin/provider/callback"):
            answer = problem_page(reason, as_student=as_student, address="ada@example.edu")
        text = answer.get_data(as_text=True)
        assert answer.status_code >= 400, reason
        assert untranslated(text, DATA) == [], reason
        assert "%(" not in text, reason
    for path in ("/signin", "/signin?password=1", "/me/signin"):
        assert untranslated(site.visitor().get(path).text, DATA) == [], path
    make_lecturer(site_db, email="ada@example.edu")
    site_db.commit()
    visitor = site.visitor()
    come_in(visitor, provider)
    assert untranslated(visitor.post("/signout").text, DATA) == []
