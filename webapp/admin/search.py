"""Searching lists."""

from typing import Any

import sqlalchemy as sa
from flask import request

from webapp.tools.names import contains_text

_LONGEST = 100
_MOST_WORDS = 6


def searched() -> str:
    """What the person searches for: `?q=`."""
    return " ".join(request.args.get("q", "")[:_LONGEST].split())


def matches(text: str, *columns: Any) -> sa.ColumnElement[bool]:
    """The condition that each word of the text stands in one of the columns."""
    words = text.split()[:_MOST_WORDS]
    return sa.and_(sa.true(), *(sa.or_(*(contains_text(column, word) for column in columns)) for word in words))
