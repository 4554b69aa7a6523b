"""Between the password and the first page: the code."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from wtforms import HiddenField

from attendance.database.access.second_factors import recovery_codes_left
from attendance.database.audit.noting import note
from attendance.database.models import AuditAction
from webapp.account.identity import half_signed_in_account, public, sign_in_again
from webapp.account.second_factor.checking import CodeForm, check_code
from webapp.account.sign_in import too_many
from webapp.tools.requests import safe_path
from webapp.tools.storage import begin_change, database

blueprint = Blueprint("code", __name__, url_prefix="/signin/code")

_FEW = 3
"""Recovery codes, of which it is said that they are few."""


class SignInCodeForm(CodeForm):
    """A code, and where the person wanted to go."""

    next = HiddenField()


@blueprint.get("")
@public
def page() -> ResponseReturnValue:
    """Ask whose password was right for the code."""
    if half_signed_in_account() is None:
        return _from_the_beginning()
    target = safe_path(request.args.get("next"))
    return render_template("account/code.html", form=SignInCodeForm(formdata=None, data={"next": target}))


@blueprint.post("")
@public
def check() -> ResponseReturnValue:
    """Look at the code, and go on to where the person wanted to go."""
    account = half_signed_in_account()
    if account is None:
        return _from_the_beginning()
    form = SignInCodeForm()
    if not form.validate():
        return render_template("account/code.html", form=form), 422
    before = recovery_codes_left(database(), account.id)
    wait = check_code(account, form.code)
    if wait is not None:
        return too_many(wait, render_template("account/code.html", form=form))
    db = begin_change()
    if form.code.errors:
        note(db, AuditAction.SIGN_IN_FAILED, actor=None, subject=account.email, details={"step": 2})
    else:
        note(db, AuditAction.SIGNED_IN, actor=account.id, details={"step": 2})
    db.commit()
    if form.code.errors:
        return render_template("account/code.html", form=form), 422
    sign_in_again(account)
    left = recovery_codes_left(database(), account.id)
    if left < before:
        _say_left(left)
    return redirect(safe_path(form.next.data) or url_for("courses.home"))


def _say_left(left: int) -> None:
    words = ngettext("You have %(num)s recovery code left.", "You have %(num)s recovery codes left.", left)
    more = gettext("Make new ones on your profile.") if left <= _FEW else ""
    flash(f"{words} {more}".strip(), "warning" if more else "info")


def _from_the_beginning() -> ResponseReturnValue:
    """Nobody typed a password here, or it took too long."""
    return redirect(url_for("account.sign_in_page", next=safe_path(request.values.get("next"))))
