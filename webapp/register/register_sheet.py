"""A register as a table for a file."""

from collections.abc import Iterable, Sequence

from flask_babel import lazy_gettext

from attendance.database.models import ClassSession
from webapp.exports.sheets import Cell, CellKind, Sheet, SheetColumn
from webapp.register.rows import RegisterRow
from webapp.tools.class_sessions.words import audience_codes
from webapp.tools.template_tools import STATE_WORDS, source_word
from webapp.tools.times import local

_COLUMNS = (
    SheetColumn(lazy_gettext("Index number")),
    SheetColumn(lazy_gettext("Student")),
    SheetColumn(lazy_gettext("Status")),
    SheetColumn(lazy_gettext("Source")),
    SheetColumn(lazy_gettext("First seen"), CellKind.CLOCK_SECONDS),
    SheetColumn(lazy_gettext("Last seen"), CellKind.CLOCK_SECONDS),
    SheetColumn(lazy_gettext("Confidence"), CellKind.SHARE),
    SheetColumn(lazy_gettext("Changed by")),
    SheetColumn(lazy_gettext("Remark")),
    SheetColumn(lazy_gettext("Excuse")),
    SheetColumn(lazy_gettext("Not recorded because")),
    SheetColumn(lazy_gettext("Room watched from"), CellKind.CLOCK),
    SheetColumn(lazy_gettext("Label")),
    SheetColumn(lazy_gettext("Letter")),
)


def register_sheet(session: ClassSession, rows: Iterable[RegisterRow]) -> Sheet:
    """The rows of a session's register, as they stand on its page."""
    name = f"{audience_codes(session, with_groups=False)} {local(session.starts_at):%Y-%m-%d %H%M}"
    return Sheet(name, _COLUMNS, map(_cells, rows), frozen=2)


def _cells(row: RegisterRow) -> Sequence[Cell]:
    return (
        row.index_number,
        row.name,
        STATE_WORDS[row.state],
        source_word(row),
        row.first_seen,
        row.last_seen,
        row.confidence,
        row.changed_by,
        row.remark,
        row.excuse,
        row.unrecorded.value if row.unrecorded else None,
        row.watched_from,
        row.label.name if row.label else None,
        row.label.letter if row.label else None,
    )
