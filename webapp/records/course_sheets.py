"""A course's sessions as a table for files, and the columns of every tally."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from flask_babel import lazy_gettext

from attendance.database.models import Course
from webapp.exports.sheets import Cell, CellKind, Sheet, SheetColumn
from webapp.records.tallies import Tally
from webapp.tools.class_sessions.phases import PHASE_WORDS
from webapp.tools.class_sessions.words import audience_codes, room_names

if TYPE_CHECKING:
    from webapp.records.courses import SessionLine

TALLY_COLUMNS = (
    SheetColumn(lazy_gettext("Attendance"), CellKind.SHARE),
    SheetColumn(lazy_gettext("Present"), CellKind.WHOLE),
    SheetColumn(lazy_gettext("Late"), CellKind.WHOLE),
    SheetColumn(lazy_gettext("Absent"), CellKind.WHOLE),
    SheetColumn(lazy_gettext("Excused"), CellKind.WHOLE),
    SheetColumn(lazy_gettext("Not recorded"), CellKind.WHOLE),
)
_SESSION_COLUMNS = (
    SheetColumn(lazy_gettext("Date"), CellKind.DAY),
    SheetColumn(lazy_gettext("Start"), CellKind.CLOCK),
    SheetColumn(lazy_gettext("End"), CellKind.CLOCK),
    SheetColumn(lazy_gettext("For")),
    SheetColumn(lazy_gettext("Room")),
    SheetColumn(lazy_gettext("State")),
    SheetColumn(lazy_gettext("Students expected"), CellKind.WHOLE),
    *TALLY_COLUMNS,
)


def tally_cells(tally: Tally) -> Sequence[Cell]:
    """Of `TALLY_COLUMNS`."""
    return (tally.rate, tally.present, tally.late, tally.absent, tally.excused, tally.unrecorded)


def sessions_sheet(course: Course, lines: "Iterable[SessionLine]") -> Sheet:
    """A course's sessions, as its page lists them."""
    rows = [
        (
            line.session.starts_at,
            line.session.starts_at,
            line.session.ends_at,
            audience_codes(line.session),
            room_names(line.session),
            PHASE_WORDS[line.phase],
            line.roster,
            *tally_cells(line.tally),
        )
        for line in lines
    ]
    return Sheet(course.code, _SESSION_COLUMNS, rows, frozen=3)
