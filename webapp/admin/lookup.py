"""Finding what an address names, and counting."""

from typing import Any, TypeVar

import sqlalchemy as sa
from flask import abort, request

from webapp.tools.requests import read_id
from webapp.tools.storage import count_rows, database

T = TypeVar("T")


def fetch(model: type[T], identifier: int) -> T:
    """The row with that id, or 404."""
    row = database().get(model, identifier)
    if row is None:
        abort(404)
    return row


def chosen_id(name: str) -> int | None:
    """The id that a filter of the address holds; None for none, and for what cannot be one."""
    return read_id(request.args.get(name, ""))


def count(model: type[Any] | sa.FromClause, *conditions: sa.ColumnElement[bool]) -> int:
    """How many rows of a table there are that meet the conditions."""
    return count_rows(database(), model, *conditions)


def counts_by(key: Any, *conditions: sa.ColumnElement[bool]) -> dict[int, int]:
    """How many rows there are for each value of a column; values without rows are left out."""
    rows = database().execute(sa.select(key, sa.func.count()).where(*conditions).group_by(key))
    return {value: number for value, number in rows if value is not None}
