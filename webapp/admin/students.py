"""Students: finding, adding, changing and deleting them."""

import sqlalchemy as sa
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext

from attendance.database.models import Enrolment, Student
from webapp.admin.blueprint import blueprint
from webapp.admin.lookup import counts_by, fetch
from webapp.admin.questions import Question, ask
from webapp.admin.search import matches, searched
from webapp.admin.student_page import NewStudentForm, StudentForm, student_page
from webapp.admin.writing import begin_change, write
from webapp.changes.students import (
    add_student,
    change_student,
    encodings_left_behind_words,
    likeness_words,
    what_student_has,
)
from webapp.changes.students import delete_student as erase_and_delete
from webapp.tools.names import by_student_name
from webapp.tools.paging import paginate
from webapp.tools.storage import database

_A_PAGE = 50
_LISTS = {
    "": (lazy_gettext("All"), sa.true()),
    "no-encodings": (lazy_gettext("Cannot be recognised yet"), Student.gallery_encodings == 0),
    "no-consent": (
        lazy_gettext("No consent"),
        Student.consent_given_at.is_(None) & Student.consent_withdrawn_at.is_(None),
    ),
    "withdrawn": (lazy_gettext("Consent withdrawn"), Student.consent_withdrawn_at.is_not(None)),
    "no-course": (lazy_gettext("In no course"), ~sa.exists().where(Enrolment.student_id == Student.id)),
}


@blueprint.get("/students")
def students() -> str:
    """The list; `?q=` searches names and index numbers, `?list=` shows those who lack something."""
    db, text = database(), searched()
    shown = request.args.get("list", "")
    shown = shown if shown in _LISTS else ""
    query = sa.select(Student).where(matches(text, Student.name, Student.index_number), _LISTS[shown][1])
    # The whole list goes by index number, which an index keeps in order; what was found, by name.
    order = by_student_name(db) if text else (Student.index_number,)
    page = paginate(db, query.order_by(*order), size=_A_PAGE)
    courses = counts_by(Enrolment.student_id, Enrolment.student_id.in_([student.id for student in page.items]))
    lists = [(value, word) for value, (word, _) in _LISTS.items()]
    return render_template("admin/students.html", page=page, courses=courses, text=text, shown=shown, lists=lists)


@blueprint.route("/students/new", methods=["GET", "POST"])
def new_student() -> ResponseReturnValue:
    """Add a student."""
    form = NewStudentForm()
    if form.validate_on_submit():
        student = write(form, lambda db: add_student(db, form.values(), form.consent()))
        if student is not None:
            flash(gettext("%(student)s is added.", student=student.name), "success")
            _ask_about(student.index_number)
            return redirect(url_for("admin.student", student_id=student.id))
    return render_template("admin/student_form.html", form=form, student=None), 422 if form.errors else 200


@blueprint.get("/students/<int:student_id>")
def student(student_id: int) -> ResponseReturnValue:
    """A student's details, consent, photos and courses."""
    return student_page(fetch(Student, student_id))


@blueprint.post("/students/<int:student_id>")
def save_student(student_id: int) -> ResponseReturnValue:
    """Keep changed details; encodings under a former index number are erased."""
    student = fetch(Student, student_id)
    form = StudentForm().leave_what_stays(student)
    if not form.validate():
        return student_page(student, form)
    renumbered = student.index_number != form.index_number.data
    left_behind = write(form, lambda db: change_student(db, student, form.values()))
    if left_behind is None:
        return student_page(student, form)
    flash(gettext("%(student)s is saved.", student=student.name), "success")
    if renumbered:
        _ask_about(student.index_number)
    if left_behind:
        flash(encodings_left_behind_words(), "warning")
    return redirect(url_for("admin.student", student_id=student_id))


@blueprint.route("/students/<int:student_id>/delete", methods=["GET", "POST"])
def delete_student(student_id: int) -> ResponseReturnValue:
    """Delete a student, with every trace in the registers."""
    student = fetch(Student, student_id)
    has = what_student_has(database(), student)
    back = url_for("admin.student", student_id=student_id)
    consequences = [
        ngettext(
            "%(student)s (%(index_number)s) leaves %(num)s course.",
            "%(student)s (%(index_number)s) leaves %(num)s courses.",
            has.courses,
            student=student.name,
            index_number=student.index_number,
        )
    ]
    if has.entries:
        consequences.append(
            ngettext(
                "%(num)s entry of registers, with its history, is deleted.",
                "%(num)s entries of registers, with their history, are deleted.",
                has.entries,
            )
        )
    consequences.append(
        gettext(
            "The student's photos and face encodings are erased, too, within seconds while the gallery's worker runs."
        )
    )
    answer = ask(
        Question(
            title=gettext("Delete %(student)s?", student=student.name),
            consequences=consequences,
            button=gettext("Delete the student"),
            back=back,
            crumbs=[(gettext("Students"), url_for("admin.students")), (student.name, back)],
            must_type=student.index_number if has.entries else None,
        )
    )
    if answer is not None:
        return answer
    db, name = begin_change(), student.name
    erase_and_delete(db, student)
    db.commit()
    flash(gettext("%(student)s is deleted.", student=name), "success")
    return redirect(url_for("admin.students"))


def _ask_about(index_number: str) -> None:
    """Say so where a new index number is hardly told apart from another student's."""
    words = likeness_words(database(), index_number)
    if words is not None:
        flash(words, "warning")
