"""The sign-in that a platform begins: what we remember of it until its answer comes, in the browser and not here.

The state is signed, names the platform and the nonce, and belongs to one browser: the hash in it is that of a cookie.
So nobody can have another's browser finish a sign-in that they began. A nonce is kept here once it was let in: then its
launch counts never again.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import current_app, request
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from attendance.database.access.tokens import hash_token
from attendance.database.models import LtiNonce
from attendance.database.transactions import inserted
from attendance.texts import english
from webapp.lti.errors import LaunchError

LIFETIME = timedelta(minutes=10)
"""From the first step of a sign-in to its last; people type their password at the platform meanwhile."""
_COOKIE = "attendance_lti_"
_BEGUN = "_begun"
_SALT = "lti sign-in"
_LONGEST_KEPT = 3_500
"""Characters of what a cookie holds; browsers take 4096 bytes with its name."""


@dataclass(frozen=True)
class Login:
    """A sign-in that was begun.

    Attributes:
        platform_id: at which platform.
        nonce: that its token must hold.
        cookie: the name of the browser's cookie.
    """

    platform_id: int
    nonce: str
    cookie: str


def begin_login(platform_id: int) -> tuple[Login, str, str]:
    """Begin a sign-in: what is known of it, the state for the platform, and what the browser's cookie must hold."""
    secret, name = secrets.token_urlsafe(32), secrets.token_hex(8)
    login = Login(platform_id, secrets.token_urlsafe(32), f"{_COOKIE}{name}")
    state = _serializer().dumps({"p": platform_id, "n": login.nonce, "c": name, "b": hash_token(secret)})
    return login, str(state), secret


def read_state(state: str) -> tuple[Login, str]:
    """The sign-in that a state belongs to, and the hash of its browser's cookie.

    Raises:
        LaunchError: it is none of ours, or too old.
    """
    try:
        kept = _serializer().loads(state, max_age=int(LIFETIME.total_seconds()))
        return Login(int(kept["p"]), str(kept["n"]), f"{_COOKIE}{kept['c']}"), str(kept["b"])
    except (BadData, KeyError, TypeError, ValueError):
        raise LaunchError(
            english("This sign-in was not begun here, or took too long. Open the link in the course again.")
        ) from None


def is_this_browsers(login: Login, cookie_hash: str) -> bool:
    """Whether the browser that asks is the one that began a sign-in."""
    return hmac.compare_digest(hash_token(request.cookies.get(login.cookie, "")), cookie_hash)


def keep_in_browser(response: Response, login: Login, secret: str, *, framed: bool, again: str) -> None:
    """Let the browser keep that it began a sign-in.

    The platform's answer is a form sent from its own page: browsers send a cookie along only where it says that it may
    go with requests from other sites, which they allow over https only. In the platform's frame most keep a cookie
    only for that platform's pages (partitioned, CHIPS).

    Args:
        response: which is changed.
        login: that was begun.
        secret: by which the browser is known again.
        framed: whether that is in the platform's frame.
        again: our address at which the same sign-in begins, for a window of its own.
    """
    kept = {"max_age": LIFETIME, **_cookie(framed=framed)}
    response.set_cookie(login.cookie, secret, **kept)
    if framed and len(again) <= _LONGEST_KEPT:
        response.set_cookie(login.cookie + _BEGUN, again, **kept)


def begun_at(login: Login) -> str | None:
    """Our address at which a sign-in was begun in a frame; None where the browser does not know it any more."""
    again = request.cookies.get(login.cookie + _BEGUN, "")
    return again if again.startswith("/lti/login?") else None


def forget_in_browser(response: Response, login: Login, *, framed: bool) -> None:
    """The sign-in is over."""
    for name in (login.cookie, login.cookie + _BEGUN):
        if name in request.cookies:
            response.delete_cookie(name, **_cookie(framed=framed))


def _cookie(*, framed: bool) -> dict[str, Any]:
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
    return {
        "path": "/lti",
        "httponly": True,
        "secure": secure,
        "samesite": "None" if secure else "Lax",
        "partitioned": secure and framed,
    }


def use_nonce(db: Session, nonce: str, *, now: datetime) -> bool:
    """Let a launch in, in the caller's transaction; False: it was let in before.

    Args:
        db: begun with `begin_writing`.
        nonce: of its token, which was verified.
        now: aware.
    """
    db.execute(sa.delete(LtiNonce).where(LtiNonce.expires_at < now))
    return inserted(db, LtiNonce(nonce_hash=hash_token(nonce), expires_at=now + 2 * LIFETIME))


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt=_SALT)
