"""Counting attempts at passwords across processes, on SQLite and MariaDB."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from attendance.database.engine import create_database_engine
from attendance.database.models import SignInAttempt
from webapp.account import throttle as module
from webapp.account.throttle import ACCOUNT_LIMIT, ADDRESS_LIMIT, PAIR_LIMIT, WINDOW_S, Throttle


class Clock:
    def __init__(self):
        self.now = datetime(2026, 11, 23, 9, tzinfo=UTC)

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_throttle(engine, clock):
    """A throttle of another process: nothing but the database in common."""
    return lambda: Throttle(engine, "a key", clock)


@pytest.fixture
def throttle(make_throttle):
    return make_throttle()


def guess(throttle, account, address="192.0.2.1"):
    """A wrong password; how long to wait, 0 where it was looked at."""
    attempt = throttle.begin(account, address)
    if not attempt.wait_s:
        throttle.fail(attempt)
    return attempt.wait_s


def rows(engine):
    with engine.connect() as db:
        return db.execute(sa.select(SignInAttempt)).all()


def test_every_process_sees_the_attempts_of_the_others(make_throttle):
    for _ in range(PAIR_LIMIT):
        assert guess(make_throttle(), "ada") == 0
    assert guess(make_throttle(), "ADA") > 0
    assert guess(make_throttle(), "ada", "192.0.2.2") == 0


def test_the_window_passes(throttle, clock):
    for _ in range(PAIR_LIMIT):
        guess(throttle, "ada")
        clock.wait(60)
    wait = guess(throttle, "ada")
    assert wait == WINDOW_S - PAIR_LIMIT * 60 + 1
    clock.wait(wait)
    assert guess(throttle, "ada") == 0


def test_waiting_attempts_do_not_count(throttle, clock):
    for _ in range(PAIR_LIMIT * 3):
        guess(throttle, "ada")
    clock.wait(WINDOW_S + 1)
    assert guess(throttle, "ada") == 0


def test_many_addresses_guessing_at_one_account(throttle):
    waits = [guess(throttle, "ada", f"192.0.2.{n}") for n in range(ACCOUNT_LIMIT + 1)]
    assert [wait > 0 for wait in waits] == [False] * ACCOUNT_LIMIT + [True]


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8:1:2::{n:x}", "::ffff:192.0.2.1", None, "not an address"])
def test_one_address_guessing_at_many_accounts(throttle, address):
    waits = [guess(throttle, f"a{n}", address and address.format(n=n)) for n in range(ADDRESS_LIMIT + 1)]
    assert [wait > 0 for wait in waits] == [False] * ADDRESS_LIMIT + [True]


def test_the_right_password_forgets_the_account_but_not_the_address(throttle):
    for n in range(ADDRESS_LIMIT - 1):
        guess(throttle, f"a{n}")
    throttle.forgive(throttle.begin("ada", "192.0.2.1"))
    assert guess(throttle, "b") == 0
    assert guess(throttle, "c") > 0


def test_no_address_of_a_person_is_written_down(throttle, engine, clock):
    guess(throttle, "ada@example.edu")
    (row,) = rows(engine)
    assert "ada" not in str(row)
    assert "192.0" not in str(row)
    Throttle(engine, "another key", clock).begin("ada@example.edu", "192.0.2.1")
    assert len({(each.account, each.address) for each in rows(engine)}) == 2, "a hash that anybody could make"


def test_the_table_stays_small(throttle, engine, monkeypatch):
    monkeypatch.setattr(module, "_MAX_ROWS", 10)
    for n in range(40):
        guess(throttle, f"a{n}", f"192.0.2.{n}")
    assert len(rows(engine)) <= 11


def test_old_attempts_go(throttle, engine, clock):
    guess(throttle, "ada")
    clock.wait(WINDOW_S)
    guess(throttle, "bob")
    assert len(rows(engine)) == 1


def test_a_clock_set_back_locks_nobody_out_for_long(throttle, clock):
    for _ in range(PAIR_LIMIT):
        guess(throttle, "ada")
    clock.wait(-100_000)
    assert guess(throttle, "ada") == 0


def test_many_right_passwords_at_once_are_no_failures(make_throttle, engine):
    """More at once than may fail: each waits for its turn, and none is turned away."""
    at_once = 8
    assert at_once > PAIR_LIMIT
    together, checking = threading.Barrier(at_once), threading.Semaphore(0)

    def sign_in():
        own = make_throttle()
        together.wait()
        attempt = own.begin("ada", "192.0.2.1")
        checking.release()
        if not attempt.wait_s:
            own.forgive(attempt)
        return attempt.wait_s

    with ThreadPoolExecutor(at_once) as pool:
        waits = [done.result() for done in [pool.submit(sign_in) for _ in range(at_once)]]
    assert waits == [0] * at_once
    assert rows(engine) == []


def test_many_wrong_passwords_at_once_get_no_further_than_one_after_the_other(make_throttle, engine):
    at_once = 12
    together = threading.Barrier(at_once)

    def sign_in():
        own = make_throttle()
        together.wait()
        return guess(own, "ada")

    with ThreadPoolExecutor(at_once) as pool:
        waits = [done.result() for done in [pool.submit(sign_in) for _ in range(at_once)]]
    assert sum(wait == 0 for wait in waits) == PAIR_LIMIT
    assert all(wait > 800 for wait in waits if wait)
    assert len(rows(engine)) == PAIR_LIMIT


def test_a_check_that_never_ends_counts_as_failed(throttle, clock, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE_S", 0.2)
    for _ in range(PAIR_LIMIT):
        throttle.begin("ada", "192.0.2.1")  # and the process dies
    assert 0 < throttle.begin("ada", "192.0.2.1").wait_s < 5, "they may still turn out right"
    clock.wait(60)
    assert throttle.begin("ada", "192.0.2.1").wait_s > 800


def test_a_right_password_leaves_others_that_are_being_checked(throttle):
    pending = throttle.begin("ada", "192.0.2.9")
    throttle.forgive(throttle.begin("ada", "192.0.2.1"))
    throttle.fail(pending)
    for _ in range(PAIR_LIMIT - 1):
        assert guess(throttle, "ada", "192.0.2.9") == 0
    assert guess(throttle, "ada", "192.0.2.9") > 0


def test_a_database_without_the_table_keeps_nobody_out(database_url):
    engine = create_database_engine(database_url)
    throttle = Throttle(engine, "a key")
    attempt = throttle.begin("ada", "192.0.2.1")
    assert attempt.wait_s == 0
    throttle.forgive(attempt)
    throttle.fail(attempt)
    engine.dispose()


def test_a_damaged_file_keeps_nobody_out(tmp_path):
    (tmp_path / "attendance.db").write_bytes(b"this is no database" * 100)
    engine = create_database_engine(f"sqlite:///{tmp_path / 'attendance.db'}")
    assert Throttle(engine, "a key").begin("ada", "192.0.2.1").wait_s == 0
    engine.dispose()
