"""How what goes out fares: what is due and for how long, and who is in trouble."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.models import (
    LtiCourse,
    LtiPlatform,
    QueuedMail,
    QueueState,
    TimetableCalendar,
    WebhookDelivery,
    WebhookEndpoint,
    utc_now,
)
from attendance.database.outgoing.state import CALENDARS, MAIL, RATES, WEBHOOKS, outgoing_state
from attendance.database.upkeep.checks import CHECKED_EVERY, forget_check, is_due, note_check
from tests.attendance.database.full_database import fill

HOUR = timedelta(hours=1)


@pytest.fixture
def now(db):
    """Of a database in which nothing is due and nothing is in trouble, but one thing of each kind could be."""
    fill(db)
    now = utc_now()
    db.execute(sa.update(QueuedMail).values(not_before=now + HOUR))
    db.execute(sa.update(WebhookDelivery).values(state=QueueState.SENT, not_before=now - HOUR))
    db.execute(sa.update(WebhookEndpoint).values(off_at=None, off_reason=None, failing_since=None))
    db.execute(sa.update(TimetableCalendar).values(next_fetch_at=now + HOUR, failing_since=None, waiting_since=None))
    db.execute(sa.update(LtiPlatform).values(active=True, waiting=False))
    db.execute(sa.update(LtiCourse).values(sends_rates=True, leased_until=now + HOUR, problem=None))
    db.commit()
    return now


def put(db, table, **values):
    db.execute(sa.update(table).values(values))
    db.commit()


def test_a_quiet_installation(db, now):
    state = outgoing_state(db, now)
    assert {(each.number, each.age) for each in state.due.values()} == {(0, timedelta(0))}
    assert set(state.due) == {MAIL, WEBHOOKS, CALENDARS, RATES}
    assert (state.mails_failed, state.deliveries_failed) == (0, 0)
    assert state.failing_receivers == state.off_receivers == state.refused_courses == []
    assert state.failing_calendars == state.waiting_calendars == []


@pytest.mark.parametrize(
    ("kind", "table", "values"),
    [
        (MAIL, QueuedMail, {"state": QueueState.WAITING, "not_before": -HOUR}),
        (MAIL, QueuedMail, {"state": QueueState.SENDING, "not_before": -3 * HOUR, "leased_until": -HOUR}),
        (WEBHOOKS, WebhookDelivery, {"state": QueueState.WAITING, "not_before": -HOUR}),
        (CALENDARS, TimetableCalendar, {"next_fetch_at": -HOUR}),
        (CALENDARS, TimetableCalendar, {"next_fetch_at": -HOUR, "leased_until": -HOUR / 2}),
        (RATES, LtiCourse, {"leased_until": -HOUR}),
    ],
)
def test_what_is_due_and_for_how_long(db, now, kind, table, values):
    given = {name: now + value if isinstance(value, timedelta) else value for name, value in values.items()}
    put(db, table, **given)
    due = outgoing_state(db, now).due
    assert (due[kind].number, round(due[kind].age / HOUR, 3)) == (1, 1.0)
    assert [each.number for name, each in due.items() if name != kind] == [0, 0, 0]


def test_what_a_worker_has_taken_is_not_due_and_neither_is_a_receiver_that_is_left_alone(db, now):
    put(db, QueuedMail, state=QueueState.SENDING, not_before=now - HOUR, leased_until=now + HOUR)
    put(db, TimetableCalendar, next_fetch_at=now - HOUR, leased_until=now + HOUR)
    put(db, WebhookDelivery, state=QueueState.WAITING, not_before=now - HOUR)
    put(db, WebhookEndpoint, paused_until=now + HOUR)
    put(db, LtiCourse, leased_until=now - HOUR)
    put(db, LtiPlatform, active=False)
    assert {each.number for each in outgoing_state(db, now).due.values()} == {0}
    put(db, WebhookEndpoint, paused_until=now - HOUR)
    assert outgoing_state(db, now).due[WEBHOOKS].number == 1
    put(db, WebhookEndpoint, off_at=now)
    assert outgoing_state(db, now).due[WEBHOOKS].number == 0


def test_who_is_in_trouble(db, now):
    put(db, QueuedMail, state=QueueState.FAILED)
    put(db, WebhookDelivery, state=QueueState.FAILED)
    put(db, WebhookEndpoint, failing_since=now - HOUR)
    put(db, TimetableCalendar, failing_since=now - HOUR, waiting_since=now)
    put(db, LtiCourse, problem="away")
    state = outgoing_state(db, now)
    assert (state.mails_failed, state.deliveries_failed) == (1, 1)
    assert [each.name for each in state.failing_receivers] == ["Ü"]
    assert [each.name for each in state.failing_calendars] == [each.name for each in state.waiting_calendars] == ["Ü"]
    assert [each.problem for each in state.refused_courses] == ["away"]
    put(db, WebhookEndpoint, off_at=now)  # by a person
    assert outgoing_state(db, now).failing_receivers == outgoing_state(db, now).off_receivers == []
    put(db, WebhookEndpoint, off_reason="It took nothing.")
    assert [each.name for each in outgoing_state(db, now).off_receivers] == ["Ü"]
    put(db, LtiCourse, sends_rates=False)
    put(db, TimetableCalendar, next_fetch_at=None)  # not fetched any more
    state = outgoing_state(db, now)
    assert state.refused_courses == state.failing_calendars == []


def test_a_check_says_since_when_it_fails_and_when_what_it_found_has_changed(db):
    now = utc_now()
    assert is_due(db, "x", now)
    assert not note_check(db, "x", None, found={"token": "a"}, now=now)
    db.commit()
    assert not is_due(db, "x", now + CHECKED_EVERY / 2)
    assert is_due(db, "x", now + CHECKED_EVERY)
    assert is_due(db, "x", now - HOUR), "a clock that was set back stops nothing"
    for later in (1, 2):
        assert not note_check(db, "x", "away", now=now + later * HOUR)
        db.commit()
        row = outgoing_state(db, now).checks["x"]
        assert (row.problem, row.failing_since, row.found) == ("away", now + HOUR, {"token": "a"})
    assert not note_check(db, "x", None, found={"token": "a"}, now=now + 3 * HOUR), "it is back as it was"
    assert note_check(db, "x", None, found={"token": "b"}, now=now + 4 * HOUR)
    db.commit()
    row = outgoing_state(db, now).checks["x"]
    assert (row.problem, row.failing_since, row.changed_at) == (None, None, now + 4 * HOUR)
    forget_check(db, "x")
    forget_check(db, "x")
    db.commit()
    assert outgoing_state(db, now).checks == {}
