"""Where one is signed in, on the profile."""

import re

import pytest
import sqlalchemy as sa

from attendance.database.models import SignIn
from tests.factories import PASSWORD, make_lecturer
from webapp.account.browsers import browser_name

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
    "Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 "
    "Edg/140.0.0.0"
)
ANDROID = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
)


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox, Linux"),
        (IPHONE, "Safari, iPhone"),
        (EDGE, "Edge, Windows"),
        (ANDROID, "Chrome, Android"),
        (ANDROID.replace("Chrome", "HeadlessChrome"), "Chrome, Android"),
        ("curl/8.0", ""),
        ("", ""),
        ("<script>Firefox/1</script>" + "x" * 9_000, "Firefox"),
    ],
)
def test_browsers_are_known_by_a_few_words(agent, name):
    assert browser_name(agent) == name


@pytest.fixture
def lecturer(site_db):
    made = make_lecturer(site_db, email="ada@example.edu")
    site_db.commit()
    return made


def enter(site, agent, address):
    visitor = site.visitor()
    form = {"email": "ada@example.edu", "password": PASSWORD}
    where = {"headers": {"User-Agent": agent}, "environ_base": {"REMOTE_ADDR": address}}
    assert visitor.post("/signin", form, **where).status_code == 302
    return visitor


@pytest.fixture
def both(site, lecturer):
    return enter(site, FIREFOX, "192.0.2.7"), enter(site, IPHONE, "2001:db8:1:2:3::4")


def test_the_profile_shows_each_with_this_one_first(both):
    office, _phone = both
    text = office.text("/profile")
    here, there = text.index("Firefox, Linux This browser"), text.index("Safari, iPhone")
    assert here < there
    assert "from 192.0.2.7" in text[here:there]
    assert "from 2001:db8:1:2::/64" in text[there:]
    assert text.count("This browser") == 1


def test_each_can_be_ended_and_all_at_once(site, both):
    office, phone = both
    other = re.findall(r"/profile/sign-ins/(\d+)/end", office.get("/profile").text)[1]
    answer = office.post(f"/profile/sign-ins/{other}/end")
    assert "You are signed out there." in office.text(answer.location)
    assert phone.get("/").status_code == 302
    assert office.post(f"/profile/sign-ins/{other}/end").status_code == 404  # as of another's
    phone = enter(site, IPHONE, "192.0.2.9")
    answer = office.post("/profile/sign-ins/end")
    assert "You are signed out everywhere." in office.text(answer.location)
    assert [visitor.get("/").status_code for visitor in (office, phone)] == [302, 302]


def test_ones_own_is_signing_out(both):
    office, phone = both
    mine = re.findall(r"/profile/sign-ins/(\d+)/end", office.get("/profile").text)[0]
    answer = office.post(f"/profile/sign-ins/{mine}/end")
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert office.get("/").status_code == 302
    assert phone.get("/").status_code == 200


def test_nobody_sees_or_ends_anothers(site, site_db, both):
    office, _phone = both
    kurt = make_lecturer(site_db)
    site_db.commit()
    stranger = site.visitor(kurt)
    assert "192.0.2.7" not in stranger.text("/profile")
    for number in site_db.scalars(sa.select(SignIn.id)).all():
        if f"/sign-ins/{number}/end" not in stranger.get("/profile").text:
            stranger.post(f"/profile/sign-ins/{number}/end")
    assert office.get("/").status_code == 200


def test_old_ones_go_when_there_are_many(site, site_db, lecturer):
    visitors = [site.visitor(lecturer) for _ in range(52)]
    assert [visitor.get("/profile").status_code for visitor in (*visitors[:3], visitors[-1])] == [302, 302, 200, 200]
    assert site_db.scalar(sa.select(sa.func.count()).select_from(SignIn)) == 50
