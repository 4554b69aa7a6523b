"""What keeps the audit log as it was written: triggers, in the database itself.

A program of ours, or whoever got hold of one, adds to the log and cannot take back what it says. Allowed is one change,
the mark in the place of a deleted student's number, and deleting what is older than `KEPT_DAYS`. Who owns the database
can drop the triggers: against that only a copy elsewhere helps.

They are no part of the migrations: SQLite drops them when a table is copied, dumps leave them out because they name the
server's account, and a MySQL with a binary log lets only its administrator make them.
"""

from collections.abc import Mapping

import sqlalchemy as sa

from attendance.database.models.audit import DELETED_STUDENT, AuditEntry

KEPT_DAYS = 30
"""What is younger cannot be deleted."""

_MAY_CHANGE = ("student", "subject")
_KEPT = tuple(column.name for column in AuditEntry.__table__.columns if column.name not in _MAY_CHANGE)
_CHANGED = "the audit log is not changed"
_DELETED = f"the audit log is kept for {KEPT_DAYS} days at least"


def protect_log(engine: sa.Engine) -> bool:
    """Make the triggers that are not there; whether all are there now.

    Nothing is done before the log has its table. Where the server does not let this account make triggers, it is False.
    """
    if not sa.inspect(engine).has_table(AuditEntry.__tablename__):
        return False
    wanted = _sqlite_triggers() if engine.dialect.name == "sqlite" else _mysql_triggers()
    try:
        with engine.begin() as connection:
            missing = wanted.keys() - _triggers(connection)
            for name in sorted(missing):
                connection.exec_driver_sql(wanted[name])
    except sa.exc.DBAPIError:
        return False
    return True


def is_protected(engine: sa.Engine) -> bool:
    """Whether the triggers are there."""
    wanted = _sqlite_triggers() if engine.dialect.name == "sqlite" else _mysql_triggers()
    with engine.connect() as connection:
        return wanted.keys() <= _triggers(connection)


def _triggers(connection: sa.Connection) -> set[str]:
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entry'"
    else:
        query = (
            "SELECT trigger_name FROM information_schema.triggers"
            " WHERE event_object_schema = DATABASE() AND event_object_table = 'audit_entry'"
        )
    return set(connection.execute(sa.text(query)).scalars())


def _sqlite_triggers() -> Mapping[str, str]:
    same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in _KEPT)
    allowed = f"NEW.student IS '{DELETED_STUDENT}' AND (NEW.subject IS NULL OR NEW.subject IS OLD.subject) AND {same}"
    # As SQLAlchemy writes moments into SQLite: in this form they are in order as text.
    before = f"strftime('%Y-%m-%d %H:%M:%f', 'now', '-{KEPT_DAYS} days')"
    return {
        "audit_entry_not_changed": (
            f"CREATE TRIGGER audit_entry_not_changed BEFORE UPDATE ON audit_entry WHEN NOT ({allowed})"
            f" BEGIN SELECT RAISE(ABORT, '{_CHANGED}'); END"
        ),
        "audit_entry_not_deleted": (
            f"CREATE TRIGGER audit_entry_not_deleted BEFORE DELETE ON audit_entry WHEN OLD.happened_at > {before}"
            f" BEGIN SELECT RAISE(ABORT, '{_DELETED}'); END"
        ),
        # REPLACE deletes the row before and asks neither of these: https://www.sqlite.org/lang_conflict.html.
        "audit_entry_not_replaced": (
            "CREATE TRIGGER audit_entry_not_replaced BEFORE INSERT ON audit_entry"  # noqa: S608 - our own words
            " WHEN EXISTS (SELECT 1 FROM audit_entry WHERE id = NEW.id)"
            f" BEGIN SELECT RAISE(ABORT, '{_CHANGED}'); END"
        ),
    }


def _mysql_triggers() -> Mapping[str, str]:
    same = " AND ".join(f"NEW.{name} <=> OLD.{name}" for name in _KEPT)
    allowed = f"NEW.student <=> '{DELETED_STUDENT}' AND (NEW.subject IS NULL OR NEW.subject <=> OLD.subject) AND {same}"
    before = f"UTC_TIMESTAMP() - INTERVAL {KEPT_DAYS} DAY"

    def refuse(condition: str, message: str) -> str:
        return f"IF {condition} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{message}'; END IF"

    return {
        "audit_entry_not_changed": (
            "CREATE TRIGGER audit_entry_not_changed BEFORE UPDATE ON audit_entry FOR EACH ROW "
            + refuse(f"NOT ({allowed})", _CHANGED)
        ),
        "audit_entry_not_deleted": (
            "CREATE TRIGGER audit_entry_not_deleted BEFORE DELETE ON audit_entry FOR EACH ROW "
            + refuse(f"OLD.happened_at > {before}", _DELETED)
        ),
    }
