"""Steps on accounts that pages and commands share."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.access.accounts import set_password
from attendance.database.access.roles import lock_administrators
from attendance.database.engine import begin_writing
from attendance.database.models import Account, Role
from tests.factories import is_signed_in, make_lecturer, make_sign_in


@pytest.fixture
def lecturer(sessions: sessionmaker[Session]) -> int:
    with sessions.begin() as db:
        return make_lecturer(db).id


def test_of_two_new_passwords_each_ends_the_sign_ins_before_it(sessions: sessionmaker[Session], lecturer: int) -> None:
    with sessions() as one, sessions() as other:
        mine, theirs = one.get_one(Account, lecturer), other.get_one(Account, lecturer)
        before = make_sign_in(one, mine)
        one.commit()
        other.commit()
        begin_writing(one)
        set_password(one, mine, "first")
        between = make_sign_in(one, mine)
        one.commit()
        begin_writing(other)
        set_password(other, theirs, "second")
        after = make_sign_in(other, theirs)
        other.commit()
    with sessions() as db:
        row = db.get_one(Account, lecturer)
        assert row.password_hash == "second"
        assert [is_signed_in(db, token) for token in (before, between, after)] == [False, False, True]


def test_administrators_are_those_who_may_sign_in(sessions: sessionmaker[Session], lecturer: int) -> None:
    with sessions.begin() as db:
        admin, _former = make_lecturer(db, role=Role.ADMIN), make_lecturer(db, role=Role.ADMIN, active=False)
        ids = {admin.id}
    with sessions.begin() as db:
        begin_writing(db)
        assert lock_administrators(db) == ids
        db.execute(sa.update(Account).values(active=False))
        assert lock_administrators(db) == frozenset()
