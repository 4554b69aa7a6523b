"""Departments, which courses belong to, and who heads them."""

import sqlalchemy as sa
from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

from attendance.database.models import Account, AccountRole, Course, Department
from attendance.tables.fields import DEPARTMENT_NAME
from webapp.admin.blueprint import blueprint
from webapp.admin.forms import AdminForm, text_field
from webapp.admin.lookup import count, counts_by, fetch
from webapp.admin.questions import Question, ask
from webapp.admin.search import matches, searched
from webapp.admin.writing import begin_change, write
from webapp.changes.departments import add_department, change_department, why_department_stays
from webapp.changes.departments import delete_department as remove_department
from webapp.changes.errors import ChangeError
from webapp.tools.languages import say_error
from webapp.tools.paging import paginate
from webapp.tools.storage import database

_A_PAGE = 50


class DepartmentForm(AdminForm):
    """A department."""

    name = text_field(lazy_gettext("Name"), DEPARTMENT_NAME)


@blueprint.get("/departments")
def departments() -> str:
    """The list; `?q=` searches names."""
    db, text = database(), searched()
    query = sa.select(Department).where(matches(text, Department.name)).order_by(Department.name)
    page = paginate(db, query, size=_A_PAGE)
    ids = [department.id for department in page.items]
    heads: dict[int | None, list[Account]] = {}
    for department_id, account in db.execute(_heads(ids)):
        heads.setdefault(department_id, []).append(account)
    courses = counts_by(Course.department_id, Course.department_id.in_(ids))
    return render_template("admin/departments.html", page=page, text=text, heads=heads, courses=courses)


@blueprint.route("/departments/new", methods=["GET", "POST"])
def new_department() -> ResponseReturnValue:
    """Add a department."""
    form = DepartmentForm()
    if form.validate_on_submit():
        department = write(form, lambda db: add_department(db, form.name.data))
        if department is not None:
            flash(_("%(name)s is added. Courses name it in their form.", name=department.name), "success")
            return redirect(url_for("admin.department", department_id=department.id))
    return render_template("admin/department.html", form=form, department=None), 422 if form.errors else 200


@blueprint.route("/departments/<int:department_id>", methods=["GET", "POST"])
def department(department_id: int) -> ResponseReturnValue:
    """A department: its name, its heads, and the way to its courses."""
    department = fetch(Department, department_id)
    form = DepartmentForm(obj=department)
    if form.validate_on_submit() and write(form, lambda db: change_department(db, department, form.name.data)):
        flash(_("%(name)s is saved.", name=department.name), "success")
        return redirect(url_for("admin.department", department_id=department_id))
    page = render_template(
        "admin/department.html",
        form=form,
        department=department,
        heads=[account for _id, account in database().execute(_heads([department_id]))],
        courses=_courses_of(department_id),
    )
    return page, 422 if form.errors else 200


@blueprint.route("/departments/<int:department_id>/delete", methods=["GET", "POST"])
def delete_department(department_id: int) -> ResponseReturnValue:
    """Delete a department without courses; its heads lose the role."""
    department = fetch(Department, department_id)
    heads = count(AccountRole, AccountRole.department_id == department_id)
    lost = ngettext("%(num)s person is not head of it any more.", "%(num)s people are not heads of it any more.", heads)
    back = url_for("admin.department", department_id=department_id)
    answer = ask(
        Question(
            title=_("Delete %(name)s?", name=department.name),
            consequences=[lost] if heads else [],
            button=_("Delete the department"),
            back=back,
            crumbs=[(_("Departments"), url_for("admin.departments")), (department.name, back)],
            refused=why_department_stays(database(), department),
        )
    )
    if answer is not None:
        return answer
    db, name = begin_change(), department.name
    try:
        remove_department(db, department)
        db.commit()
    except ChangeError as error:  # a course was put there since the question
        db.rollback()
        flash(say_error(error), "error")
        return redirect(back)
    flash(_("%(name)s is deleted.", name=name), "success")
    return redirect(url_for("admin.departments"))


def _heads(department_ids: list[int]) -> sa.Select[int | None, Account]:
    return (
        sa.select(AccountRole.department_id, Account)
        .join(AccountRole.account)
        .where(AccountRole.department_id.in_(department_ids))
        .order_by(Account.name, Account.id)
    )


def _courses_of(department_id: int) -> int:
    return count(Course, Course.department_id == department_id)
