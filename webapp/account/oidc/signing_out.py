"""Where the provider sends whom it signed out, and where it tells that somebody signed out there.

The latter is OpenID Connect Back-Channel Logout 1.0.
"""

from datetime import UTC, datetime, timedelta

import structlog
from flask import Flask, flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from attendance.database.access.identities import Subject, sign_ins_through, spend
from attendance.database.access.sign_ins import end_sign_ins
from attendance.database.audit.noting import note
from attendance.database.models import AuditAction, utc_now
from webapp.account.identity import public
from webapp.account.oidc.people import THE_PROVIDER
from webapp.account.oidc.room import BACK_CHANNEL, LEFT, PREFIX, oidc_settings, provider
from webapp.account.oidc.signing_in import answers_throttle, blueprint
from webapp.account.oidc.tokens import LEEWAY_S, Claims
from webapp.account.oidc.trouble import ProviderError, Reason
from webapp.tools.storage import begin_change, database

log = structlog.get_logger()

_LONGEST = 20_000


@blueprint.get(LEFT.removeprefix(PREFIX))
@public
def left() -> ResponseReturnValue:
    """Say that somebody is signed out here and there."""
    flash(gettext("You are signed out."), "success")
    return redirect(url_for("account.sign_in_page"))


@blueprint.post(BACK_CHANNEL.removeprefix(PREFIX))
@public
def back_channel() -> ResponseReturnValue:
    """End the sign-ins of which a logout token tells. The provider itself sends it, so there is no form's token."""
    token = request.form.get("logout_token", "")
    database().commit()  # counting takes a connection of its own, and may wait
    throttle = answers_throttle()
    attempt = throttle.begin("logout", request.remote_addr)
    if attempt.wait_s:
        return _answer("there were too many tokens that are not to be believed", 429)
    try:
        if not token or len(token) > _LONGEST:
            raise ProviderError(Reason.UNTRUE, "there is no logout token")
        ended = _end(provider().logged_out(token))
    except ProviderError as error:
        if error.reason in (Reason.AWAY, Reason.BUSY):
            throttle.uncount(attempt)
        else:
            throttle.fail(attempt)
        log.warning("logout_of_provider_refused", reason=error.reason.name.lower(), detail=error.detail)
        return _answer(error.reason.value, 400)
    throttle.uncount(attempt)
    log.info("logout_of_provider", ended=ended)
    return _answer(None, 200)


def _end(claims: Claims) -> int:
    issuer, subject, session = oidc_settings().issuer, claims.get("sub"), claims.get("sid")
    until = datetime.fromtimestamp(float(claims["exp"]), UTC) + timedelta(seconds=2 * LEEWAY_S)
    db, now = begin_change(), utc_now()
    if not spend(db, issuer, "logout", str(claims["jti"]), now=now, expires_at=until):
        raise ProviderError(Reason.UNTRUE, "the logout token was used before")
    whom = Subject(issuer, subject) if isinstance(subject, str) else None
    ended = end_sign_ins(db, sign_ins_through(whom, issuer, session if isinstance(session, str) else None))
    if ended:
        note(db, AuditAction.SIGNED_OUT_THERE, actor=THE_PROVIDER, details={"sessions": ended})
    db.commit()
    return ended


def exempt_from_csrf(app: Flask) -> None:
    """Let the provider send its token without a form's: it is no browser, and brings no cookie."""
    app.extensions["csrf"].exempt(back_channel)


def _answer(error: str | None, status: int) -> ResponseReturnValue:
    """As section 2.8 has it; `Cache-Control: no-store` is on every answer."""
    body = {} if error is None else {"error": "invalid_request", "error_description": error}
    return jsonify(body), status
