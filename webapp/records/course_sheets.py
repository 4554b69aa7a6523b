"""A course's sessions as a table for files, and the columns of every tally."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from flask_babel import lazy_gettext

from attendance.database.models import Course
from webapp.exports.sheets import Cell, Column, Kind, Sheet
from webapp.records.tallies import Tally
from webapp.tools.phases import PHASE_WORDS
from webapp.tools.session_words import audience_codes, room_names

if TYPE_CHECKING:
    from webapp.records.courses import SessionLine

TALLY_COLUMNS = (
    Column(lazy_gettext("Attendance"), Kind.SHARE),
    Column(lazy_gettext("Present"), Kind.WHOLE),
    Column(lazy_gettext("Late"), Kind.WHOLE),
    Column(lazy_gettext("Absent"), Kind.WHOLE),
    Column(lazy_gettext("Excused"), Kind.WHOLE),
    Column(lazy_gettext("Not recorded"), Kind.WHOLE),
)
_SESSION_COLUMNS = (
    Column(lazy_gettext("Date"), Kind.DAY),
    Column(lazy_gettext("Start"), Kind.CLOCK),
    Column(lazy_gettext("End"), Kind.CLOCK),
    Column(lazy_gettext("For")),
    Column(lazy_gettext("Room")),
    Column(lazy_gettext("State")),
    Column(lazy_gettext("Students expected"), Kind.WHOLE),
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
