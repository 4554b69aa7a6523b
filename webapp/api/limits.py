"""How many requests of one token are answered in a minute, and saying so (draft-ietf-httpapi-ratelimit-headers)."""

from flask import Flask, Response, abort, current_app, g, request
from flask_babel import gettext

from attendance.database.access.access_tokens import Use, count_use
from attendance.database.models import utc_now
from webapp.account.bearer import access_token
from webapp.account.throttle import network_of
from webapp.tools.requests import of_interface
from webapp.tools.storage import database, engine_of

_MINUTE_S = 60


def init_limits(app: Flask) -> None:
    """Count each request of the interface that shows a token; must come before the sign-in check.

    So what that refuses counts, too.
    """
    app.before_request(_count)
    app.after_request(_say)


def _limit() -> int:
    return int(current_app.config["ATTENDANCE"].api.requests_a_minute)


def _count() -> None:
    token = access_token() if of_interface() and request.endpoint is not None else None
    if token is None:
        return
    database().commit()  # the connection: it is counted with another
    address = network_of(request.remote_addr) if request.remote_addr else ""
    g.token_use = count_use(engine_of(current_app), token, limit=_limit(), address=address, now=utc_now())
    if not g.token_use.allowed:
        abort(429, gettext("There were too many requests with this token. Wait as the header Retry-After says."))


def _say(response: Response) -> Response:
    use: Use | None = g.get("token_use")
    if use is not None:
        response.headers["RateLimit-Policy"] = f'"token";q={_limit()};w={_MINUTE_S}'
        response.headers["RateLimit"] = f'"token";r={use.left};t={use.reset_s}'
        if response.status_code == 429:
            response.headers["Retry-After"] = str(use.reset_s)
    return response
