"""The administrator's pages of webhooks."""

import re
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import undefer_group

from attendance.database.models import EventKind, QueueState, WebhookDelivery, WebhookEndpoint, utc_now
from attendance.database.outgoing.events import add_event
from attendance.database.transactions import transact
from tests.factories import NINE, make_course, make_session
from tests.webapp.visiting import plain

FORM = {
    "name": "Records",
    "url": "https://records.example.edu/hook",
    "department": "",
    "session_closed": "y",
    "student_at_risk": "y",
}


def found(db, name="Records"):
    db.rollback()
    query = sa.select(WebhookEndpoint).where(WebhookEndpoint.name == name).options(undefer_group("secrets"))
    return db.scalars(query.execution_options(populate_existing=True)).one()


def _tell(kind, data, endpoint, db):
    add_event(db, kind, data, [endpoint])


def test_the_secret_is_shown_once(admin, site_db):
    answer = admin.post("/admin/webhooks/new", FORM)
    secret = found(site_db).secret
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert secret in answer.text
    page = f"/admin/webhooks/{found(site_db).id}"
    for path in ("/admin/webhooks", page, f"{page}/deliveries", f"{page}/secret"):
        assert secret not in admin.get(path).text
    renewed = admin.post(f"{page}/secret")
    now = found(site_db)
    assert now.former_secret == secret != now.secret
    assert now.secret in renewed.text
    assert secret not in renewed.text
    assert "The former one is valid until" in admin.text(page)


def test_what_is_typed_is_kept(admin, site_db):
    admin.post("/admin/webhooks/new", FORM)
    hook = found(site_db)
    assert (hook.url, hook.events) == (FORM["url"], ["session.closed", "student.at_risk"])
    changed = {"name": "Other", "url": FORM["url"], "department": "", "student_at_risk": "y", "camera_away": "y"}
    admin.post(f"/admin/webhooks/{hook.id}", changed)
    assert found(site_db, "Other").events == ["student.at_risk", "camera.away"]
    assert "Other" in admin.text("/admin/webhooks")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"url": "http://records.example.edu/"}, None),
        ({"url": "https://10.0.0.1/"}, "is no public address"),
        ({"url": "https://169.254.169.254/"}, "may not be called"),
        ({"url": "records.example.edu"}, "is no address like"),
        ({"url": ""}, "Type an address."),
        ({"name": ""}, "Name"),
        ({"department": "99"}, "Choose a department of the list."),
        ({"session_closed": None, "student_at_risk": None}, "Choose at least one."),
    ],
)
def test_what_is_wrong_is_said(admin, site_db, wrong, says):
    form = {name: value for name, value in {**FORM, **wrong}.items() if value is not None}
    answer = admin.post("/admin/webhooks/new", form)
    if says is None:  # loopback is allowed here, so plain http is judged when the name is looked up
        assert answer.status_code == 200
        return
    assert answer.status_code == 422
    assert says in plain(answer.text)
    assert site_db.scalars(sa.select(WebhookEndpoint)).all() == []


def test_a_name_is_one_receivers(admin):
    admin.post("/admin/webhooks/new", FORM)
    answer = admin.post("/admin/webhooks/new", FORM)
    assert (answer.status_code, "Another receiver has this name." in answer.text) == (422, True)


def test_deliveries_say_of_which_session_or_course_they_tell(admin, site_db, hook):
    endpoint, course = hook(), make_course(site_db, "MAT101")
    session = make_session(site_db, course, starts_at=NINE)
    site_db.commit()
    gone = {"session": session.id + 1, "entries": []}
    for kind, data in (
        (EventKind.SESSION_CLOSED, {"session": session.id, "entries": []}),
        (EventKind.AT_RISK, {"course": course.id, "student": 1}),
        (EventKind.SESSION_CLOSED, gone),
    ):
        transact(site_db, partial(_tell, kind, data, endpoint.id))
    text = admin.text(f"/admin/webhooks/{endpoint.id}/deliveries")
    assert "A register is complete: a session has ended MAT101, Mon" in text
    assert "A student fell below the attendance that is asked for MAT101 " in text
    assert text.count("MAT101") == 2
    first = site_db.scalars(sa.select(WebhookDelivery.id).order_by(WebhookDelivery.id)).first()
    assert "Waiting MAT101, Mon" in admin.text(f"/admin/webhooks/deliveries/{first}")


def test_deliveries_are_listed_looked_at_and_sent_again(admin, site_db, hook):
    endpoint = hook()
    transact(site_db, lambda db: add_event(db, EventKind.PING, {"a": 1}, [endpoint.id]))
    row = site_db.scalars(sa.select(WebhookDelivery)).one()
    row.state, row.ended_at, row.attempts = QueueState.FAILED, utc_now(), 10
    row.last_error, row.answer = "The receiver answered 503.", 503
    site_db.commit()
    page = f"/admin/webhooks/{endpoint.id}/deliveries"
    assert "Failed The receiver answered 503. tried 10 times" in admin.text(page)
    assert "No deliveries" in admin.text(f"{page}?list=sent")
    assert "Failed" in admin.text(f"{page}?list=failed")
    text = admin.text(f"/admin/webhooks/deliveries/{row.id}")
    assert "&#34;data&#34;: { &#34;a&#34;: 1 }" in text
    assert "Times in it are UTC; pages show those of Europe/Warsaw." in text
    assert admin.post(f"/admin/webhooks/deliveries/{row.id}/again").status_code == 302
    site_db.refresh(row)
    assert row.state is QueueState.WAITING
    assert admin.post("/admin/webhooks/deliveries/999/again").status_code == 404


def test_a_receiver_is_tested_switched_off_and_on_and_deleted(admin, site_db, hook):
    def states():
        site_db.rollback()
        return site_db.scalars(sa.select(WebhookDelivery.state)).all()

    page = f"/admin/webhooks/{hook().id}"
    admin.post(f"{page}/ping")
    assert states() == [QueueState.WAITING]
    admin.post(f"{page}/off")
    assert "Switched off on" in admin.text(page)
    assert states() == [QueueState.DROPPED]
    admin.post(f"{page}/ping")
    assert len(states()) == 1, "one that is off is not tested"
    admin.post(f"{page}/on")
    assert "Switched off" not in admin.text(page)
    admin.post(f"{page}/delete")
    assert states() == []
    assert "No receivers yet" in admin.text("/admin/webhooks")


def test_that_nobody_sends_is_said(admin, site_db, hook):
    endpoint = hook()
    transact(site_db, lambda db: add_event(db, EventKind.PING, {}, [endpoint.id], now=utc_now().replace(year=2025)))
    assert "nobody sends it. Start “attendance web work” on the server." in admin.text("/admin/webhooks")
