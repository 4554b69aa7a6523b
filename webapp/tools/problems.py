"""Errors as programs read them: `application/problem+json` of RFC 9457."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, NoReturn

from flask import Response, json, request
from werkzeug.exceptions import Conflict, UnprocessableEntity

PROBLEM = "application/problem+json"


def problem(status: int, detail: str, *, reference: str | None = None, errors: Any = None) -> Response:
    """The answer to a request that cannot be done.

    Args:
        status: of the answer; its phrase is the title, since the type says no more ("about:blank").
        detail: what happened and what to do.
        reference: by which the server's log names the fault.
        errors: what is wrong, by the part of the request and the name of the field.
    """
    body: dict[str, Any] = {"type": "about:blank", "title": _title(status), "status": status, "detail": detail}
    if reference is not None:
        body["reference"] = reference
    if errors:
        body["errors"] = errors
        pointers = [{"pointer": f"#{path}", "detail": text} for path, text in _pointers(errors.get("json", {}))]
        body |= {"pointers": pointers} if pointers else {}
    answer = Response(json.dumps(body), status=status, content_type=PROBLEM)
    if status == HTTPStatus.UNAUTHORIZED:
        # https://www.rfc-editor.org/rfc/rfc6750#section-3: who showed no token is not told that it is wrong.
        wrong = ', error="invalid_token"' if request.headers.get("Authorization") else ""
        answer.headers["WWW-Authenticate"] = f'Bearer realm="attendance"{wrong}'
    return answer


def refuse(place: str, **wrong: str) -> NoReturn:
    """Answer 422.

    Args:
        place: "query", "json" or "header".
        wrong: by the name of a field there, what is wrong with it.
    """
    refuse_with(HTTPStatus.UNPROCESSABLE_ENTITY, place, wrong)


def refuse_with(status: int, place: str, wrong: Mapping[str, str]) -> NoReturn:
    """The same with a status of one's own: 409 is told in the words of what is wrong."""
    error = Conflict(" ".join(wrong.values())) if status == HTTPStatus.CONFLICT else UnprocessableEntity()
    # Where webargs leaves what a schema finds wrong, too.
    error.data = {"messages": {place: {name: [text] for name, text in wrong.items()}}}  # type: ignore[union-attr]
    raise error


def _pointers(wrong: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """What is wrong with a body by RFC 6901's pointers, of marshmallow's messages: lists of texts in dictionaries."""
    if isinstance(wrong, Mapping):
        for name, more in wrong.items():
            step = "" if name == "_schema" else "/" + str(name).replace("~", "~0").replace("/", "~1")
            yield from _pointers(more, path + step)
    elif isinstance(wrong, list):
        yield from ((path, str(text)) for text in wrong)
    else:
        yield path, str(wrong)


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
