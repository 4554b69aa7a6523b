"""Links with which lecturers set a password; files that are imported together.

Revision: 0008
Before it: 0007
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
_TOKEN = sa.String(32).with_variant(sa.String(32, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "password_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lecturer_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("expires_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["lecturer_id"], ["lecturer.id"], name=op.f("fk_password_link_lecturer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_password_link_token_hash")),
        **_UTF8,
    )
    op.create_index(op.f("ix_password_link_lecturer_id"), "password_link", ["lecturer_id"])
    op.create_index(op.f("ix_password_link_expires_at"), "password_link", ["expires_at"])
    with op.batch_alter_table("imported_file") as table:
        table.add_column(sa.Column("together", _TOKEN, nullable=True))
        table.create_index(op.f("ix_imported_file_together"), ["together"])


def downgrade() -> None:
    with op.batch_alter_table("imported_file") as table:
        table.drop_index(op.f("ix_imported_file_together"))
        table.drop_column("together")
    op.drop_table("password_link")
