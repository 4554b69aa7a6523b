"""The queue of mail: what is claimed, by how many, what is tried again, and when it is given up."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.mail import GIVE_UP, claim_mail, forget_recipient, put_off, queue_mail
from attendance.database.models import QueuedMail, QueueState, utc_now
from attendance.database.outgoing.queue import note_dropped, note_failed, note_sent, try_again
from attendance.database.transactions import transact

LEASE = timedelta(minutes=5)
SOON = timedelta(seconds=1)


@pytest.fixture
def now():
    return utc_now() + SOON


def put(db, kind="weekly_summary", to="ada@example.edu", **more):
    given = {"language": None, "key": None, "data": {}, **more}
    return transact(db, lambda db: queue_mail(db, kind=kind, to=to, **given))


def claim(db, now, *, urgent=(), most_a_minute=1_000):
    return transact(db, lambda db: claim_mail(db, now=now, lease=LEASE, urgent=urgent, most_a_minute=most_a_minute))


def end(db, mail, how, *reason, now):
    return transact(db, lambda db: how(db, mail, *reason, now=now))


def test_a_key_is_queued_once_and_the_callers_other_rows_stay(db):
    assert put(db, key="weekly:1:2026-11-23", data={"ü": [1, None]})
    assert not put(db, key="weekly:1:2026-11-23")
    assert put(db, key="Weekly:1:2026-11-23")  # another letter is another key
    assert put(db)
    assert put(db)
    assert db.scalar(sa.select(sa.func.count()).select_from(QueuedMail)) == 4


def test_it_goes_with_the_transaction_that_queued_it(db):
    queue_mail(db, kind="weekly_summary", to="a@b.org", language=None, key="k", data={})
    db.rollback()
    assert put(db, key="k")


def test_a_claimed_mail_is_nobody_elses_until_its_lease_ends(db, now):
    put(db)
    mail = claim(db, now)
    assert (mail.state, mail.attempts, mail.first_tried_at) == (QueueState.SENDING, 1, now)
    assert claim(db, now + LEASE - SOON) is None
    again = claim(db, now + LEASE)
    assert (again.id, again.attempts, again.first_tried_at) == (mail.id, 2, now)


def test_who_was_too_slow_writes_nothing(db, now, sessions):
    put(db)
    with sessions() as slow:
        late = claim(slow, now)
        claim(db, now + LEASE)
        assert not end(slow, late, note_sent, now=now + LEASE)
    assert db.scalars(sa.select(QueuedMail.state)).all() == [QueueState.SENDING]


def test_whom_somebody_waits_for_goes_first(db, now):
    for kind in ("weekly_summary", "weekly_summary", "password_reset"):
        put(db, kind=kind)
    assert claim(db, now, urgent=["password_reset"]).kind == "password_reset"
    assert claim(db, now, urgent=["password_reset"]).kind == "weekly_summary"


def test_no_more_than_so_many_a_minute_by_all_together(db, now):
    for _ in range(3):
        put(db)
    first = claim(db, now, most_a_minute=2)
    end(db, first, note_sent, now=now)
    assert claim(db, now, most_a_minute=2) is not None  # on its way: it counts as well
    assert claim(db, now, most_a_minute=2) is None
    assert claim(db, now + timedelta(seconds=61), most_a_minute=2) is not None


def test_pauses_grow_and_after_a_day_it_is_given_up(db, now):
    put(db)
    pauses, began = [], now
    while now - began < 2 * GIVE_UP:
        mail = claim(db, now)
        end(db, mail, put_off, "The mail server did not answer.", now=now)
        db.refresh(mail)
        if mail.state is not QueueState.WAITING:
            break
        pauses.append((mail.not_before - now) // timedelta(minutes=1))
        assert claim(db, mail.not_before - SOON) is None
        now = mail.not_before
    assert pauses[:9] == [1, 2, 4, 8, 16, 32, 64, 120, 120]
    assert mail.state is QueueState.FAILED
    assert GIVE_UP <= mail.ended_at - began < GIVE_UP + timedelta(hours=2)
    assert mail.last_error == "Not sent within a day. The last reason: The mail server did not answer."


def test_one_that_waited_for_a_worker_for_days_is_tried_more_than_once(db, now):
    put(db)
    mail = claim(db, now + 3 * GIVE_UP)
    end(db, mail, put_off, "Greylisted.", now=now + 3 * GIVE_UP)
    db.refresh(mail)
    assert mail.state is QueueState.WAITING


def test_what_failed_or_was_dropped_is_not_claimed_again(db, now):
    put(db)
    put(db)
    end(db, claim(db, now), note_failed, "No such mailbox." * 100, now=now)
    end(db, claim(db, now), note_dropped, "It is over.", now=now)
    assert claim(db, now + 9 * GIVE_UP) is None
    failed, dropped = db.scalars(sa.select(QueuedMail).order_by(QueuedMail.id))
    assert len(failed.last_error) == 500
    assert (dropped.state, dropped.leased_until, dropped.ended_at) == (QueueState.DROPPED, None, now)
    assert not transact(db, lambda db: try_again(db, dropped, now=now))
    assert transact(db, lambda db: try_again(db, failed, now=now))
    assert claim(db, now).id == failed.id


def test_all_of_somebody_goes_together(db):
    put(db, to="gone@example.edu")
    put(db)
    transact(db, lambda db: forget_recipient(db, "gone@example.edu"))
    assert db.scalars(sa.select(QueuedMail.recipient)).all() == ["ada@example.edu"]


def test_many_workers_claim_each_mail_once(db, sessions, now):
    for number in range(40):
        put(db, data={"number": number})

    def work(_):
        claimed = []
        with sessions() as own:
            while mail := claim(own, now):
                claimed.append(mail.id)
        return claimed

    with ThreadPoolExecutor(6) as pool:
        claimed = [number for numbers in pool.map(work, range(6)) for number in numbers]
    assert sorted(claimed) == sorted(db.scalars(sa.select(QueuedMail.id)))
