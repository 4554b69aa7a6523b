"""Counting attempts at passwords across processes."""

import sqlite3

import pytest

from webapp.account.throttle import ACCOUNT_LIMIT, ADDRESS_LIMIT, PAIR_LIMIT, WINDOW_S, Throttle


@pytest.fixture
def path(tmp_path):
    return tmp_path / "attempts.db"


class Clock:
    now = 1_700_000_000.0

    def __call__(self):
        return self.now


def test_every_process_sees_the_attempts_of_the_others(path):
    for _ in range(PAIR_LIMIT):
        assert Throttle(path).begin("ada", "192.0.2.1").wait_s == 0
    assert Throttle(path).begin("ADA", "192.0.2.1").wait_s > 0
    assert Throttle(path).begin("ada", "192.0.2.2").wait_s == 0


def test_the_window_passes(path):
    clock = Clock()
    throttle = Throttle(path, clock)
    for _ in range(PAIR_LIMIT):
        throttle.begin("ada", "192.0.2.1")
        clock.now += 60
    wait = throttle.begin("ada", "192.0.2.1").wait_s
    assert wait == WINDOW_S - PAIR_LIMIT * 60 + 1
    clock.now += wait
    assert throttle.begin("ada", "192.0.2.1").wait_s == 0


def test_waiting_attempts_do_not_count(path):
    clock = Clock()
    throttle = Throttle(path, clock)
    for _ in range(PAIR_LIMIT * 3):
        throttle.begin("ada", "192.0.2.1")
    clock.now += WINDOW_S + 1
    assert throttle.begin("ada", "192.0.2.1").wait_s == 0


def test_many_addresses_guessing_at_one_account(path):
    throttle = Throttle(path)
    waits = [throttle.begin("ada", f"192.0.2.{n}").wait_s for n in range(ACCOUNT_LIMIT + 1)]
    assert [wait > 0 for wait in waits] == [False] * ACCOUNT_LIMIT + [True]


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8:1:2::{n:x}", "::ffff:192.0.2.1", None, "not an address"])
def test_one_address_guessing_at_many_accounts(path, address):
    throttle = Throttle(path)
    waits = [throttle.begin(f"a{n}", address and address.format(n=n)).wait_s for n in range(ADDRESS_LIMIT + 1)]
    assert [wait > 0 for wait in waits] == [False] * ADDRESS_LIMIT + [True]


def test_the_right_password_forgets_the_account_but_not_the_address(path):
    throttle = Throttle(path)
    for n in range(ADDRESS_LIMIT - 1):
        throttle.begin(f"a{n}", "192.0.2.1")
    throttle.forgive(throttle.begin("ada", "192.0.2.1"))
    assert throttle.begin("b", "192.0.2.1").wait_s == 0
    assert throttle.begin("c", "192.0.2.1").wait_s > 0


def test_no_address_of_a_person_is_written_down(path):
    Throttle(path).begin("ada@example.edu", "192.0.2.1")
    assert b"ada" not in path.read_bytes()
    assert b"192.0" not in path.read_bytes()


def test_the_file_stays_small(path, monkeypatch):
    monkeypatch.setattr("webapp.account.throttle._MAX_ROWS", 10)
    throttle = Throttle(path)
    for n in range(40):
        throttle.begin(f"a{n}", f"192.0.2.{n}")
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT COUNT(*) FROM attempt").fetchone()[0] <= 11
    db.close()


def test_a_clock_set_back_locks_nobody_out_for_long(path):
    clock = Clock()
    throttle = Throttle(path, clock)
    for _ in range(PAIR_LIMIT):
        throttle.begin("ada", "192.0.2.1")
    clock.now -= 100_000
    assert throttle.begin("ada", "192.0.2.1").wait_s == 0


def test_a_file_that_cannot_be_written_keeps_nobody_out(tmp_path):
    throttle = Throttle(tmp_path / "no such folder" / "attempts.db")
    attempt = throttle.begin("ada", "192.0.2.1")
    assert attempt.wait_s == 0
    throttle.forgive(attempt)


def test_a_damaged_file_keeps_nobody_out(path):
    path.write_bytes(b"this is no database" * 100)
    assert Throttle(path).begin("ada", "192.0.2.1").wait_s == 0
