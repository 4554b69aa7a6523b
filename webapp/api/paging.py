"""Long lists in parts: each says with a cursor where the next one begins, so that nothing is left out or given twice.

A cursor holds the place of the last item, not a number of items: what is added or deleted meanwhile moves nothing.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

import marshmallow as ma
import sqlalchemy as sa
from flask import request, url_for
from sqlalchemy.orm import Session

from webapp.api.resource import Fields
from webapp.tools.problems import refuse
from webapp.tools.requests import LARGEST_ID
from webapp.tools.times import YEARS

USUAL, MOST = 100, 500
_LONGEST_CURSOR = 400
Listing = tuple[Mapping[str, Any], int, Mapping[str, str]]
"""A part of a list, as a view answers it."""


class ListPart(Fields):
    """Which part of a list is asked for."""

    limit = ma.fields.Integer(
        load_default=USUAL,
        validate=ma.validate.Range(min=1, max=MOST),
        metadata={"description": "How many items at most."},
    )
    cursor = ma.fields.String(
        load_default="",
        validate=ma.validate.Length(max=_LONGEST_CURSOR),
        metadata={"description": "Where the part begins: `next` of the part before. Empty: at the beginning."},
    )


@dataclass(frozen=True)
class Key:
    """A column by which a list is ordered.

    Attributes:
        column: of the query; never empty.
        value: of an item.
        read: makes the column's value of what a cursor holds; ValueError or TypeError for what cannot be one.
        write: makes what a cursor holds of it.
    """

    column: Any
    value: Callable[[Any], Any]
    read: Callable[[Any], Any]
    write: Callable[[Any], Any] = lambda value: value


def by_id(column: Any, value: Callable[[Any], int] = lambda item: item.id) -> Key:
    """A list ordered by the id of its rows."""
    return Key(column, value, _read_id)


def by_moment(column: Any, value: Callable[[Any], datetime]) -> Key:
    """A list ordered by a time."""
    return Key(column, value, _read_moment, lambda moment: moment.isoformat())


@cache
def list_of(schema: type[Fields]) -> type[Fields]:
    """What a part of a list of these is answered with."""
    name = schema.__name__
    items = ma.fields.List(ma.fields.Nested(schema), required=True)
    following = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The cursor of the next part; null: this is the last one."},
    )
    made = type(
        f"{name}List", (Fields,), {"items": items, "next": following, "__doc__": f"A part of a list of {name}."}
    )
    return made


def part_of_query(db: Session, query: sa.Select[Any], keys: Sequence[Key], asked: Mapping[str, Any]) -> Listing:
    """The part of a query's rows that is asked for; a query of one entity gives those, another gives rows."""
    columns = [key.column for key in keys]
    place = _place(keys, asked)
    if place is not None:
        query = query.where(_after(columns, place))
    rows = db.execute(query.order_by(*columns).limit(asked["limit"] + 1)).unique().all()
    return _listing([row[0] if len(row) == 1 else row for row in rows], keys, asked)


def part_of_items(items: Sequence[Any], key: Key, asked: Mapping[str, Any]) -> Listing:
    """The same of a list in memory; its key's column is not asked."""
    place = _place([key], asked)
    ordered = sorted(items, key=key.value)
    if place is not None:
        ordered = [item for item in ordered if key.value(item) > place[0]]
    return _listing(ordered[: asked["limit"] + 1], [key], asked)


def _listing(items: Sequence[Any], keys: Sequence[Key], asked: Mapping[str, Any]) -> Listing:
    shown, following, headers = items[: asked["limit"]], None, {}
    if len(items) > len(shown):
        place = [key.write(key.value(shown[-1])) for key in keys]
        following = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
        given = {name: value for name, value in request.args.items() if name != "cursor"}
        address = url_for(request.endpoint or "", **(request.view_args or {}))
        headers = {"Link": f'<{address}?{urlencode({**given, "cursor": following})}>; rel="next"'}
    return {"items": shown, "next": following}, 200, headers


def _place(keys: Sequence[Key], asked: Mapping[str, Any]) -> list[Any] | None:
    """The keys of the last item of the part before; None at the beginning."""
    cursor = asked["cursor"]
    if not cursor:
        return None
    try:
        held = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(held, list) or len(held) != len(keys):
            raise ValueError(cursor)
        return [key.read(value) for key, value in zip(keys, held, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
        refuse("query", cursor="This is no cursor of this list. Begin without one.")


def _after(columns: Sequence[Any], place: Sequence[Any]) -> sa.ColumnElement[bool]:
    """The condition that a row stands after a place, told by the first column that differs."""
    (column, *more), (value, *further) = columns, place
    later: sa.ColumnElement[bool] = column > value
    return sa.or_(later, sa.and_(column == value, _after(more, further))) if more else later


def _read_id(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_ID:
        raise ValueError(value)
    return value


def _read_moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None or moment.year not in YEARS:
        raise ValueError(value)
    return moment.astimezone(UTC)
