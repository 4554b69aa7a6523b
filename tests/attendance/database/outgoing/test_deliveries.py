"""Deliveries: what is claimed, what is tried again and when, and endpoints that are switched off."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.models import EventKind, QueueState, WebhookDelivery, WebhookEndpoint, utc_now
from attendance.database.outgoing.deliveries import (
    OFF_AFTER,
    PAUSES,
    claim_delivery,
    deliver_again,
    note_delivered,
    note_gone,
    note_not_delivered,
    switch_on,
)
from attendance.database.outgoing.events import add_event
from attendance.database.transactions import transact

LEASE = timedelta(minutes=2)


@pytest.fixture
def now():
    return utc_now()


@pytest.fixture
def endpoints(db):
    made = [
        WebhookEndpoint(name=name, url="https://example.edu/", events=[], secret="whsec_c2VjcmV0")
        for name in ("a", "b")
    ]
    db.add_all(made)
    db.commit()
    return made


def put(db, *endpoints, now):
    transact(db, lambda db: add_event(db, EventKind.PING, {}, [each.id for each in endpoints], now=now))


def claim(db, now):
    return transact(db, lambda db: claim_delivery(db, now=now, lease=LEASE))


def fail(db, row, now, **more):
    return transact(db, lambda db: note_not_delivered(db, row, "It answered 503.", now=now, **more))


def test_one_at_a_time_goes_to_an_endpoint(db, endpoints, now):
    first, second = endpoints
    put(db, first, now=now)
    put(db, first, second, now=now)

    one, other = claim(db, now), claim(db, now)
    assert {one.endpoint_id, other.endpoint_id} == {first.id, second.id}
    assert claim(db, now) is None, "the first endpoint is being told something"
    transact(db, lambda db: note_delivered(db, one, 200, now=now))
    assert claim(db, now).endpoint_id == first.id


def test_what_a_worker_held_that_died_is_due_again(db, endpoints, now):
    put(db, endpoints[0], now=now)
    first = claim(db, now)
    assert claim(db, now + LEASE - timedelta(seconds=1)) is None
    second = claim(db, now + LEASE)
    assert (first.id, second.attempts) == (second.id, 2)


def test_an_endpoint_that_was_deleted_while_it_was_told_is_no_trouble(db, endpoints, now):
    put(db, *endpoints, now=now)
    one, other = claim(db, now), claim(db, now)
    db.execute(sa.delete(WebhookEndpoint).execution_options(synchronize_session=False))
    db.commit()
    assert not fail(db, one, now)
    assert not transact(db, lambda db: note_gone(db, other, now=now))
    assert not transact(db, lambda db: note_delivered(db, other, 200, now=now))
    assert claim(db, now + LEASE) is None


def test_a_stale_worker_changes_nothing(db, sessions, endpoints, now):
    put(db, endpoints[0], now=now)
    with sessions() as other:
        stale = claim(other, now)
        fresh = claim(db, now + LEASE)
        transact(db, lambda db: note_delivered(db, fresh, 200, now=now + LEASE))
        assert not transact(other, lambda db: note_not_delivered(db, stale, "late", now=now + LEASE))
    db.expire_all()
    row = db.scalar(sa.select(WebhookDelivery))
    assert (row.state, row.last_error) == (QueueState.SENT, None)


def test_it_is_tried_again_by_the_schedule_and_then_given_up(db, endpoints, now):
    put(db, endpoints[0], now=now)
    for pause in PAUSES:
        row = claim(db, now)
        assert row is not None
        fail(db, row, now, answer=503)
        assert claim(db, now + pause - timedelta(seconds=1)) is None
        now += max(pause, timedelta(minutes=10))
    fail(db, claim(db, now), now)
    db.expire_all()
    row = db.scalar(sa.select(WebhookDelivery))
    assert (row.state, row.attempts) == (QueueState.FAILED, len(PAUSES) + 1)


def test_a_receiver_that_is_away_costs_one_attempt_and_not_one_for_each_delivery(db, endpoints, now):
    for _ in range(3):
        put(db, endpoints[0], now=now)
    fail(db, claim(db, now), now)
    assert claim(db, now + timedelta(seconds=4)) is None
    now += timedelta(seconds=5)
    fail(db, claim(db, now), now)
    assert claim(db, now + timedelta(seconds=9)) is None, "the pause doubles"
    attempts = db.scalars(sa.select(WebhookDelivery.attempts).order_by(WebhookDelivery.id)).all()
    assert sum(attempts) == 2
    now += timedelta(seconds=10)
    row = claim(db, now)
    transact(db, lambda db: note_delivered(db, row, 204, now=now))
    assert claim(db, now) is not None, "once it takes something the others follow at once"


def test_what_the_receiver_asks_for_is_done_up_to_an_hour(db, endpoints, now):
    put(db, endpoints[0], now=now)
    put(db, endpoints[0], now=now)
    fail(db, claim(db, now), now, answer=429, wish=timedelta(minutes=30))
    assert claim(db, now + timedelta(minutes=29)) is None
    now += timedelta(minutes=30)
    fail(db, claim(db, now), now, answer=429, wish=timedelta(days=30))
    assert claim(db, now + timedelta(minutes=61)) is not None


def test_one_that_fails_for_days_is_switched_off_and_what_waits_is_dropped(db, endpoints, now):
    put(db, endpoints[0], now=now)
    assert not fail(db, claim(db, now), now)
    for _ in range(2):
        put(db, endpoints[0], now=now)
    now += OFF_AFTER
    assert fail(db, claim(db, now), now)
    db.expire_all()
    endpoint = endpoints[0]
    assert not endpoint.on
    assert str(endpoint.off_reason) == "It took nothing for 5 days. The last reason: It answered 503."
    states = db.scalars(sa.select(WebhookDelivery.state)).all()
    assert set(states) == {QueueState.DROPPED}
    switch_on(endpoint)
    db.commit()
    put(db, endpoint, now=now)
    assert claim(db, now) is not None


def test_one_that_says_it_is_gone_is_switched_off_at_once(db, endpoints, now):
    put(db, endpoints[0], now=now)
    row = claim(db, now)
    assert transact(db, lambda db: note_gone(db, row, now=now))
    db.expire_all()
    assert not endpoints[0].on


def test_again_means_the_same_event_with_a_schedule_of_its_own(db, endpoints, now):
    put(db, endpoints[0], now=now)
    row = claim(db, now)
    assert not transact(db, lambda db: deliver_again(db, row, now=now)), "it is under way"
    transact(db, lambda db: note_delivered(db, row, 200, now=now))
    assert transact(db, lambda db: deliver_again(db, row, now=now))
    again = claim(db, now)
    assert (again.id, again.event_id, again.attempts) == (row.id, row.event_id, 2)
    fail(db, again, now)
    db.expire_all()
    assert db.get(WebhookDelivery, row.id).not_before == now + PAUSES[0]
