"""`attendance web work` as a program: it sends, idles where mail is off, and ends when it is told to."""

import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from attendance.database.models import QueuedMail, QueueState
from tests.webapp.mail.conftest import ADDRESS
from tests.webapp.mail.mailbox import HANG
from tests.webapp.running import environ_for
from tests.webapp.visiting import make_settings


def environ(settings):
    mail = settings.mail
    given = {"HOST": mail.host, "PORT": mail.port, "SENDER": mail.sender, "TIMEOUT_S": mail.timeout_s}
    more = {f"ATTENDANCE_MAIL_{name}": str(value) for name, value in given.items()} if mail.on else {}
    more |= {"ATTENDANCE_MAIL_SECURITY": "none", "ATTENDANCE_WEB_ADDRESS": settings.web.address}
    return {"PATH": "/usr/bin:/bin", **environ_for(settings, **more)}


@contextmanager
def working(settings, *options):
    words = [sys.executable, "-m", "operations.cli", "web", "work", *options]
    with subprocess.Popen(
        words, env=environ(settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(what, process):
    deadline = time.monotonic() + 60
    while not what():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_it_sends_what_comes_and_ends_when_told_to(make_site, mailbox, put):
    site = make_site(port=mailbox.port)
    with working(site.settings) as process:
        assert process.stdout.readline() == f"Mail is sent through 127.0.0.1:{mailbox.port}.\n"
        with site.sessions() as db:
            for _ in range(2):
                put(db)
                wait_for(
                    lambda: not db.rollback() and len(mailbox.messages) == len(db.query(QueuedMail).all()), process
                )
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert time.monotonic() - began < 5
    with site.sessions() as db:
        assert [mail.state for mail in db.query(QueuedMail)] == [QueueState.SENT] * 2, "what it sent it wrote down"


def test_told_to_end_while_the_server_hangs_it_loses_nothing(make_site, mailbox, put):
    site = make_site(port=mailbox.port, timeout_s=2)
    mailbox.rcpt = [HANG]
    with site.sessions() as db:
        put(db)
    with working(site.settings) as process:
        wait_for(lambda: not mailbox.rcpt, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    with site.sessions() as db:
        (mail,) = db.query(QueuedMail)
        assert (mail.state, mail.attempts) == (QueueState.WAITING, 1)
        assert "did not answer within 2 seconds" in mail.last_error


@pytest.mark.parametrize(("answers", "status"), [([], 0), (["550 nobody"], 1)])
def test_once_says_by_its_status_whether_all_went(make_site, mailbox, put, answers, status):
    site = make_site(port=mailbox.port)
    mailbox.rcpt = answers
    with site.sessions() as db:
        put(db)
    with working(site.settings, "--once") as process:
        said, complained = process.communicate(timeout=60)
    assert (process.returncode, f"{1 - status} sent" in said) == (status, True)
    assert ("not all mail was sent" in complained) == bool(status)


def test_with_mail_off_it_idles(tmp_path, migrated_file):
    settings = make_settings(tmp_path / "off", migrated_file, web={"address": ADDRESS})
    with working(settings) as process:
        assert "no mail is sent" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
