"""Mail through a real mail server, which also fails in every way that mail servers do."""

import socket
import ssl
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import trustme

from attendance.database.models import QueuedMail, QueueState, utc_now
from tests.webapp.mail.mailbox import DROP, HANG, PASSWORD, USER, Mailbox, let_in, running
from webapp.mail.worker import MailWorker
from webapp.work.loop import run_once

pytestmark = pytest.mark.real
QUIET = threading.Event()


def work(site, **more):
    """One worker does what is due; gives how the mails ended."""
    return work_of(MailWorker(site.app, site.settings, **more))


def work_of(worker):
    """It does what is due; gives how the mails ended."""
    run_once(worker, QUIET)
    return dict(worker.outcomes)


def rows(site):
    with site.sessions() as db:
        return db.scalars(sa.select(QueuedMail).order_by(QueuedMail.id)).all()


def make_due(site):
    """Let the pauses pass."""
    with site.sessions.begin() as db:
        db.execute(sa.update(QueuedMail).values(not_before=utc_now()))


@pytest.fixture
def site(make_site, mailbox):
    return make_site(port=mailbox.port)


@pytest.fixture
def mails(site, put):
    """`mails(n)`: queue so many, to ada0@, ada1@ and so on."""

    def queue(count):
        with site.sessions() as db:
            for number in range(count):
                put(db, to=f"ada{number}@example.edu")

    return queue


def recipients(mailbox):
    return [message["To"] for message in mailbox.messages]


def test_many_go_over_one_connection_in_both_forms(site, mailbox, mails):
    mails(5)
    assert work(site) == {"sent": 5}
    assert recipients(mailbox) == [f"ada{number}@example.edu" for number in range(5)]
    assert mailbox.connections == 1
    message = mailbox.messages[0]
    assert message["From"] == "Test University <attendance@example.edu>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "en"
    text, html = (message.get_body((form,)).get_content() for form in ("plain", "html"))
    assert "There is nothing to do." in text
    assert "There is nothing to do.</p>" in html
    assert {row.state for row in rows(site)} == {QueueState.SENT}
    assert work(site) == {}


def test_without_a_mail_server_nothing_is_lost(site, mailbox, mails, make_site):
    mails(2)
    mailbox.mail = ["451 go away"]
    assert work(site) == {"put_off": 1}  # the other one is not even tried
    first, second = rows(site)
    assert (first.state, first.last_error) == (QueueState.WAITING, "The mail server said: 451 go away")
    assert (second.attempts, second.last_error) == (0, None)
    make_due(site)
    assert work(site) == {"sent": 2}


@pytest.mark.parametrize(
    "refused",
    [
        ("rcpt", "550 5.1.1 No such mailbox", "failed"),
        ("data", "554 This is spam", "failed"),
        ("rcpt", "450 Greylisted", "put_off"),
        ("data", "452 Full", "put_off"),
    ],
)
def test_what_one_recipient_is_refused_does_not_keep_the_others(site, mailbox, mails, refused):
    where, answer, outcome = refused
    mails(3)
    setattr(mailbox, where, ["250 OK", answer])
    assert work(site) == {"sent": 2, outcome: 1}
    assert recipients(mailbox) == ["ada0@example.edu", "ada2@example.edu"]
    assert mailbox.connections == 1
    row = rows(site)[1]
    waits = outcome == "put_off"
    assert row.state is (QueueState.WAITING if waits else QueueState.FAILED)
    assert row.last_error == f"The mail server said: {answer}"
    make_due(site)
    assert work(site) == ({"sent": 1} if waits else {})


@pytest.mark.parametrize("answer", ["421 Too many mails", DROP])
def test_a_server_that_takes_one_and_fails_the_next_is_called_again(site, mailbox, mails, answer):
    mails(3)
    mailbox.mail = ["250 OK", answer]
    assert work(site) == {"sent": 3}
    assert recipients(mailbox) == [f"ada{number}@example.edu" for number in range(3)]
    assert mailbox.connections == 2


def test_a_connection_that_ended_in_the_meantime_is_opened_anew(site, mailbox, mails):
    mails(2)
    mailbox.noop = [DROP]
    assert work(site) == {"sent": 2}
    assert mailbox.connections == 2


def test_a_connection_that_breaks_after_the_text_is_tried_again_under_the_same_name(site, mailbox, mails):
    mails(1)
    mailbox.data = [DROP]
    assert work(site) == {"put_off": 1}
    assert rows(site)[0].last_error.startswith("The connection broke before the server said that it took the mail")
    make_due(site)
    assert work(site) == {"sent": 1}
    first, second = mailbox.messages
    assert first["Message-ID"] == second["Message-ID"]


def test_a_server_that_refuses_our_own_address_is_told_of_and_nobodys_mail_fails(site, mailbox, mails):
    mails(2)
    mailbox.mail = ["550 You may not send as attendance@example.edu"]
    assert work(site) == {"put_off": 1}
    assert [row.state for row in rows(site)] == [QueueState.WAITING] * 2


@pytest.mark.parametrize("where", ["mail", "rcpt", "data"])
def test_a_server_that_hangs_counts_as_away(make_site, put, where):
    with running(Mailbox()) as mailbox:
        site = make_site(port=mailbox.port, timeout_s=1)
        with site.sessions() as db:
            put(db)
        setattr(mailbox, where, [HANG])
        began = time.monotonic()
        assert work(site) == {"put_off": 1}
        assert time.monotonic() - began < 5
        assert "did not answer within 1 seconds" in rows(site)[0].last_error
        make_due(site)
        assert work(site) == {"sent": 1}


def test_a_server_that_never_greets_and_none_at_all(make_site, put):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        site = make_site(port=silent.getsockname()[1], timeout_s=1)
        with site.sessions() as db:
            put(db)
        assert work(site) == {"put_off": 1}
        port = site.settings.mail.port
        says = f"The mail server 127.0.0.1:{port} cannot be used: it did not answer within 1 seconds"
        assert rows(site)[0].last_error == says
    make_due(site)
    assert work(site) == {"put_off": 1}
    assert rows(site)[0].last_error == f"The mail server 127.0.0.1:{port} cannot be used: Connection refused"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def contexts(authority, host="127.0.0.1"):
    """The server's context, with a certificate for the host, and one that believes the authority."""
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert(host).configure_cert(server)
    authority.configure_trust(client)
    return server, client


# aiosmtpd counts only STARTTLS as protected.
PROTECTED = {"tls": {"auth_require_tls": False}, "starttls": {"require_starttls": True}}


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_protected_with_a_password(make_site, put, authority, security):
    server, client = contexts(authority)
    kept = PROTECTED[security] | ({"tls": server} if security == "tls" else {"tls_context": server})
    with running(Mailbox(), authenticator=let_in, **kept) as mailbox:
        site = make_site(port=mailbox.port, security=security, user=USER, password=PASSWORD)
        with site.sessions() as db:
            put(db)
        assert work(site, tls=client) == {"sent": 1}
        assert (mailbox.secure, mailbox.signed_in) == ([True], [True])


def test_a_wrong_password_is_told_of_and_not_shown(make_site, put, authority):
    server, client = contexts(authority)
    with running(Mailbox(), authenticator=let_in, tls=server, **PROTECTED["tls"]) as mailbox:
        site = make_site(port=mailbox.port, security="tls", user=USER, password="hunter2hunter2")
        with site.sessions() as db:
            put(db)
        assert work(site, tls=client) == {"put_off": 1}
        (row,) = rows(site)
        assert "it does not let post in (535" in row.last_error
        assert "hunter2" not in row.last_error


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("fault", ["unknown authority", "another host"])
def test_a_server_that_is_not_who_it_should_be_gets_nothing(make_site, put, authority, security, fault):
    server, client = contexts(authority, "127.0.0.1" if fault == "unknown authority" else "mail.example.edu")
    trusted = None if fault == "unknown authority" else client
    kept = {"tls": server} if security == "tls" else {"tls_context": server}
    with running(Mailbox(), **kept) as mailbox:
        site = make_site(port=mailbox.port, security=security)
        with site.sessions() as db:
            put(db)
        assert work(site, tls=trusted) == {"put_off": 1}
        assert "its certificate is not good" in rows(site)[0].last_error
        assert mailbox.messages == []


def test_a_server_without_starttls_gets_nothing_in_the_clear(make_site, put):
    with running(Mailbox()) as mailbox:
        site = make_site(port=mailbox.port, security="starttls", user=USER, password=PASSWORD)
        with site.sessions() as db:
            put(db)
        assert work(site) == {"put_off": 1}
        assert "STARTTLS" in rows(site)[0].last_error
        assert mailbox.messages == []


def test_several_workers_send_each_mail_once(site, mailbox, mails):
    mails(24)
    ended = []

    def one():
        ended.append(work(site))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each.get("sent", 0) for each in ended) == 24
    assert sorted(recipients(mailbox)) == sorted(f"ada{number}@example.edu" for number in range(24))


def test_names_of_any_script_and_one_that_would_be_a_header(make_site, mailbox, put):
    site = make_site(port=mailbox.port)
    institution = site.settings.institution.model_copy(update={"name": "Łódź 大学\r\nBcc: all@example.edu"})
    settings = site.settings.model_copy(update={"institution": institution})
    with site.sessions() as db:
        put(db, to="zoë@example.edu")
        put(db, to="ada@bücher.example")
    assert work_of(MailWorker(site.app, settings)) == {"sent": 2}
    assert recipients(mailbox) == ["zoë@example.edu", "ada@xn--bcher-kva.example"]
    for message in mailbox.messages:
        name = message["From"].addresses[0].display_name
        # A header that is UTF-8 as it stands is read as its bytes.
        assert name.encode(errors="surrogateescape").decode() == "Łódź 大学 Bcc: all@example.edu"
        assert message["Bcc"] is None


def test_letters_beyond_ascii_where_the_server_cannot(make_site, put):
    with running(Mailbox(), enable_SMTPUTF8=False) as mailbox:
        site = make_site(port=mailbox.port)
        with site.sessions() as db:
            put(db, to="zoë@example.edu")
            put(db)
        assert work(site) == {"failed": 1, "sent": 1}
        assert "letters beyond ASCII" in rows(site)[0].last_error


def test_a_kind_of_a_later_version_waits_for_a_later_worker(site, mailbox, put):
    with site.sessions() as db:
        put(db, kind="from_tomorrow")
        put(db)
    assert work(site) == {"put_off": 1, "sent": 1}
    assert rows(site)[0].state is QueueState.WAITING


def test_a_mail_whose_text_cannot_be_made_keeps_no_other(site, mailbox, put):
    with site.sessions() as db:
        put(db, kind="weekly_summary", data={"nothing": "useful"})
        put(db)
    assert work(site) == {"failed": 1, "sent": 1}
    assert rows(site)[0].last_error == "Its text could not be made; the worker's log says why."


def test_what_a_killed_worker_left_is_sent_when_its_lease_ends(site, mailbox, mails):
    mails(1)
    with site.sessions.begin() as db:
        soon = utc_now() + timedelta(minutes=5)
        db.execute(sa.update(QueuedMail).values(state=QueueState.SENDING, attempts=1, leased_until=soon))
    assert work(site) == {}
    with site.sessions.begin() as db:
        db.execute(sa.update(QueuedMail).values(leased_until=utc_now()))
    assert work(site) == {"sent": 1}


@pytest.mark.parametrize("greets", [True, False], ids=["in an answer", "in its greeting"])
def test_a_lively_server_that_never_ends_is_broken_off(make_site, put, greets):
    """It sends a line of its answer now and then: no single wait is too long."""
    stop = threading.Event()

    def drip(listener):
        connection, _ = listener.accept()
        with connection:
            if greets:
                connection.sendall(b"220 hello\r\n")
                connection.recv(1024)
            while not stop.wait(0.2):
                try:
                    connection.sendall(b"250-still here\r\n" if greets else b"220-still here\r\n")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        site = make_site(port=listener.getsockname()[1], timeout_s=1)
        with site.sessions() as db:
            put(db)
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        began = time.monotonic()
        assert work(site) == {"put_off": 1}
        assert time.monotonic() - began < 15
        stop.set()
        thread.join()


def test_no_word_of_a_mail_reaches_the_log(site, mailbox, mails, capsys: pytest.CaptureFixture[str]):
    mails(2)
    mailbox.rcpt = ["550 <ada0@example.edu> unknown"]
    work(site)
    said = capsys.readouterr()
    assert "mail_ended" in said.out + said.err
    assert "ada" not in said.out + said.err


def test_settings_say_what_is_missing(mail_settings, tmp_path: Path):
    from attendance.settings import SettingsError, load_settings  # noqa: PLC0415 - beside its use

    given = {"ATTENDANCE_MAIL_HOST": "mail.example.edu"}
    with pytest.raises(SettingsError, match="ATTENDANCE_MAIL_SENDER must be set too"):
        load_settings(given)
    given["ATTENDANCE_MAIL_SENDER"] = "a@example.edu"
    with pytest.raises(SettingsError, match="ATTENDANCE_WEB_ADDRESS: must be set where ATTENDANCE_MAIL_HOST is"):
        load_settings(given)
    given["ATTENDANCE_WEB_ADDRESS"] = "https://attendance.example.edu"
    given["ATTENDANCE_MAIL_PASSWORD"] = "secret words"
    with pytest.raises(SettingsError, match="ATTENDANCE_MAIL_USER must be set too") as told:
        load_settings(given)
    assert "secret words" not in str(told.value)
    assert load_settings(given | {"ATTENDANCE_MAIL_USER": "post"}).mail.on
