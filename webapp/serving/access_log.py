"""One event for each request: who opened what, how it was answered and how long it took."""

import time

import sqlalchemy as sa
import structlog
from flask import Flask, g, request
from werkzeug.wrappers import Response

from webapp.account.identity import signed_in_account

log = structlog.get_logger()

_UNLOGGED = ("static", "health.check")


def init_access_log(app: Flask) -> None:
    """Log each request but those for static files and health.

    The address's parameters are left out: a filter may hold a student's name. A live stream is logged when it begins.
    """
    app.before_request(_note_start)
    app.after_request(_log_request)


def _note_start() -> None:
    g.request_started = time.perf_counter()


def _log_request(response: Response) -> Response:
    if request.endpoint not in _UNLOGGED:
        started = g.get("request_started", time.perf_counter())
        log.info(
            "request",
            method=request.method,
            path=request.path,
            status=response.status_code,
            ms=round((time.perf_counter() - started) * 1000),
            lecturer=_account_id(),
            **_token(),
        )
    return response


def _token() -> dict[str, int]:
    """With which token a program asks."""
    token = g.get("access_token")
    key = None if token is None else sa.inspect(token).identity
    return {} if key is None else {"token": int(key[0])}


def _account_id() -> int | None:
    # A failed request must not ask the database again, nor fail while it is logged.
    if g.get("bare_page") or ("sign_in" not in g and "access_token" not in g):
        return None
    account = signed_in_account()
    key = None if account is None else sa.inspect(account).identity  # known even when the row must be read again
    return None if key is None else int(key[0])
