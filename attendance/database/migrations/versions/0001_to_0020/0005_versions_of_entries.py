"""Entries of the register with a version and a remark; changes with what it takes to undo them.

Revision: 0005
Before it: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_EXACT = sa.String(32).with_variant(sa.String(32, collation="utf8mb4_bin"), "mysql", "mariadb")
_STATUS = sa.Enum("present", "late", "absent", "excused", name="status", native_enum=False, length=16)
_SOURCE = sa.Enum("machine", "person", name="source", native_enum=False, length=16)
_ADDED = ("session_id", "student_id", "old_source", "version", "batch", "remark")


def upgrade() -> None:
    with op.batch_alter_table("attendance") as table:
        # The default stays: a service of the version before adds rows without it while an installation is upgraded.
        table.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
        table.add_column(sa.Column("remark", sa.String(length=500), nullable=True))
    with op.batch_alter_table("attendance_change") as table:
        table.add_column(sa.Column("session_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("student_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("old_source", _SOURCE, nullable=True))
        table.add_column(sa.Column("version", sa.Integer(), nullable=True))
        table.add_column(sa.Column("batch", _EXACT, nullable=True))
        table.add_column(sa.Column("remark", sa.String(length=500), nullable=True))
        table.alter_column("attendance_id", existing_type=sa.Integer(), nullable=True)
        table.alter_column("new_status", existing_type=_STATUS, nullable=True)
        for column, of in (("session_id", "class_session"), ("student_id", "student")):
            table.create_foreign_key(op.f(f"fk_attendance_change_{column}"), of, [column], ["id"], ondelete="CASCADE")
        table.create_index("ix_attendance_change_session_id_student_id", ["session_id", "student_id"])
        table.create_index(op.f("ix_attendance_change_student_id"), ["student_id"])
        table.create_index(op.f("ix_attendance_change_batch"), ["batch"])


def downgrade() -> None:
    # The schema before has no place for the history of an entry that is gone.
    op.execute("DELETE FROM attendance_change WHERE attendance_id IS NULL OR new_status IS NULL")
    with op.batch_alter_table("attendance_change") as table:
        # MariaDB keeps an index while a foreign key needs it.
        for column in ("session_id", "student_id"):
            table.drop_constraint(op.f(f"fk_attendance_change_{column}"), type_="foreignkey")
        table.drop_index("ix_attendance_change_session_id_student_id")
        table.drop_index(op.f("ix_attendance_change_student_id"))
        table.drop_index(op.f("ix_attendance_change_batch"))
        for column in _ADDED:
            table.drop_column(column)
        table.alter_column("attendance_id", existing_type=sa.Integer(), nullable=False)
        table.alter_column("new_status", existing_type=_STATUS, nullable=False)
    with op.batch_alter_table("attendance") as table:
        table.drop_column("remark")
        table.drop_column("version")
