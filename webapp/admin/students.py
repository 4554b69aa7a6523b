"""Students: finding, adding, changing and deleting them."""

from datetime import date, datetime

import sqlalchemy as sa
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import ValidationError
from wtforms.validators import Optional

from database.models import Attendance, Course, Enrolment, GalleryJob, GalleryJobKind, Student
from webapp.admin.blueprint import blueprint
from webapp.admin.forms import AdminForm, DayField, text_field
from webapp.admin.lookup import count, counts_by, fetch
from webapp.admin.questions import Question, ask, count_text
from webapp.admin.search import matches, searched
from webapp.admin.writing import begin_change, committed, note
from webapp.identity import current_lecturer
from webapp.imports.values import LONGEST_INDEX_NUMBER, LONGEST_MEANS, LONGEST_NAME
from webapp.names import by_student_name
from webapp.paging import paginate
from webapp.storage import database
from webapp.times import local, start_of_day, today

_A_PAGE = 50
_TAKEN = "Another student has this index number."
_LISTS = ("", "no-consent", "no-course")


class StudentForm(AdminForm):
    """A student."""

    index_number = text_field("Index number", LONGEST_INDEX_NUMBER, identifier=True)
    name = text_field("Name", LONGEST_NAME)
    consent_given_on = DayField("Consent given on", validators=[Optional()])
    consent_means = text_field("Consent given by", LONGEST_MEANS, optional=True)

    def validate_consent_given_on(self, field: DayField) -> None:
        """Not in the future, and there when the means are."""
        if field.data and field.data > today():
            raise ValidationError("This day is in the future.")

    def validate_consent_means(self, field: DayField) -> None:
        """Only with a day."""
        if field.data and not self.consent_given_on.data and not self.consent_given_on.errors:
            raise ValidationError("Give the day of the consent too.")


@blueprint.get("/students")
def students() -> str:
    """The list; `?q=` searches names and index numbers, `?list=` shows those without consent or course."""
    db, text = database(), searched()
    shown = request.args.get("list", "")
    shown = shown if shown in _LISTS else ""
    query = sa.select(Student).where(matches(text, Student.name, Student.index_number))
    if shown == "no-consent":
        query = query.where(Student.consent_given_at.is_(None))
    elif shown == "no-course":
        query = query.where(~sa.exists().where(Enrolment.student_id == Student.id))
    # The whole list goes by index number, which an index keeps in order; what was found, by name.
    order = by_student_name(db) if text else (Student.index_number,)
    page = paginate(db, query.order_by(*order), size=_A_PAGE)
    courses = counts_by(Enrolment.student_id, Enrolment.student_id.in_([student.id for student in page.items]))
    return render_template("admin/students.html", page=page, courses=courses, text=text, shown=shown)


@blueprint.route("/students/new", methods=["GET", "POST"])
def new_student() -> ResponseReturnValue:
    """Add a student."""
    form = StudentForm()
    if form.validate_on_submit():
        db = begin_change()
        student = Student(**_values(form, None))
        if not _taken(form, None):
            db.add(student)
            if committed(db, form.index_number, _TAKEN):
                note("student_added", student=student.id)
                flash(f"{student.name} is added.", "success")
                return redirect(url_for("admin.student", student_id=student.id))
        db.rollback()
    return render_template("admin/student_form.html", form=form, student=None), 422 if form.errors else 200


@blueprint.get("/students/<int:student_id>")
def student(student_id: int) -> ResponseReturnValue:
    """A student's details and courses."""
    return _student_page(fetch(Student, student_id), None)


@blueprint.post("/students/<int:student_id>")
def save_student(student_id: int) -> ResponseReturnValue:
    """Keep changed details."""
    student, form = fetch(Student, student_id), StudentForm()
    if not form.validate():
        return _student_page(student, form)
    db = begin_change()
    values = _values(form, student)
    if _taken(form, student_id):
        db.rollback()
        return _student_page(student, form)
    for name, value in values.items():
        setattr(student, name, value)
    if not committed(db, form.index_number, _TAKEN):
        return _student_page(student, form)
    note("student_changed", student=student_id)
    flash(f"{student.name} is saved.", "success")
    return redirect(url_for("admin.student", student_id=student_id))


@blueprint.route("/students/<int:student_id>/delete", methods=["GET", "POST"])
def delete_student(student_id: int) -> ResponseReturnValue:
    """Delete a student, with every trace in the registers."""
    student = fetch(Student, student_id)
    courses = count(Enrolment, Enrolment.student_id == student_id)
    entries = count(Attendance, Attendance.student_id == student_id)
    back = url_for("admin.student", student_id=student_id)
    consequences = [f"{student.name} ({student.index_number}) leaves {count_text(courses, 'course')}."]
    if entries:
        consequences.append(f"{count_text(entries, 'entry', 'entries')} of registers, with their history, are deleted.")
    consequences.append(
        "The student's photos and face encodings are erased, too, within seconds while the gallery's worker runs."
    )
    answer = ask(
        Question(
            title=f"Delete {student.name}?",
            consequences=consequences,
            button="Delete the student",
            back=back,
            crumbs=[("Students", url_for("admin.students")), (student.name, back)],
            must_type=student.index_number if entries else None,
        )
    )
    if answer is not None:
        return answer
    db = begin_change()
    db.execute(sa.delete(Student).where(Student.id == student_id))
    asked_by = current_lecturer().id
    db.add(GalleryJob(kind=GalleryJobKind.ERASE, index_number=student.index_number, requested_by_id=asked_by))
    db.commit()
    note("student_deleted", student=student_id, entries=entries)
    flash(f"{student.name} is deleted.", "success")
    return redirect(url_for("admin.students"))


def _student_page(student: Student, form: StudentForm | None) -> ResponseReturnValue:
    wrong = form is not None
    if form is None:
        given = student.consent_given_at
        form = StudentForm(
            formdata=None, obj=student, data={"consent_given_on": local(given).date() if given else None}
        )
    courses = sa.select(Course).join(Enrolment).where(Enrolment.student_id == student.id).order_by(Course.code)
    page = render_template("admin/student.html", form=form, student=student, courses=database().scalars(courses).all())
    return page, 422 if wrong else 200


def _values(form: StudentForm, student: Student | None) -> dict[str, object]:
    given: date | None = form.consent_given_on.data
    before = student.consent_given_at if student else None
    moment: datetime | None = None if given is None else start_of_day(given)
    if before is not None and given == local(before).date():
        moment = before  # the day says the same; what is recorded is more exact
    return {
        "index_number": form.index_number.data,
        "name": form.name.data,
        "consent_given_at": moment,
        "consent_means": form.consent_means.data or None,
    }


def _taken(form: StudentForm, student_id: int | None) -> bool:
    query = sa.select(Student.id).where(Student.index_number == form.index_number.data, Student.id != (student_id or 0))
    if database().scalar(query) is None:
        return False
    form.index_number.errors = [_TAKEN]
    return True
