"""Sign-ins and what ends them, on SQLite and MariaDB."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.access.accounts import set_password
from attendance.database.access.roles import Reach, give_role, take_role
from attendance.database.access.sign_ins import (
    Browser,
    begin_sign_in,
    counts,
    end_sign_ins,
    locked_sign_in_of,
    note_use,
    sign_in_of,
    sign_ins_of,
)
from attendance.database.engine import begin_writing
from attendance.database.models import Account, AccountRole, Course, Role, SignIn, Student, utc_now
from tests.factories import is_signed_in, make_course, make_lecturer, make_sign_in, make_student

HOUR = timedelta(hours=1)


@pytest.fixture
def ada(db):
    lecturer = make_lecturer(db)
    give_role(db, lecturer.id, Role.LECTURER, Reach(course_id=make_course(db).id))
    db.commit()
    return lecturer


def a_row(db, account):
    """A role as an import writes it, without `give_role`."""
    db.execute(sa.insert(AccountRole).values(account_id=account.id, role=Role.LECTURER, course_id=make_course(db).id))


@pytest.mark.parametrize(
    "change",
    [
        lambda db, ada: set_password(db, ada, "new hash"),
        lambda db, ada: give_role(db, ada.id, Role.ADMIN),
        lambda db, ada: take_role(db, ada.id, Reach(course_id=db.scalar(sa.select(Course.id)))),
        a_row,
        lambda db, ada: db.execute(sa.delete(Course)),
        lambda db, ada: db.execute(sa.update(Account).where(Account.id == ada.id).values(active=False)),
        lambda db, ada: db.execute(sa.delete(Account).where(Account.id == ada.id)),
        lambda db, ada: end_sign_ins(db, SignIn.account_id == ada.id),
        lambda db, ada: db.execute(sa.update(SignIn).where(SignIn.account_id == ada.id).values(expires_at=utc_now())),
    ],
)
def test_what_ends_every_sign_in_of_an_account_and_no_others(db, ada, change):
    kurt, ann = make_lecturer(db, role=Role.ADMIN), make_student(db)
    mine = [make_sign_in(db, ada), make_sign_in(db, ada)]
    others = [make_sign_in(db, kurt), make_sign_in(db, ann)]
    db.commit()
    assert all(is_signed_in(db, token) for token in mine + others)
    db.rollback()
    change(db, ada)
    db.commit()
    assert not any(is_signed_in(db, token) for token in mine)
    assert [is_signed_in(db, token) for token in others] == [True, True]


def test_what_does_not_end_it(db, ada):
    kurt = make_lecturer(db, role=Role.ADMIN)
    tokens = [make_sign_in(db, ada), make_sign_in(db, kurt)]
    ada.name, ada.email, ada.language = "Countess", "new@example.edu", "fr"
    give_role(db, kurt.id, Role.LECTURER, Reach(course_id=make_course(db).id))
    db.commit()
    assert [is_signed_in(db, token) for token in tokens] == [True, True]


def test_a_student_is_signed_in_as_long_as_links_go_to_the_same_address(db):
    ann, bob = make_student(db), make_student(db)
    tokens = [make_sign_in(db, ann), make_sign_in(db, bob)]
    db.commit()
    db.execute(sa.update(Student).where(Student.id == ann.id).values(email="ann@example.edu"))
    db.commit()
    assert [is_signed_in(db, token) for token in tokens] == [False, True]


def test_a_sign_in_rests_on_what_was_checked_not_on_what_is_there_when_it_is_written(sessions, db, ada):
    """Somebody signs in with the old password while it is being changed."""
    with sessions() as other:
        set_password(other, other.get_one(Account, ada.id), "new hash")
        other.commit()
    token = make_sign_in(db, ada)  # as it was read before
    db.commit()
    assert not is_signed_in(db, token)


def test_half_a_sign_in_opens_nothing_and_is_not_listed(db, ada):
    token = begin_sign_in(db, ada, now=utc_now(), lifetime=HOUR, awaits_code=True)
    assert not is_signed_in(db, token)
    assert sign_ins_of(db, ada, utc_now()) == []
    whole = begin_sign_in(db, ada, now=utc_now(), lifetime=HOUR, browser=Browser("192.0.2.1", "Firefox, Linux"))
    (listed,) = sign_ins_of(db, ada, utc_now())
    assert (listed.address, listed.browser, sign_in_of(db, whole)) == ("192.0.2.1", "Firefox, Linux", listed)


def test_its_use_is_written_once_a_minute(engine, db, ada):
    token = make_sign_in(db, ada)
    db.commit()
    made = sign_in_of(db, token)
    assert made is not None
    db.rollback()
    began = made.used_at
    for seconds, written in ((59, False), (60, True)):
        note_use(engine, made, began + timedelta(seconds=seconds))
        db.rollback()
        (used,) = db.scalars(sa.select(SignIn.used_at)).all()
        assert (used > began) is written
        db.rollback()


def test_it_ends_at_its_time(db, ada):
    token = make_sign_in(db, ada)
    found = sign_in_of(db, token)
    assert found is not None
    assert counts(found, found.expires_at - timedelta(seconds=1))
    assert not counts(found, found.expires_at)
    assert sign_in_of(db, token + "x") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda db, ada: set_password(db, ada, "new hash"),
        lambda db, ada: end_sign_ins(db, SignIn.account_id == ada.id),
        lambda db, ada: give_role(db, ada.id, Role.ADMIN),
    ],
)
def test_before_writing_it_is_read_as_it_is_now_whatever_was_read_before(db, sessions, ada, change):
    token = make_sign_in(db, ada)
    db.commit()
    with sessions() as other:
        found = sign_in_of(other, token)
        assert found is not None
        assert counts(found, utc_now())
        other.commit()
        change(db, ada)
        db.commit()
        begin_writing(other)
        now = locked_sign_in_of(other, token)
        assert now is None or not counts(now, utc_now())


def test_a_student_or_nobody_is_read_so_too(db):
    token = make_sign_in(db, make_student(db))
    db.commit()
    begin_writing(db)
    found = locked_sign_in_of(db, token)
    assert found is not None
    assert counts(found, utc_now())
    assert locked_sign_in_of(db, "in_nobody") is None
