"""Links to set a password, on SQLite and on MariaDB."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from attendance.database.access.accounts import set_password
from attendance.database.access.links import account_of_link, address_of, make_links, use_link, without_password
from attendance.database.access.passwords import NO_PASSWORD, verify_password
from attendance.database.models import Account, IdentityKind, PasswordLink, ProviderIdentity
from attendance.database.transactions import transact
from attendance.settings.oidc import OidcSettings
from tests.factories import is_signed_in, make_lecturer, make_sign_in

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.fixture
def ada(db):
    lecturer = make_lecturer(db, email="ada@example.edu")
    lecturer.password_hash = NO_PASSWORD
    db.commit()
    return lecturer


def link(db, *lecturers, now=NOW):
    return transact(db, lambda db: make_links(db, [one.id for one in lecturers], now=now, lifetime=WEEK))


def use(db, token, *, now=NOW):
    return transact(db, lambda db: use_link(db, token, "new hash", now=now))


def test_a_link_works_once_and_ends_sign_ins(db, ada):
    token, signed_in = link(db, ada)[ada.id], make_sign_in(db, ada)
    assert account_of_link(db, token, now=NOW) is ada
    assert account_of_link(db, token + "x", now=NOW) is None
    assert use(db, token) is ada
    assert (ada.password_hash, is_signed_in(db, signed_in)) == ("new hash", False)
    assert use(db, token) is None
    assert account_of_link(db, token, now=NOW) is None


def test_the_token_is_not_in_the_database(db, ada):
    token = link(db, ada)[ada.id]
    (row,) = db.execute(sa.select(PasswordLink.__table__)).all()
    assert token not in str(row)
    assert len(token) > 40


def test_links_expire_and_newer_ones_end_older_ones(db, ada):
    first = link(db, ada)[ada.id]
    assert account_of_link(db, first, now=NOW + WEEK) is None
    second = link(db, ada)[ada.id]
    assert account_of_link(db, first, now=NOW) is None
    assert use(db, second, now=NOW + WEEK) is None
    assert account_of_link(db, second, now=NOW) is ada


def test_another_way_to_a_password_ends_links_and_so_does_losing_the_right_to_sign_in(db, ada):
    bob = make_lecturer(db)
    db.commit()
    tokens = link(db, ada, bob)
    transact(db, lambda db: set_password(db, ada, "other"))
    assert account_of_link(db, tokens[ada.id], now=NOW) is None
    bob.active = False
    db.commit()
    assert use(db, tokens[bob.id]) is None
    assert bob.password_hash != "new hash"


def test_many_at_once(db):
    db.execute(
        sa.insert(Account),
        [{"email": f"l{n}@example.edu", "name": f"L{n}", "password_hash": NO_PASSWORD} for n in range(1_200)],
    )
    db.add(Account(email="x@example.edu", name="X", password_hash=NO_PASSWORD, active=False))
    db.commit()
    waiting = without_password(db, OidcSettings())
    assert len(waiting) == 1_200
    tokens = link(db, *waiting)
    assert len(set(tokens.values())) == 1_200
    assert db.scalar(sa.select(sa.func.count()).select_from(PasswordLink)) == 1_200


def test_who_signs_in_at_the_provider_waits_for_no_password(db):
    ada, bob, root = (make_lecturer(db, email=f"{name}@example.edu") for name in ("ada", "bob", "root"))
    for account in (ada, bob, root):
        account.password_hash = NO_PASSWORD
    issuer = "https://sso.example.edu"
    db.add(ProviderIdentity(issuer=issuer, subject="ada", kind=IdentityKind.ACCOUNT, account_id=ada.id))
    db.commit()
    oidc = OidcSettings(issuer=issuer, client_id="attendance", break_glass=("root@example.edu",))
    everybody = {ada, bob, root}
    assert set(without_password(db, oidc)) == {bob, root}
    assert without_password(db, oidc.model_copy(update={"passwords": False})) == [root]
    assert set(without_password(db, oidc.model_copy(update={"issuer": ""}))) == everybody  # there is none any more
    assert set(without_password(db, oidc.model_copy(update={"issuer": "https://other.example"}))) == everybody


def test_of_two_who_use_a_link_at_once_one_is_refused(db, sessions, ada):
    token = link(db, ada)[ada.id]
    barrier, won = threading.Barrier(2), []

    def take(name):
        with sessions() as own:
            barrier.wait()
            if transact(own, lambda own: use_link(own, token, name, now=NOW)) is not None:
                won.append(name)

    threads = [threading.Thread(target=take, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.expire_all()
    assert won == [ada.password_hash]


def test_nobody_signs_in_without_a_password():
    assert not any(verify_password(NO_PASSWORD, text) for text in ("", "!", "anything"))


def test_the_address():
    assert address_of("https://a.example.edu/", "pw_x") == "https://a.example.edu/password?link=pw_x"
