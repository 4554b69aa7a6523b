"""What cameras watched and the smallest face they seek; entries without a status; who can be recognised since when.

Sessions closed before are marked so: what was watched in them is not known.

Revision: 0007
Before it: 0006
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
_STATUS = sa.Enum("present", "late", "absent", "excused", name="status", native_enum=False, length=16)
_ORIGIN = sa.Enum("live", "kept", "recording", name="origin", native_enum=False, length=16)
_CLOSING = sa.Enum("observed", "entered_late", "unobserved", name="closing", native_enum=False, length=16)
_UNRECORDED = sa.Enum(
    "unwatched", "unrecognisable", "unnamed", "entered_late", name="unrecorded", native_enum=False, length=16
)


_NAMED = 20
"""Sessions that are named one by one."""


def losses(connection: sa.Connection) -> list[str]:
    """What the schema before has no place for."""
    without_status = connection.execute(
        sa.text(
            "SELECT course.code, class_session.starts_at, COUNT(*) FROM attendance"
            " JOIN class_session ON class_session.id = attendance.session_id"
            " JOIN course ON course.id = class_session.course_id"
            " WHERE attendance.status IS NULL"
            " GROUP BY class_session.id, course.code, class_session.starts_at"
            " ORDER BY class_session.starts_at, class_session.id"
        )
    ).all()
    changes = connection.scalar(
        sa.text("SELECT COUNT(*) FROM attendance_change WHERE attendance_id IS NOT NULL AND new_status IS NULL")
    )
    hours = connection.scalar(sa.text("SELECT COUNT(*) FROM observation"))
    found = [
        f"{count} entries without a status in {code}, session of {str(starts_at)[:16]} UTC"
        for code, starts_at, count in without_status[:_NAMED]
    ]
    if len(without_status) > _NAMED:
        more = without_status[_NAMED:]
        found.append(f"{sum(count for _, _, count in more)} entries without a status in {len(more)} more sessions")
    if changes:
        found.append(f"{changes} changes to an entry without a status, in histories")
    if hours:
        found.append(f"what cameras watched: {hours} rows of one camera and hour each")
    return found


def upgrade() -> None:
    op.create_table(
        "observation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("camera_id", sa.Integer(), nullable=True),
        sa.Column("room_id", sa.Integer(), nullable=False),
        sa.Column("hour", _UTC, nullable=False),
        sa.Column("watched", sa.BigInteger(), nullable=False),
        sa.Column("watched_live", sa.BigInteger(), nullable=False),
        sa.Column("blind", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.LargeBinary(length=600), nullable=False),
        sa.ForeignKeyConstraint(
            ["camera_id"], ["camera.id"], name=op.f("fk_observation_camera_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_observation_room_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation")),
        sa.UniqueConstraint("camera_id", "room_id", "hour", name=op.f("uq_observation_camera_id_room_id_hour")),
        **_UTF8,
    )
    op.create_index("ix_observation_room_id_hour", "observation", ["room_id", "hour"])
    op.create_index("ix_observation_hour", "observation", ["hour"])
    # The defaults stay: a service of the version before adds rows without them while an installation is upgraded.
    with op.batch_alter_table("camera") as table:
        table.add_column(sa.Column("blind_since", _UTC, nullable=True))
        table.add_column(sa.Column("extra", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("smallest_face", sa.SmallInteger(), nullable=True))
    with op.batch_alter_table("attendance_evidence") as table:
        table.add_column(sa.Column("origin", _ORIGIN, nullable=False, server_default="live"))
    with op.batch_alter_table("attendance") as table:
        table.alter_column("status", existing_type=_STATUS, nullable=True)
        table.add_column(sa.Column("unrecorded_reason", _UNRECORDED, nullable=True))
        table.add_column(sa.Column("origin", _ORIGIN, nullable=True))
        table.add_column(sa.Column("watched_from", _UTC, nullable=True))
        # Entries are counted by session and status on many pages; the index alone answers.
        table.create_index("ix_attendance_session_id_status", ["session_id", "status"])
    with op.batch_alter_table("attendance_change") as table:
        table.add_column(sa.Column("old_unrecorded", _UNRECORDED, nullable=True))
        table.add_column(sa.Column("new_unrecorded", _UNRECORDED, nullable=True))
    with op.batch_alter_table("class_session") as table:
        table.add_column(sa.Column("closed_as", _CLOSING, nullable=True))
        table.add_column(sa.Column("entered_at", _UTC, nullable=True))
    op.execute("UPDATE class_session SET closed_as = 'unobserved' WHERE closed_at IS NOT NULL")
    with op.batch_alter_table("student") as table:
        table.add_column(sa.Column("recognisable_since", _UTC, nullable=True))
    # The index in use holds those who are in the gallery; publishing the next one looks again.
    op.execute(
        "UPDATE student SET recognisable_since = COALESCE(gallery_updated_at, created_at)"
        " WHERE gallery_encodings > 0 AND consent_withdrawn_at IS NULL"
    )


def downgrade() -> None:
    # The schema before has no place for an entry without a status, and none for a change to or from one.
    op.execute("DELETE FROM attendance_change WHERE attendance_id IN (SELECT id FROM attendance WHERE status IS NULL)")
    op.execute("DELETE FROM attendance WHERE status IS NULL")
    op.execute("DELETE FROM attendance_change WHERE attendance_id IS NOT NULL AND new_status IS NULL")
    with op.batch_alter_table("student") as table:
        table.drop_column("recognisable_since")
    with op.batch_alter_table("class_session") as table:
        table.drop_column("entered_at")
        table.drop_column("closed_as")
    with op.batch_alter_table("attendance_change") as table:
        table.drop_column("new_unrecorded")
        table.drop_column("old_unrecorded")
    with op.batch_alter_table("attendance") as table:
        table.drop_index("ix_attendance_session_id_status")
        for column in ("watched_from", "origin", "unrecorded_reason"):
            table.drop_column(column)
        table.alter_column("status", existing_type=_STATUS, nullable=False)
    with op.batch_alter_table("attendance_evidence") as table:
        table.drop_column("origin")
    with op.batch_alter_table("camera") as table:
        table.drop_column("smallest_face")
        table.drop_column("extra")
        table.drop_column("blind_since")
    op.drop_table("observation")
