"""How a student comes in: asks for a link, opens it, presses a button; and signs out.

Who asks learns nothing: the answer is the same whether the student is known or not, has an address or not, and takes as
long. What is typed only finds the student; the link goes to the address on record.
"""

import time
from datetime import UTC, datetime

from flask import Flask, current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext
from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField
from wtforms.validators import DataRequired, Length

from attendance.database.access.sign_ins import end_sign_ins
from attendance.database.access.student_links import is_newer, student_called, student_of_link, use_student_link
from attendance.database.access.tokens import hash_token
from attendance.database.audit.noting import THE_STUDENT, note
from attendance.database.models import AuditAction, SignIn, Student, utc_now
from webapp.account.identity import sign_in, sign_out, signed_in_student
from webapp.account.oidc.leaving import address_there, leaving_page
from webapp.account.oidc.room import provider_name, students_too
from webapp.account.permissions import Access, needs
from webapp.account.sign_in import too_many
from webapp.account.throttle import Attempt, Limits, Throttle
from webapp.me.blueprint import blueprint
from webapp.me.mailing import can_mail, mail_link
from webapp.tools.storage import begin_change, database, engine_of

_THROTTLE = "attendance_student_throttle"
# Every request for a link counts, as every answer is the same. A whole lecture may ask at once from one address.
_ASKING = Limits(pair=5, account=10, address=900)
_SHORTEST_S = 0.3
"""An answer to who asks for a link takes as long as this, which is longer than looking and writing takes."""
_ASKED = "asked"
_LONGEST = 254


class AskForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """Who wants a link."""

    who = StringField(
        lazy_gettext("Index number or e-mail address"),
        validators=[
            DataRequired(lazy_gettext("Type your index number or your e-mail address.")),
            Length(max=_LONGEST, message=lazy_gettext("This is too long to be an index number or an e-mail address.")),
        ],
    )


class OpenForm(FlaskForm):  # type: ignore[misc]
    """A link, and whose it is where this browser did not ask for it."""

    link = HiddenField()
    index_number = StringField(lazy_gettext("Your index number"))


def init_own_page(app: Flask) -> None:
    """Give the application, which has its database and its key, the count of who asks for links."""
    app.extensions[_THROTTLE] = Throttle(engine_of(app), str(app.secret_key), limits=_ASKING, purpose="student ")


@blueprint.get("/signin")
@needs(Access.ANYBODY)
def sign_in_page() -> ResponseReturnValue:
    """The form that asks for a link."""
    if signed_in_student() is not None:
        return redirect(url_for("me.home"))
    return _ask_page(AskForm(formdata=None), ended=request.args.get("ended") == "1")


@blueprint.post("/signin")
@needs(Access.ANYBODY)
def ask_for_link() -> ResponseReturnValue:
    """Mail a link to whoever is meant, if anybody is."""
    ends_at = time.monotonic() + _SHORTEST_S
    form = AskForm()
    if not form.validate() or not can_mail():
        return _ask_page(form), 422
    who = str(form.who.data)
    attempt = _begin(f"for {who}")
    if attempt.wait_s:
        return too_many(attempt, _ask_page(form, wait=attempt))
    asked_at = utc_now().timestamp()
    student = student_called(database(), who)
    if student is not None:
        mail_link(student)
    _throttle().fail(attempt)
    session[_ASKED] = who, asked_at  # so that the link that this leads to needs no second proof here
    database().commit()
    time.sleep(max(0.0, ends_at - time.monotonic()))
    return redirect(url_for("me.asked"))


@blueprint.get("/signin/sent")
@needs(Access.ANYBODY)
def asked() -> str:
    """What every one who asks for a link reads."""
    return render_template("me/asked.html", minutes=current_app.config["ATTENDANCE"].students.link_minutes)


@blueprint.get("/link")
@needs(Access.ANYBODY)
def link_page() -> ResponseReturnValue:
    """A button. Looking at a link, as mail programs do, does not use it, and does not say whose it is."""
    token = request.args.get("link", "")
    student, refusal = _whose(token)
    if student is None:
        return refusal
    return _open_page(OpenForm(formdata=None, data={"link": token}), student)


@blueprint.post("/link")
@needs(Access.ANYBODY)
def open_link() -> ResponseReturnValue:
    """Spend the link, and show the own page. A link that was passed on is of no use without the index number."""
    form = OpenForm()
    token = form.link.data or ""
    student, refusal = _whose(token)
    if student is None:
        return refusal
    if not (_asked_here(student, token) or _names(form, student)):
        form.index_number.errors = [gettext("This link belongs to another index number.")]
        _throttle().fail(_begin(_key_of(token)))
        _note_refused(student)
        return _open_page(form, student), 422
    db = begin_change()
    student = use_student_link(db, token, now=utc_now())
    if student is None:
        db.rollback()
        return _refusal()
    note(db, AuditAction.OWN_PAGE_OPENED, actor=THE_STUDENT, student=student.index_number)
    db.commit()
    sign_in(student)
    return redirect(url_for("me.home"))


@blueprint.post("/signout")
@needs(Access.ANYBODY)
def sign_out_now() -> ResponseReturnValue:
    """End the sign-in: of this browser, and of every other that the student forgot."""
    student, there = signed_in_student(), address_there()
    if student is not None:
        db = begin_change()
        end_sign_ins(db, SignIn.student_id == student.id)
        note(db, AuditAction.OWN_PAGE_LEFT, actor=THE_STUDENT, student=student.index_number)
        db.commit()
    sign_out()
    if there is not None:
        return leaving_page(there)
    flash(gettext("You are signed out."), "success")
    response = redirect(url_for("me.sign_in_page"))
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _whose(token: str) -> tuple[Student | None, ResponseReturnValue]:
    """Whose link it is, or what to answer; who tries links is slowed down as who guesses passwords is.

    One that is sent and refused is noted; looking at it is none, and of who has to wait nothing more is noted.
    """
    attempt = _begin(_key_of(token))
    if attempt.wait_s:
        return None, too_many(attempt, render_template("me/link.html", wait=_wait_text(attempt)))
    student = student_of_link(database(), token, now=utc_now()) if len(token) <= _LONGEST else None
    database().commit()
    if student is None:
        _throttle().fail(attempt)
        if request.method == "POST":
            _note_refused(None)
    else:
        _throttle().uncount(attempt)  # the wrong index numbers before it count on
    return student, _refusal()


def _note_refused(student: Student | None) -> None:
    db = begin_change()
    number = None if student is None else student.index_number
    note(db, AuditAction.OWN_PAGE_LINK_REFUSED, actor=None, student=number)
    db.commit()


def _refusal() -> ResponseReturnValue:
    """The same for a link that never was, was used, has expired, or is of somebody who is not there any more."""
    return render_template("me/link.html", minutes=current_app.config["ATTENDANCE"].students.link_minutes), 404


def _asked_here(student: Student, token: str) -> bool:
    """Whether this browser asked for a link of this student before the link was made.

    Whoever got hold of one could else ask for another with the e-mail address, and open the first.
    """
    match session.get(_ASKED):
        case [str(who), float(asked_at)]:
            found = student_called(database(), who)
            made_since = is_newer(database(), token, datetime.fromtimestamp(asked_at, UTC))
            return found is not None and found.id == student.id and made_since
    return False


def _names(form: OpenForm, student: Student) -> bool:
    return (form.index_number.data or "").strip().casefold() == student.index_number.casefold()


def _open_page(form: OpenForm, student: Student) -> str:
    return render_template("me/link.html", form=form, asked_here=_asked_here(student, form.link.data or ""))


def _ask_page(form: AskForm, *, ended: bool = False, wait: Attempt | None = None) -> str:
    said = None if wait is None else _wait_text(wait)
    provider = provider_name() if students_too() else None
    return render_template("me/sign_in.html", form=form, ended=ended, wait=said, can_mail=can_mail(), provider=provider)


def _wait_text(attempt: Attempt) -> str:
    minutes = -(-attempt.wait_s // 60)
    said: str = ngettext(
        "Too many attempts. Try again in %(num)s minute.", "Too many attempts. Try again in %(num)s minutes.", minutes
    )
    return said


def _key_of(token: str) -> str:
    return f"link {hash_token(token[:_LONGEST])}"


def _begin(what: str) -> Attempt:
    database().commit()  # counting takes a connection of its own, and may wait
    return _throttle().begin(what, request.remote_addr)


def _throttle() -> Throttle:
    counter: Throttle = current_app.extensions[_THROTTLE]
    return counter
