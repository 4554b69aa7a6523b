"""Tokens with which programs use the interface for whoever is signed in: making one, and ending it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, abort, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from sqlalchemy.exc import IntegrityError
from wtforms import IntegerField, PasswordField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # newer than its types
from wtforms.validators import InputRequired, NumberRange, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from attendance.database.access.access_tokens import NewToken, access_tokens, end_access_tokens, make_access_token
from attendance.database.models import AccessToken, AuditAction, Course, utc_now
from attendance.tables.fields import COURSE_CODE, TOKEN_NAME
from webapp.account.ask_password import ask_password, has_password
from webapp.account.identity import begin_own_change, current_account, may
from webapp.account.noting import noted
from webapp.account.permissions import SCOPES, Access, Permission, needs
from webapp.account.reach import reachable_with
from webapp.account.sign_in import too_many
from webapp.tools.fields import ErrorSummary, Fits, cleaned
from webapp.tools.requests import site_address
from webapp.tools.storage import begin_change, database

blueprint = needs(Access.SIGNED_IN)(Blueprint("tokens", __name__, url_prefix="/profile/tokens"))

_USUAL_DAYS = 90
_MOST_COURSES = 100
SCOPE_WORDS = {
    "read": lazy_gettext("Read: courses, sessions, registers, students, excuses"),
    "correct": lazy_gettext("Correct: set entries of registers"),
    "excuse": lazy_gettext("Excuse: give excuses and take them back"),
    "plan": lazy_gettext("Plan: move, cancel and restore sessions"),
    "term": lazy_gettext("Reports: rates of attendance and who is at risk"),
    "administer": lazy_gettext("Administer: imports, cameras, and all that follows"),
    "departments": lazy_gettext("Departments: add, change and delete them"),
    "courses": lazy_gettext("Courses: add, change and delete them, their groups and who takes them"),
    "students": lazy_gettext("Students: add, change and delete them"),
    "rooms": lazy_gettext("Rooms: add, change and delete them"),
    "timetable": lazy_gettext("Timetable: add, change and delete sessions and series"),
}
"""What each scope lets a program do."""


class TokenForm(ErrorSummary, FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """A token to be made. `offer` must fill the scopes first."""

    name = StringField(lazy_gettext("Name"), filters=[cleaned(TOKEN_NAME)], validators=[Fits(TOKEN_NAME)])
    scopes = SelectMultipleField(
        lazy_gettext("What it may"),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validate_choice=False,
    )
    courses = StringField(lazy_gettext("Only these courses"), validators=[Optional()])
    days = IntegerField(lazy_gettext("Days until it expires"), default=_USUAL_DAYS)
    your_password = PasswordField(lazy_gettext("Your password"))

    def offer(self) -> "TokenForm":
        """Offer the scopes that the account has, and as many days as the settings allow; returns the form."""
        self.scopes.choices = [SelectChoice(scope, SCOPE_WORDS[scope]) for scope in scopes_to_give()]
        most = most_days()
        wrong = _("From %(least)s to %(most)s.", least="1", most=str(most))
        self.days.validators = [InputRequired(wrong), NumberRange(1, most, wrong)]
        return self

    def complete(self) -> bool:
        """Whether everything is there, with a sentence for what is not."""
        valid = bool(self.validate())
        if not self.scopes.data or not set(scopes_to_give()).issuperset(self.scopes.data):
            self.scopes.errors, valid = [_("Choose at least one.")], False
        return valid

    def chosen_courses(self) -> list[Course] | None:
        """The only courses that the token is to be for; None for all. What is wrong is the field's error."""
        codes = list(dict.fromkeys(filter(None, map(COURSE_CODE.clean, (self.courses.data or "").split(",")))))
        if not codes:
            return None
        query = sa.select(Course).where(
            Course.code.in_(codes[:_MOST_COURSES]), reachable_with(Permission.READ, Course.id)
        )
        found = {course.code: course for course in database().scalars(query)}
        missing = [code for code in codes if code not in found]
        if missing:
            self.courses.errors = [_("You have no course with the code %(code)s.", code=missing[0])]
        elif any(SCOPES[scope] is Permission.ADMINISTER for scope in self.scopes.data or ()):
            self.courses.errors = [_("Administration is of no course: leave it out, or this field empty.")]
        return list(found.values())


def scopes_to_give() -> list[str]:
    """The scopes that whoever is signed in may give a token."""
    return [scope for scope, permission in SCOPES.items() if may(permission)]


def most_days() -> int:
    """For how many days a token can be made."""
    return int(current_app.config["ATTENDANCE"].api.token_days)


@blueprint.get("")
def page() -> ResponseReturnValue:
    """One's own tokens, and a form for another."""
    usual = {"scopes": ["read"], "days": min(_USUAL_DAYS, most_days())}
    return _page(TokenForm(formdata=None, data=usual).offer())


@blueprint.post("")
def make() -> ResponseReturnValue:
    """Make a token; the answer shows it, this once."""
    form, account = TokenForm().offer(), current_account()
    courses = form.chosen_courses() if form.complete() else None
    if form.errors:
        return _page(form), 422
    wait = ask_password(account, form.your_password, _("Type your password to make a token."))
    if form.your_password.errors:
        page = _page(form)
        return too_many(wait, page) if wait else (page, 422)
    new = NewToken(form.name.data or "", form.scopes.data or (), courses, timedelta(days=form.days.data or 1))
    db = begin_own_change()
    try:
        row, token = make_access_token(db, current_account(), new, now=utc_now())
        only = {} if courses is None else {"course": ", ".join(course.code for course in courses)}
        details = {"scopes": row.scopes, **only}
        noted(AuditAction.TOKEN_MADE, subject=f"{account.email}: {row.name}", details=details)
        db.commit()
    except IntegrityError:
        db.rollback()
        form.name.errors = [_("You have a token of this name.")]
        return _page(form), 422
    # The answer to the form itself: a token in a cookie or an address would outlive this page.
    address = f"{site_address()}{url_for('Tokens.get_token')}"
    return render_template("account/token_made.html", made=row, token=token, scope_words=SCOPE_WORDS, address=address)


@blueprint.post("/<int:token_id>/revoke")
def revoke(token_id: int) -> ResponseReturnValue:
    """End one of one's own tokens at once."""
    if not end_token(token_id, AccessToken.account_id == current_account().id):
        abort(404)
    flash(_("The token is revoked. Programs that use it are let in no more."), "success")
    return redirect(url_for("tokens.page"))


def end_token(token_id: int, *which: sa.ColumnElement[bool]) -> bool:
    """End a token and note it; False where there is none that these conditions name."""
    db = begin_change()
    row = db.scalar(access_tokens(AccessToken.id == token_id, *which))
    if row is None:
        db.rollback()
        return False
    noted(AuditAction.TOKEN_ENDED, subject=f"{row.account.email}: {row.name}")
    end_access_tokens(db, AccessToken.id == token_id)
    db.commit()
    return True


def own_tokens() -> Sequence[AccessToken]:
    """The tokens of whoever is signed in, the newest first."""
    return database().scalars(access_tokens(AccessToken.account_id == current_account().id)).all()


def _page(form: TokenForm) -> str:
    given: dict[str, Any] = {"scope_words": SCOPE_WORDS, "now": utc_now()}
    return render_template(
        "account/tokens.html",
        form=form,
        tokens=own_tokens(),
        asks_password=has_password(current_account()),
        most_days=most_days(),
        **given,
    )
