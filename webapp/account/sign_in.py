"""Signing in and out."""

import threading
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Flask, current_app, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, PasswordField
from wtforms.validators import DataRequired, Length

from attendance.database.access.passwords import NO_PASSWORD, hash_password, verify_password
from attendance.database.audit.noting import note
from attendance.database.models import Account, AuditAction
from attendance.tables.fields import EMAIL
from webapp.account.identity import begin_half_sign_in, public, sign_in, sign_out, signed_in_account
from webapp.account.noting import noted
from webapp.account.oidc.leaving import address_there, leaving_page
from webapp.account.oidc.room import oidc_settings, provider_name, takes_password
from webapp.account.permissions import Access, needs
from webapp.account.throttle import Attempt, Throttle
from webapp.tools.fields import cleaned
from webapp.tools.requests import safe_path
from webapp.tools.storage import begin_change, database, engine_of

blueprint = Blueprint("account", __name__)

_WRONG = lazy_gettext("The e-mail address or the password is not right.")
_MAX_PASSWORD = 1024
# Checking a password takes tens of megabytes and a core; more at once would only be slower for everybody.
_CHECKS_AT_ONCE = threading.BoundedSemaphore(4)


class SignInForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """E-mail address and password."""

    email = EmailField(
        lazy_gettext("E-mail address"),
        filters=[cleaned(EMAIL)],
        validators=[DataRequired(lazy_gettext("Type your e-mail address."))],
    )
    password = PasswordField(
        lazy_gettext("Password"),
        validators=[DataRequired(lazy_gettext("Type your password.")), Length(max=_MAX_PASSWORD, message=_WRONG)],
    )
    next = HiddenField()


def init_account(app: Flask) -> None:
    """Give the application, which has its database and its key, the count of failed attempts."""
    app.extensions["attendance_throttle"] = Throttle(engine_of(app), str(app.secret_key))


@blueprint.get("/signin")
@public
def sign_in_page() -> ResponseReturnValue:
    """The sign-in form."""
    target = safe_path(request.args.get("next"))
    if signed_in_account() is not None:
        return redirect(target or url_for("courses.home"))
    form = SignInForm(formdata=None, data={"next": target})
    return _page(form, ended=request.args.get("ended") == "1")


@blueprint.post("/signin")
@public
def sign_in_now() -> ResponseReturnValue:
    """Check the password, and go on to where the person wanted to go."""
    form = SignInForm()
    if not form.validate():
        return _page(form), 422
    lecturer = database().scalar(sa.select(Account).where(Account.email == form.email.data))
    attempt = begin_attempt(form.email.data or "", lecturer.password_hash if lecturer else "")
    if attempt.wait_s:
        return too_many(attempt, _page(form, wait=wait_text(attempt)))
    # An unknown address, and one without a password yet, cost the same work as a wrong password, so that timing tells
    # nobody who has an account.
    known = lecturer.password_hash if lecturer and lecturer.password_hash != NO_PASSWORD else _nobodys_hash()
    right = password_is_right(known, form.password.data or "")
    may_enter = right and lecturer is not None and lecturer.active and takes_password(lecturer.email)
    end_attempt(attempt, right=may_enter)
    begin_change()
    if lecturer is None or not may_enter:
        # Not what was typed: people type passwords into the wrong field.
        noted(AuditAction.SIGN_IN_FAILED, subject=lecturer.email if lecturer else None)
        database().commit()
        return _page(form, failed=_WRONG), 422
    target = safe_path(form.next.data)
    if lecturer.second_factor_since is not None:
        database().commit()
        begin_half_sign_in(lecturer)
        return redirect(url_for("code.page", next=target))
    note(database(), AuditAction.SIGNED_IN, actor=lecturer.id)
    database().commit()
    sign_in(lecturer)
    return redirect(target or url_for("courses.home"))


@blueprint.post("/signout")
@needs(Access.SIGNED_IN)
def sign_out_now() -> ResponseReturnValue:
    """End this browser's sign-in."""
    return signed_out()


def signed_out(words: str = "", *, there: str | None = None) -> ResponseReturnValue:
    """End this browser's sign-in, say so, and let the browser forget the pages.

    Args:
        words: what is said; by default that somebody is signed out.
        there: where to go on to, to sign out at the provider; by default as `address_there` says.
    """
    there = there or address_there()
    begin_change()
    noted(AuditAction.SIGNED_OUT)
    database().commit()
    sign_out()
    if there is not None:
        return leaving_page(there)
    flash(words or gettext("You are signed out."), "success")
    response = redirect(url_for("account.sign_in_page"))
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _page(form: SignInForm, **said: Any) -> str:
    """The page; the form for passwords is shown at once unless the provider is where everybody signs in."""
    settings = oidc_settings()
    shown = settings.passwords or not settings.on or form.is_submitted() or request.args.get("password") == "1"
    provider = provider_name() if settings.on else None
    return render_template("account/sign_in.html", form=form, provider=provider, with_password=shown, **said)


def begin_attempt(account: str, password_hash: str = "") -> Attempt:
    """Count an attempt at a password from this request's address; `end_attempt` must follow.

    Args:
        account: what tells whose it is: the e-mail address, as it was typed or as it is kept.
        password_hash: the password's, where there is one: attempts at another count for themselves, so that a new
            password lifts the lock that wrong ones led to.
    """
    database().commit()  # counting takes a connection of its own, and may wait
    return _throttle().begin(f"{account}\0{password_hash}", request.remote_addr)


def end_attempt(attempt: Attempt, *, right: bool) -> None:
    """Say whether the password was right."""
    database().commit()
    if right:
        _throttle().forgive(attempt)
    else:
        _throttle().fail(attempt)


def _throttle() -> Throttle:
    counter: Throttle = current_app.extensions["attendance_throttle"]
    return counter


def wait_text(attempt: Attempt) -> str:
    """How long to wait, as a sentence."""
    minutes = -(-attempt.wait_s // 60)
    return ngettext(
        "Too many failed attempts. Try again in %(num)s minute.",
        "Too many failed attempts. Try again in %(num)s minutes.",
        minutes,
    )


def too_many(attempt: Attempt, page: str) -> ResponseReturnValue:
    """The page as an answer of the kind 429."""
    response = make_response(page, 429)
    response.headers["Retry-After"] = str(attempt.wait_s)
    return response


def password_is_right(password_hash: str, password: str) -> bool:
    """Check a password, a few at a time."""
    with _CHECKS_AT_ONCE:
        return verify_password(password_hash, password)


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return hash_password("the password of nobody at all")
