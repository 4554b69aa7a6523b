"""A register as a table for a file."""

from collections.abc import Iterable, Sequence

from flask_babel import lazy_gettext

from attendance.database.models import ClassSession
from webapp.exports.sheets import Cell, Column, Kind, Sheet
from webapp.register.rows import RegisterRow
from webapp.tools.session_words import audience_codes
from webapp.tools.template_tools import STATE_WORDS, source_word
from webapp.tools.times import local

_COLUMNS = (
    Column(lazy_gettext("Index number")),
    Column(lazy_gettext("Student")),
    Column(lazy_gettext("Status")),
    Column(lazy_gettext("Source")),
    Column(lazy_gettext("First seen"), Kind.CLOCK_SECONDS),
    Column(lazy_gettext("Last seen"), Kind.CLOCK_SECONDS),
    Column(lazy_gettext("Confidence"), Kind.SHARE),
    Column(lazy_gettext("Changed by")),
    Column(lazy_gettext("Remark")),
    Column(lazy_gettext("Excuse")),
    Column(lazy_gettext("Not recorded because")),
    Column(lazy_gettext("Room watched from"), Kind.CLOCK),
    Column(lazy_gettext("Label")),
    Column(lazy_gettext("Letter")),
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
