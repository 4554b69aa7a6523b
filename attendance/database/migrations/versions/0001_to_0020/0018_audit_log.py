"""The audit log, and with which settings programs were started.

What keeps it from being changed is not made here: `attendance.database.audit.protection` makes it after every upgrade.

Revision: 0018
Before it: 0017
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
_KINDS = ("account", "student", "command", "program", "nobody")


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    entries = connection.execute(sa.text("SELECT COUNT(*) FROM audit_entry")).scalar() or 0
    return [f"{entries:,} entries of the audit log"] if entries else []


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("happened_at", _UTC, nullable=False),
        sa.Column("action", _exact(40), nullable=False),
        sa.Column("actor_kind", sa.Enum(*_KINDS, name="actorkind", native_enum=False, length=16), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("actor", _exact(254), nullable=True),
        sa.Column("address", sa.String(64), nullable=True),
        sa.Column("student", _exact(64), nullable=True),
        sa.Column("subject", _exact(254), nullable=True),
        sa.Column("details", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
        sqlite_autoincrement=True,
        **_UTF8,
    )
    op.create_index(op.f("ix_audit_entry_happened_at"), "audit_entry", ["happened_at"])
    for column in ("action", "actor", "subject", "student"):
        op.create_index(f"ix_audit_entry_{column}_happened_at", "audit_entry", [column, "happened_at"])
    op.create_table(
        "started_program",
        sa.Column("program", _exact(40), nullable=False),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("started_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("program", name=op.f("pk_started_program")),
        **_UTF8,
    )


def downgrade() -> None:
    op.drop_table("started_program")
    op.drop_table("audit_entry")
