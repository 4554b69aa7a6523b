"""The audit log as a table for a file."""

from collections.abc import Iterator, Sequence

from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.audit.finding import EntryFilter, all_entries
from attendance.database.models import AuditEntry
from webapp.audit.words import action_words, actor_words, detail_words, student_words
from webapp.exports.sheets import Cell, CellKind, Sheet, SheetColumn
from webapp.tools.times import zone


def audit_sheet(wanted: EntryFilter, sessions: sessionmaker[Session]) -> Sheet:
    """Every entry of a filter, the newest first; read while it is written, in a database session of its own."""
    columns = [
        SheetColumn(lazy_gettext("Number"), CellKind.WHOLE),
        SheetColumn(gettext("When (%(zone)s)", zone=str(zone())), CellKind.MOMENT),
        SheetColumn(lazy_gettext("What")),
        SheetColumn(lazy_gettext("Action")),
        SheetColumn(lazy_gettext("By whom")),
        SheetColumn(lazy_gettext("Index number")),
        SheetColumn(lazy_gettext("To what")),
        SheetColumn(lazy_gettext("Details")),
        SheetColumn(lazy_gettext("From where")),
    ]
    return Sheet(lazy_gettext("Audit log"), columns, _rows(wanted, sessions))


def _rows(wanted: EntryFilter, sessions: sessionmaker[Session]) -> Iterator[Sequence[Cell]]:
    with sessions() as db:
        yield from (_cells(entry) for entry in all_entries(db, wanted))


def _cells(entry: AuditEntry) -> Sequence[Cell]:
    return (
        entry.id,
        entry.happened_at,
        action_words(entry.action),
        entry.action,
        actor_words(entry),
        student_words(entry),
        entry.subject,
        detail_words(entry),
        entry.address,
    )
