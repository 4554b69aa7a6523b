"""The exam office's lines as a file."""

from collections.abc import Iterator, Sequence

from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session, sessionmaker

from webapp.exam_office.lines import ExamFilter, ExamLine, exam_lines
from webapp.exports.sheets import Cell, CellKind, Sheet, SheetColumn

MOST_SHEETS = 100
"""So many courses have a sheet each; among more nobody would find one, and they are one sheet."""

_COLUMNS = (
    SheetColumn(lazy_gettext("Course")),
    SheetColumn(lazy_gettext("Course name")),
    SheetColumn(lazy_gettext("Index number")),
    SheetColumn(lazy_gettext("Student")),
    SheetColumn(lazy_gettext("Attendance"), CellKind.SHARE),
    SheetColumn(lazy_gettext("Attended"), CellKind.WHOLE),
    SheetColumn(lazy_gettext("Of these late"), CellKind.WHOLE),
    SheetColumn(lazy_gettext("Absences"), CellKind.WHOLE),
    SheetColumn(lazy_gettext("Excused"), CellKind.WHOLE),
    SheetColumn(lazy_gettext("Sessions recorded"), CellKind.WHOLE),
    SheetColumn(lazy_gettext("Sessions not recorded"), CellKind.WHOLE),
    SheetColumn(lazy_gettext("Threshold"), CellKind.SHARE),
    SheetColumn(lazy_gettext("Threshold met")),
    SheetColumn(lazy_gettext("As of"), CellKind.DAY),
    SheetColumn(lazy_gettext("Labels add"), CellKind.NUMBER),
    SheetColumn(lazy_gettext("Attendance without labels"), CellKind.SHARE),
)


def exam_sheets(
    sessions: sessionmaker[Session], courses: Sequence[tuple[int, str]], wanted: ExamFilter
) -> Iterator[Sheet]:
    """A sheet for each course, or one for all where they are many; read while they are written.

    Args:
        sessions: opens a database session for each course.
        courses: id and code of each, in order; all within what one may see.
        wanted: the filter.
    """
    if 0 < len(courses) <= MOST_SHEETS:
        for course_id, code in courses:
            yield Sheet(code, _COLUMNS, _rows(sessions, [course_id], wanted), frozen=4)
    else:
        yield Sheet(
            gettext("All courses"), _COLUMNS, _rows(sessions, [course_id for course_id, _ in courses], wanted), frozen=4
        )


def met_word(line: ExamLine) -> str:
    """Whether the threshold is met, in a word or three."""
    if line.met is None:
        return str(gettext("Nothing recorded"))
    return str(gettext("Met")) if line.met else str(gettext("Not met"))


def _rows(sessions: sessionmaker[Session], course_ids: Sequence[int], wanted: ExamFilter) -> Iterator[Sequence[Cell]]:
    for course_id in course_ids:
        for line in exam_lines(sessions, course_id, wanted):
            yield _cells(line, wanted)


def _cells(line: ExamLine, wanted: ExamFilter) -> Sequence[Cell]:
    tally = line.tally
    return (
        line.course.code,
        line.course.name,
        line.student.index_number,
        line.student.name,
        tally.rate,
        tally.attended,
        tally.late,
        tally.absent,
        tally.excused,
        tally.recorded,
        tally.unrecorded,
        line.threshold / 100,
        met_word(line),
        wanted.as_of,
        tally.weighed,
        tally.unweighed_rate,
    )
