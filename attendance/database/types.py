"""Column types that mean the same on SQLite, MySQL and MariaDB."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from attendance.texts import Text, from_plain, to_plain


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware datetime, stored as naive UTC with microseconds; refuses naive values."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """MySQL keeps whole seconds unless asked for microseconds."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """To naive UTC.

        Raises:
            ValueError: the value has no zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """To aware UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class SaidText(sa.types.TypeDecorator[str]):
    """A sentence for people: a `Text` is kept as its pattern and values, so that a page can say it in any language.

    What is too long for the column is kept as plain English, cut. Strings, also of older rows, are read as they are.

    Args:
        length: of the column, in characters.
    """

    impl = sa.String
    cache_ok = True
    _BEGINS = '{"text": '

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """To JSON, or cut."""
        if isinstance(value, Text):
            kept = json.dumps(to_plain(value), ensure_ascii=False)
            if len(kept) <= self.length:
                return kept
        return None if value is None else str(value)[: self.length]

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """A `Text`, where one was kept."""
        if value is None or not value.startswith(self._BEGINS):
            return value
        try:
            text: str = from_plain(json.loads(value))
        except (ValueError, KeyError, TypeError):  # it only looks like one
            return value
        return text


def enum_column_type(kind: type[StrEnum]) -> sa.Enum:
    """A string column that holds the values of `kind`."""
    return sa.Enum(
        kind,
        native_enum=False,
        length=16,
        values_callable=lambda members: [member.value for member in members],
        validate_strings=True,
    )


# MySQL's default collation would take "ab1" and "AB1", or "é" and "e", for one student.
def identifier_type(length: int) -> sa.types.TypeEngine[str]:
    """A string column whose values are told apart exactly."""
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def picture_type() -> sa.types.TypeEngine[bytes]:
    """A column for one small picture, up to 16 MB on MySQL."""
    return sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
