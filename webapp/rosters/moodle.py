"""Files that Moodle's Attendance plugin (mod_attendance) imports: the sessions of a course, and the marks of one.

*Import Sessions* takes columns by their places: its form offers the first for the first, and so on. *Upload attendance
by CSV*, in a session, takes who, and a time or a status; it finds the columns that have names it knows. The letters are
those of the plugin's own status set. Names and places are those of release 2023041800 (version 2024020500, Moodle 4.3);
those for Moodle 4.0 and before lack *Allow students to update own attendance*, and what follows stands a place earlier.
"""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from flask import Response, render_template
from flask.typing import ResponseReturnValue

from attendance.database.audiences import TAKES_PLACE, among, audiences_of, counts_in, parts, sessions_of_courses
from attendance.database.models import Attendance, ClassSession, Course, Status, Student, utc_now
from webapp.account.permissions import Permission, needs
from webapp.account.reach import course_shown, courses_seen, reach_course, reach_session
from webapp.exports.answers import file_stem
from webapp.exports.for_programs import program_csv
from webapp.records.tallies import roster_sizes
from webapp.rosters.blueprint import of_courses
from webapp.tools.class_sessions.words import room_names
from webapp.tools.paging import paginate
from webapp.tools.storage import database
from webapp.tools.times import local

_A_PAGE = 50
_SESSION_COLUMNS = (
    "Course shortname", "Groups", "Date", "from:", "to:", "Description", "Repeat on", "Repeat every", "Repeat until",
    "Allow students to record own attendance", "Allow students to update own attendance", "Student password",
    "Random password", "Subnet", "Automatic marking", "Automatically select highest status available",
    "Absentee report", "Prevent students sharing IP address", "Time to allow re-use of IP address (minutes)",
    "Create calendar event for session", "Include QR code", "Rotate QR code", "Open session early for marking",
)  # fmt: skip
"""In the order and by the names of the plugin's form (classes/import/sessions.php, `list_required_headers`), so that
whoever imports sees each beside itself."""
_NOT_BY_STUDENTS = ("", "", "", 0, 0, "", 0, "", 0, 0, 1, 0, "", 1, 0, 0, 0)
"""No repetition; students mark nothing themselves; the session counts in the absentee report, and in the calendar."""
_MARK_COLUMNS = ("idnumber", "scantime", "status")
"""By these names the form finds the Moodle user field and the status (classes/form/import/marksessions_confirm.php)."""
_LETTERS = {Status.PRESENT: "P", Status.LATE: "L", Status.EXCUSED: "E", Status.ABSENT: "A"}


@of_courses.get("/courses/<int:course_id>/moodle")
def page(course_id: int) -> str:
    """The files for Moodle of a course."""
    course, db = reach_course(course_id), database()
    of_course = _sessions(course_id).where(ClassSession.ends_at <= utc_now())
    past = of_course.order_by(ClassSession.starts_at.desc(), ClassSession.id.desc())
    sessions = paginate(db, past, size=_A_PAGE)
    return render_template(
        "rosters/moodle.html", course=course, roster=roster_sizes(db, [course_id])[course_id], page=sessions
    )


@of_courses.get("/courses/<int:course_id>/moodle-sessions.csv")
def export_sessions(course_id: int) -> ResponseReturnValue:
    """The sessions of a course, for *Import sessions*."""
    course = reach_course(course_id)
    found = database().scalars(_sessions(course_id).order_by(ClassSession.starts_at, ClassSession.id)).all()
    rows = [_session_row(course, session) for session in found]
    return _file(program_csv([_SESSION_COLUMNS], rows), ["moodle-sessions", course.code])


@of_courses.get("/sessions/<int:session_id>/moodle.csv")
@needs(Permission.READ)
def export_marks(session_id: int) -> ResponseReturnValue:
    """What is recorded of a session, for *Upload attendance by CSV* in the same session of the plugin."""
    session = reach_session(session_id)
    starts = local(session.starts_at).strftime("%Y-%m-%d-%H%M")
    return _file(program_csv([_MARK_COLUMNS], _marks(session)), ["moodle", course_shown(session).code, starts])


def _sessions(course_id: int) -> sa.Select[ClassSession]:
    of_course = sessions_of_courses(among([course_id]), TAKES_PLACE)
    query = sa.select(ClassSession).join(of_course, of_course.c.session_id == ClassSession.id)
    return query.options(*parts())


def _session_row(course: Course, session: ClassSession) -> Sequence[object]:
    begin, end = local(session.starts_at), local(session.ends_at)
    mine = [audience for audience in audiences_of(session) if audience.course_id == course.id]
    whole = any(audience.group_id is None for audience in mine)
    groups = "" if whole else ";".join(_group_names(session, course.id))
    description = " · ".join(part for part in (room_names(session), session.note or "") if part)
    return (
        course.code, groups, f"{begin:%Y-%m-%d}", f"{begin:%H:%M}", f"{end:%H:%M}", description, *_NOT_BY_STUDENTS
    )  # fmt: skip


def _group_names(session: ClassSession, course_id: int) -> list[str]:
    named = [(session.course_id, session.group), *((one.course_id, one.group) for one in session.further_audiences)]
    return [group.name for of, group in named if of == course_id and group is not None]


def _marks(session: ClassSession) -> Iterator[Sequence[object]]:
    """Who, by the index number, which Moodle keeps as the ID number; no time, so that the status counts."""
    query = sa.select(Student.index_number, Attendance.status).join(Attendance, Attendance.student_id == Student.id)
    query = query.where(Attendance.session_id == session.id, Attendance.status.is_not(None))
    seen = counts_in(session, courses_seen(session), Student.id)
    for number, status in database().execute(query.where(seen).order_by(Student.index_number)):
        if status is not None:
            yield number, "", _LETTERS[status]


def _file(lines: Iterator[str], words: Sequence[str]) -> Response:
    response = Response("".join(lines), content_type="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"{file_stem(words)}.csv")
    return response
