"""What confirmed a student; work on the gallery that the dashboard asks for; what is known of a student's enrolment.

Revision: 0002
Before it: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_PICTURE = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")
_EXACT = sa.String(64).with_variant(sa.String(64, collation="utf8mb4_bin"), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
_STUDENT = ("consent_withdrawn_at", "declared_group", "gallery_encodings", "gallery_updated_at")


def upgrade() -> None:
    with op.batch_alter_table("student") as student:
        student.add_column(sa.Column("consent_withdrawn_at", _UTC, nullable=True))
        student.add_column(sa.Column("declared_group", sa.String(length=80), nullable=True))
        student.add_column(sa.Column("gallery_encodings", sa.Integer(), nullable=False, server_default="0"))
        student.add_column(sa.Column("gallery_updated_at", _UTC, nullable=True))
    with op.batch_alter_table("student") as student:
        # Only the rows that were there need it: the programs always say a number.
        student.alter_column(
            "gallery_encodings", existing_type=sa.Integer(), existing_nullable=False, server_default=None
        )
    _create_evidence()
    _create_jobs()


def _create_evidence() -> None:
    op.create_table(
        "attendance_evidence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.Column("camera_id", sa.Integer(), nullable=True),
        sa.Column("index_version", sa.String(length=64), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("distance", sa.Double(), nullable=False),
        sa.Column("margin", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("first_frame_at", _UTC, nullable=False),
        sa.Column("last_frame_at", _UTC, nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("recorded_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["camera_id"], ["camera.id"], name=op.f("fk_attendance_evidence_camera_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["class_session.id"], name=op.f("fk_attendance_evidence_session_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["student.id"], name=op.f("fk_attendance_evidence_student_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attendance_evidence")),
        sa.UniqueConstraint("uid", name=op.f("uq_attendance_evidence_uid")),
        **_UTF8,
    )
    with op.batch_alter_table("attendance_evidence") as table:
        table.create_index("ix_attendance_evidence_session_id_student_id", ["session_id", "student_id"])
        table.create_index(op.f("ix_attendance_evidence_student_id"), ["student_id"])
        table.create_index(op.f("ix_attendance_evidence_recorded_at"), ["recorded_at"])


def _create_jobs() -> None:
    op.create_table(
        "gallery_job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(
            "kind", sa.Enum("enrol", "erase", name="galleryjobkind", native_enum=False, length=16), nullable=False
        ),
        sa.Column("index_number", _EXACT, nullable=False),
        sa.Column(
            "state",
            sa.Enum("waiting", "working", "done", "failed", name="jobstate", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("requested_by_id", sa.Integer(), nullable=True),
        sa.Column("requested_at", _UTC, nullable=False),
        sa.Column("started_at", _UTC, nullable=True),
        sa.Column("finished_at", _UTC, nullable=True),
        sa.Column("message", sa.String(length=500), nullable=True),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["requested_by_id"], ["lecturer.id"], name=op.f("fk_gallery_job_requested_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gallery_job")),
        **_UTF8,
    )
    with op.batch_alter_table("gallery_job") as table:
        table.create_index("ix_gallery_job_state_id", ["state", "id"])
        table.create_index(op.f("ix_gallery_job_index_number"), ["index_number"])
    op.create_table(
        "gallery_job_photo",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("content", _PICTURE, nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["gallery_job.id"], name=op.f("fk_gallery_job_photo_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gallery_job_photo")),
        **_UTF8,
    )
    with op.batch_alter_table("gallery_job_photo") as table:
        table.create_index(op.f("ix_gallery_job_photo_job_id"), ["job_id"])


def downgrade() -> None:
    for table in ("gallery_job_photo", "gallery_job", "attendance_evidence"):
        op.drop_table(table)
    with op.batch_alter_table("student") as student:
        for column in _STUDENT:
            student.drop_column(column)
