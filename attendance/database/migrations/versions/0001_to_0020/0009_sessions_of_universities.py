"""Sessions of several rooms and audiences, cancelled ones, series, groups of courses, breaks and guests.

Sessions that are there become series of one.

Revision: 0009
Before it: 0008
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
_STATE = sa.Enum("scheduled", "cancelled", name="sessionstate", native_enum=False, length=16)
_ORIGIN = sa.Enum("file", "form", "session", name="seriesorigin", native_enum=False, length=16)


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    counted = (
        ("SELECT COUNT(*) FROM class_session WHERE state = 'cancelled'", "cancelled sessions, which are deleted"),
        (
            "SELECT COUNT(DISTINCT session_id) FROM session_room",
            "sessions in several rooms, which keep the first: whoever sits in another is not seen",
        ),
        (
            "SELECT COUNT(DISTINCT session_id) FROM session_audience",
            "sessions for several courses or groups, which keep the first",
        ),
        (
            "SELECT COUNT(*) FROM class_session WHERE group_id IS NOT NULL",
            "sessions of a group, which are for the whole course then",
        ),
        ("SELECT COUNT(*) FROM course_group", "groups of courses, with their members"),
        ("SELECT COUNT(*) FROM guest", "guests of sessions"),
        ("SELECT COUNT(*) FROM teaching_break", "days without teaching"),
        ("SELECT COUNT(*) FROM dropped_occurrence", "deleted sessions that imports leave out"),
        ("SELECT COUNT(*) FROM session_series WHERE external = 1", "identifiers of series in other systems"),
        ("SELECT COUNT(*) FROM class_session WHERE note IS NOT NULL", "notes of sessions"),
        ("SELECT COUNT(*) FROM class_session WHERE changed_at IS NOT NULL", "marks of sessions that a person changed"),
    )
    found = ((connection.execute(sa.text(query)).scalar() or 0, words) for query, words in counted)
    return [f"{number:,} {words}" for number, words in found if number]


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    _add_groups()
    _add_series()
    _extend_sessions()
    _add_what_belongs_to_sessions()
    op.create_table(
        "teaching_break",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.CheckConstraint("last_day >= first_day", name=op.f("ck_teaching_break_ends_after_start")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teaching_break")),
        **_UTF8,
    )
    op.create_index(op.f("ix_teaching_break_first_day"), "teaching_break", ["first_day"])


def _add_groups() -> None:
    op.create_table(
        "course_group",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("name", _exact(80), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_course_group_course_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_course_group")),
        sa.UniqueConstraint("course_id", "name", name=op.f("uq_course_group_course_id_name")),
        **_UTF8,
    )
    op.create_table(
        "course_group_member",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["course_group.id"], name=op.f("fk_course_group_member_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["student.id"], name=op.f("fk_course_group_member_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "student_id", name=op.f("pk_course_group_member")),
        **_UTF8,
    )
    op.create_index(op.f("ix_course_group_member_student_id"), "course_group_member", ["student_id"])


def _add_series() -> None:
    op.create_table(
        "session_series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", _exact(190), nullable=False),
        sa.Column("external", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("origin", _ORIGIN, nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.Column("created_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_session_series_course_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["course_group.id"], name=op.f("fk_session_series_group_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_series")),
        sa.UniqueConstraint("uid", name=op.f("uq_session_series_uid")),
        **_UTF8,
    )
    op.create_index(op.f("ix_session_series_course_id"), "session_series", ["course_id"])
    op.create_index(op.f("ix_session_series_group_id"), "session_series", ["group_id"])
    op.create_table(
        "dropped_occurrence",
        sa.Column("series_id", sa.Integer(), nullable=False),
        sa.Column("planned_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["session_series.id"], name=op.f("fk_dropped_occurrence_series_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("series_id", "planned_at", name=op.f("pk_dropped_occurrence")),
        **_UTF8,
    )


def _extend_sessions() -> None:
    # The defaults stay: a program of the version before adds sessions without them while an installation is upgraded.
    with op.batch_alter_table("class_session") as table:
        table.add_column(sa.Column("group_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("state", _STATE, nullable=False, server_default="scheduled"))
        table.add_column(sa.Column("cancelled_reason", sa.String(length=500), nullable=True))
        table.add_column(sa.Column("note", sa.String(length=500), nullable=True))
        table.add_column(sa.Column("series_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("planned_at", _UTC, nullable=True))
        table.add_column(sa.Column("changed_at", _UTC, nullable=True))
        table.add_column(sa.Column("changed_by_id", sa.Integer(), nullable=True))
        for column, target, on_delete in (
            ("group_id", "course_group", "RESTRICT"),
            ("series_id", "session_series", "SET NULL"),
            ("changed_by_id", "lecturer", "SET NULL"),
        ):
            table.create_foreign_key(op.f(f"fk_class_session_{column}"), target, [column], ["id"], ondelete=on_delete)
    op.create_index("ix_class_session_group_id", "class_session", ["group_id"])
    op.create_index("ix_class_session_series_id_planned_at", "class_session", ["series_id", "planned_at"])
    # The uid holds the session's number, so that each finds its own series again.
    name = "'session-' || id" if op.get_bind().dialect.name == "sqlite" else "CONCAT('session-', id)"
    op.execute(
        "INSERT INTO session_series (uid, external, origin, course_id, created_at)"  # noqa: S608 - no input
        f" SELECT {name}, 0, 'session', course_id, COALESCE(entered_at, starts_at) FROM class_session"
    )
    name = name.replace("id", "class_session.id").replace("session-class_session.id", "session-id")
    op.execute(
        "UPDATE class_session SET planned_at = starts_at,"  # noqa: S608 - no input
        f" series_id = (SELECT session_series.id FROM session_series WHERE session_series.uid = {name})"
    )


def _add_what_belongs_to_sessions() -> None:
    op.create_table(
        "session_audience",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["class_session.id"], name=op.f("fk_session_audience_session_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_session_audience_course_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["course_group.id"], name=op.f("fk_session_audience_group_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session_audience")),
        **_UTF8,
    )
    op.create_index(op.f("ix_session_audience_session_id"), "session_audience", ["session_id"])
    op.create_index("ix_session_audience_course_id_session_id", "session_audience", ["course_id", "session_id"])
    op.create_index(op.f("ix_session_audience_group_id"), "session_audience", ["group_id"])
    op.create_table(
        "session_room",
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("room_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["class_session.id"], name=op.f("fk_session_room_session_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_session_room_room_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("session_id", "room_id", name=op.f("pk_session_room")),
        **_UTF8,
    )
    op.create_index(op.f("ix_session_room_room_id"), "session_room", ["room_id"])
    op.create_table(
        "guest",
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.Column("first_seen", _UTC, nullable=False),
        sa.Column("last_seen", _UTC, nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["class_session.id"], name=op.f("fk_guest_session_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["student_id"], ["student.id"], name=op.f("fk_guest_student_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("session_id", "student_id", name=op.f("pk_guest")),
        **_UTF8,
    )
    op.create_index(op.f("ix_guest_student_id"), "guest", ["student_id"])


def downgrade() -> None:
    # A version without states would take a cancelled session for one that takes place, and mark everybody absent.
    op.execute("DELETE FROM class_session WHERE state = 'cancelled'")
    for table_name in ("guest", "session_room", "session_audience", "teaching_break"):
        op.drop_table(table_name)
    with op.batch_alter_table("class_session") as table:
        for column in ("group_id", "series_id", "changed_by_id"):
            table.drop_constraint(op.f(f"fk_class_session_{column}"), type_="foreignkey")
        table.drop_index("ix_class_session_series_id_planned_at")
        table.drop_index("ix_class_session_group_id")
        for column in (
            "changed_by_id", "changed_at", "planned_at", "series_id", "note", "cancelled_reason", "state", "group_id"
        ):  # fmt: skip
            table.drop_column(column)
    for table_name in ("dropped_occurrence", "session_series", "course_group_member", "course_group"):
        op.drop_table(table_name)
