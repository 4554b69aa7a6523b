"""Forgot your password: a link by mail, where mail is on."""

import sqlalchemy as sa
from flask import Blueprint, abort, current_app, render_template
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import EmailField
from wtforms.validators import DataRequired

from attendance.database.audit.noting import note
from attendance.database.mail import queue_mail
from attendance.database.models import Account, AuditAction
from attendance.tables.fields import EMAIL
from webapp.account.identity import public
from webapp.account.sign_in import begin_attempt, end_attempt, too_many, wait_text
from webapp.tools.fields import Fits, cleaned
from webapp.tools.storage import begin_change

blueprint = Blueprint("forgotten", __name__, url_prefix="/forgotten")


def _only_with_mail() -> None:
    settings = current_app.config["ATTENDANCE"]
    if not settings.mail.on or (settings.oidc.on and not settings.oidc.passwords):
        abort(404)


blueprint.before_request(_only_with_mail)


class ForgottenForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """Whose password is forgotten."""

    email = EmailField(
        lazy_gettext("E-mail address"),
        filters=[cleaned(EMAIL)],
        validators=[DataRequired(lazy_gettext("Type your e-mail address.")), Fits(EMAIL)],
    )


@blueprint.get("")
@public
def page() -> str:
    """Ask for the address."""
    return render_template("account/forgotten.html", form=ForgottenForm(formdata=None))


@blueprint.post("")
@public
def ask_for_link() -> ResponseReturnValue:
    """Queue a link; the answer, and the work for it, are the same whether anybody has this address or not.

    Whether somebody has it is looked up when the mail is sent. Each asking counts as a wrong password does, against the
    address that is asked from and, apart from sign-ins, against the one that is asked for.
    """
    form = ForgottenForm()
    if not form.validate():
        return render_template("account/forgotten.html", form=form), 422
    email = form.email.data or ""
    attempt = begin_attempt(f"forgotten {email}")
    if attempt.wait_s:
        return too_many(attempt, render_template("account/forgotten.html", form=form, wait=wait_text(attempt)))
    db = begin_change()
    known = db.scalar(sa.select(Account.email).where(Account.email == email))
    note(db, AuditAction.PASSWORD_LINK_ASKED, actor=None, subject=known)
    queue_mail(db, kind="password_reset", to=email, language=str(get_locale()), key=None, data={})
    db.commit()
    end_attempt(attempt, right=False)
    return render_template(
        "account/forgotten.html", asked=email, hours=current_app.config["ATTENDANCE"].web.reset_hours
    )
