"""The whole schema.

Revision: 0001
Before it: nothing
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_PICTURE = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def _exact(length: int) -> sa.types.TypeEngine[str]:
    """A string whose values are told apart byte by byte."""
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", _exact(80), nullable=False),
        sa.Column(
            "role", sa.Enum("enrolment", "monitoring", name="tokenrole", native_enum=False, length=16), nullable=False
        ),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("name", name=op.f("uq_api_token_name")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
        **_UTF8,
    )
    op.create_table(
        "course",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", _exact(32), nullable=False),
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_course")),
        sa.UniqueConstraint("code", name=op.f("uq_course_code")),
        **_UTF8,
    )
    op.create_table(
        "index_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=120), nullable=False),
        sa.Column("identities", sa.Integer(), nullable=False),
        sa.Column("encodings", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("published_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_index_version")),
        sa.UniqueConstraint("version", name=op.f("uq_index_version_version")),
        **_UTF8,
    )
    op.create_table(
        "lecturer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", _exact(254), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("role", sa.Enum("lecturer", "admin", name="role", native_enum=False, length=16), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("sign_in_epoch", sa.Integer(), nullable=False),
        sa.Column("picture", _PICTURE, nullable=True),
        sa.Column("picture_digest", sa.String(length=64), nullable=True),
        sa.Column("created_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lecturer")),
        sa.UniqueConstraint("email", name=op.f("uq_lecturer_email")),
        **_UTF8,
    )
    op.create_table(
        "room",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", _exact(80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_room")),
        sa.UniqueConstraint("name", name=op.f("uq_room_name")),
        **_UTF8,
    )
    op.create_table(
        "student",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("index_number", _exact(64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("consent_given_at", _UTC, nullable=True),
        sa.Column("consent_means", sa.String(length=120), nullable=True),
        sa.Column("created_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_student")),
        sa.UniqueConstraint("index_number", name=op.f("uq_student_index_number")),
        **_UTF8,
    )
    op.create_table(
        "camera",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", _exact(80), nullable=False),
        sa.Column("room_id", sa.Integer(), nullable=True),
        sa.Column("token_hash", sa.String(length=64), nullable=True),
        sa.Column("upsample", sa.SmallInteger(), nullable=True),
        sa.Column("last_seen_at", _UTC, nullable=True),
        sa.Column("created_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_camera_room_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_camera")),
        sa.UniqueConstraint("name", name=op.f("uq_camera_name")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_camera_token_hash")),
        **_UTF8,
    )
    with op.batch_alter_table("camera", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_camera_room_id"), ["room_id"], unique=False)

    op.create_table(
        "class_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("room_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", _UTC, nullable=False),
        sa.Column("ends_at", _UTC, nullable=False),
        sa.Column("early_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("grace_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("closed_at", _UTC, nullable=True),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_class_session_ends_after_start")),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_class_session_course_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_class_session_room_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_class_session")),
        **_UTF8,
    )
    with op.batch_alter_table("class_session", schema=None) as batch_op:
        batch_op.create_index("ix_class_session_closed_at_ends_at", ["closed_at", "ends_at"], unique=False)
        batch_op.create_index("ix_class_session_course_id_starts_at", ["course_id", "starts_at"], unique=False)
        batch_op.create_index("ix_class_session_room_id_starts_at", ["room_id", "starts_at"], unique=False)

    op.create_table(
        "course_lecturer",
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("lecturer_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_course_lecturer_course_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["lecturer_id"], ["lecturer.id"], name=op.f("fk_course_lecturer_lecturer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("course_id", "lecturer_id", name=op.f("pk_course_lecturer")),
        **_UTF8,
    )
    with op.batch_alter_table("course_lecturer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_course_lecturer_lecturer_id"), ["lecturer_id"], unique=False)

    op.create_table(
        "enrolment",
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name=op.f("fk_enrolment_course_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["student_id"], ["student.id"], name=op.f("fk_enrolment_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("course_id", "student_id", name=op.f("pk_enrolment")),
        **_UTF8,
    )
    with op.batch_alter_table("enrolment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_enrolment_student_id"), ["student_id"], unique=False)

    op.create_table(
        "attendance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("present", "late", "absent", "excused", name="status", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("source", sa.Enum("machine", "person", name="source", native_enum=False, length=16), nullable=False),
        sa.Column("first_seen", _UTC, nullable=True),
        sa.Column("last_seen", _UTC, nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("camera_id", sa.Integer(), nullable=True),
        sa.Column("updated_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["camera_id"], ["camera.id"], name=op.f("fk_attendance_camera_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["class_session.id"], name=op.f("fk_attendance_session_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["student.id"], name=op.f("fk_attendance_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendance")),
        sa.UniqueConstraint("session_id", "student_id", name=op.f("uq_attendance_session_id_student_id")),
        **_UTF8,
    )
    with op.batch_alter_table("attendance", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attendance_student_id"), ["student_id"], unique=False)

    op.create_table(
        "attendance_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("attendance_id", sa.Integer(), nullable=False),
        sa.Column("lecturer_id", sa.Integer(), nullable=True),
        sa.Column("changed_at", _UTC, nullable=False),
        sa.Column(
            "old_status",
            sa.Enum("present", "late", "absent", "excused", name="status", native_enum=False, length=16),
            nullable=True,
        ),
        sa.Column(
            "new_status",
            sa.Enum("present", "late", "absent", "excused", name="status", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["attendance_id"], ["attendance.id"], name=op.f("fk_attendance_change_attendance_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["lecturer_id"], ["lecturer.id"], name=op.f("fk_attendance_change_lecturer_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendance_change")),
        **_UTF8,
    )
    with op.batch_alter_table("attendance_change", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attendance_change_attendance_id"), ["attendance_id"], unique=False)


def downgrade() -> None:
    # Their indexes go with them; MariaDB would not let go of one that a foreign key uses.
    for table in (
        "attendance_change",
        "attendance",
        "enrolment",
        "course_lecturer",
        "class_session",
        "camera",
        "student",
        "room",
        "lecturer",
        "index_version",
        "course",
        "api_token",
    ):
        op.drop_table(table)
