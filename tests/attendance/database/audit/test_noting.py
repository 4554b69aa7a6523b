"""What an entry of the log tells, and the way back to the schema before it."""

import os
import pwd

import pytest
import sqlalchemy as sa

from attendance.database.audit.noting import NOBODY, THE_STUDENT, Actor, by_command, by_program, note
from attendance.database.engine import LossyDowngradeError, downgrade, upgrade
from attendance.database.models import Account, ActorKind, AuditAction, AuditEntry, utc_now
from tests.factories import make_lecturer


def _only(db) -> AuditEntry:
    db.commit()
    return db.scalars(sa.select(AuditEntry)).one()


def test_an_entry_says_who_did_what_to_whom_when_and_from_where(db):
    admin = make_lecturer(db)
    db.flush()
    note(db, AuditAction.STUDENT_CHANGED, actor=admin.id, student="s1", details={"fields": "name"}, address="::1")
    entry = _only(db)
    assert (entry.action, entry.actor_kind, entry.account_id, entry.actor) == (
        "student.changed", ActorKind.ACCOUNT, admin.id, admin.email,
    )  # fmt: skip
    assert (entry.student, entry.subject, entry.details, entry.address) == ("s1", None, {"fields": "name"}, "::1")
    assert abs((utc_now() - entry.happened_at).total_seconds()) < 60


def test_it_stays_as_it_was_when_the_account_is_renamed_and_deleted(db):
    admin = make_lecturer(db)
    db.flush()
    key, address = admin.id, admin.email
    note(db, AuditAction.EXPORTED, actor=key, subject="register.csv")
    db.commit()
    admin.email = "other@example.edu"
    db.commit()
    db.execute(sa.delete(Account).where(Account.id == key))
    entry = _only(db)
    assert (entry.account_id, entry.actor) == (key, address)


def test_many_entries_of_an_account_ask_for_it_once(engine, sessions):
    with sessions.begin() as db:
        key = make_lecturer(db).id
    asked = []
    sa.event.listen(engine, "before_cursor_execute", lambda *call: asked.append("FROM account" in call[2]))
    with sessions.begin() as db:
        for number in range(5):
            note(db, AuditAction.CONSENT_GIVEN, actor=key, student=f"s{number}")
    assert sum(asked) == 1


def test_what_is_rolled_back_leaves_no_entry(db):
    note(db, AuditAction.SIGNED_OUT, actor=None)
    db.rollback()
    assert db.scalars(sa.select(AuditEntry)).all() == []


@pytest.mark.parametrize(
    ("actor", "kind", "name"),
    [
        (None, ActorKind.NOBODY, None),
        (NOBODY, ActorKind.NOBODY, None),
        (THE_STUDENT, ActorKind.STUDENT, None),
        (by_program("dashboard"), ActorKind.PROGRAM, "dashboard"),
        (Actor(ActorKind.ACCOUNT, "a@b.org", 7, "192.0.2.1"), ActorKind.ACCOUNT, "a@b.org"),
    ],
)
def test_who_acts_need_not_be_an_account(db, actor, kind, name):
    note(db, AuditAction.SIGNED_IN, actor=actor)
    entry = _only(db)
    assert (entry.actor_kind, entry.actor) == (kind, name)
    assert entry.address == (actor.address if isinstance(actor, Actor) else None)


def test_a_command_is_of_the_operating_systems_user_and_of_whoever_became_it(monkeypatch):
    user = pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert by_command() == Actor(ActorKind.COMMAND, user)
    monkeypatch.setenv("SUDO_USER", "kim")
    assert by_command().name == f"{user} (sudo: kim)"


def test_a_number_without_a_name_is_a_user_too(monkeypatch):
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_242_424)
    assert by_command().name == "4242424"


def test_what_is_too_long_is_cut_and_not_refused(db):
    note(db, AuditAction.IMPORTED, actor=by_program("p" * 300), subject="ü" * 400, details={"a": "b" * 900})
    entry = _only(db)
    assert (entry.actor, entry.subject, entry.details) == ("p" * 254, "ü" * 254, {"a": "b" * 500})


def test_every_action_fits_its_column_and_has_a_kind():
    for action in AuditAction:
        kind, _, what = action.value.partition(".")
        assert kind
        assert what
        assert len(action.value) <= 40


def test_the_way_back_says_that_the_log_goes(db, engine):
    db.close()
    downgrade(engine, "0017")
    upgrade(engine)
    note(db, AuditAction.COMMAND_RUN, actor=by_command())
    db.commit()
    db.close()
    with pytest.raises(LossyDowngradeError, match="1 entries of the audit log"):
        downgrade(engine, "0017")
    downgrade(engine, "0017", lossy=True)
    upgrade(engine)
    assert db.scalars(sa.select(AuditEntry)).all() == []
