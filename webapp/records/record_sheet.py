"""Records as a table for a file."""

from collections.abc import Iterator, Sequence

from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.audiences import Condition
from webapp.exports.sheets import Cell, CellKind, Sheet, SheetColumn
from webapp.records.query import Record, RecordFilter, RecordQuery
from webapp.tools.template_tools import STATE_WORDS, UNRECORDED, source_word
from webapp.tools.times import zone


def records_sheet(wanted: RecordFilter, reach: Condition | None, sessions: sessionmaker[Session]) -> Sheet:
    """Every record of a filter, newest session first; read while it is written, in a database session of its own.

    Args:
        wanted: the filter.
        reach: what one may see, as `RecordQuery` takes it.
        sessions: opens the database session.
    """
    return Sheet(lazy_gettext("Records"), _columns(), _rows(wanted, reach, sessions))


def _columns() -> list[SheetColumn]:
    place = {"zone": str(zone())}
    return [
        SheetColumn(lazy_gettext("Date"), CellKind.DAY),
        SheetColumn(lazy_gettext("Start"), CellKind.CLOCK),
        SheetColumn(lazy_gettext("End"), CellKind.CLOCK),
        SheetColumn(lazy_gettext("Course")),
        SheetColumn(lazy_gettext("Course name")),
        SheetColumn(lazy_gettext("Index number")),
        SheetColumn(lazy_gettext("Student")),
        SheetColumn(lazy_gettext("Status")),
        SheetColumn(lazy_gettext("Source")),
        SheetColumn(gettext("First seen (%(zone)s)", **place), CellKind.MOMENT),
        SheetColumn(gettext("Last seen (%(zone)s)", **place), CellKind.MOMENT),
        SheetColumn(lazy_gettext("Confidence"), CellKind.SHARE),
        SheetColumn(lazy_gettext("Remark")),
        SheetColumn(lazy_gettext("Not recorded because")),
        SheetColumn(gettext("Room watched from (%(zone)s)", **place), CellKind.MOMENT),
        SheetColumn(lazy_gettext("Label")),
        SheetColumn(lazy_gettext("Letter")),
    ]


def _rows(wanted: RecordFilter, reach: Condition | None, sessions: sessionmaker[Session]) -> Iterator[Sequence[Cell]]:
    with sessions() as db:
        yield from (_cells(record) for record in RecordQuery(db, wanted, reach).all())


def _cells(record: Record) -> Sequence[Cell]:
    return (
        record.starts_at,
        record.starts_at,
        record.ends_at,
        record.course_code,
        record.course_name,
        record.index_number,
        record.student_name,
        STATE_WORDS[record.status.value if record.status else UNRECORDED],
        source_word(record),
        record.first_seen,
        record.last_seen,
        record.confidence,
        record.remark,
        record.unrecorded.value if record.unrecorded else None,
        record.watched_from,
        record.label.name if record.label else None,
        record.label.letter if record.label else None,
    )
