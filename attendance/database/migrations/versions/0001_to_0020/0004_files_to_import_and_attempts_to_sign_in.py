"""Files that are tried and imported, and attempts to sign in, which the dashboard kept in its data folder before.

Revision: 0004
Before it: 0003
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_BYTES = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
_EXACT = sa.String(32).with_variant(sa.String(32, collation="utf8mb4_bin"), "mysql", "mariadb")
_CONTENT = sa.Enum("file", "report", name="filecontent", native_enum=False, length=16)
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def upgrade() -> None:
    _create_files()
    _create_parts()
    _create_attempts()


def _create_files() -> None:
    op.create_table(
        "imported_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", _EXACT, nullable=False),
        sa.Column("lecturer_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("file_name", sa.String(length=120), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=True),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("uploaded_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["lecturer_id"], ["lecturer.id"], name=op.f("fk_imported_file_lecturer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_imported_file_course_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imported_file")),
        sa.UniqueConstraint("token", name=op.f("uq_imported_file_token")),
        **_UTF8,
    )
    for column in ("lecturer_id", "course_id", "uploaded_at"):
        op.create_index(op.f(f"ix_imported_file_{column}"), "imported_file", [column])


def _create_parts() -> None:
    op.create_table(
        "imported_file_part",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("file_id", sa.Integer(), nullable=False),
        sa.Column("content", _CONTENT, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("data", _BYTES, nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["imported_file.id"], name=op.f("fk_imported_file_part_file_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imported_file_part")),
        sa.UniqueConstraint("file_id", "content", "place", name=op.f("uq_imported_file_part_file_id_content_place")),
        **_UTF8,
    )


def _create_attempts() -> None:
    op.create_table(
        "sign_in_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account", _EXACT, nullable=False),
        sa.Column("address", _EXACT, nullable=False),
        sa.Column("tried_at", _UTC, nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_attempt")),
        sqlite_autoincrement=True,
        **_UTF8,
    )
    op.create_index("ix_sign_in_attempt_account_tried_at", "sign_in_attempt", ["account", "tried_at"])
    op.create_index("ix_sign_in_attempt_address_tried_at", "sign_in_attempt", ["address", "tried_at"])
    op.create_index("ix_sign_in_attempt_tried_at", "sign_in_attempt", ["tried_at"])


def downgrade() -> None:
    op.drop_table("sign_in_attempt")
    op.drop_table("imported_file_part")
    op.drop_table("imported_file")
