"""Backups: how old the newest is, and whether it is as it was written."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from attendance.database.engine import DatabaseError, session_factory
from attendance.database.models import AuditAction, AuditEntry
from attendance.database.opening import open_engine
from attendance.database.upkeep.backup import backups_in, written_at
from attendance.database.upkeep.digests import has_its_digest
from attendance.settings import Settings
from operations.doctor.findings import Finding, ok, problem, warning

_LATE, _FORGOTTEN = timedelta(days=2), timedelta(days=7)
"""One is made every night."""
_MAKE = "Run `attendance db backup`, and see why none is made at night: `systemctl status attendance-backup.timer`."


def examine_backups(settings: Settings) -> list[Finding]:
    """Look at the folder of backups, and at what the audit log says of them: another account may keep the folder."""
    folder = settings.data.directory / "backups"
    newest = _newest(folder)
    found = [] if newest is None else _damage(newest)
    times = [time for time in (None if newest is None else written_at(newest), _noted(settings)) if time is not None]
    if not times:
        return [warning("backup", "the database has none", _MAKE)]
    age = datetime.now(UTC) - max(times)
    text = f"the newest of the database is of {max(times):%Y-%m-%d %H:%M} UTC"
    if age > _LATE:
        made = problem if age > _FORGOTTEN else warning
        return [*found, made("backup", f"{text}, {age.days} days ago", _MAKE)]
    return found or [ok("backup", text)]


def _newest(folder: Path) -> Path | None:
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        return None
    return max(backups_in(folder), key=lambda path: path.name, default=None)


def _damage(backup: Path) -> list[Finding]:
    try:
        has_its_digest(backup)
    except (DatabaseError, OSError) as error:
        return [problem("backup", str(error), "Make another: `attendance db backup`. See whether the disk is sound.")]
    return []


def _noted(settings: Settings) -> datetime | None:
    """When the newest was made, by whatever account, on whatever machine; None: that is not known.

    A backup is noted after it is written, so that of its own a restored database knows by the restore alone.
    """
    try:
        with open_engine(settings.database_url) as engine, session_factory(engine)() as db:
            made = db.scalar(sa.select(sa.func.max(AuditEntry.happened_at)).where(*_run("db backup")))
            restored = db.scalars(sa.select(AuditEntry.details).where(*_run("db restore"))).all()
    except DatabaseError:
        return None  # told by the database's own examination
    times = [made, *(written_at(Path(details["file"])) for details in restored if details)]
    return max((time for time in times if time is not None), default=None)


def _run(words: str) -> tuple[sa.ColumnElement[bool], ...]:
    return AuditEntry.action == AuditAction.COMMAND_RUN.value, AuditEntry.subject.endswith(words)
