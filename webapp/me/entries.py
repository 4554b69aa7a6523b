"""The student's own attendance: every course, every session, and what each entry rests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import abort, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session, contains_eager, joinedload

from attendance.database.audiences import TAKES_PLACE, among, counts_for, is_expected, parts
from attendance.database.entries import history_of
from attendance.database.evidence import evidence_of
from attendance.database.excused import excuses_for
from attendance.database.held.waiting import held_of_entry
from attendance.database.models import (
    Attendance,
    AttendanceChange,
    ClassSession,
    Course,
    Dispute,
    Enrolment,
    Excuse,
    Student,
)
from attendance.database.requests.disputes import DisputeError, disputes_of_entry, require_disputable
from webapp.held.waiting import reason_words
from webapp.me.blueprint import blueprint
from webapp.me.dispute_form import DisputeForm
from webapp.me.identity import for_student
from webapp.records.tallies import Tally, is_decided, tally_courses_of, tally_student
from webapp.tools.languages import say_error
from webapp.tools.paging import paginate
from webapp.tools.storage import database

_A_PAGE = 30


@dataclass(frozen=True)
class OwnEntry:
    """A session as its student sees it; without an entry nothing is recorded."""

    session: ClassSession
    entry: Attendance | None


@blueprint.get("")
@for_student
def home(student: Student) -> ResponseReturnValue:
    """Every course and session of the student; `?course=` shows one course's."""
    db = database()
    tallies = tally_courses_of(db, student.id, _everywhere)
    courses = _courses_of(db, student, tallies)
    chosen = _chosen(courses)
    return render_template(
        "me/home.html",
        student=student,
        courses=[(course, tallies.get(course.id, Tally())) for course in courses],
        overall=tally_student(db, student.id, _everywhere),
        chosen=chosen,
        page=paginate(db, _entries(student.id, chosen), size=_A_PAGE),
        disputes=_latest_disputes(db, student.id),
        excuses=_excuses(db, student.id),
    )


@blueprint.get("/sessions/<int:session_id>")
@for_student
def entry(student: Student, session_id: int) -> ResponseReturnValue:
    """One entry: what it says, what it rests on, its history, and what the student says of it."""
    own = reach_own_entry(student, session_id)
    status = None if own.entry is None else own.entry.status
    return entry_page(student, own, DisputeForm(formdata=None, now=status))


def entry_page(student: Student, own: OwnEntry, form: DisputeForm) -> str:
    """The page of one entry, with a form that may have errors."""
    db, session_id = database(), own.session.id
    changes = history_of(session_id, student.id).options(
        joinedload(AttendanceChange.account),
        joinedload(AttendanceChange.old_label),
        joinedload(AttendanceChange.new_label),
    )
    return render_template(
        "me/entry.html",
        student=student,
        session=own.session,
        entry=own.entry,
        changes=db.scalars(changes).all(),
        sightings=[row for row in evidence_of(db, session_id, student.id) if not row.held],
        held=held_of_entry(db, session_id, student.id),
        reason_words=reason_words,
        excuses=db.scalars(excuses_for(own.session, (student.id,))).all(),
        disputes=disputes_of_entry(db, session_id, student.id),
        cannot=_why_not(db, session_id, student.id),
        form=form,
    )


def reach_own_entry(student: Student, session_id: int) -> OwnEntry:
    """The student's entry of a session, or that there is none though the session is over; else 404."""
    db = database()
    session = db.scalar(sa.select(ClassSession).options(*parts()).where(ClassSession.id == session_id, TAKES_PLACE))
    query = sa.select(Attendance).options(joinedload(Attendance.camera), joinedload(Attendance.label))
    mine = query.where(Attendance.session_id == session_id, Attendance.student_id == student.id, is_decided())
    entry = db.scalar(mine)
    if session is None or (entry is None and not (session.closed_at and is_expected(db, session, student.id))):
        abort(404)
    return OwnEntry(session, entry)


def _everywhere(_column: Any) -> sa.ColumnElement[bool]:
    return sa.true()


def _courses_of(db: Session, student: Student, tallies: dict[int, Tally]) -> Sequence[Course]:
    """Those that the student takes, or has attendance in."""
    taken = sa.select(Enrolment.course_id).where(Enrolment.student_id == student.id)
    listed = sa.or_(Course.id.in_(taken), Course.id.in_(tallies))
    return db.scalars(sa.select(Course).where(listed).order_by(Course.code)).all()


def _chosen(courses: Sequence[Course]) -> Course | None:
    text = request.args.get("course", "")
    if not text:
        return None
    return next((course for course in courses if str(course.id) == text), None) or abort(404)


def _entries(student_id: int, course: Course | None) -> sa.Select[Any]:
    query = (
        sa.select(Attendance)
        .join(Attendance.session)
        .options(contains_eager(Attendance.session).options(*parts()), joinedload(Attendance.label))
        .where(Attendance.student_id == student_id, TAKES_PLACE, is_decided())
        .order_by(ClassSession.starts_at.desc(), ClassSession.id.desc())
    )
    return query if course is None else query.where(counts_for(Attendance.student_id, among([course.id])))


def _latest_disputes(db: Session, student_id: int) -> dict[int, Dispute]:
    """By session, the last time that the student called the entry wrong."""
    query = sa.select(Dispute).where(Dispute.student_id == student_id).order_by(Dispute.id)
    return {dispute.session_id: dispute for dispute in db.scalars(query)}


def _excuses(db: Session, student_id: int) -> Sequence[Excuse]:
    query = sa.select(Excuse).options(joinedload(Excuse.course)).where(Excuse.student_id == student_id)
    return db.scalars(query.order_by(Excuse.starts_at.desc(), Excuse.id.desc())).all()


def _why_not(db: Session, session_id: int, student_id: int) -> str | None:
    """Why the entry cannot be called wrong now, or None."""
    try:
        require_disputable(db, session_id, student_id)
    except DisputeError as error:
        return say_error(error)
    return None
