"""What is kept of second factors, on SQLite and MariaDB: each code is good for once, whoever comes at the same time."""

import threading

import pytest
import sqlalchemy as sa

from attendance.database.access.second_factors import (
    RECOVERY_CODES,
    SET_UP_WITHIN,
    begin_set_up,
    being_set_up,
    confirm,
    factor_of,
    lift,
    new_recovery_codes,
    recovery_codes_left,
    use_recovery_code,
    use_step,
)
from attendance.database.models import RecoveryCode, SecondFactor
from attendance.database.transactions import transact
from tests.factories import NINE, is_signed_in, make_lecturer, make_sign_in

SECRET, OTHER = "A" * 32, "B" * 32


@pytest.fixture
def ada(db):
    lecturer = make_lecturer(db)
    db.commit()
    return lecturer


def set_up(db, ada, secret=SECRET, now=NINE):
    begin_set_up(db, ada, secret, now=now)
    codes = confirm(db, ada, secret, 100, now=now)
    db.commit()
    return codes


def test_it_counts_when_it_is_confirmed_and_ends_other_sign_ins(db, ada):
    before = make_sign_in(db, ada)
    begin_set_up(db, ada, SECRET, now=NINE)
    db.commit()
    assert factor_of(db, ada.id) is None
    assert being_set_up(db, ada.id, now=NINE) == SECRET
    assert is_signed_in(db, before)
    assert confirm(db, ada, OTHER, 100, now=NINE) is None, "another is being set up"
    codes = confirm(db, ada, SECRET, 100, now=NINE)
    db.commit()
    assert codes is not None
    assert len(set(codes)) == RECOVERY_CODES == recovery_codes_left(db, ada.id)
    assert factor_of(db, ada.id).secret == SECRET
    assert not is_signed_in(db, before)
    assert is_signed_in(db, make_sign_in(db, ada))


def test_a_set_up_takes_a_quarter_of_an_hour_at_most(db, ada):
    begin_set_up(db, ada, SECRET, now=NINE)
    late = NINE + SET_UP_WITHIN
    assert being_set_up(db, ada.id, now=late) is None
    assert confirm(db, ada, SECRET, 100, now=late) is None
    assert factor_of(db, ada.id) is None


def test_another_app_takes_the_place_when_it_is_confirmed(db, ada):
    old = set_up(db, ada)
    begin_set_up(db, ada, OTHER, now=NINE)
    assert factor_of(db, ada.id).secret == SECRET
    assert confirm(db, ada, OTHER, 7, now=NINE)
    db.commit()
    assert factor_of(db, ada.id).secret == OTHER
    assert not use_recovery_code(db, ada.id, old[0])


def test_codes_and_steps_are_used_once(db, ada):
    codes = set_up(db, ada)
    assert [use_step(db, ada.id, step) for step in (99, 100, 101, 101, 100, 103, 102)] == [
        False, False, True, False, False, True, False,
    ]  # fmt: skip
    typed = codes[0].upper().replace("-", " ")
    assert [use_recovery_code(db, ada.id, code) for code in (typed, codes[0], codes[1], "", "x")] == [
        True, False, True, False, False,
    ]  # fmt: skip
    kurt = make_lecturer(db)
    assert not use_recovery_code(db, kurt.id, codes[2]), "another's"
    assert not use_step(db, kurt.id, 1)
    assert recovery_codes_left(db, ada.id) == RECOVERY_CODES - 2
    new_recovery_codes(db, ada.id)
    assert not use_recovery_code(db, ada.id, codes[3])


def test_of_two_who_use_a_code_at_once_one_is_let_in(sessions, db, ada):
    codes, used = set_up(db, ada), []

    def use(what):
        with sessions() as own:
            used.append(transact(own, what))

    ways = (lambda own: use_step(own, ada.id, 500), lambda own: use_recovery_code(own, ada.id, codes[0]))
    for way in ways:
        threads = [threading.Thread(target=use, args=(way,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(used) == [False] * 6 + [True] * 2


def test_lifting_it_leaves_nothing(db, ada):
    set_up(db, ada)
    signed_in = make_sign_in(db, ada)
    assert lift(db, ada)
    db.commit()
    assert not is_signed_in(db, signed_in)
    assert not lift(db, ada)
    assert [db.scalar(sa.select(sa.func.count()).select_from(table)) for table in (SecondFactor, RecoveryCode)] == [
        0,
        0,
    ]


def test_recovery_codes_are_kept_as_hashes(db, ada):
    codes = set_up(db, ada)
    kept = " ".join(db.scalars(sa.select(RecoveryCode.code_hash)))
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)
