"""Who is signed in, and what that lets them open.

Every page wants a signed-in lecturer unless its view is marked `@public`; nothing is open by being forgotten.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, TypeVar

from flask import Flask, abort, current_app, g, redirect, request, session, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.wrappers import Response

from attendance.database.models import Account, Role
from webapp.tools.requests import wants_page
from webapp.tools.storage import database

P = ParamSpec("P")
R = TypeVar("R")

_SIGNED_IN_AT = "signed_in_at"
_PUBLIC = "is_public_view"


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


def sign_in(lecturer: Account) -> None:
    """Start a fresh session for the lecturer; what an earlier session held is dropped."""
    session.clear()
    session[_SIGNED_IN_AT] = datetime.now(UTC).timestamp()
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


def is_admin() -> bool:
    """Whether an administrator is signed in."""
    lecturer = signed_in_account()
    return lecturer is not None and lecturer.role is Role.ADMIN


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Mark a view that needs no sign-in."""
    setattr(view, _PUBLIC, True)
    return view


def require_admin() -> None:
    """Refuse everybody but administrators (403); also usable as a blueprint's `before_request`."""
    if not is_admin():
        abort(403)


def _load(identifier: str) -> SignedIn | None:
    number, _, epoch = identifier.partition(".")
    if not (number.isdecimal() and epoch.isdecimal()):
        return None
    lifetime: timedelta = current_app.config["SIGNIN_LIFETIME"]
    age = datetime.now(UTC).timestamp() - float(session.get(_SIGNED_IN_AT, 0))
    if age > lifetime.total_seconds():
        return None
    lecturer = database().get(Account, int(number))
    if lecturer is None or not lecturer.active or lecturer.sign_in_epoch != int(epoch):
        return None
    return SignedIn(lecturer)


def _require_sign_in() -> Response | None:
    if request.endpoint is None or request.endpoint == "static":
        return None
    view = current_app.view_functions.get(request.endpoint)
    if getattr(view, _PUBLIC, False) or signed_in_account() is not None:
        return None
    if "_user_id" in session:
        g.session_ended = True
        session.clear()
    if wants_page():
        target = request.full_path.rstrip("?") if request.method == "GET" else None
        ended = "1" if g.get("session_ended") else None
        return redirect(url_for("account.sign_in_page", next=target if target != "/" else None, ended=ended))
    abort(401)
