"""Setting up, changing and ending one's own second factor."""

from flask import Blueprint, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import PasswordField

from attendance.database.access.second_factors import (
    SET_UP_WITHIN,
    begin_set_up,
    being_set_up,
    confirm,
    lift,
    new_recovery_codes,
    recovery_codes_left,
)
from attendance.database.models import Account, AuditAction, utc_now
from webapp.account.ask_password import ask_password
from webapp.account.identity import begin_own_change, current_account, sign_in_again
from webapp.account.noting import noted
from webapp.account.permissions import Access, needs
from webapp.account.second_factor.checking import CodeForm, check_code
from webapp.account.second_factor.codes import in_fours, new_secret, picture_of, set_up_link, step_of
from webapp.account.second_factor.required import is_required_of
from webapp.account.sign_in import too_many
from webapp.account.throttle import Attempt
from webapp.tools.storage import database

blueprint = needs(Access.SIGNED_IN)(Blueprint("second_factor", __name__, url_prefix="/profile/second-step"))


class BeginForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """The password of who begins."""

    your_password = PasswordField(lazy_gettext("Your password"))


@blueprint.get("")
def page() -> ResponseReturnValue:
    """What there is, or the app that is being set up."""
    return _page()


@blueprint.post("")
def begin() -> ResponseReturnValue:
    """Make a secret for an app, for who knows the password; who has an app already types its code instead."""
    account = current_account()
    if account.second_factor_since is not None:
        form, refusal = _checked(account)
        if refusal is not None:
            return refusal
    else:
        form = BeginForm()
        if not form.validate():
            return _page(begin=form), 422
        wait = ask_password(account, form.your_password, gettext("Type your password."))
        if form.your_password.errors:
            answer = _page(begin=form)
            return too_many(wait, answer) if wait else (answer, 422)
    db = begin_own_change()
    begin_set_up(db, account, new_secret(), now=utc_now())
    db.commit()
    return redirect(url_for("second_factor.page"))


@blueprint.post("/confirm")
def confirm_app() -> ResponseReturnValue:
    """Use the app from now on, since it made a right code; every other sign-in ends. The answer has recovery codes."""
    account, form, now = current_account(), CodeForm(), utc_now()
    secret = being_set_up(database(), account.id, now=now)
    if secret is None:
        flash(gettext("That took too long. Begin again."), "error")
        return redirect(url_for("second_factor.page"))
    if not form.validate():
        return _page(code=form), 422
    step = step_of(secret, form.code.data or "", now)
    if step is None:
        form.code.errors = [gettext("This is not the code of now. Is the clock of the phone right?")]
        return _page(code=form), 422
    db = begin_own_change()
    codes = confirm(db, account, secret, step, now=now)
    if codes is not None:
        noted(AuditAction.SECOND_FACTOR_ADDED, subject=account.email)
    db.commit()
    if codes is None:
        return redirect(url_for("second_factor.page"))
    sign_in_again(account)
    return render_template("account/recovery_codes.html", codes=codes, new_app=True)


@blueprint.post("/codes")
def make_codes() -> ResponseReturnValue:
    """New recovery codes, which the answer shows; those from before end."""
    account = current_account()
    _form, refusal = _checked(account)
    if refusal is not None:
        return refusal
    db = begin_own_change()
    codes = new_recovery_codes(db, account.id)
    noted(AuditAction.SECOND_FACTOR_RENEWED, subject=account.email)
    db.commit()
    return render_template("account/recovery_codes.html", codes=codes, new_app=False)


@blueprint.post("/remove")
def remove() -> ResponseReturnValue:
    """Sign in with the password alone again, unless the institution requires more."""
    account = current_account()
    if is_required_of(account):
        flash(gettext("Your institution requires the second step of you. You can use another phone."), "error")
        return redirect(url_for("second_factor.page"))
    _form, refusal = _checked(account)
    if refusal is not None:
        return refusal
    db = begin_own_change()
    noted(AuditAction.SECOND_FACTOR_REMOVED, subject=account.email)
    lift(db, account)
    db.commit()
    sign_in_again(account)
    flash(gettext("You sign in with your password alone again."), "success")
    return redirect(url_for("profile.page"))


def _checked(account: Account) -> tuple[CodeForm, ResponseReturnValue | None]:
    """The form with a code, and the answer where it is not right."""
    form = CodeForm()
    if account.second_factor_since is None:
        return form, redirect(url_for("second_factor.page"))
    wait: Attempt | None = None
    if form.validate():
        wait = check_code(account, form.code)
    if not form.code.errors:
        return form, None
    answer = _page(code=form)
    return form, too_many(wait, answer) if wait else (answer, 422)


def _page(*, begin: FlaskForm | None = None, code: FlaskForm | None = None) -> str:
    account, db = current_account(), database()
    secret = being_set_up(db, account.id, now=utc_now())
    link = ""
    if secret is not None:
        link = set_up_link(secret, email=account.email, institution=current_app.config["INSTITUTION_NAME"])
    return render_template(
        "account/second_factor.html",
        begin=begin or BeginForm(formdata=None),
        code=code or CodeForm(formdata=None),
        since=account.second_factor_since,
        required=is_required_of(account),
        left=recovery_codes_left(db, account.id),
        link=link,
        picture=picture_of(link) if link else "",
        secret=in_fours(secret) if secret else "",
        minutes=SET_UP_WITHIN.seconds // 60,
    )
