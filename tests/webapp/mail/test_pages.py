"""The administrator's pages of mail, invitations from the pages of lecturers, and courses' thresholds."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.models import Course, PasswordLink, QueuedMail, QueueState, Role, utc_now
from tests.factories import make_course, make_lecturer
from tests.webapp.visiting import make_settings
from webapp.app import create_app
from webapp.mail.kinds import KINDS


@pytest.fixture
def admin(site, site_db):
    lecturer = make_lecturer(site_db, role=Role.ADMIN, name="Grace Hopper", email="grace@example.edu")
    site_db.commit()
    return site.visitor(lecturer)


def mails(db):
    db.rollback()
    return db.scalars(sa.select(QueuedMail).order_by(QueuedMail.id)).all()


def add(db, **values):
    given = {"kind": "test", "recipient": "ada@example.edu", "data": {}, "attempts": 1, **values}
    db.add(QueuedMail(**given))
    db.commit()


def test_the_queue_says_what_waits_failed_and_was_sent(admin, site_db):
    now = utc_now()
    assert "Sent through 127.0.0.1:9 as attendance@example.edu." in admin.text("/admin/mail")
    add(site_db, state=QueueState.FAILED, ended_at=now, last_error="The mail server said: 550 No such mailbox")
    later = now + timedelta(minutes=5)
    add(site_db, not_before=later, attempts=3, recipient="bob@example.edu", last_error="Greylisted.")
    add(site_db, state=QueueState.SENT, ended_at=now, recipient="sent@example.edu")
    add(site_db, state=QueueState.SENT, ended_at=now - timedelta(days=8), recipient="old@example.edu")
    add(site_db, state=QueueState.DROPPED, ended_at=now, last_error="The cameras are back.", kind="cameras_away")
    text = admin.text("/admin/mail")
    assert "1 waiting 1 failed 1 sent in seven days 1 no longer needed" in text
    assert re.search("ada@example.edu Test .* The mail server said: 550 No such mailbox Try again", text)
    assert re.search("bob@example.edu Test .* Greylisted. tried 3 times", text)
    assert re.search("sent@example.edu Test .* Sent", text)
    assert re.search("ada@example.edu Cameras away .* The cameras are back.", text)
    assert "old@example.edu" not in text
    assert "nobody sends it" not in text


def test_mail_that_nobody_sends_is_told_of(admin, site_db):
    add(site_db, not_before=utc_now() - timedelta(minutes=20), attempts=0)
    assert "nobody sends it. Start “attendance web work” on the server." in admin.text("/admin/mail")


def test_one_that_failed_is_tried_again(admin, site_db):
    add(site_db, state=QueueState.FAILED, ended_at=utc_now(), last_error="550", first_tried_at=utc_now())
    (mail,) = mails(site_db)
    for _ in range(2):
        assert admin.post(f"/admin/mail/{mail.id}/again").status_code == 302
    (mail,) = mails(site_db)
    assert (mail.state, mail.first_tried_at) == (QueueState.WAITING, None)
    assert admin.post("/admin/mail/999/again").status_code == 404


def test_a_test_mail_goes_to_whoever_asks(admin, site_db):
    assert admin.post("/admin/mail/test").status_code == 302
    assert [(mail.kind, mail.recipient) for mail in mails(site_db)] == [("test", "grace@example.edu")]
    assert "A test mail to grace@example.edu waits to be sent." in admin.text("/admin/mail")


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_kind_is_shown_in_both_forms(admin, name):
    page = admin.get(f"/admin/mail/kinds/{name}?language=en")
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    (source,) = re.findall(r'<iframe[^>]* src="([^"]+)"[^>]* sandbox=""', page.text)
    letter = admin.get(source.replace("&amp;", "&"))
    policy = letter.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "sandbox" in policy
    assert letter.headers["X-Frame-Options"] == "SAMEORIGIN"
    subject = re.search("<h1[^>]*>([^<]+)</h1>", letter.text)
    assert subject
    assert subject[1] in page.text
    assert admin.get("/admin/mail/kinds/nothing").status_code == 404


def test_without_mail_the_pages_say_so_and_nothing_is_offered(tmp_path, migrated_file, site_db):
    settings = make_settings(tmp_path / "off", migrated_file)
    app = create_app(settings)
    from tests.webapp.visiting import Site  # noqa: PLC0415 - beside its use
    from webapp.tools.storage import sessions_of  # noqa: PLC0415

    off = Site(settings, app, sessions_of(app))
    with off.sessions() as db:
        lecturer, ada = make_lecturer(db, role=Role.ADMIN), make_lecturer(db)
        db.commit()
    admin = off.visitor(lecturer)
    assert "Off: no mail server is set." in admin.text("/admin/mail")
    assert "Send a test mail" not in admin.text("/admin/mail")
    assert admin.post("/admin/mail/test").status_code == 404
    assert admin.get("/admin/mail/kinds/invitation").status_code == 200
    assert "Send by mail" not in admin.text(f"/admin/accounts/{ada.id}/link")
    assert "/password?link=" in admin.post(f"/admin/accounts/{ada.id}/link", {"as": "mail"}).text
    assert "Forgot your password?" not in off.visitor().text("/signin")
    assert off.visitor().get("/forgotten").status_code == 404
    app.extensions["attendance_sessions"].kw["bind"].dispose()


def test_invitations_are_queued_and_no_link_is_made_before(admin, site_db):
    for name in ("Ada", "Bob"):
        make_lecturer(site_db, name=name, email=f"{name.lower()}@example.edu").password_hash = NO_PASSWORD
    site_db.commit()
    question = admin.text("/admin/accounts/links")
    assert "Sent by mail, each link is seen by its owner only." in question
    answer = admin.post("/admin/accounts/links", {"as": "mail"})
    assert answer.location == "/admin/accounts"
    assert "Links are on their way to 2 lecturers." in admin.text("/admin/accounts")
    queued = mails(site_db)
    assert [(mail.kind, mail.recipient) for mail in queued] == [
        ("invitation", "ada@example.edu"),
        ("invitation", "bob@example.edu"),
    ]
    assert all(set(mail.data) == {"account"} for mail in queued)
    assert site_db.scalar(sa.select(PasswordLink.id)) is None


def test_one_invitation_from_the_lecturers_page(admin, site_db):
    ada = make_lecturer(site_db, email="ada@example.edu")
    site_db.commit()
    answer = admin.post(f"/admin/accounts/{ada.id}/link", {"as": "mail"})
    assert answer.location == f"/admin/accounts/{ada.id}"
    assert "A link is on its way to ada@example.edu." in admin.text(answer.location)
    assert [mail.data for mail in mails(site_db)] == [{"account": ada.id}]


def test_mail_to_a_deleted_account_goes_with_it(admin, site_db):
    ada = make_lecturer(site_db, email="ada@example.edu")
    add(site_db, state=QueueState.SENT, ended_at=utc_now())
    add(site_db, recipient="bob@example.edu")
    assert admin.post(f"/admin/accounts/{ada.id}/delete").status_code == 302
    assert [mail.recipient for mail in mails(site_db)] == ["bob@example.edu"]


def test_a_course_has_a_threshold_of_its_own(admin, site_db):
    course = make_course(site_db, "CS101")
    site_db.commit()
    address = f"/admin/courses/{course.id}/edit"
    fields = {"code": "CS101", "name": "Computing"}
    for typed, kept in (("80", 80), ("", None)):
        assert admin.post(address, fields | {"attendance_threshold": typed}).status_code == 302
        site_db.rollback()
        assert site_db.get_one(Course, course.id, populate_existing=True).attendance_threshold == kept
        (field,) = re.findall(r'<input[^>]+name="attendance_threshold"[^>]*>', admin.get(address).text)
        assert f'value="{typed}"' in field
    for wrong in ("0", "101", "75,5", "many"):
        answer = admin.post(address, fields | {"attendance_threshold": wrong})
        assert (answer.status_code, "Attendance asked for, in percent:" in answer.text) == (422, True)
