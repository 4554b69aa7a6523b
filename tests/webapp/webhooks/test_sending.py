"""Sending to a real receiver, which checks the signature with the library that receivers use."""

import json
import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from attendance.database.models import (
    AuditAction,
    AuditEntry,
    EventKind,
    QueuedMail,
    QueueState,
    Role,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    utc_now,
)
from attendance.database.outgoing.deliveries import OFF_AFTER
from attendance.database.outgoing.events import add_event
from attendance.database.transactions import transact
from tests.factories import make_lecturer
from tests.webapp.outside.receiving import Answer
from webapp.mail.kinds import KINDS
from webapp.mail.letters import writing
from webapp.webhooks import sending
from webapp.webhooks.sending import WebhookSender
from webapp.webhooks.signing import renew_secret

GO_ON = threading.Event()


def put(db, *hooks, data=None):
    return transact(db, lambda db: add_event(db, EventKind.PING, data or {"a": "é"}, [each.id for each in hooks]))


@pytest.fixture
def send(site):
    """`send()`: carry one delivery out, as a worker does."""
    sender = WebhookSender(site.app, site.settings)

    def send_():
        return sender.step(GO_ON), dict(sender.outcomes)

    return send_


def state(db):
    db.rollback()
    return db.scalars(sa.select(WebhookDelivery).execution_options(populate_existing=True)).one()


def test_what_is_sent_is_signed_and_says_what_happened(site_db, hook, receiver, send):
    endpoint = hook()
    put(site_db, endpoint)
    assert send() == (True, {"sent": 1})

    (asked,) = receiver.seen
    told = Webhook(endpoint.secret).verify(asked.body, asked.headers)
    assert (asked.path, told["type"], told["data"]) == ("/hook", "ping", {"a": "é"})
    event = site_db.scalars(sa.select(WebhookEvent)).one()
    assert asked.headers["webhook-id"] == event.uid
    assert asked.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_b3RoZXI=").verify(asked.body, asked.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret).verify(asked.body.replace(b"ping", b"pong"), asked.headers)
    done = state(site_db)
    assert (done.state, done.answer, done.attempts) == (QueueState.SENT, 200, 1)
    assert send()[0] is False


def test_for_a_day_both_secrets_are_good(site_db, hook, receiver, send):
    endpoint = hook()
    former = endpoint.secret
    new = renew_secret(endpoint, utc_now())
    site_db.commit()
    put(site_db, endpoint)
    send()
    (asked,) = receiver.seen
    for secret in (former, new):
        assert Webhook(secret).verify(asked.body, asked.headers)
    endpoint.former_until = utc_now() - timedelta(seconds=1)
    site_db.commit()
    put(site_db, endpoint)
    send()
    Webhook(new).verify(receiver.seen[1].body, receiver.seen[1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(former).verify(receiver.seen[1].body, receiver.seen[1].headers)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(503), "The receiver answered 503."),
        (Answer(404), "The receiver answered 404."),
        (Answer(302, {"Location": "http://169.254.169.254/latest/meta-data"}), "leads elsewhere (302)"),
        (Answer(200, {"Content-Length": "99999999"}), "too long"),
    ],
)
def test_what_is_not_taken_is_tried_again(site_db, hook, receiver, send, *, answer, says):
    put(site_db, hook())
    receiver.answering = lambda _asked: answer
    assert send() == (True, {"put_off": 1})
    row = state(site_db)
    assert row.state is QueueState.WAITING
    assert says in row.last_error
    assert len(receiver.seen) == 1, "nothing was asked of where it leads"
    receiver.answering = lambda _asked: Answer()
    site_db.execute(sa.update(WebhookDelivery).values(not_before=utc_now()))
    row.endpoint.paused_until = None
    site_db.commit()
    assert send() == (True, {"put_off": 1, "sent": 1})
    assert len({asked.headers["webhook-id"] for asked in receiver.seen}) == 1, "the same event, told twice"


def test_a_receiver_that_hangs_keeps_nobody_else(site, site_db, hook, receiver, monkeypatch):
    monkeypatch.setattr(sending, "TIMEOUT_S", 1.0)
    hangs, well = hook("hangs", url=f"{receiver.address}/hang"), hook("well")
    released = threading.Event()
    receiver.answering = lambda asked: (asked.path == "/hang" and released.wait(20) and None) or Answer()
    put(site_db, hangs)
    put(site_db, well)
    sender = WebhookSender(site.app, site.settings)
    slow = threading.Thread(target=sender.step, args=[GO_ON])
    began = time.monotonic()
    slow.start()
    while not receiver.seen:
        time.sleep(0.01)
    sender.step(GO_ON)
    assert time.monotonic() - began < 1
    slow.join(20)
    released.set()
    assert dict(sender.outcomes) == {"sent": 1, "put_off": 1}
    site_db.rollback()
    errors = site_db.scalars(sa.select(WebhookDelivery.last_error).order_by(WebhookDelivery.id)).all()
    assert errors == ["127.0.0.1 did not answer within 1 seconds.", None]


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "https://192.168.1.1/", "https://nobody.invalid/"])
def test_an_address_that_may_not_be_called_is_not(site_db, hook, send, url):
    put(site_db, hook(url=url))
    assert send() == (True, {"put_off": 1})
    assert state(site_db).answer is None


def test_one_that_is_switched_off_is_said_so(site, site_db, hook, receiver, send):
    account = make_lecturer(site_db, role=Role.ADMIN)
    endpoint = hook(failing_since=utc_now() - OFF_AFTER)
    put(site_db, endpoint)
    receiver.answering = lambda _asked: Answer(500)
    send()
    site_db.rollback()
    site_db.refresh(endpoint)
    assert not endpoint.on
    (mail,) = site_db.scalars(sa.select(QueuedMail))
    assert (mail.kind, mail.recipient) == ("webhook_off", account.email)
    with writing(site.app, "en"):
        letter = KINDS[mail.kind].render(site_db, mail)
    assert "records was switched off: It took nothing for 5 days" in " ".join(letter.text.split())
    (entry,) = site_db.scalars(sa.select(AuditEntry))
    assert (entry.action, entry.subject, entry.actor) == (AuditAction.WEBHOOK_OFF, "records", "worker")


def test_one_that_is_gone_is_switched_off_at_once(site_db, hook, receiver, send):
    endpoint = hook()
    put(site_db, endpoint)
    receiver.answering = lambda _asked: Answer(410)
    assert send() == (True, {"failed": 1})
    site_db.rollback()
    site_db.refresh(endpoint)
    assert not endpoint.on


def test_one_that_is_deleted_while_it_is_told_keeps_nobody(site_db, hook, receiver, send):
    put(site_db, hook())

    def answer(_asked):
        site_db.execute(sa.delete(WebhookEndpoint))
        site_db.commit()
        return Answer(503)

    receiver.answering = answer
    assert send() == (True, {"put_off": 1})
    assert send()[0] is False


def test_what_tells_of_something_deleted_is_not_sent(site_db, hook, receiver, send):
    transact(site_db, lambda db: add_event(db, EventKind.STATUS_CHANGED, {"session": 99, "entries": []}, [hook().id]))
    assert send() == (True, {"dropped": 1})
    assert receiver.seen == []


def test_a_kind_of_a_newer_version_waits(site_db, hook, receiver, send):
    endpoint = hook()
    put(site_db, endpoint)
    site_db.execute(sa.update(WebhookEvent).values(kind="newer"))
    site_db.commit()
    assert send() == (True, {"put_off": 1})
    assert receiver.seen == []


@pytest.mark.parametrize(
    ("header", "pause"),
    [("1800", timedelta(minutes=30)), ("soon", timedelta(seconds=5)), ("-5", timedelta(seconds=5))],
)
def test_retry_after(site_db, hook, receiver, send, *, header, pause):
    put(site_db, hook())
    receiver.answering = lambda _asked: Answer(429, {"Retry-After": header})
    before = utc_now()
    send()
    assert pause <= state(site_db).not_before - before < pause + timedelta(seconds=30)


def test_no_secret_and_no_index_number_is_logged(site_db, hook, send, capsys, caplog):
    put(site_db, hook(), data={"student": "s000017"})
    send()
    said = capsys.readouterr()
    for text in (said.out, said.err, caplog.text):
        assert "whsec" not in text
        assert "s000017" not in text
    row = state(site_db)
    assert "s000017" not in json.dumps([row.last_error])
