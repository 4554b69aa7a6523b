"""What writes of single things have in common: a transaction, `If-Match`, and refusals that name a field.

A thing's tag has two parts, as an entry's has: what is stored, which `If-Match` asks for, and what is shown, which may
change with the hour. `*` means whatever there is.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import marshmallow as ma
from flask import abort, json, request
from flask_babel import ngettext
from sqlalchemy.orm import Session

from attendance.database.transactions import transact
from attendance.tables.fields import clean
from webapp.admin.writing import require_administrator
from webapp.api.conditional import asked_heads, changed, version_tag
from webapp.api.resource import Fields
from webapp.changes.errors import ChangeError
from webapp.tools.languages import say_error
from webapp.tools.problems import refuse_with
from webapp.tools.storage import database

T = TypeVar("T")
Written = tuple[dict[str, Any], int, dict[str, str]]
"""A thing as a view answers it, with its tag."""

IF_MATCH: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of what was looked at; `*`: whatever there is.",
    "schema": {"type": "string"},
    "example": "*",
}
MAY_MATCH = {**IF_MATCH, "required": False}


class DeletionConfirmed(Fields):
    """The word of whoever deletes what cannot be had back."""

    confirm = ma.fields.String(
        load_default="",
        metadata={"description": "Where entries of registers go with it: the code of its course, or the index number."},
    )


def write(work: Callable[[Session], T], *, administers: bool = True) -> T:
    """Write in a transaction; what is refused is answered: 409 where something else forbids it, else 422.

    Args:
        work: may be called again, after a lost race.
        administers: whether only an administrator may.
    """

    def checked(db: Session) -> T:
        if administers:
            require_administrator(db)
        return work(db)

    try:
        return transact(database(), checked)
    except ChangeError as error:
        words, status = say_error(error), 409 if error.conflict else 422
        if not error.field:
            abort(status, words)
        refuse_with(status, "json", {error.field: words})


def locked(db: Session, model: type[T], row_id: int) -> T:
    """The row with that id as it is now, which nobody changes until the transaction ends; or 404."""
    row = db.get(model, row_id, with_for_update=True, populate_existing=True)
    if row is None:
        abort(404)
    return row


def revision(stored: Any) -> str:
    """The first part of a tag, of what is stored: values that JSON has, or that have a text."""
    return hashlib.sha256(json.dumps(stored, sort_keys=True, default=str).encode()).hexdigest()[:16]


def require_match(now: str, *, optional: bool = False) -> None:
    """Answer 412 unless the request looked at what there is; 428 where it does not say at what.

    Args:
        now: the revision that there is, of a row that is locked.
        optional: whether a request need not say it.
    """
    if optional and "If-Match" not in request.headers:
        return
    heads = asked_heads()
    if heads is not None and now not in heads:
        abort(412, changed())


def require_confirmation(entries: int, word: str, given: str) -> None:
    """Answer 409 where entries of registers would go and the request does not say the word for it."""
    if entries and clean(given) != clean(word):
        words = ngettext(
            "%(num)s entry of registers, with its history, would be deleted. Say so: confirm=%(word)s",
            "%(num)s entries of registers, with their history, would be deleted. Say so: confirm=%(word)s",
            entries,
            word=word,
        )
        refuse_with(409, "query", {"confirm": words})


def answered(
    schema: type[Fields],
    shown: Mapping[str, Any],
    stored: Any,
    *,
    status: int = 200,
    location: str | None = None,
    notes: Sequence[str] | None = None,
) -> Written:
    """A thing with its tag.

    Args:
        schema: of it.
        shown: what it writes.
        stored: for `revision`.
        status: 201 where it was added.
        location: of what was added.
        notes: what should be known beside, where the schema of the answer has a place for it.
    """
    text = json.dumps(schema().dump(shown), sort_keys=True)
    headers = {"ETag": f'"{version_tag(revision(stored), text)}"'}
    if location is not None:
        headers["Location"] = location
    return {**shown, **({} if notes is None else {"notes": list(notes)})}, status, headers


def same(asked: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """Whether everything that a request gives is so already."""
    return all(stored[name] == value for name, value in asked.items())


def notes_field() -> ma.fields.List[Any]:
    """What a person should look at, in the answer to a write."""
    return ma.fields.List(
        ma.fields.String(), metadata={"description": "What a person should look at; sentences. Only after a write."}
    )
