"""What every table has in common."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase

UTF8 = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
"""Options of a table that names its own."""


def utc_now() -> datetime:
    """The present moment, aware, UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can change them on any database."""

    # Names are in any script, whatever the server's default character set is.
    __table_args__: Any = UTF8

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
