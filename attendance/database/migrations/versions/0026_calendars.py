"""Calendars that the timetable is read from, and feeds of sessions.

Revision: 0026
Before it: 0025
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    words = {
        "timetable_calendar": "{:,} calendars that the timetable is read from; their sessions stay",
        "calendar_feed": "{:,} secret addresses of calendar feeds",
    }
    counts = {table: connection.execute(sa.text(f"SELECT COUNT(*) FROM {table}")).scalar() or 0 for table in words}  # noqa: S608 - names of our own
    return [words[table].format(number) for table, number in counts.items() if number]


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def _of(table: str, column: str, target: str, ondelete: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"), ondelete=ondelete)


def upgrade() -> None:
    _calendars()
    _feeds()
    with op.batch_alter_table("session_series") as table:
        table.add_column(sa.Column("calendar_id", sa.Integer(), nullable=True))
        table.create_foreign_key(
            op.f("fk_session_series_calendar_id"), "timetable_calendar", ["calendar_id"], ["id"], ondelete="SET NULL"
        )
        table.create_index(op.f("ix_session_series_calendar_id"), ["calendar_id"])


def _calendars() -> None:
    op.create_table(
        "timetable_calendar",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", _exact(80), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=True),
        sa.Column("course_id", sa.Integer(), nullable=True),
        sa.Column("room_id", sa.Integer(), nullable=True),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("every_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("by_itself", sa.Boolean(), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("next_fetch_at", _UTC, nullable=True),
        sa.Column("leased_until", _UTC, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("fetched_at", _UTC, nullable=True),
        sa.Column("entity_tag", sa.String(length=200), nullable=True),
        sa.Column("failing_since", _UTC, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(length=500), nullable=True),
        sa.Column("applied_at", _UTC, nullable=True),
        sa.Column("waiting", sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb"), nullable=True),
        sa.Column("waiting_digest", sa.String(length=64), nullable=True),
        sa.Column("waiting_since", _UTC, nullable=True),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.CheckConstraint("last_day >= first_day", name=op.f("ck_timetable_calendar_ends_after_start")),
        _of("timetable_calendar", "course_id", "course", "CASCADE"),
        _of("timetable_calendar", "room_id", "room", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timetable_calendar")),
        sa.UniqueConstraint("name", name=op.f("uq_timetable_calendar_name")),
        **_UTF8,
    )
    for column in ("course_id", "room_id", "next_fetch_at"):
        op.create_index(op.f(f"ix_timetable_calendar_{column}"), "timetable_calendar", [column])


def _feeds() -> None:
    op.create_table(
        "calendar_feed",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("room_id", sa.Integer(), nullable=True),
        sa.Column("student_id", sa.Integer(), nullable=True),
        sa.Column("token_hash", _exact(64), nullable=False),
        sa.Column("made_at", _UTC, nullable=False),
        sa.Column("used_at", _UTC, nullable=True),
        sa.Column("hour_began_at", _UTC, nullable=True),
        sa.Column("reads", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(account_id IS NOT NULL) + (room_id IS NOT NULL) + (student_id IS NOT NULL) = 1",
            name=op.f("ck_calendar_feed_is_of_one"),
        ),
        *(_of("calendar_feed", f"{of}_id", of, "CASCADE") for of in ("account", "room", "student")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_feed")),
        *(
            sa.UniqueConstraint(column, name=op.f(f"uq_calendar_feed_{column}"))
            for column in ("account_id", "room_id", "student_id", "token_hash")
        ),
        **_UTF8,
    )


def downgrade() -> None:
    with op.batch_alter_table("session_series") as table:
        table.drop_constraint(op.f("fk_session_series_calendar_id"), type_="foreignkey")
        table.drop_index(op.f("ix_session_series_calendar_id"))
        table.drop_column("calendar_id")
    op.drop_table("calendar_feed")
    op.drop_table("timetable_calendar")
