"""Photos that a student proposes, beside the student's record, for somebody of the department who decides on them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import TextAreaField

from attendance.database.models import Course, Enrolment, PhotoProposal, ProposalState, Student
from attendance.database.requests.proposals import (
    ProposalError,
    decide_proposals,
    proposals_of,
    proposed_photo,
    students_with_proposals,
)
from attendance.tables.fields import REJECTION_REASON
from webapp.account.identity import current_account
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_student, reachable, reachable_with
from webapp.tools.fields import cleaned
from webapp.tools.languages import say_error
from webapp.tools.photos import photo_answer, proposals_kept_for
from webapp.tools.requests import read_id
from webapp.tools.storage import database

blueprint = Blueprint("proposals", __name__)

ACCEPT, REJECT = "accept", "reject"
_MOST = 8


class DecisionsForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """Which photos show the student, and why others do not do; a choice for each photo stands beside it."""

    reason = TextAreaField(lazy_gettext("Reason"), filters=[cleaned(REJECTION_REASON)])


@dataclass(frozen=True)
class Proposing:
    """A student of whom photos wait."""

    student: Student
    photos: int
    since: datetime


def proposing_students(db: Session) -> list[Proposing]:
    """The students of whom photos wait and whose courses one may decide in; who waits longest first."""
    taken = sa.select(Enrolment.student_id).where(reachable_with(Permission.RECOGNISE, Enrolment.course_id))
    found = students_with_proposals(proposals_kept_for()).where(PhotoProposal.student_id.in_(taken))
    waiting = {student_id: (photos, since) for student_id, photos, since in db.execute(found)}
    oldest = sorted(waiting, key=lambda student_id: waiting[student_id][1])[:_MOST]
    students = {student.id: student for student in db.scalars(sa.select(Student).where(Student.id.in_(oldest)))}
    return [Proposing(students[student_id], *waiting[student_id]) for student_id in oldest]


@blueprint.get("/students/<int:student_id>/photos")
@needs(Permission.RECOGNISE)
def proposals(student_id: int) -> ResponseReturnValue:
    """The photos that wait, beside the record."""
    return _page(reach_student(student_id), DecisionsForm(formdata=None))


@blueprint.post("/students/<int:student_id>/photos")
@needs(Permission.RECOGNISE)
def decide(student_id: int) -> ResponseReturnValue:
    """Accept photos, which are handed to the gallery's worker, and reject others with a reason."""
    student, form = reach_student(student_id), DecisionsForm()
    accepted, rejected = _chosen(ACCEPT), _chosen(REJECT)
    if not form.validate():
        return _page(student, form), 422
    if not accepted and not rejected:
        form.reason.errors = [gettext("Choose for at least one photo.")]
        return _page(student, form), 422
    try:
        good, bad = decide_proposals(
            database(),
            student_id=student.id,
            accepted=accepted,
            rejected=rejected,
            reason=form.reason.data or "",
            account_id=current_account().id,
            kept_for=proposals_kept_for(),
        )
    except ProposalError as error:
        form.reason.errors = [say_error(error)]
        return _page(student, form, chosen={ACCEPT: accepted, REJECT: rejected}), 422
    flash(gettext("Accepted: %(good)s, rejected: %(bad)s.", good=good, bad=bad), "success")
    left = len({*accepted, *rejected}) - good - bad
    if left:
        flash(gettext("Decided or taken back by somebody else meanwhile: %(left)s.", left=left), "warning")
    return redirect(url_for("proposals.proposals", student_id=student.id))


@blueprint.get("/students/<int:student_id>/photos/<int:proposal_id>.jpg")
@needs(Permission.RECOGNISE)
def proposal_photo(student_id: int, proposal_id: int) -> ResponseReturnValue:
    """A photo that waits, small and without what the camera wrote into it."""
    student = reach_student(student_id)
    return photo_answer(proposed_photo(database(), student.id, proposal_id, kept_for=proposals_kept_for()))


def _page(student: Student, form: DecisionsForm, *, chosen: dict[str, Collection[int]] | None = None) -> str:
    db = database()
    every = proposals_of(db, student.id, kept_for=proposals_kept_for())
    courses = sa.select(Course).join(Enrolment).where(Enrolment.student_id == student.id, reachable(Course.id))
    return render_template(
        "students/proposals.html",
        student=student,
        courses=db.scalars(courses.order_by(Course.code)).all(),
        waiting=[photo for photo in every if photo.state is ProposalState.WAITING],
        decided=[photo for photo in every if photo.state is not ProposalState.WAITING],
        chosen=chosen or {},
        form=form,
    )


def _chosen(choice: str) -> Sequence[int]:
    """The ids of the photos of which the form says this."""
    names = (name for name, value in request.form.items() if name.startswith("photo-") and value == choice)
    ids = (read_id(name.removeprefix("photo-")) for name in names)
    return [each for each in ids if each is not None]
