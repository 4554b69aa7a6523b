"""Excuses of a student: giving one for a time, and taking it back."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from sqlalchemy.orm import joinedload
from wtforms import DateField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # newer than its types
from wtforms.validators import AnyOf, DataRequired, Optional

from attendance.database.excuses import ExcuseError, NewExcuse, give_excuse, take_back_excuse
from attendance.database.models import Course, Enrolment, Excuse, Student
from attendance.tables.fields import EXCUSE_REASON, EXCUSE_REFERENCE
from attendance.texts import english
from webapp.account.identity import current_account, is_admin, may
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_student, reachable
from webapp.tools.fields import Fits, cleaned
from webapp.tools.languages import say_error, say_later
from webapp.tools.requests import read_id, safe_path
from webapp.tools.storage import database
from webapp.tools.times import YEARS, day_bounds, start_of_day, today

blueprint = needs(Permission.EXCUSE)(Blueprint("excuses", __name__, url_prefix="/students/<int:student_id>/excuses"))

ALL, OTHER = "all", "other"
# Kept in English, and said in the reader's language.
PRESETS = (
    english("Illness"),
    english("Family reasons"),
    english("University business"),
    english("Religious observance"),
)


class ExcuseForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """From when to when, why, and of which course. `offer_courses` must fill the courses first."""

    first_day = DateField(
        lazy_gettext("First day"), validators=[DataRequired(lazy_gettext("Write the first day like 2026-11-23."))]
    )
    last_day = DateField(
        lazy_gettext("Last day"), validators=[DataRequired(lazy_gettext("Write the last day like 2026-11-23."))]
    )
    reason = RadioField(
        lazy_gettext("Reason"),
        choices=[
            *(SelectChoice(str(word), say_later(word)) for word in PRESETS),
            SelectChoice(OTHER, lazy_gettext("Another reason")),
        ],
        validate_choice=False,
        validators=[AnyOf((*PRESETS, OTHER), lazy_gettext("Choose a reason."))],
    )
    other = StringField(
        lazy_gettext("Which one"), filters=[cleaned(EXCUSE_REASON)], validators=[Optional(), Fits(EXCUSE_REASON)]
    )
    course = SelectField(lazy_gettext("Course"), validate_choice=False)
    reference = StringField(
        lazy_gettext("Reference"), filters=[cleaned(EXCUSE_REFERENCE)], validators=[Optional(), Fits(EXCUSE_REFERENCE)]
    )

    def offer_courses(self, courses: Sequence[Course]) -> None:
        """Fill the list of courses."""
        everything = gettext("Every course") if is_admin() else gettext("All courses of yours that the student takes")
        words = {ALL: everything} | {str(course.id): f"{course.code}, {course.name}" for course in courses}
        self.offered = frozenset(words)
        self.course.choices = [SelectChoice(value, word) for value, word in words.items()]

    def complete(self) -> bool:
        """Whether everything is there, with a sentence for what is not."""
        valid = bool(self.validate())
        for day in (self.first_day, self.last_day):
            if day.data is not None and day.data.year not in YEARS:
                day.errors, valid = [gettext("Is the year right?")], False
        if self.reason.data == OTHER and not self.other.data:
            self.other.errors, valid = [gettext("Say which reason.")], False
        if self.course.data not in self.offered:
            self.course.errors, valid = [gettext("Choose a course from the list.")], False
        return valid


@blueprint.route("/new", methods=["GET", "POST"])
def new_excuse(student_id: int) -> ResponseReturnValue:
    """Excuse the student; `?course=` and `?day=` fill the form in."""
    student = reach_student(student_id)
    courses = courses_to_excuse(student)
    if not courses and not is_admin():
        abort(404)  # who left the course is excused from none of its sessions
    form = ExcuseForm(data=_asked())
    form.offer_courses(courses)
    back = safe_path(request.args.get("next")) or url_for("students.history", student_id=student_id)
    if form.is_submitted() and form.complete() and _given(student, courses, form):
        flash(
            gettext("%(student)s is excused. Registers of closed sessions are up to date.", student=student.name),
            "success",
        )
        return redirect(back)
    page = render_template("students/excuse.html", student=student, form=form, back=back)
    return page, 422 if form.errors else 200


@blueprint.post("/<int:excuse_id>/take-back")
def take_back(student_id: int, excuse_id: int) -> ResponseReturnValue:
    """Delete an excuse and undo what it did."""
    student = reach_student(student_id)
    excuse = database().get(Excuse, excuse_id)
    if excuse is None or excuse.student_id != student_id or not may_take_back(excuse):
        abort(404)
    take_back_excuse(database(), excuse_id, account_id=current_account().id)
    flash(
        gettext("The excuse is taken back; %(student)s's entries are decided without it.", student=student.name),
        "success",
    )
    return redirect(url_for("students.history", student_id=student_id))


def excuses_of(student: Student) -> Sequence[Excuse]:
    """The student's excuses of courses that one may see and of every course, the latest first."""
    query = (
        sa.select(Excuse)
        .options(joinedload(Excuse.course), joinedload(Excuse.created_by))
        .where(
            Excuse.student_id == student.id,
            sa.or_(Excuse.course_id.is_(None), reachable(Excuse.course_id)),
        )
        .order_by(Excuse.starts_at.desc(), Excuse.id.desc())
    )
    return database().scalars(query).all()


def may_take_back(excuse: Excuse) -> bool:
    """Whether one may excuse from the excuse's course; of every course, only administrators decide."""
    return is_admin() if excuse.course is None else may(Permission.EXCUSE, excuse.course)


def _given(student: Student, courses: Sequence[Course], form: ExcuseForm) -> bool:
    """Give the excuse; False, with the sentence at its field, when it makes no sense."""
    first, last = form.first_day.data, form.last_day.data
    if first is None or last is None:
        return False
    if form.course.data == ALL:
        meant = None if is_admin() else [course.id for course in courses]
    else:
        meant = [int(form.course.data)]
    new = NewExcuse(
        student_id=student.id,
        course_ids=meant,
        starts_at=start_of_day(first),
        ends_at=day_bounds(last)[1],
        reason=(form.other.data if form.reason.data == OTHER else form.reason.data) or "",
        reference=form.reference.data or "",
    )
    try:
        give_excuse(database(), new, account_id=current_account().id)
    except ExcuseError as error:
        form.last_day.errors = [say_error(error)]
        return False
    return True


def courses_to_excuse(student: Student) -> Sequence[Course]:
    """The courses of the student's that one may excuse from, by code."""
    taken = sa.select(Enrolment.course_id).where(Enrolment.student_id == student.id)
    query = sa.select(Course).where(Course.id.in_(taken), reachable(Course.id)).order_by(Course.code)
    return database().scalars(query).all()


def _asked() -> dict[str, Any]:
    try:
        day = today().fromisoformat(request.args.get("day", ""))
    except ValueError:
        day = today()
    return {"first_day": day, "last_day": day, "course": str(read_id(request.args.get("course", "")) or ALL)}
