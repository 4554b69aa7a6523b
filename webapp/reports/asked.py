"""What the address of a report asks for: threshold, order, group, search. Everything that a page shows is in it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import abort, request, url_for
from flask_babel import gettext as _

from webapp.exports.answers import Form
from webapp.tools.requests import asked_arguments, this_address

Row = TypeVar("Row")

LONGEST_SEARCH = 120


def asked_below() -> int | None:
    """The threshold in percent below which students are shown, `?below=75`; None: all are.

    A number that is no percentage is answered 400.
    """
    text = request.args.get("below", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= 100):
        abort(400, _("“below” is a percentage from 1 to 100, like 75."))
    return int(text)


def asked_search() -> str:
    """What is searched for, `?q=`; empty for nothing."""
    return request.args.get("q", "").strip()[:LONGEST_SEARCH]


@dataclass(frozen=True)
class Order:
    """How the rows of a table are ordered.

    Attributes:
        column: name of the column.
        descending: the largest, latest or last first.
        columns: all that the table can be ordered by, the one that it begins with first.
    """

    column: str
    descending: bool
    columns: Sequence[str]

    def address(self, column: str) -> str:
        """This page's address ordered by a column; by the present one, the other way round. It begins at page 1."""
        sort = None if column == self.columns[0] else column
        order = "desc" if column == self.column and not self.descending else None
        return this_address("sort", "order", sort=sort, order=order)

    def aria(self, column: str) -> str | None:
        """The value of `aria-sort` of a column's header."""
        if column != self.column:
            return None
        return "descending" if self.descending else "ascending"

    def arrange(self, rows: Iterable[Row], keys: Mapping[str, Callable[[Row], Any] | None]) -> list[Row]:
        """The rows in this order; equals stay as they come, and where nothing is known stands before all else.

        Args:
            rows: as they come.
            keys: by column, gives what a row is compared by, or None where that is not known; the column by which rows
                come has None in place of a function.
        """
        key = keys[self.column]
        if key is None:
            return list(rows)[::-1] if self.descending else list(rows)

        def place(row: Row) -> tuple[bool, Any]:
            value = key(row)
            return value is not None, value

        return sorted(rows, key=place, reverse=self.descending)


def asked_order(columns: Sequence[str]) -> Order:
    """The order that the address asks for: `?sort=` one of the columns, `?order=desc`; the first column without.

    Another name is answered 400.
    """
    column = request.args.get("sort", "") or columns[0]
    order = request.args.get("order", "")
    if column not in columns:
        abort(400, _("This list can be sorted by: %(names)s.", names=", ".join(columns)))
    if order not in ("", "asc", "desc"):
        abort(400, _("The order is “asc” or “desc”."))
    return Order(column, order == "desc", columns)


def file_addresses(endpoint: str, **arguments: Any) -> dict[Form, str]:
    """By form, where what this page shows is as a file: what the address narrows and orders, on all its pages."""
    asked = asked_arguments("form") | arguments
    return {form: url_for(endpoint, form=form, **asked) for form in Form}


def asked_number(name: str, known: Collection[int]) -> int | None:
    """An id that the address names, one of the known; None without it, 404 for others."""
    text = request.args.get(name, "").strip()
    if not text:
        return None
    found = next((number for number in known if str(number) == text), None)
    if found is None:
        abort(404)
    return found
