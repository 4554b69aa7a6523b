"""Pages of a long list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from flask import abort, request
from sqlalchemy.orm import Session

from webapp.tools.requests import this_address

T = TypeVar("T")
U = TypeVar("U")

MAX_PAGE = 1_000_000
WHOLE = "all"
"""What `?page=` asks for where a list is wanted on one page, to be printed."""
MOST_ON_A_PAGE = 1_000
"""Items of a list that is shown on one page."""


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some items of a list, and where they stand in it.

    Attributes:
        items: the page's items.
        number: which page, from 1.
        size: items on a full page.
        total: items of the whole list, or at least this many when `more_than_total`.
        more_than_total: counting stopped at `total`.
    """

    items: Sequence[T]
    number: int
    size: int
    total: int
    more_than_total: bool = False

    @property
    def first(self) -> int:
        """Position of the page's first item in the list, from 1; 0 for an empty list."""
        return (self.number - 1) * self.size + 1 if self.items else 0

    @property
    def last(self) -> int:
        """Position of the page's last item."""
        return (self.number - 1) * self.size + len(self.items)

    @property
    def pages(self) -> int:
        """How many pages there are (at least)."""
        return max(1, -(-self.total // self.size))

    def of(self, items: Sequence[U]) -> "Page[U]":
        """The same page of other items, made of these one by one."""
        return Page(items, self.number, self.size, self.total, self.more_than_total)

    @property
    def has_next(self) -> bool:
        """Whether a page follows."""
        return self.number < self.pages or (self.more_than_total and len(self.items) == self.size)

    @property
    def has_previous(self) -> bool:
        """Whether a page goes before."""
        return self.number > 1

    @property
    def is_part(self) -> bool:
        """Whether it is a part of a list that one page could hold."""
        return self.size < self.total <= MOST_ON_A_PAGE and not self.more_than_total


def page_number() -> int:
    """The page that the address asks for: `?page=`, 1 without one or for the whole list; what is neither is 404."""
    text = request.args.get("page", "1")
    if text == WHOLE:
        return 1
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:9]) <= MAX_PAGE:
        abort(404)
    return int(text[:9])


def page_size(usual: int) -> int:
    """How many items the address asks for on a page: as many as usual, or the whole list, up to a limit."""
    return MOST_ON_A_PAGE if request.args.get("page") == WHOLE else usual


def page_address(number: int | str) -> str:
    """This page's address with another page number, or `WHOLE`; everything else in it stays."""
    return this_address(page=None if number == 1 else number)


def page_of(items: Sequence[T], *, size: int) -> Page[T]:
    """The page of a list in memory that the address asks for.

    Args:
        items: the whole list, in order.
        size: items on a page, where the address does not ask for the whole list.
    """
    number, size = page_number(), page_size(size)
    return Page(items[(number - 1) * size : number * size], number, size, len(items))


def paginate(db: Session, query: sa.Select[*tuple[Any, ...]], *, size: int, number: int | None = None) -> Page[Any]:
    """One page of a query's rows; two statements, whatever the size of the list.

    Args:
        db: the request's session.
        query: ordered; a query for one entity or column gives those, another gives rows.
        size: rows on a page, where the address does not ask for the whole list.
        number: which page, from 1, of just this size; the address's by default.
    """
    if number is None:
        number, size = page_number(), page_size(size)
    total = db.scalar(sa.select(sa.func.count()).select_from(query.order_by(None).subquery())) or 0
    rows = db.execute(query.limit(size).offset((number - 1) * size)).all()
    items = [row[0] if len(row) == 1 else row for row in rows]
    return Page(items=items, number=number, size=size, total=total)
