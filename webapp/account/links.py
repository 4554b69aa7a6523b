"""The page behind a link that an administrator gave: set a password, once."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from wtforms import HiddenField

from attendance.database.access.access_tokens import end_tokens_of, has_tokens
from attendance.database.access.links import PATH, account_of_link, use_link
from attendance.database.access.passwords import hash_password
from attendance.database.access.tokens import hash_token
from attendance.database.audit.noting import note
from attendance.database.models import Account, AuditAction, utc_now
from webapp.account.identity import public, sign_out
from webapp.account.new_password import NewPasswordForm
from webapp.account.oidc.room import takes_password
from webapp.account.sign_in import begin_attempt, end_attempt, too_many, wait_text
from webapp.tools.storage import begin_change, database

blueprint = Blueprint("links", __name__)

_LONGEST_TOKEN = 200


class LinkForm(NewPasswordForm):
    """A first password, or a new one, and the link that lets it be set."""

    link = HiddenField()


@blueprint.get(PATH)
@public
def page() -> ResponseReturnValue:
    """Ask for the password. Looking at a link, as mail programs do, does not use it."""
    token = request.args.get("link", "")
    lecturer, refusal = _whose(token)
    if lecturer is None:
        return refusal
    return _form_page(LinkForm(formdata=None, data={"link": token}), lecturer)


@blueprint.post(PATH)
@public
def set_password_now() -> ResponseReturnValue:
    """Set the password, and let the lecturer sign in with it."""
    form = LinkForm()
    token = form.link.data or ""
    lecturer, refusal = _whose(token)
    if lecturer is None:
        return refusal
    if not form.validate():
        return _form_page(form, lecturer), 422
    hashed = hash_password(form.new_password.data or "")  # slow on purpose, so not while others wait to write
    db = begin_change()
    if use_link(db, token, hashed, now=utc_now()) is None:
        db.rollback()
        return _refusal()
    note(db, AuditAction.PASSWORD_LINK_USED, actor=lecturer.id)
    if form.end_tokens.data:
        end_tokens_of(db, lecturer, actor=lecturer.id)
    db.commit()
    sign_out()  # of whoever was signed in at this browser before
    flash(gettext("Your password is set. Sign in with it."), "success")
    return redirect(url_for("account.sign_in_page"))


def _whose(token: str) -> tuple[Account | None, ResponseReturnValue]:
    """Whose link it is, or what to answer; attempts count like those at a password, from the address they come from.

    One that is sent and refused is noted; looking at it is none, and of who has to wait nothing more is noted.
    """
    attempt = begin_attempt(f"link {hash_token(token[:_LONGEST_TOKEN])}")
    if attempt.wait_s:
        return None, too_many(attempt, render_template("account/set_password.html", wait=wait_text(attempt)))
    lecturer = account_of_link(database(), token, now=utc_now()) if len(token) <= _LONGEST_TOKEN else None
    if lecturer is not None and not takes_password(lecturer.email):
        lecturer = None
    end_attempt(attempt, right=lecturer is not None)
    if lecturer is None and request.method == "POST":
        db = begin_change()
        note(db, AuditAction.PASSWORD_LINK_REFUSED, actor=None)
        db.commit()
    return lecturer, _refusal()


def _refusal() -> ResponseReturnValue:
    """The same for a link that never was, was used, or has expired."""
    return render_template("account/set_password.html"), 404


def _form_page(form: LinkForm, lecturer: Account) -> str:
    tokens = has_tokens(database(), lecturer)
    return render_template("account/set_password.html", form=form, lecturer=lecturer, has_tokens=tokens)
