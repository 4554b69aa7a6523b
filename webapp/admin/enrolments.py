"""A course's roster: who takes it."""

from typing import Any

import sqlalchemy as sa
from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from attendance.database.audiences import among, sessions_of_courses
from attendance.database.models import Attendance, Course, Enrolment, Student
from attendance.database.teaching.enrolments import enrol as put_on_roster
from attendance.database.teaching.enrolments import unenrol as take_off_roster
from webapp.account.identity import current_account
from webapp.admin.blueprint import blueprint
from webapp.admin.lookup import fetch
from webapp.admin.one_student import OneStudentForm
from webapp.admin.questions import Question, ask
from webapp.admin.search import matches, searched
from webapp.admin.writing import begin_change, committed
from webapp.exports.answers import Form, answer, file_stem
from webapp.exports.sheets import Sheet, SheetColumn
from webapp.tools.names import by_student_name
from webapp.tools.paging import paginate
from webapp.tools.storage import database
from webapp.tools.times import today

_A_PAGE = 50


@blueprint.get("/courses/<int:course_id>/students")
def roster(course_id: int) -> ResponseReturnValue:
    """The students of the course; `?q=` searches names and index numbers."""
    return _roster_page(fetch(Course, course_id), OneStudentForm(formdata=None))


@blueprint.get("/courses/<int:course_id>/students.csv", defaults={"form": Form.CSV})
@blueprint.get("/courses/<int:course_id>/students.xlsx", defaults={"form": Form.XLSX})
def export_roster(course_id: int, form: Form) -> ResponseReturnValue:
    """The students of the page, on all its pages; `?q=` narrows them as it narrows the page."""
    course, text = fetch(Course, course_id), searched()
    students = database().scalars(_roster_of(course, text))
    rows = [(course.code, student.index_number, student.name) for student in students]
    # Named as the import of enrolments has them, so that the file can be changed and imported.
    columns = [SheetColumn("course_code"), SheetColumn("index_number"), SheetColumn("name")]
    name = file_stem(["roster", course.code, today().isoformat(), text])
    return answer([Sheet(course.code, columns, rows, frozen=3)], file_name=name, form=form)


@blueprint.post("/courses/<int:course_id>/students")
def enrol(course_id: int) -> ResponseReturnValue:
    """Enrol a student by index number."""
    course, form = fetch(Course, course_id), OneStudentForm()
    if not form.validate():
        return _roster_page(course, form)
    db = begin_change()
    student = form.find(db)
    if student is not None and not put_on_roster(db, course, student, account_id=current_account().id):
        form.refuse(gettext("%(student)s is enrolled already.", student=student.name))
    if student is None or form.errors:
        db.rollback()
        return _roster_page(course, form)
    if not committed(db, form.index_number, gettext("%(student)s is enrolled already.", student=student.name)):
        return _roster_page(course, form)
    flash(gettext("%(student)s takes %(code)s.", student=student.name, code=course.code), "success")
    return redirect(url_for("admin.roster", course_id=course_id))


@blueprint.route("/courses/<int:course_id>/students/<int:student_id>/remove", methods=["GET", "POST"])
def unenrol(course_id: int, student_id: int) -> ResponseReturnValue:
    """Take a student off the roster; what is recorded stays."""
    course, student = fetch(Course, course_id), fetch(Student, student_id)
    back = url_for("admin.roster", course_id=course_id)
    of_course = sessions_of_courses(among([course_id]))
    entries = database().scalar(
        sa.select(sa.func.count())
        .select_from(Attendance)
        .join(of_course, of_course.c.session_id == Attendance.session_id)
        .where(Attendance.student_id == student_id)
    )
    consequences = [gettext("Cameras will not look for the student in sessions of this course any more.")]
    if entries:
        consequences.append(
            ngettext("%(num)s entry of past registers stays.", "%(num)s entries of past registers stay.", entries)
        )
    answer = ask(
        Question(
            title=gettext("Remove %(student)s from %(code)s?", student=student.name, code=course.code),
            consequences=consequences,
            button=gettext("Remove the student"),
            back=back,
            crumbs=[
                (gettext("Courses"), url_for("admin.courses")),
                (course.code, url_for("admin.course", course_id=course_id)),
                (gettext("Students"), back),
            ],
        )
    )
    if answer is not None:
        return answer
    db = begin_change()
    take_off_roster(db, course, student, account_id=current_account().id)
    db.commit()
    flash(gettext("%(student)s does not take %(code)s any more.", student=student.name, code=course.code), "success")
    return redirect(back)


def _roster_page(course: Course, form: OneStudentForm) -> ResponseReturnValue:
    text = searched()
    page = render_template(
        "admin/roster.html",
        course=course,
        form=form,
        page=paginate(database(), _roster_of(course, text), size=_A_PAGE),
        text=text,
        export_addresses={
            kind: url_for("admin.export_roster", course_id=course.id, form=kind, q=text or None) for kind in Form
        },
    )
    return page, 422 if form.errors else 200


def _roster_of(course: Course, text: str) -> sa.Select[Any]:
    return (
        sa.select(Student)
        .join(Enrolment)
        .where(Enrolment.course_id == course.id, matches(text, Student.name, Student.index_number))
        .order_by(*by_student_name(database()))
    )
