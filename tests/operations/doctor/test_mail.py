"""What the doctor says of mail: off, well, and each thing that is wrong."""

from datetime import UTC, datetime, timedelta

import pytest

from attendance.database.models import QueuedMail, QueueState
from operations.doctor.findings import Verdict
from operations.doctor.mail import examine_mail
from tests.webapp.mail.mailbox import Mailbox, let_in, running
from tests.webapp.visiting import WITH_MAIL, make_settings
from webapp.app import create_app
from webapp.tools.storage import sessions_of

pytestmark = pytest.mark.real


@pytest.fixture
def settings_of(tmp_path, migrated_file):
    def make(**mail):
        given = WITH_MAIL | {"mail": WITH_MAIL["mail"] | mail}
        return make_settings(tmp_path / "data", migrated_file, **given)

    return make


def told(settings):
    return [(finding.verdict, finding.text) for finding in examine_mail(settings)]


def test_off_is_well(tmp_path, migrated_file):
    off = make_settings(tmp_path / "off", migrated_file)
    assert told(off) == [(Verdict.OK, "off: no mail server is set")]


def test_a_server_that_can_be_used_gets_no_mail(settings_of):
    with running(Mailbox()) as mailbox:
        says = f"127.0.0.1:{mailbox.port} can be used (none)"
        assert told(settings_of(port=mailbox.port)) == [(Verdict.OK, says)]
        assert mailbox.messages == []


def test_nobody_there_and_a_wrong_password(settings_of):
    settings = settings_of(port=9, user="post", password="hunter2hunter2")
    ((verdict, text),) = told(settings)
    assert (verdict, text) == (Verdict.PROBLEM, "The mail server 127.0.0.1:9 cannot be used: Connection refused")
    with running(Mailbox(), authenticator=let_in, auth_require_tls=False) as mailbox:
        wrong = settings.model_copy(update={"mail": settings.mail.model_copy(update={"port": mailbox.port})})
        ((verdict, text),) = told(wrong)
        assert (verdict, "it does not let post in (535" in text) == (Verdict.PROBLEM, True)
        assert "hunter2" not in text
        bare = wrong.model_copy(update={"mail": wrong.mail.model_copy(update={"password": None})})
        verdicts = [verdict for verdict, _ in told(bare)]
        assert verdicts == [Verdict.WARNING, Verdict.OK]


def test_mail_that_nobody_sends_and_mail_that_failed(settings_of):
    with running(Mailbox()) as mailbox:
        settings = settings_of(port=mailbox.port)
        sessions = sessions_of(create_app(settings))
        with sessions.begin() as db:
            early = datetime.now(UTC) - timedelta(hours=1)
            given = {"kind": "test", "recipient": "ada@example.edu", "data": {}}
            db.add(QueuedMail(**given, not_before=early))
            db.add(QueuedMail(**given, state=QueueState.FAILED))
        sessions.kw["bind"].dispose()
        _, late, failed = told(settings)
    assert late == (Verdict.WARNING, "1 mail not sent for 15 minutes")
    assert failed == (Verdict.WARNING, "1 mail failed")
