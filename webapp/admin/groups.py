"""A course's groups, and who is in each."""

from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session

from attendance.database.models import Course, CourseGroup, CourseGroupMember, Enrolment, Student
from attendance.tables.fields import GROUP_NAME
from webapp.admin.blueprint import blueprint
from webapp.admin.forms import AdminForm, text_field
from webapp.admin.lookup import counts_by, fetch
from webapp.admin.one_student import OneStudentForm
from webapp.admin.questions import Question, ask
from webapp.admin.search import matches, searched
from webapp.admin.writing import begin_change, write
from webapp.changes.errors import ChangeError
from webapp.changes.groups import add_group, change_group, is_member, is_member_words, why_group_stays
from webapp.changes.groups import add_member as join
from webapp.changes.groups import delete_group as remove_group
from webapp.changes.groups import remove_member as take_out
from webapp.tools.languages import say_error
from webapp.tools.names import by_student_name
from webapp.tools.paging import paginate
from webapp.tools.storage import database

_A_PAGE = 50


class GroupForm(AdminForm):
    """A group."""

    name = text_field(lazy_gettext("Name"), GROUP_NAME)


@dataclass(frozen=True)
class GroupLine:
    """A group in a list.

    Attributes:
        members: those of its members who take the course.
    """

    group: CourseGroup
    members: int


def group_lines(course: Course) -> list[GroupLine]:
    """The course's groups by name, with how many are in each."""
    of_course = sa.select(CourseGroup).where(CourseGroup.course_id == course.id).order_by(CourseGroup.name)
    groups = database().scalars(of_course).all()
    enrolled = sa.select(Enrolment.student_id).where(Enrolment.course_id == course.id)
    members = counts_by(
        CourseGroupMember.group_id,
        CourseGroupMember.group_id.in_([group.id for group in groups]),
        CourseGroupMember.student_id.in_(enrolled),
    )
    return [GroupLine(group, members.get(group.id, 0)) for group in groups]


@blueprint.route("/courses/<int:course_id>/groups", methods=["GET", "POST"])
def groups(course_id: int) -> ResponseReturnValue:
    """The groups of the course, and a form for another."""
    course, form = fetch(Course, course_id), GroupForm()
    if form.validate_on_submit():
        group = write(form, lambda db: add_group(db, course, form.name.data))
        if group is not None:
            flash(gettext("The group %(group)s is added. Now say who is in it.", group=group.name), "success")
            return redirect(url_for("admin.group", course_id=course_id, group_id=group.id))
    page = render_template("admin/groups.html", course=course, form=form, lines=group_lines(course))
    return page, 422 if form.errors else 200


@blueprint.get("/courses/<int:course_id>/groups/<int:group_id>")
def group(course_id: int, group_id: int) -> ResponseReturnValue:
    """The students of a group; `?q=` searches names and index numbers."""
    return _group_page(_group_of(course_id, group_id), OneStudentForm(formdata=None))


@blueprint.route("/courses/<int:course_id>/groups/<int:group_id>/rename", methods=["GET", "POST"])
def rename_group(course_id: int, group_id: int) -> ResponseReturnValue:
    """Give the group another name."""
    group = _group_of(course_id, group_id)
    form = GroupForm(obj=group)
    if form.validate_on_submit() and write(form, lambda db: change_group(db, group, form.name.data)):
        flash(gettext("The group %(group)s is saved.", group=group.name), "success")
        return redirect(url_for("admin.group", course_id=course_id, group_id=group_id))
    page = render_template("admin/group_form.html", course=group.course, group=group, form=form)
    return page, 422 if form.errors else 200


@blueprint.post("/courses/<int:course_id>/groups/<int:group_id>/students")
def add_member(course_id: int, group_id: int) -> ResponseReturnValue:
    """Put a student of the course into the group."""
    group, form = _group_of(course_id, group_id), OneStudentForm()
    if not form.validate():
        return _group_page(group, form)
    student = write(form, partial(_join, group, form))
    if student is None:
        return _group_page(group, form)
    flash(gettext("%(student)s is in group %(group)s.", student=student.name, group=group.name), "success")
    return redirect(url_for("admin.group", course_id=course_id, group_id=group_id))


@blueprint.post("/courses/<int:course_id>/groups/<int:group_id>/students/<int:student_id>/remove")
def remove_member(course_id: int, group_id: int, student_id: int) -> ResponseReturnValue:
    """Take a student out of the group; closed registers stay as they are."""
    group, student = _group_of(course_id, group_id), fetch(Student, student_id)
    db = begin_change()
    take_out(db, group, student)
    db.commit()
    flash(gettext("%(student)s is not in group %(group)s any more.", student=student.name, group=group.name), "success")
    return redirect(url_for("admin.group", course_id=course_id, group_id=group_id))


@blueprint.route("/courses/<int:course_id>/groups/<int:group_id>/delete", methods=["GET", "POST"])
def delete_group(course_id: int, group_id: int) -> ResponseReturnValue:
    """Delete a group that no session is for."""
    group = _group_of(course_id, group_id)
    code, name = group.course.code, group.name
    back = url_for("admin.group", course_id=course_id, group_id=group_id)
    answer = ask(
        Question(
            title=gettext("Delete the group %(name)s of %(code)s?", name=name, code=code),
            consequences=[gettext("Its students still take the course.")],
            button=gettext("Delete the group"),
            back=back,
            crumbs=[(code, url_for("admin.course", course_id=course_id)), (name, back)],
            refused=why_group_stays(database(), group),
        )
    )
    if answer is not None:
        return answer
    db = begin_change()
    try:
        remove_group(db, group)
        db.commit()
    except ChangeError as error:  # a session was made for it since the question
        db.rollback()
        flash(say_error(error), "error")
        return redirect(back)
    flash(gettext("The group %(name)s is deleted.", name=name), "success")
    return redirect(url_for("admin.groups", course_id=course_id))


def _join(group: CourseGroup, form: OneStudentForm, db: Session) -> Student | None:
    """Put the student whom the form names into the group; None if there is none."""
    student = form.find(db)
    if student is None:
        return None
    if is_member(db, group, student):
        raise ChangeError("index_number", is_member_words(student))
    join(db, group, student)
    return student


def _group_of(course_id: int, group_id: int) -> CourseGroup:
    group = fetch(CourseGroup, group_id)
    if group.course_id != course_id:
        abort(404)
    return group


def _group_page(group: CourseGroup, form: OneStudentForm) -> ResponseReturnValue:
    db, text = database(), searched()
    query = (
        sa.select(Student)
        .join(CourseGroupMember, CourseGroupMember.student_id == Student.id)
        .join(Enrolment, sa.and_(Enrolment.student_id == Student.id, Enrolment.course_id == group.course_id))
        .where(CourseGroupMember.group_id == group.id, matches(text, Student.name, Student.index_number))
        .order_by(*by_student_name(db))
    )
    page = render_template(
        "admin/group.html",
        course=group.course,
        group=group,
        form=form,
        page=paginate(db, query, size=_A_PAGE),
        text=text,
    )
    return page, 422 if form.errors else 200
