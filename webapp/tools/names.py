"""Ordering and searching names as people do: "Łukasz" comes before "Maria", and "lukasz" finds him.

MySQL and MariaDB can compare by the rules of Unicode. SQLite knows capitals of the Latin alphabet's 26 letters only, so
its connections get a collation and a function from here.
"""

import sqlite3
import unicodedata
from enum import StrEnum
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from attendance.database.models import Student

_COLLATION = "attendance_name"
_FOLD = "attendance_fold"
# Of MySQL and MariaDB alike, whatever the server's default: Unicode's own order, version 5.2, marks and capitals aside.
_UNICODE = "utf8mb4_unicode_520_ci"
_ESCAPE = "/"
# Letters that Unicode does not decompose into a base letter and a mark.
_BASE_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th"})


@lru_cache(maxsize=20_000)
def name_key(name: str) -> str:
    """A name without marks and capitals, for ordering and searching: "Łukasz Żak" becomes "lukasz zak"."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).translate(_BASE_LETTERS)


class NameOrder(StrEnum):
    """By which part of a name lists are ordered."""

    NAME = "name"
    FAMILY = "family"


def family_name(name: str) -> str:
    """The part of a name by which registers on paper are ordered: before a comma, or the last word.

    What a family name is, a name alone does not say: of "Gabriel García Márquez" it is two words, of "Nguyễn Thị Mai"
    the first. Who keeps names as "García Márquez, Gabriel" has them in their order.
    """
    family, comma, _ = name.partition(",")
    return family.strip() if comma and family.strip() else (name.split() or [""])[-1]


def family_key(name: str) -> tuple[str, str]:
    """By which names are ordered by family: without marks and capitals, then the whole name."""
    return name_key(family_name(name)), name_key(name)


def teach_sqlite(engine: sa.Engine) -> None:
    """Give each new SQLite connection of the engine the collation and the function; other databases need neither."""
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _teach)


def by_student_name(db: Session) -> tuple[sa.ColumnElement[Any], ...]:
    """Columns to order students by: as a person reads a list, and always in the same order."""
    name = sa.collate(Student.name, _COLLATION if db.get_bind().dialect.name == "sqlite" else _UNICODE)
    return (name, Student.index_number.expression)


def contains_text(column: Any, text: str) -> sa.ColumnElement[bool]:
    """The condition that a string column contains what a person typed; marks and capitals aside.

    `%` and `_` mean themselves.
    """
    escaped = text
    for special in (_ESCAPE, "%", "_"):
        escaped = escaped.replace(special, _ESCAPE + special)
    return _Folded(column).like(_Folded(sa.literal(f"%{escaped}%")), escape=_ESCAPE)


class _Folded(FunctionElement[str]):
    """A string made comparable with what a person types."""

    inherit_cache = True
    type = sa.String()
    name = "folded"


@compiles(_Folded)
def _collate(element: _Folded, compiler: sa.sql.compiler.SQLCompiler, **arguments: Any) -> str:
    return f"({compiler.process(element.clauses, **arguments)}) COLLATE {_UNICODE}"


@compiles(_Folded, "sqlite")
def _fold(element: _Folded, compiler: sa.sql.compiler.SQLCompiler, **arguments: Any) -> str:
    return f"{_FOLD}({compiler.process(element.clauses, **arguments)})"


def _teach(connection: sqlite3.Connection, _record: object) -> None:
    connection.create_collation(_COLLATION, _compare)
    connection.create_function(_FOLD, 1, lambda text: None if text is None else name_key(text), deterministic=True)


def _compare(left: str, right: str) -> int:
    left_key, right_key = (name_key(left), left), (name_key(right), right)
    return (left_key > right_key) - (left_key < right_key)
