"""Courses and who teaches them."""

import sqlalchemy as sa
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext
from flask_babel import gettext as _
from sqlalchemy.orm import contains_eager, joinedload, selectinload
from wtforms import BooleanField, SelectField, StringField

from attendance.database.access.roles import Reach, is_taught, take_role
from attendance.database.audiences import TAKES_PLACE, among, parts, sessions_of_courses
from attendance.database.models import (
    Account,
    AccountRole,
    AuditAction,
    ClassSession,
    Course,
    Department,
    Enrolment,
    Role,
    utc_now,
)
from attendance.tables.fields import COURSE_CODE, COURSE_NAME, clean
from webapp.account.noting import noted
from webapp.admin.accounts.role_form import give
from webapp.admin.blueprint import blueprint
from webapp.admin.forms import AdminForm, PercentField, between, given, one_of_the_list, options, text_field
from webapp.admin.groups import group_lines
from webapp.admin.lookup import chosen_id, count, counts_by, fetch
from webapp.admin.questions import Question, ask
from webapp.admin.search import matches, searched
from webapp.admin.writing import begin_change, write
from webapp.changes.courses import CourseValues, add_course, change_course, what_course_has
from webapp.changes.courses import delete_course as remove_course
from webapp.tools.paging import paginate
from webapp.tools.storage import database

_A_PAGE = 50
_PLACES = {"department_id": "department"}
_LISTS = ("", "no-lecturer", "no-student", "no-department")


class CourseForm(AdminForm):
    """A course. `offer_departments` must fill the departments first."""

    code = text_field(lazy_gettext("Code"), COURSE_CODE)
    name = text_field(lazy_gettext("Name"), COURSE_NAME)
    department = SelectField(
        lazy_gettext("Department"),
        validate_choice=False,
        validators=[one_of_the_list(lazy_gettext("Choose a department of the list."))],
        default="",
    )
    attendance_threshold = PercentField(lazy_gettext("Attendance asked for, in percent"), validators=[between(1, 100)])

    def offer_departments(self) -> "CourseForm":
        """Fill the list; returns the form."""
        found = database().execute(sa.select(Department.id, Department.name).order_by(Department.name))
        words = [(str(department_id), name) for department_id, name in found]
        self.department.choices = options([("", lazy_gettext("No department")), *words])
        return self

    def values(self) -> CourseValues:
        """What a valid form wants the course to be."""
        department_id = int(self.department.data) if self.department.data else None
        return CourseValues(self.code.data or "", self.name.data or "", department_id, self.attendance_threshold.data)


class TeacherForm(AdminForm):
    """A lecturer or assistant to add to a course, by e-mail address."""

    lecturer = StringField(
        lazy_gettext("Lecturer's e-mail address"), validators=[given(lazy_gettext("Type an e-mail address."))]
    )
    assistant = BooleanField(lazy_gettext("Only as an assistant, for registers"))


@blueprint.get("/courses")
def courses() -> str:
    """The list; `?q=` searches, `?list=` shows those that lack something, `?department=` those of a department."""
    db, text = database(), searched()
    shown = request.args.get("list", "")
    shown = shown if shown in _LISTS else ""
    query = sa.select(Course).where(matches(text, Course.code, Course.name))
    if shown == "no-lecturer":
        query = query.where(~is_taught())
    elif shown == "no-student":
        query = query.where(~sa.exists().where(Enrolment.course_id == Course.id))
    elif shown == "no-department":
        query = query.where(Course.department_id.is_(None))
    chosen = chosen_id("department")
    department = None if chosen is None else fetch(Department, chosen)
    if department is not None:
        query = query.where(Course.department_id == department.id)
    query = query.options(selectinload(Course.lecturers), joinedload(Course.department)).order_by(Course.code)
    page = paginate(db, query, size=_A_PAGE)
    ids = [course.id for course in page.items]
    return render_template(
        "admin/courses.html",
        page=page,
        text=text,
        shown=shown,
        department=department,
        students=counts_by(Enrolment.course_id, Enrolment.course_id.in_(ids)),
        sessions=counts_by(sessions_of_courses(among(ids), TAKES_PLACE, ClassSession.ends_at > utc_now()).c.course_id),
    )


@blueprint.route("/courses/new", methods=["GET", "POST"])
def new_course() -> ResponseReturnValue:
    """Add a course."""
    form = CourseForm().offer_departments()
    if form.validate_on_submit():
        course = write(form, lambda db: add_course(db, form.values()), _PLACES)
        if course is not None:
            flash(gettext("%(code)s is added. Now say who teaches it and who takes it.", code=course.code), "success")
            return redirect(url_for("admin.course", course_id=course.id))
    return render_template("admin/course_form.html", form=form, course=None), 422 if form.errors else 200


@blueprint.get("/courses/<int:course_id>")
def course(course_id: int) -> ResponseReturnValue:
    """A course: its lecturers, and the ways to its students and sessions."""
    return _course_page(fetch(Course, course_id), TeacherForm(formdata=None))


@blueprint.route("/courses/<int:course_id>/edit", methods=["GET", "POST"])
def edit_course(course_id: int) -> ResponseReturnValue:
    """Change code, name and department."""
    course = fetch(Course, course_id)
    recorded = {
        "code": course.code,
        "name": course.name,
        "department": str(course.department_id or ""),
        "attendance_threshold": course.attendance_threshold,
    }
    form = CourseForm(data=recorded).offer_departments()
    if form.validate_on_submit() and write(form, lambda db: change_course(db, course, form.values()), _PLACES):
        flash(gettext("%(code)s is saved.", code=course.code), "success")
        return redirect(url_for("admin.course", course_id=course_id))
    return render_template("admin/course_form.html", form=form, course=course), 422 if form.errors else 200


@blueprint.route("/courses/<int:course_id>/delete", methods=["GET", "POST"])
def delete_course(course_id: int) -> ResponseReturnValue:
    """Delete a course with its sessions and their registers."""
    course = fetch(Course, course_id)
    has = what_course_has(database(), course)
    consequences = [
        ngettext(
            "%(num)s student will not be enrolled in it any more; the students stay.",
            "%(num)s students will not be enrolled in it any more; the students stay.",
            has.students,
        )
    ]
    consequences.append(
        ngettext(
            "%(num)s session of the timetable will be deleted.",
            "%(num)s sessions of the timetable will be deleted.",
            has.sessions,
        )
    )
    if has.joint:
        consequences.append(
            ngettext(
                "%(num)s joint session stays, for the other courses.",
                "%(num)s joint sessions stay, for the other courses.",
                has.joint,
            )
        )
    if has.entries:
        consequences.append(
            ngettext(
                "%(num)s entry of registers, with its history, is deleted.",
                "%(num)s entries of registers, with their history, are deleted.",
                has.entries,
            )
        )
    back = url_for("admin.course", course_id=course_id)
    answer = ask(
        Question(
            title=gettext("Delete %(code)s %(name)s?", code=course.code, name=course.name),
            consequences=consequences,
            button=gettext("Delete the course"),
            back=back,
            crumbs=[(gettext("Courses"), url_for("admin.courses")), (course.code, back)],
            must_type=course.code if has.entries else None,
        )
    )
    if answer is not None:
        return answer
    db, code = begin_change(), course.code
    remove_course(db, course)
    db.commit()
    flash(gettext("%(code)s is deleted.", code=code), "success")
    return redirect(url_for("admin.courses"))


@blueprint.post("/courses/<int:course_id>/lecturers")
def add_teacher(course_id: int) -> ResponseReturnValue:
    """Let somebody teach the course, or assist in it; who did the other does this instead."""
    course, form = fetch(Course, course_id), TeacherForm()
    if not form.validate():
        return _course_page(course, form)
    db = begin_change()
    email = _email_in(form.lecturer.data or "")
    lecturer = db.scalar(sa.select(Account).where(Account.email == email))
    if lecturer is None:
        db.rollback()
        form.lecturer.errors = [gettext("There is no lecturer with the e-mail address %(email)s.", email=email)]
        return _course_page(course, form)
    role = Role.ASSISTANT if form.assistant.data else Role.LECTURER
    if not give(db, form.lecturer, lecturer, role, Reach(course_id=course_id)):
        return _course_page(course, form)
    assists = _("%(name)s assists in %(course)s.", name=lecturer.name, course=course.code)
    flash(
        assists
        if role is Role.ASSISTANT
        else gettext("%(lecturer)s teaches %(code)s.", lecturer=lecturer.name, code=course.code),
        "success",
    )
    return redirect(url_for("admin.course", course_id=course_id))


@blueprint.post("/courses/<int:course_id>/lecturers/<int:account_id>/remove")
def remove_teacher(course_id: int, account_id: int) -> ResponseReturnValue:
    """Take a lecturer off the course; registers keep what the lecturer corrected."""
    course, lecturer = fetch(Course, course_id), fetch(Account, account_id)
    db = begin_change()
    if take_role(db, account_id, Reach(course_id=course_id)):
        noted(AuditAction.ROLE_TAKEN, subject=lecturer.email, details={"course": course.code})
    db.commit()
    flash(
        gettext("%(lecturer)s does not teach %(code)s any more.", lecturer=lecturer.name, code=course.code), "success"
    )
    return redirect(url_for("admin.course", course_id=course_id))


def _course_page(course: Course, form: TeacherForm) -> ResponseReturnValue:
    db = database()
    held = db.scalars(
        sa.select(AccountRole)
        .join(AccountRole.account)
        .options(contains_eager(AccountRole.account))
        .where(AccountRole.course_id == course.id)
        .order_by(AccountRole.role == Role.ASSISTANT, Account.name, Account.id)
    ).all()
    theirs = sa.select(AccountRole.account_id).where(AccountRole.course_id == course.id)
    others = (
        sa.select(Account.email, Account.name)
        .where(Account.active, Account.id.not_in(theirs))
        .order_by(Account.name)
        .limit(1000)
    )
    to_come = sessions_of_courses(among([course.id]), ClassSession.ends_at > utc_now())
    upcoming = sa.select(ClassSession).join(to_come, to_come.c.session_id == ClassSession.id)
    of_course = sessions_of_courses(among([course.id]))
    page = render_template(
        "admin/course.html",
        course=course,
        form=form,
        held=held,
        department=course.department,
        others=db.execute(others).all(),
        students=count(Enrolment, Enrolment.course_id == course.id),
        sessions=count(of_course),
        groups=group_lines(course),
        upcoming=db.scalars(upcoming.options(*parts()).order_by(ClassSession.starts_at).limit(5)).all(),
    )
    return page, 422 if form.errors else 200


def _email_in(text: str) -> str:
    """The address in what was typed or taken from the list of suggestions: "Ada Lovelace <ada@university.edu>"."""
    text = clean(text).lower()
    return text[text.rindex("<") + 1 : -1].strip() if text.endswith(">") and "<" in text else text
