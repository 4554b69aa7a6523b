"""What the worker found when it last looked after what the programs depend on.

Revision: 0029
Before it: 0028
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def losses(connection: sa.Connection) -> list[str]:
    """Nothing that a person typed: the worker finds all of it again within minutes."""
    del connection
    return []


def upgrade() -> None:
    op.create_table(
        "standing_check",
        sa.Column(
            "name",
            sa.String(40).with_variant(sa.String(40, collation="utf8mb4_bin"), "mysql", "mariadb"),
            nullable=False,
        ),
        sa.Column("checked_at", _UTC, nullable=False),
        sa.Column("failing_since", _UTC, nullable=True),
        sa.Column("problem", sa.String(500), nullable=True),
        sa.Column("found", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("changed_at", _UTC, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_standing_check")),
        **_UTF8,
    )


def downgrade() -> None:
    op.drop_table("standing_check")
