"""Records as a table for a file."""

from collections.abc import Iterator, Sequence

from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.audiences import Condition
from webapp.exports.sheets import Cell, Column, Kind, Sheet
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


def _columns() -> list[Column]:
    place = {"zone": str(zone())}
    return [
        Column(lazy_gettext("Date"), Kind.DAY),
        Column(lazy_gettext("Start"), Kind.CLOCK),
        Column(lazy_gettext("End"), Kind.CLOCK),
        Column(lazy_gettext("Course")),
        Column(lazy_gettext("Course name")),
        Column(lazy_gettext("Index number")),
        Column(lazy_gettext("Student")),
        Column(lazy_gettext("Status")),
        Column(lazy_gettext("Source")),
        Column(gettext("First seen (%(zone)s)", **place), Kind.MOMENT),
        Column(gettext("Last seen (%(zone)s)", **place), Kind.MOMENT),
        Column(lazy_gettext("Confidence"), Kind.SHARE),
        Column(lazy_gettext("Remark")),
        Column(lazy_gettext("Not recorded because")),
        Column(gettext("Room watched from (%(zone)s)", **place), Kind.MOMENT),
        Column(lazy_gettext("Label")),
        Column(lazy_gettext("Letter")),
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
