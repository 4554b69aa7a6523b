"""The queue of mail, thresholds of courses, and what was noted and done at its hour.

Revision: 0011
Before it: 0010
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
_STATE = sa.Enum("waiting", "sending", "sent", "failed", "dropped", name="mailstate", native_enum=False, length=16)


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    counted = (
        ("SELECT COUNT(*) FROM queued_mail WHERE state IN ('waiting', 'sending')", "mails that wait to be sent"),
        ("SELECT COUNT(*) FROM low_attendance", "notes of low attendance, so that mail tells of it again"),
        ("SELECT COUNT(*) FROM course WHERE attendance_threshold IS NOT NULL", "thresholds of courses"),
    )
    found = ((connection.execute(sa.text(query)).scalar() or 0, words) for query, words in counted)
    return [f"{number:,} {words}" for number, words in found if number]


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "queued_mail",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", _exact(40), nullable=False),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("key", _exact(190), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("state", _STATE, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("queued_at", _UTC, nullable=False),
        sa.Column("not_before", _UTC, nullable=False),
        sa.Column("first_tried_at", _UTC, nullable=True),
        sa.Column("leased_until", _UTC, nullable=True),
        sa.Column("ended_at", _UTC, nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queued_mail")),
        sa.UniqueConstraint("key", name=op.f("uq_queued_mail_key")),
        **_UTF8,
    )
    op.create_index("ix_queued_mail_state_not_before", "queued_mail", ["state", "not_before"])
    op.create_index("ix_queued_mail_kind_queued_at", "queued_mail", ["kind", "queued_at"])
    op.create_index("ix_queued_mail_ended_at", "queued_mail", ["ended_at"])
    op.create_table(
        "low_attendance",
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.Column("noted_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_low_attendance_course_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["student.id"], name=op.f("fk_low_attendance_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("course_id", "student_id", name=op.f("pk_low_attendance")),
        **_UTF8,
    )
    op.create_index(op.f("ix_low_attendance_student_id"), "low_attendance", ["student_id"])
    op.create_table(
        "timed_work",
        sa.Column("name", _exact(40), nullable=False),
        sa.Column("done_for", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_timed_work")),
        **_UTF8,
    )
    with op.batch_alter_table("course") as table:
        table.add_column(sa.Column("attendance_threshold", sa.SmallInteger(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("course") as table:
        table.drop_column("attendance_threshold")
    op.drop_table("timed_work")
    op.drop_table("low_attendance")
    op.drop_table("queued_mail")
