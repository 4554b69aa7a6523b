"""The language and the colours that a person chose."""

import pytest

from attendance.settings.load import SettingsError
from tests.factories import make_lecturer
from tests.webapp.visiting import Visitor
from webapp.app import create_app


@pytest.fixture
def ada(site_db):
    lecturer = make_lecturer(site_db)
    site_db.commit()
    return lecturer


def language_of(visitor, path="/signin", **headers):
    text = visitor.get(path, headers=headers).text
    return text.partition('<html lang="')[2].partition('"')[0]


@pytest.mark.parametrize(
    ("wishes", "language"),
    [("fr", "fr"), ("fr-CH, en;q=0.8", "fr"), ("de, en;q=0.5", "en"), ("de", "en"), ("", "en"), ("fr;q=0, en", "en")],
)
def test_the_browser_says_the_language_of_who_is_not_known(site, wishes, language):
    assert language_of(site.visitor(), **{"Accept-Language": wishes}) == language


def test_what_was_chosen_counts_before_the_browser_and_comes_back_to_the_page(site):
    visitor = site.visitor()
    answer = visitor.post("/language", {"language": "fr", "next": "/signin?next=/records"})
    assert (answer.status_code, answer.location) == (302, "/signin?next=/records")
    assert language_of(visitor, **{"Accept-Language": "en"}) == "fr"
    cookie = visitor.client.get_cookie("attendance_language")
    assert (cookie.value, cookie.http_only, cookie.same_site) == ("fr", True, "Lax")


def test_the_account_keeps_it_for_other_browsers_and_for_mail(site, site_db, ada):
    site.visitor(ada).post("/language", {"language": "fr", "next": "/profile"})
    site_db.refresh(ada)
    assert ada.language == "fr"
    assert language_of(site.visitor(ada), "/profile", **{"Accept-Language": "en"}) == "fr"
    other = site.visitor(ada)
    other.client.set_cookie("attendance_language", "en")
    assert language_of(other, "/profile") == "fr"


@pytest.mark.parametrize("path", ["/language", "/theme"])
def test_only_what_is_offered_can_be_chosen_and_nobody_is_sent_elsewhere(site, path):
    visitor, name = site.visitor(), path.strip("/")
    for value in ("tlh", "he", "", "../fr", "en\r\nx: y"):
        assert visitor.post(path, {name: value}).status_code == 400
    right = {"language": "fr", "theme": "dark"}[name]
    assert visitor.post(path, {name: right, "next": "https://elsewhere.example/"}).location == "/"
    assert visitor.client.post(path, data={name: right}).status_code == 400, "without its token"


def test_the_colours_are_the_systems_until_others_are_chosen(site):
    visitor = site.visitor()
    assert 'data-theme="system"' in visitor.get("/signin").text
    visitor.post("/theme", {"theme": "dark", "next": "/signin"})
    text = visitor.get("/signin").text
    assert 'data-theme="dark"' in text
    assert '<meta name="color-scheme" content="dark">' in text
    visitor.client.set_cookie("attendance_theme", '"><script>')
    assert 'data-theme="system"' in visitor.get("/signin").text


def test_the_institutions_language_is_that_of_who_says_nothing(site_settings):

    institution = site_settings.institution.model_copy(update={"language": "fr"})
    app = create_app(site_settings.model_copy(update={"institution": institution}))
    assert language_of(Visitor(app), **{"Accept-Language": "de"}) == "fr"
    assert language_of(Visitor(app), **{"Accept-Language": "en"}) == "en"


def test_a_language_that_there_is_not_is_refused_at_the_start(site_settings):

    institution = site_settings.institution.model_copy(update={"language": "tlh"})
    with pytest.raises(SettingsError, match=r"institution\.language: 'tlh' is none of en, fr"):
        create_app(site_settings.model_copy(update={"institution": institution}))


def test_nobody_who_is_signed_out_is_sent_back_by_a_choice(site, ada):
    visitor = site.visitor(ada)
    assert 'name="language"' in visitor.get("/profile").text
    assert 'name="theme"' in visitor.get("/profile").text
