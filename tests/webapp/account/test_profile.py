"""The lecturer's own profile."""

import io

import pytest
import sqlalchemy as sa
from PIL import Image

from attendance.database.engine import begin_writing
from attendance.database.models import Account, SecondFactor
from tests.factories import PASSWORD, make_lecturer
from webapp.account.throttle import PAIR_LIMIT
from webapp.tools.storage import begin_change

NEW = "a quite different phrase"


@pytest.fixture
def lecturer(site_db):
    made = make_lecturer(site_db, email="ada@example.edu", name="Ada Byron")
    site_db.commit()
    return made


@pytest.fixture
def visitor(site, lecturer):
    return site.visitor(lecturer)


def stored(site, lecturer):
    with site.sessions() as db:
        return db.get(Account, lecturer.id)


def picture(kind="JPEG", size=(300, 300), colour="red"):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return {"picture": (io.BytesIO(buffer.getvalue()), "me.jpg")}


def test_name_and_address_are_kept_as_they_should_be(site, visitor, lecturer):
    answer = visitor.post(
        "/profile", {"name": "  Ada   King ", "email": " Ada.King@Example.EDU ", "your_password": PASSWORD}
    )
    assert "Your profile is saved." in visitor.text(answer.location)
    kept = stored(site, lecturer)
    assert (kept.name, kept.email) == ("Ada King", "ada.king@example.edu")


@pytest.mark.parametrize(
    ("name", "email", "message"),
    [
        ("", "ada@example.edu", "Type your name."),
        ("   ", "ada@example.edu", "Type your name."),
        ("x" * 121, "ada@example.edu", "At most 120 characters."),
        ("Ada\x07", "ada@example.edu", "characters that cannot be shown"),
        ("Ada", "", "Type your e-mail address."),
        ("Ada", "ada", "This is no e-mail address"),
        ("Ada", "ada@", "This is no e-mail address"),
        ("Ada", "a@b.c\nBcc: x@y.z", "This is no e-mail address"),
    ],
)
def test_what_makes_no_sense_is_named_and_nothing_is_kept(site, visitor, lecturer, name, email, message):  # noqa: PLR0917
    answer = visitor.post("/profile", {"name": name, "email": email})
    assert answer.status_code == 422
    assert message in answer.text
    assert stored(site, lecturer).name == "Ada Byron"


def test_an_address_belongs_to_one_person(site, site_db, visitor, lecturer):
    make_lecturer(site_db, email="kurt@example.edu")
    site_db.commit()
    answer = visitor.post("/profile", {"name": "Ada", "email": "Kurt@example.edu", "your_password": PASSWORD})
    assert answer.status_code == 422
    assert "Somebody else signs in with this e-mail address." in answer.text
    assert stored(site, lecturer).email == "ada@example.edu"


@pytest.mark.parametrize(
    ("password", "message"),
    [
        (None, "Type your password to change the e-mail address."),
        ("", "Type your password to change the e-mail address."),
        ("wrong password", "This is not your current password."),
    ],
)
def test_another_address_asks_for_the_password(site, visitor, lecturer, password, message):
    form = {"name": "Ada King", "email": "thief@example.edu"} | (
        {} if password is None else {"your_password": password}
    )
    answer = visitor.post("/profile", form)
    assert answer.status_code == 422
    assert message in answer.text
    kept = stored(site, lecturer)
    assert (kept.name, kept.email) == ("Ada Byron", "ada@example.edu"), "nothing of the form is kept"


def test_the_name_alone_asks_for_no_password(site, visitor, lecturer):
    assert visitor.post("/profile", {"name": "Ada King", "email": " ADA@example.edu"}).status_code == 302
    assert stored(site, lecturer).name == "Ada King"


def test_whose_address_is_taken_is_told_to_the_owner_of_the_account_only(site_db, visitor):
    make_lecturer(site_db, email="kurt@example.edu")
    site_db.commit()
    answer = visitor.post("/profile", {"name": "Ada", "email": "kurt@example.edu"})
    assert "Somebody else signs in" not in answer.text


def test_guessing_the_password_by_way_of_the_address_is_slowed_down_too(site, visitor, lecturer):
    form = {"name": "Ada", "email": "thief@example.edu", "your_password": "wrong"}
    for _ in range(PAIR_LIMIT):
        assert visitor.post("/profile", form).status_code == 422
    for password in ("wrong", PASSWORD):
        answer = visitor.post("/profile", form | {"your_password": password})
        assert answer.status_code == 429
        assert "Too many failed attempts." in answer.text
    assert change(visitor).status_code == 429, "one count for everything that asks for the password"
    assert stored(site, lecturer).email == "ada@example.edu"


def test_markup_in_a_name_is_text(visitor):
    visitor.post("/profile", {"name": "<script>alert(1)</script>", "email": "ada@example.edu"})
    assert "<script>alert" not in visitor.get("/profile").text
    assert "&lt;script&gt;alert" in visitor.get("/profile").text


def test_a_picture_is_kept_and_served_under_its_digest(site, visitor, lecturer):
    assert visitor.post("/profile/picture", picture()).status_code == 302
    kept = stored(site, lecturer)
    address = f"/profile/pictures/{kept.picture_digest}"
    assert address in visitor.get("/").text
    answer = visitor.get(address)
    assert answer.mimetype == "image/jpeg"
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert Image.open(io.BytesIO(answer.data)).size == (256, 256)
    assert site.visitor().get(address).status_code == 302


def test_a_picture_is_replaced_and_removed(site, visitor, lecturer):
    visitor.post("/profile/picture", picture())
    first = stored(site, lecturer).picture_digest
    visitor.post("/profile/picture", picture(colour="blue"))
    assert visitor.get(f"/profile/pictures/{first}").status_code == 404
    visitor.post("/profile/picture/remove")
    assert stored(site, lecturer).picture_digest is None
    assert "/profile/pictures/" not in visitor.get("/").text


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (lambda: {}, "Choose a picture first."),
        (lambda: {"picture": (io.BytesIO(b""), "")}, "Choose a picture first."),
        (lambda: {"picture": (io.BytesIO(b"GIF89a"), "me.gif")}, "WebP, AVIF nor HEIC"),
        (lambda: picture("GIF"), "WebP, AVIF nor HEIC"),
        (
            lambda: {"picture": (io.BytesIO(b"\xff\xd8\xff" + bytes(99)), "me.jpg")},
            "WebP, AVIF nor HEIC",
        ),
    ],
)
def test_no_picture_is_refused_with_a_sentence(site, visitor, lecturer, form, message):
    answer = visitor.post("/profile/picture", form())
    assert answer.status_code == 422
    assert message in answer.text
    assert stored(site, lecturer).picture_digest is None


def change(visitor, current=PASSWORD, new=NEW, repeat=NEW):
    return visitor.post("/profile/password", {"current_password": current, "new_password": new, "repeat": repeat})


def test_a_new_password_ends_every_other_sign_in(site, visitor, lecturer):
    elsewhere = site.visitor(lecturer)
    assert elsewhere.get("/").status_code == 200
    answer = change(visitor)
    assert "Other devices have been signed out." in visitor.text(answer.location)
    assert elsewhere.get("/").status_code == 302
    assert site.visitor().post("/signin", {"email": lecturer.email, "password": PASSWORD}).status_code == 422
    assert site.visitor().post("/signin", {"email": lecturer.email, "password": NEW}).status_code == 302


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"current": ""}, "Type your current password."),
        ({"current": "wrong password"}, "This is not your current password."),
        ({"new": "", "repeat": ""}, "Type a new password."),
        ({"new": "short", "repeat": "short"}, "A password has at least 10 characters."),
        ({"repeat": "something else"}, "The two new passwords are not the same."),
        ({"new": PASSWORD, "repeat": PASSWORD}, "This is your current password. Choose another one."),
    ],
)
def test_a_password_change_that_cannot_be_is_named(site, visitor, lecturer, form, message):
    answer = change(visitor, **form)
    assert answer.status_code == 422
    assert message in answer.text
    assert NEW not in answer.text
    assert stored(site, lecturer).password_hash == lecturer.password_hash
    assert visitor.get("/profile").status_code == 200, "still signed in"


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("/profile", {"name": "Ada", "email": "mallory@example.edu", "your_password": PASSWORD}),
        ("/profile/password", {"current_password": PASSWORD, "new_password": NEW, "repeat": NEW}),
        ("/profile/second-step", {"your_password": PASSWORD}),
    ],
)
def test_what_was_on_its_way_when_the_owner_took_the_account_back_changes_nothing(  # noqa: PLR0917
    site, visitor, lecturer, address, form, monkeypatch
):
    """Somebody else knows the password; the owner gets a new one between its check and the writing."""

    def begin_late():
        with site.sessions.begin() as db:
            begin_writing(db)
            db.get_one(Account, lecturer.id).password_hash = "the owner's new one"
        return begin_change()

    token = visitor.token()
    monkeypatch.setattr("webapp.account.identity.begin_change", begin_late)
    assert visitor.client.post(address, data={"csrf_token": token, **form}).status_code == 401
    with site.sessions() as db:
        kept = db.get_one(Account, lecturer.id)
        assert (kept.password_hash, kept.email) == ("the owner's new one", "ada@example.edu")
        assert db.scalars(sa.select(SecondFactor)).all() == []


def test_guessing_the_current_password_is_slowed_down_too(visitor):
    for _ in range(PAIR_LIMIT):
        assert change(visitor, current="wrong").status_code == 422
    answer = change(visitor)
    assert answer.status_code == 429
    assert "Too many failed attempts." in answer.text
