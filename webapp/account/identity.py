"""Who is signed in, and what that lets them open.

Every page wants a signed-in account unless its view is marked `@public`, and an administrator unless it says with
`needs` what is enough: nothing is open by being forgotten.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask, abort, current_app, g, redirect, request, session, url_for
from flask_babel import gettext as _
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from attendance.database.access.accounts import note_sign_in
from attendance.database.access.sign_ins import was_there
from attendance.database.models import Account, AccountRole, Course
from webapp.account.permissions import PERMISSIONS, Access, Permission, need_of, needs
from webapp.tools.requests import wants_page
from webapp.tools.storage import database

_SIGNED_IN_AT = "signed_in_at"

public = needs(Access.ANYBODY)
"""Mark a view that needs no sign-in."""


class SignedIn(UserMixin):  # type: ignore[misc] # Flask-Login has no types
    """A lecturer as Flask-Login wants one; the identifier in the cookie ends with the sign-in epoch."""

    def __init__(self, lecturer: Account) -> None:
        self.lecturer = lecturer

    @property
    def is_active(self) -> bool:
        """Whether the lecturer may sign in."""
        return self.lecturer.active

    def get_id(self) -> str:
        """The lecturer's id and sign-in epoch: a password change makes older cookies point at nobody."""
        return f"{self.lecturer.id}.{self.lecturer.sign_in_epoch}"


def init_identity(app: Flask, *, signin_hours: int) -> None:
    """Load the signed-in lecturer for each request, and close every view that is not public to others."""
    manager = LoginManager()
    manager.session_protection = None  # cookies are signed; a phone that changes its network stays signed in
    manager.user_loader(_load)
    manager.init_app(app)
    app.config["SIGNIN_LIFETIME"] = timedelta(hours=signin_hours)
    app.before_request(_require_sign_in)
    app.before_request(_require_permission)


def sign_in(lecturer: Account) -> None:
    """Start a fresh session for the lecturer; what an earlier session held is dropped."""
    now = datetime.now(UTC)
    note_sign_in(database(), lecturer.id, now)
    session.clear()
    session[_SIGNED_IN_AT] = now.timestamp()
    login_user(SignedIn(lecturer))


def sign_out() -> None:
    """End the session of this browser."""
    logout_user()
    session.clear()


def signed_in_account() -> Account | None:
    """The lecturer who is signed in, or None."""
    lecturer: Account | None = current_user.lecturer if current_user.is_authenticated else None
    return lecturer


def current_account() -> Account:
    """The lecturer who is signed in; for views that are not public."""
    lecturer = signed_in_account()
    if lecturer is None:
        abort(401)
    return lecturer


def rights_of(db: Session, account_id: int) -> frozenset[tuple[Any, ...]]:
    """What somebody's sign-in rests on, to compare: answers that go on for minutes end when it is another."""
    query = sa.select(Account.active, Account.sign_in_epoch, AccountRole.role, AccountRole.department_id)
    query = query.add_columns(AccountRole.course_id).outerjoin(AccountRole).where(Account.id == account_id)
    return frozenset(tuple(row) for row in db.execute(query))


def is_admin() -> bool:
    """Whether an administrator is signed in, who reaches everything."""
    account = signed_in_account()
    return account is not None and account.administers


def roles_with(permission: Permission) -> Sequence[AccountRole]:
    """The roles of whoever is signed in that allow it; none where nobody is."""
    account = signed_in_account()
    return [] if account is None else [role for role in account.roles if permission in PERMISSIONS[role.role]]


def may(permission: Permission, course: Course | None = None) -> bool:
    """Whether whoever is signed in may do something in a course; without one, anywhere."""
    roles = roles_with(permission)
    return bool(roles) if course is None else any(_holds_in(role, course) for role in roles)


def needed() -> Permission | Access:
    """What the view of this request wants; where it says nothing, an administrator."""
    need = None if request.endpoint is None else need_of(current_app, request.endpoint)
    return Permission.ADMINISTER if need is None else need


def _holds_in(role: AccountRole, course: Course) -> bool:
    of_department = role.department_id is not None and role.department_id == course.department_id
    return bool(role.everywhere) or of_department or role.course_id == course.id


def _load(identifier: str) -> SignedIn | None:
    number, _, epoch = identifier.partition(".")
    if not (number.isdecimal() and epoch.isdecimal()):
        return None
    lifetime: timedelta = current_app.config["SIGNIN_LIFETIME"]
    since = float(session.get(_SIGNED_IN_AT, 0))
    if datetime.now(UTC).timestamp() - since > lifetime.total_seconds():
        return None
    # With the roles, in one statement: a page asks them often, and streams after the database is released.
    lecturer = database().get(Account, int(number), options=[joinedload(Account.roles)])
    if lecturer is None or not lecturer.active or lecturer.sign_in_epoch != int(epoch):
        return None
    if not was_there(lecturer.created_at, since):
        return None
    return SignedIn(lecturer)


def _require_sign_in() -> Response | None:
    if request.endpoint is None or request.endpoint == "static":
        return None
    # A student's page asks for the student itself (`webapp.me.identity`).
    if needed() in (Access.ANYBODY, Access.STUDENT) or signed_in_account() is not None:
        return None
    if "_user_id" in session:
        g.session_ended = True
        session.clear()
    if wants_page():
        target = request.full_path.rstrip("?") if request.method == "GET" else None
        ended = "1" if g.get("session_ended") else None
        return redirect(url_for("account.sign_in_page", next=target if target != "/" else None, ended=ended))
    abort(401)


def _require_permission() -> None:
    """Refuse what somebody may nowhere; `reach` finds only what they may where.

    What belongs to a course answers as what does not exist, so that nobody learns which courses there are. Whoever may
    read nothing yet gets empty pages.
    """
    if request.endpoint is None or request.endpoint == "static":
        return
    need = needed()
    if isinstance(need, Access) or need is Permission.READ or may(need):
        return
    if need is Permission.ADMINISTER:
        abort(403)
    rule = request.url_rule
    if rule is not None and rule.arguments - (rule.defaults or {}).keys():  # the path names something
        abort(404)
    abort(403, _("Your role does not include this. Ask an administrator if you need it."))
