"""Excuses: of which student, from when to when, in which course, why, and by whom.

Revision: 0006
Before it: 0005
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def upgrade() -> None:
    op.create_table(
        "excuse",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=True),
        sa.Column("starts_at", _UTC, nullable=False),
        sa.Column("ends_at", _UTC, nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=True),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("created_at", _UTC, nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_excuse_ends_after_start")),
        sa.ForeignKeyConstraint(["student_id"], ["student.id"], name=op.f("fk_excuse_student_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_excuse_course_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["lecturer.id"], name=op.f("fk_excuse_created_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_excuse")),
        **_UTF8,
    )
    op.create_index("ix_excuse_student_id_ends_at", "excuse", ["student_id", "ends_at"])
    op.create_index(op.f("ix_excuse_course_id"), "excuse", ["course_id"])


def downgrade() -> None:
    op.drop_table("excuse")
