"""Forgot your password: the answer is the same for everybody, and the link works once."""

import re
import threading

import pytest
import sqlalchemy as sa

from attendance.database.models import PasswordLink, QueuedMail, QueueState
from tests.factories import PASSWORD, make_lecturer
from tests.webapp.visiting import WITH_MAIL, make_settings
from webapp.account.throttle import PAIR_LIMIT

BASE = WITH_MAIL["web"]["address"]


@pytest.fixture
def site_settings(tmp_path, migrated_file):
    return make_settings(tmp_path / "site", migrated_file, **WITH_MAIL)


@pytest.fixture
def ada(site_db):
    made = make_lecturer(site_db, email="ada@example.edu")
    site_db.commit()
    return made


def ask(visitor, email, **more):
    return visitor.post("/forgotten", {"email": email}, **more)


def mails(db):
    db.rollback()
    return db.scalars(sa.select(QueuedMail).order_by(QueuedMail.id)).all()


def test_the_sign_in_page_leads_there(site, ada):
    assert "Forgot your password?" in site.visitor().text("/signin")
    assert "Send me a link" in site.visitor().text("/forgotten")


def test_the_answer_and_the_work_are_the_same_whether_it_is_known_or_not(site, site_db, ada):
    answers, work = [], []
    for email in ("ada@example.edu", "eve@example.edu"):
        visitor = site.visitor()
        token = visitor.token()
        site.statements.clear()
        answer = visitor.client.post("/forgotten", data={"csrf_token": token, "email": email})
        work.append(list(site.statements))
        page = re.sub(r'name="csrf_token" value="[^"]+"', "", answer.text).replace(email, "ADDRESS")
        answers.append((answer.status_code, page))
    assert answers[0] == answers[1]
    assert work[0] == work[1]
    assert "is on its way there" in answers[0][1]
    assert site_db.scalar(sa.select(PasswordLink.id)) is None, "made when the mail is sent"
    assert [mail.recipient for mail in mails(site_db)] == ["ada@example.edu", "eve@example.edu"]


def test_typed_as_people_type(site, site_db, ada):
    assert ask(site.visitor(), " Ada@Example.EDU ").status_code == 200
    assert mails(site_db)[0].recipient == "ada@example.edu"
    for wrong in ("", "ada", "a@b.org, c@d.org", "a@b.org\r\nBcc: c@d.org"):
        assert ask(site.visitor(), wrong).status_code == 422
    assert len(mails(site_db)) == 1


def test_throttled_as_signing_in_is_and_apart_from_it(site, site_db, ada):
    visitor = site.visitor()
    for _ in range(PAIR_LIMIT):
        assert ask(visitor, "ada@example.edu").status_code == 200
    refused = ask(visitor, "ada@example.edu")
    assert (refused.status_code, "Too many" in refused.text) == (429, True)
    assert int(refused.headers["Retry-After"]) > 0
    assert len(mails(site_db)) == PAIR_LIMIT
    signed = visitor.post("/signin", {"email": "ada@example.edu", "password": PASSWORD})
    assert signed.status_code == 302, "whoever asks for links keeps nobody out"


def test_it_wants_the_forms_token(site, ada, site_db):
    assert site.visitor().client.post("/forgotten", data={"email": "ada@example.edu"}).status_code == 400
    assert mails(site_db) == []


@pytest.mark.real
def test_the_mailed_link_sets_a_password_once(site, site_db, ada, tmp_path):
    from tests.webapp.mail.mailbox import Mailbox, running  # noqa: PLC0415 - beside its use
    from webapp.mail.worker import MailWorker  # noqa: PLC0415
    from webapp.work.loop import run_once  # noqa: PLC0415

    for email in ("eve@example.edu", "ada@example.edu"):
        # Who asks decides under which name; that must not decide where the link leads.
        client, elsewhere = site.app.test_client(), "http://evil.example"
        form = client.get("/forgotten", base_url=elsewhere).text
        csrf = re.findall(r'name="csrf_token" value="([^"]+)"', form)[-1]
        asked = client.post("/forgotten", data={"csrf_token": csrf, "email": email}, base_url=elsewhere)
        assert asked.status_code == 200
    with running(Mailbox()) as mailbox:
        mail = site.settings.mail.model_copy(update={"port": mailbox.port})
        settings = site.settings.model_copy(update={"mail": mail})
        worker = MailWorker(site.app, settings)
        run_once(worker, threading.Event())
        assert dict(worker.outcomes) == {"sent": 1, "dropped": 1}
    (message,) = mailbox.messages
    assert message["To"] == "ada@example.edu"
    (token,) = set(re.findall(rf"{BASE}/password\?link=(pw_[\w-]+)", message.get_body(("plain",)).get_content()))
    assert "evil" not in message.as_string()
    assert mails(site_db)[0].state is QueueState.DROPPED
    assert not any(token in str(vars(mail)) for mail in mails(site_db))
    new = "four words make one"
    fields = {"link": token, "new_password": new, "repeat": new}
    assert site.visitor().post("/password", fields).status_code == 302
    again = site.visitor().post("/password", fields)
    assert (again.status_code, "Get a new one by mail" in again.text) == (404, True)
    assert site.visitor().post("/signin", {"email": "ada@example.edu", "password": new}).status_code == 302
