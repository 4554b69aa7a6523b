"""What a person sees when something is wrong: one sentence, and what to do."""

import secrets
from typing import cast

import structlog
from flask import Flask, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, OperationalError
from werkzeug.exceptions import HTTPException

from webapp.tools.problems import problem
from webapp.tools.requests import of_interface, wants_page

log = structlog.get_logger()

# Code: (title, what happened and what to do).
_SENTENCES = {
    400: (
        lazy_gettext("That did not work"),
        lazy_gettext("The request was not complete or had a value that makes no sense. Go back and try again."),
    ),
    401: (lazy_gettext("Please sign in"), lazy_gettext("Your sign-in has ended. Sign in again to go on.")),
    403: (
        lazy_gettext("Not for you"),
        lazy_gettext("This page is for administrators. Ask one of them if you need something here."),
    ),
    404: (
        lazy_gettext("Nothing here"),
        lazy_gettext("There is no such page, or it belongs to a course that is not yours."),
    ),
    405: (
        lazy_gettext("That did not work"),
        lazy_gettext("This address cannot be used in that way. Go back and try again."),
    ),
    413: (
        lazy_gettext("Too large"),
        lazy_gettext("What was sent is larger than this page accepts. Choose a smaller file."),
    ),
    429: (
        lazy_gettext("Please wait"),
        lazy_gettext("There were too many attempts in a short time. Wait a few minutes and try again."),
    ),
    500: (
        lazy_gettext("Something broke"),
        lazy_gettext("The fault is on our side and has been noted. Try again in a moment."),
    ),
    503: (
        lazy_gettext("Back in a moment"),
        lazy_gettext("The database does not answer just now. Nothing is lost; try again in a moment."),
    ),
}
_OF_INTERFACE = {
    403: lazy_gettext("The account of this token may not do this."),
    404: lazy_gettext("There is no such thing, or it belongs to a course that the token does not reach."),
    405: lazy_gettext("This address cannot be used in that way. What each takes is described at /api."),
    413: lazy_gettext("What was sent is larger than this address accepts."),
    415: lazy_gettext("This address takes another kind of content. What each takes is described at /api."),
}
"""Where a program is told something else than a person."""
_INVALID = lazy_gettext("The request has a value that it must not have, or lacks one: see “errors”.")
_CSRF = lazy_gettext(
    "This form was open while your sign-in ended or changed. Go back, reload the page and send it again."
)


def init_errors(app: Flask) -> None:
    """Style every error, and log those that are ours."""
    app.register_error_handler(CSRFError, _csrf_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(OperationalError, _database_error)
    app.register_error_handler(InterfaceError, _database_error)
    app.register_error_handler(Exception, _unexpected_error)


def error_page(code: int, message: str | None = None, *, reference: str | None = None) -> ResponseReturnValue:
    """The styled answer for a code; scripts get the same sentence as JSON, programs as a problem."""
    title, sentence = _SENTENCES.get(code, _SENTENCES[400 if code < 500 else 500])
    if of_interface():
        return problem(code, str(message or _OF_INTERFACE.get(code, sentence)), reference=reference), code
    if not wants_page():
        return jsonify(error=message or sentence), code
    page = render_template(
        "errors/error.html", code=code, title=title, sentence=message or sentence, reference=reference
    )
    return page, code


def _csrf_error(_error: CSRFError) -> ResponseReturnValue:
    return error_page(400, _CSRF)


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:  # redirects
        return error.get_response()
    own_words = error.description if error.description != type(error).description else None
    wrong = getattr(error, "data", {}).get("messages") if of_interface() else None
    if wrong:  # what a request lacks, as its schema says it
        return problem(error.code, own_words or str(_INVALID), errors=wrong)
    body, code = error_page(error.code, own_words), error.code
    response = error.get_response()
    extra = [(k, v) for k, v in response.headers if k.lower() in ("allow", "retry-after")]
    return cast(ResponseReturnValue, (body[0] if isinstance(body, tuple) else body, code, extra))


def _database_error(error: Exception) -> ResponseReturnValue:
    g.bare_page = True
    log.error("database_unavailable", path=request.path, error=type(error).__name__)
    return error_page(503)


def _unexpected_error(error: Exception) -> ResponseReturnValue:
    g.bare_page = True
    reference = secrets.token_hex(4)
    log.exception("request_failed", path=request.path, method=request.method, reference=reference, exc_info=error)
    return error_page(500, reference=reference)
