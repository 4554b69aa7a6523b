"""Labels of statuses, an institution's or a course's own, on entries and in their history.

Revision: 0013
Before it: 0012
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
_STATUS = sa.Enum("present", "late", "absent", "excused", name="status", native_enum=False, length=16)
_COLOUR = sa.Enum(
    "green", "amber", "red", "violet", "blue", "teal", "pink", "grey",
    name="labelcolour", native_enum=False, length=16,
)  # fmt: skip
_REFERRING = (("attendance", "label_id"), ("attendance_change", "old_label_id"), ("attendance_change", "new_label_id"))


def losses(connection: sa.Connection) -> list[str]:
    """What the way back forgets: which label an entry had. The entry keeps its status."""
    counted = (
        ("SELECT COUNT(*) FROM status_label", "custom statuses"),
        (
            "SELECT COUNT(*) FROM attendance WHERE label_id IS NOT NULL",
            "custom statuses of entries, which keep present, late, absent or excused",
        ),
        (
            "SELECT COUNT(*) FROM attendance_change WHERE old_label_id IS NOT NULL OR new_label_id IS NOT NULL",
            "custom statuses in histories",
        ),
    )
    found = ((connection.execute(sa.text(query)).scalar() or 0, words) for query, words in counted)
    return [f"{number:,} {words}" for number, words in found if number]


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "status_label",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=True),
        sa.Column("kind", _STATUS, nullable=False),
        sa.Column("name", _exact(40), nullable=False),
        sa.Column("letter", _exact(2), nullable=False),
        sa.Column("colour", _COLOUR, nullable=False),
        sa.Column("weight", sa.Double(), nullable=True),
        sa.Column("retired_at", _UTC, nullable=True),
        sa.Column("created_at", _UTC, nullable=False),
        sa.CheckConstraint("weight >= 0 AND weight <= 1", name=op.f("ck_status_label_weight_is_a_share")),
        sa.CheckConstraint("(kind = 'excused') = (weight IS NULL)", name=op.f("ck_status_label_excused_has_no_weight")),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_status_label_course_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_label")),
        **_UTF8,
    )
    op.create_index(op.f("ix_status_label_course_id"), "status_label", ["course_id"])
    for table_name, column in _REFERRING:
        with op.batch_alter_table(table_name) as table:
            table.add_column(sa.Column(column, sa.Integer(), nullable=True))
            table.create_foreign_key(
                op.f(f"fk_{table_name}_{column}"), "status_label", [column], ["id"], ondelete="SET NULL"
            )
            table.create_index(op.f(f"ix_{table_name}_{column}"), [column])


def downgrade() -> None:
    for table_name, column in reversed(_REFERRING):
        with op.batch_alter_table(table_name) as table:
            table.drop_constraint(op.f(f"fk_{table_name}_{column}"), type_="foreignkey")
            table.drop_index(op.f(f"ix_{table_name}_{column}"))
            table.drop_column(column)
    op.drop_table("status_label")
