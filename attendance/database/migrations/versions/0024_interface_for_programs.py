"""Tokens of programs that use the interface, and the answers kept for what they send twice.

Revision: 0024
Before it: 0023
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes, of which there is some: a sentence's part each."""
    number = connection.execute(sa.text("SELECT COUNT(*) FROM access_token")).scalar() or 0
    return [f"{number:,} tokens of programs, which are let in no more"] if number else []


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "access_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("name", _exact(80), nullable=False),
        sa.Column("token_hash", _exact(64), nullable=False),
        sa.Column("scopes", sa.String(length=200), nullable=False),
        sa.Column("narrowed", sa.Boolean(), nullable=False),
        sa.Column("rests_on", sa.JSON(), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("expires_at", _UTC, nullable=False),
        sa.Column("last_used_at", _UTC, nullable=True),
        sa.Column("last_address", sa.String(length=60), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_access_token_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_token")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_access_token_account_id_name")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_access_token_token_hash")),
        sqlite_autoincrement=True,
        **_UTF8,
    )
    op.create_table(
        "access_token_course",
        sa.Column("token_id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["token_id"], ["access_token.id"], name=op.f("fk_access_token_course_token_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_access_token_course_course_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_id", "course_id", name=op.f("pk_access_token_course")),
        **_UTF8,
    )
    op.create_index(op.f("ix_access_token_course_course_id"), "access_token_course", ["course_id"])
    op.create_table(
        "kept_answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", _exact(128), nullable=False),
        sa.Column("request_hash", _exact(64), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=True),
        sa.Column("begun_at", _UTC, nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=True),
        sa.Column("body", sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb"), nullable=True),
        sa.ForeignKeyConstraint(
            ["token_id"], ["access_token.id"], name=op.f("fk_kept_answer_token_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["student.id"], name=op.f("fk_kept_answer_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_answer")),
        sa.UniqueConstraint("token_id", "idempotency_key", name=op.f("uq_kept_answer_token_id_idempotency_key")),
        **_UTF8,
    )
    op.create_index(op.f("ix_kept_answer_student_id"), "kept_answer", ["student_id"])
    op.create_index(op.f("ix_kept_answer_begun_at"), "kept_answer", ["begun_at"])


def downgrade() -> None:
    for table_name in ("kept_answer", "access_token_course", "access_token"):
        op.drop_table(table_name)
