"""The database itself keeps the log as it was written; on SQLite and on MariaDB."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audit.forgetting import forget_student
from attendance.database.audit.noting import by_program, note
from attendance.database.audit.protection import KEPT_DAYS, is_protected
from attendance.database.engine import session_factory, upgrade
from attendance.database.models import DELETED_STUDENT, AuditAction, AuditEntry, utc_now
from attendance.database.upkeep.backup import backup, restore
from attendance.database.upkeep.retention import Retention, purge


@pytest.fixture
def log(engine: sa.Engine, db: Session) -> Session:
    """A log of two entries, in a database as `attendance db upgrade` leaves it."""
    upgrade(engine)
    note(db, AuditAction.STUDENT_CHANGED, actor=by_program("x"), student="s1", details={"fields": "name"})
    note(db, AuditAction.EXPORTED, actor=by_program("x"), subject="register.csv")
    db.commit()
    return db


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_entry SET actor = 'somebody else'",
        "UPDATE audit_entry SET actor = NULL WHERE subject IS NULL",
        "UPDATE audit_entry SET student = 's2' WHERE student = 's1'",
        "UPDATE audit_entry SET student = NULL WHERE student = 's1'",
        "UPDATE audit_entry SET student = '(deleted student)', actor = 'y' WHERE student = 's1'",
        "UPDATE audit_entry SET student = '(deleted student)', subject = 'y' WHERE student = 's1'",
        "UPDATE audit_entry SET student = '(deleted student)', happened_at = '2020-01-01' WHERE student = 's1'",
        "UPDATE audit_entry SET details = NULL WHERE student = 's1'",
        "DELETE FROM audit_entry WHERE student = 's1'",
        "DELETE FROM audit_entry",
        "REPLACE INTO audit_entry (id, happened_at, action, actor_kind)"
        " SELECT id, happened_at, 'account.signed_in', actor_kind FROM audit_entry",
        "REPLACE INTO audit_entry (id, happened_at, action, actor_kind) VALUES (1, '2020-01-01', 'x', 'nobody')",
    ],
)
def test_no_statement_changes_or_deletes_what_was_noted(log, change):
    before = _rows(log)
    with pytest.raises(sa.exc.DBAPIError, match="audit log is"):
        log.execute(sa.text(change))
    log.rollback()
    assert _rows(log) == before


def test_nor_does_an_object_of_the_dashboards(log):
    before = _rows(log)
    entry = log.scalars(sa.select(AuditEntry).limit(1)).one()
    entry.actor = "somebody else"
    with pytest.raises(sa.exc.DBAPIError, match="audit log is not changed"):
        log.commit()
    log.rollback()
    log.delete(entry)
    with pytest.raises(sa.exc.DBAPIError, match="audit log is kept for 30 days"):
        log.commit()
    log.rollback()
    assert _rows(log) == before


def test_retention_deletes_what_is_old_enough_and_the_database_refuses_the_rest(log, engine):
    sessions = session_factory(engine)
    log.add(_old(days=KEPT_DAYS + 2))
    log.add(_old(days=KEPT_DAYS - 2))
    log.commit()
    kept = utc_now() - timedelta(days=KEPT_DAYS + 1)
    done = purge(sessions, Retention(None, None, None, audit=kept))
    assert done["entries of the audit log"] == 1
    with pytest.raises(sa.exc.DBAPIError, match="audit log is kept"):
        purge(sessions, Retention(None, None, None, audit=utc_now()))
    assert len(_rows(log)) == 3
    assert purge(sessions, Retention(None, None, None))["entries of the audit log"] == 0


def test_a_backup_put_back_is_as_protected_as_before(log, engine, tmp_path):
    before = _rows(log)
    log.close()
    file = backup(engine, tmp_path / "backups", utc_now())
    restore(engine, file, replace=True)
    upgrade(engine)
    assert is_protected(engine)
    assert _rows(log) == before
    with pytest.raises(sa.exc.DBAPIError, match="audit log is kept"):
        log.execute(sa.delete(AuditEntry))


def test_upgrading_makes_again_what_was_dropped(log, engine):
    log.close()
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_entry_not_deleted")
    assert not is_protected(engine)
    upgrade(engine)
    assert is_protected(engine)


def test_a_deleted_students_number_goes_and_what_was_done_stays(log):
    assert forget_student(log, "s1") == 1
    log.commit()
    assert [row[2:] for row in _rows(log)] == [
        ("student.changed", DELETED_STUDENT, None, {"fields": "name"}),
        ("file.exported", None, "register.csv", None),
    ]


def test_so_do_former_numbers_but_not_another_students_who_got_one(log):
    program = by_program("x")
    note(log, AuditAction.STUDENT_RENUMBERED, actor=program, student="s2", subject="s1")
    log.flush()
    note(log, AuditAction.STUDENT_RENUMBERED, actor=program, student="s3", subject="s2")
    log.flush()
    note(log, AuditAction.STUDENT_ADDED, actor=program, student="s1")
    note(log, AuditAction.ENROLMENT_ADDED, actor=program, student="s3", subject="CS101")
    log.commit()
    assert forget_student(log, "s3") == 4
    log.commit()
    assert [row[3:5] for row in _rows(log)] == [
        (DELETED_STUDENT, None), (None, "register.csv"), (DELETED_STUDENT, None), (DELETED_STUDENT, None),
        ("s1", None), (DELETED_STUDENT, "CS101"),
    ]  # fmt: skip


def _old(*, days: int) -> AuditEntry:
    entry = AuditEntry(action="sign_in.done", happened_at=utc_now() - timedelta(days=days))
    entry.actor_kind = by_program("x").kind
    return entry


def _rows(db: Session) -> list[tuple]:
    columns = (AuditEntry.id, AuditEntry.actor, AuditEntry.action, AuditEntry.student, AuditEntry.subject)
    db.expire_all()
    return [tuple(row) for row in db.execute(sa.select(*columns, AuditEntry.details).order_by(AuditEntry.id))]
