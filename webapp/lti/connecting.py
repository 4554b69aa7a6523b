"""Connecting somebody of a platform with an account here: once, by the person, signed in here in the same browser."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from flask import abort, current_app, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from itsdangerous import BadData, URLSafeTimedSerializer
from wtforms import HiddenField, PasswordField

from attendance.database.access.tokens import hash_token
from attendance.database.models import AuditAction, Course, LtiCourse, LtiPlatform
from webapp.account.ask_password import ask_password, has_password, signed_in_just_now
from webapp.account.identity import begin_own_change, current_account, sign_in_again
from webapp.account.noting import noted
from webapp.account.permissions import Access, needs
from webapp.account.sign_in import too_many
from webapp.lti.blueprint import of_launches
from webapp.lti.claims import LONGEST_ID, ClaimPart, Launch
from webapp.lti.people import connect, disconnect, give_role_of, platforms_of
from webapp.tools.storage import database

_LIFETIME = timedelta(minutes=20)
_COOKIE = "attendance_lti_connect"
_SALT = "lti connection"


class ConnectForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """What is offered, and the password of who signed in a while ago."""

    offer = HiddenField()
    your_password = PasswordField(lazy_gettext("Your password"))


@dataclass(frozen=True)
class _Offer:
    """Whom a platform means, and where they came from: what the person says yes to."""

    platform: LtiPlatform
    subject: str
    name: str
    email: str
    part: ClaimPart
    course: LtiCourse | None


def ask(platform: LtiPlatform, launch: Launch, course: LtiCourse | None) -> ResponseReturnValue:
    """Lead a browser, which has just launched as somebody not known here, to the question who that is.

    The address alone is worth nothing: the question is asked in this browser only. Else somebody could have another
    connect an account with the wrong person, and so come in as them.
    """
    secret = secrets.token_urlsafe(32)
    person = launch.person
    offer = _serializer().dumps(
        {
            "p": platform.id,
            "s": person.subject,
            "n": person.name,
            "e": person.email,
            "r": launch.part.value,
            "c": course.id if course else None,
            "b": hash_token(secret),
        }
    )
    response = make_response(redirect(url_for("lti.connection", offer=str(offer))))
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
    response.set_cookie(_COOKIE, secret, max_age=_LIFETIME, path="/lti", httponly=True, secure=secure, samesite="Lax")
    return response


@of_launches.get("/connect")
@needs(Access.SIGNED_IN)
def connection() -> ResponseReturnValue:
    """Ask whether somebody of a platform is who is signed in here."""
    text = request.args.get("offer", "")
    offer = _read(text)
    if offer is None:
        return render_template("lti/connect.html", offer=None), 410
    return _question(offer, ConnectForm(formdata=None, data={"offer": text}))


@of_launches.post("/connect")
@needs(Access.SIGNED_IN)
def connect_now() -> ResponseReturnValue:
    """Bind them, and open what the launch was for."""
    form = ConnectForm()
    offer = _read(form.offer.data or "")
    if offer is None:
        return render_template("lti/connect.html", offer=None), 410
    if not signed_in_just_now():  # else whoever finds an open browser would have a way in of their own
        wait = ask_password(current_account(), form.your_password, gettext("Type your password."))
        if form.your_password.errors:
            page = _question(offer, form)
            return too_many(wait, page) if wait else (page, 422)
    db = begin_own_change()
    account = current_account()
    connect(db, offer.platform, account, offer.subject)
    new_role = offer.course is not None and give_role_of(db, account, offer.course, offer.part)
    course_id = offer.course.course_id if offer.course else None
    db.commit()
    if new_role:  # which ends every sign-in of the account
        db.refresh(account, ["roles"])
        sign_in_again(account)
    flash(gettext("From now on links in %(platform)s sign you in here.", platform=offer.platform.name), "success")
    here = database().get(Course, course_id) if course_id else None
    target = url_for("courses.course", course_id=here.id) if here else url_for("lti.connections")
    response = make_response(redirect(target))
    response.delete_cookie(_COOKIE, path="/lti")
    return response


@of_launches.get("/connections")
@needs(Access.SIGNED_IN)
def connections() -> str:
    """With whom of which platforms one is connected."""
    return render_template("lti/connections.html", platforms=platforms_of(database(), current_account().id))


@of_launches.post("/connections/<int:platform_id>/end")
@needs(Access.SIGNED_IN)
def end_connection(platform_id: int) -> ResponseReturnValue:
    """End a connection: links there do not sign one in any more."""
    db = begin_own_change()
    platform = db.get(LtiPlatform, platform_id)
    if platform is None or not disconnect(db, platform_id, account_id=current_account().id):
        abort(404)
    noted(AuditAction.LTI_PERSON_DISCONNECTED, subject=current_account().email, details={"platform": platform.name})
    db.commit()
    flash(gettext("Links in %(platform)s do not sign you in here any more.", platform=platform.name), "success")
    return redirect(url_for("lti.connections"))


def _question(offer: _Offer, form: ConnectForm) -> str:
    asks = not signed_in_just_now() and has_password(current_account())
    return render_template("lti/connect.html", offer=offer, form=form, asks_password=asks)


def _read(text: str) -> _Offer | None:
    """What is offered; None: too old, not ours, or another browser's."""
    try:
        kept = _serializer().loads(text, max_age=int(_LIFETIME.total_seconds()))
        names = (str(kept["s"])[:LONGEST_ID], str(kept["n"]), str(kept["e"]))
        ids, part, cookie_hash = (int(kept["p"]), kept["c"]), ClaimPart(kept["r"]), str(kept["b"])
    except (BadData, KeyError, TypeError, ValueError):
        return None
    if not hmac.compare_digest(hash_token(request.cookies.get(_COOKIE, "")), cookie_hash):
        return None
    platform = database().get(LtiPlatform, ids[0])
    if platform is None or not platform.active:
        return None
    course = database().get(LtiCourse, int(ids[1])) if ids[1] is not None else None
    return _Offer(platform, *names, part, course)


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt=_SALT)
