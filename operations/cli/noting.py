"""Noting in the audit log which commands were run on this machine, and by which of its users."""

import click
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audit.noting import NO_DETAILS, Details, by_command, note, note_command
from attendance.database.engine import session_factory
from attendance.database.models import AuditAction, AuditEntry


def noted(
    db: Session,
    action: AuditAction,
    *,
    student: str | None = None,
    subject: str | None = None,
    details: Details = NO_DETAILS,
) -> None:
    """Note what the command does, in its transaction; who does it is the operating system's user."""
    note(db, action, actor=by_command(), student=student, subject=subject, details=details)


def note_run(engine: sa.Engine, details: Details = NO_DETAILS) -> None:
    """Note that the present command was run, where the database has the log: commands work on older schemas, too."""
    if sa.inspect(engine).has_table(AuditEntry.__tablename__):
        note_command(session_factory(engine), click.get_current_context().command_path, details)
