"""A student's page as tables for a file."""

from collections.abc import Iterable, Iterator

from flask_babel import gettext, lazy_gettext

from attendance.database.models import Attendance, Course, Excuse
from webapp.exports.sheets import CellKind, Sheet, SheetColumn
from webapp.records.course_sheets import TALLY_COLUMNS, tally_cells
from webapp.records.tallies import Tally
from webapp.tools.class_sessions.words import audience_codes, room_names
from webapp.tools.template_tools import STATE_WORDS, UNRECORDED, source_word

_COURSE_COLUMNS = (SheetColumn(lazy_gettext("Course")), SheetColumn(lazy_gettext("Course name")), *TALLY_COLUMNS)
_EXCUSE_COLUMNS = (
    SheetColumn(lazy_gettext("First day"), CellKind.DAY),
    SheetColumn(lazy_gettext("Last day"), CellKind.DAY),
    SheetColumn(lazy_gettext("Course")),
    SheetColumn(lazy_gettext("Reason")),
    SheetColumn(lazy_gettext("Reference")),
    SheetColumn(lazy_gettext("By")),
)
_SESSION_COLUMNS = (
    SheetColumn(lazy_gettext("Date"), CellKind.DAY),
    SheetColumn(lazy_gettext("Start"), CellKind.CLOCK),
    SheetColumn(lazy_gettext("End"), CellKind.CLOCK),
    SheetColumn(lazy_gettext("Course")),
    SheetColumn(lazy_gettext("Room")),
    SheetColumn(lazy_gettext("Status")),
    SheetColumn(lazy_gettext("Source")),
    SheetColumn(lazy_gettext("First seen"), CellKind.CLOCK_SECONDS),
    SheetColumn(lazy_gettext("Last seen"), CellKind.CLOCK_SECONDS),
    SheetColumn(lazy_gettext("Remark")),
    SheetColumn(lazy_gettext("Not recorded because")),
    SheetColumn(lazy_gettext("Label")),
    SheetColumn(lazy_gettext("Letter")),
)


def student_sheets(
    courses: Iterable[tuple[Course, Tally]], excuses: Iterable[Excuse], entries: Iterable[Attendance]
) -> Iterator[Sheet]:
    """The parts of a student's page, in its order: each course's rate, the excuses, the sessions.

    Args:
        courses: with their tallies.
        excuses: all that the page shows.
        entries: with their sessions, loaded with `audiences.parts`.
    """
    rates = [(course.code, course.name, *tally_cells(tally)) for course, tally in courses]
    yield Sheet(lazy_gettext("Courses"), _COURSE_COLUMNS, rates)
    given = [_excuse_cells(excuse) for excuse in excuses]
    if given:
        yield Sheet(lazy_gettext("Excuses"), _EXCUSE_COLUMNS, given)
    yield Sheet(lazy_gettext("Sessions"), _SESSION_COLUMNS, [_entry_cells(entry) for entry in entries], frozen=3)


def _excuse_cells(excuse: Excuse) -> tuple[object, ...]:
    return (
        excuse.starts_at,
        excuse.last_moment,
        excuse.course.code if excuse.course else gettext("Every course"),
        excuse.reason,
        excuse.reference,
        excuse.created_by.name if excuse.created_by else None,
    )


def _entry_cells(entry: Attendance) -> tuple[object, ...]:
    session = entry.session
    return (
        session.starts_at,
        session.starts_at,
        session.ends_at,
        audience_codes(session),
        room_names(session),
        STATE_WORDS[entry.status.value if entry.status else UNRECORDED],
        source_word(entry),
        entry.first_seen,
        entry.last_seen,
        entry.remark,
        entry.unrecorded_reason.value if entry.unrecorded_reason else None,
        entry.label.name if entry.label else None,
        entry.label.letter if entry.label else None,
    )
