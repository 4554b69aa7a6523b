"""`Idempotency-Key`: a program that heard no answer sends the same again, and it is done once.

`attendance.database.access.kept_answers` keeps the answers for a day.
"""

import hashlib
from dataclasses import replace
from typing import Any

from flask import Response, abort, g, request
from flask_babel import gettext

from attendance.database.access.kept_answers import (
    LONGEST_KEY,
    Fate,
    KeyedRequest,
    begin_answer,
    forget_request,
    keep_answer,
)
from attendance.database.models import Student, utc_now
from webapp.account.bearer import access_token
from webapp.tools.problems import refuse
from webapp.tools.storage import database

KEY_PARAMETER: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A name for this request, for example a UUID. The same request with the same name is done once; "
    "within a day its answer is given again, with the header Idempotent-Replayed.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
}
_KEPT_HEADERS = ("Content-Type", "ETag", "Location", "Link")


def begin_once() -> Response | None:
    """Before a view that writes: answer what was answered before, or note that it is being answered."""
    key = request.headers.get("Idempotency-Key")
    token = access_token()
    if key is None or token is None or request.method in ("GET", "HEAD", "OPTIONS"):
        return None
    key = key.strip().removeprefix('"').removesuffix('"')  # a string of RFC 8941, or without its quotes
    if not 0 < len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        refuse("header", **{"Idempotency-Key": f"It has 1 to {LONGEST_KEY} characters of ASCII and no space."})
    asked = KeyedRequest(token.id, key, _digest(), _student_named())
    kept = begin_answer(database(), asked, now=utc_now())
    if kept.fate is Fate.ANOTHER:
        abort(422, gettext("This Idempotency-Key was used for another request. Take a new one for each."))
    if kept.fate is Fate.IN_PROGRESS:
        abort(409, gettext("The same request is being answered. Ask again in a moment."))
    if kept.fate is Fate.ANSWERED:
        return Response(kept.body, kept.status, {**kept.headers, "Idempotent-Replayed": "true"})
    g.kept_request = asked
    return None


def keep_once(response: Response) -> Response:
    """After it: keep the answer; not a fault of ours, after which the same may be sent again."""
    asked: KeyedRequest | None = g.pop("kept_request", None)
    if asked is None:
        return response
    db = database()
    db.rollback()
    if response.status_code >= 500:
        forget_request(db, asked)
    else:
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        keep_answer(db, asked, status=response.status_code, headers=headers, body=response.get_data())
    return response


def answer_names(student_id: int) -> None:
    """Say that the answer names a student whom the address does not: it is kept no longer than the student is."""
    asked: KeyedRequest | None = g.get("kept_request")
    if asked is not None:
        g.kept_request = replace(asked, student_id=student_id)


def _digest() -> str:
    """What is asked: the same only if everything is that an answer depends on."""
    digest = hashlib.sha256()
    for part in (request.method, request.full_path, request.headers.get("If-Match", ""), request.mimetype):
        digest.update(part.encode() + b"\0")
    digest.update(request.get_data(cache=True))
    return digest.hexdigest()


def _student_named() -> int | None:
    """The id of the student whom the address names, if there is one; what is deleted is named in no answer."""
    student_id = (request.view_args or {}).get("student_id")
    if request.method == "DELETE":
        return None
    return None if student_id is None or database().get(Student, student_id) is None else int(student_id)
