"""Giving an account a role in a department or a course, and taking it away."""

from flask import abort, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from attendance.database.access.roles import Reach, role_details, take_role
from attendance.database.models import Account, AuditAction, Role
from webapp.account.noting import noted
from webapp.admin.accounts.details import account_page
from webapp.admin.accounts.role_form import RoleForm, give, role_words
from webapp.admin.blueprint import blueprint
from webapp.admin.lookup import fetch
from webapp.admin.writing import begin_change


@blueprint.post("/accounts/<int:account_id>/roles")
def add_role(account_id: int) -> ResponseReturnValue:
    """Give a role; in a course it takes the place of the one held there."""
    account, form = fetch(Account, account_id), RoleForm().offer_departments()
    reach = form.reach() if form.validate() else None
    if reach is None:
        return account_page(account, roles=form)
    if not give(begin_change(), form.role, account, Role(form.role.data), reach):
        return account_page(account, roles=form)
    flash(_("%(name)s has the role.", name=account.name), "success")
    return redirect(url_for("admin.account", account_id=account_id))


@blueprint.post("/accounts/<int:account_id>/roles/<int:role_id>/remove")
def remove_role(account_id: int, role_id: int) -> ResponseReturnValue:
    """Take a role of a department or a course away; who administers is said in the details."""
    account = fetch(Account, account_id)
    role = next((each for each in account.roles if each.id == role_id and not each.everywhere), None)
    if role is None:
        abort(404)
    words = role_words([role])[0]
    db = begin_change()
    place = Reach(role.department_id, role.course_id)
    noted(AuditAction.ROLE_TAKEN, subject=account.email, details=role_details(db, role.role, place))
    take_role(db, account_id, place)
    db.commit()
    flash(_("%(name)s is not any more: %(role)s.", name=account.name, role=words), "success")
    return redirect(url_for("admin.account", account_id=account_id))
