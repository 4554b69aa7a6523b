"""Roles are rows of an account: of all, of a department, of a course; and when somebody last signed in.

Revision: 0012
Before it: 0011
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
_ROLE = sa.Enum(
    "administrator", "department", "lecturer", "assistant", name="role", native_enum=False, length=16
)  # fmt: skip
_FORMER_ROLE = sa.Enum("lecturer", "admin", name="role", native_enum=False, length=16)
_FITS = (
    "(role = 'administrator' AND everywhere IS NOT NULL AND everywhere = 1"
    " AND department_id IS NULL AND course_id IS NULL)"
    " OR (role = 'department' AND everywhere IS NULL AND department_id IS NOT NULL AND course_id IS NULL)"
    " OR (role IN ('lecturer', 'assistant') AND everywhere IS NULL"
    " AND department_id IS NULL AND course_id IS NOT NULL)"
)


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    counted = (
        (
            "SELECT COUNT(*) FROM account_role WHERE role = 'department'",
            "heads of departments, who see none of its courses then",
        ),
        (
            "SELECT COUNT(*) FROM account_role WHERE role = 'assistant'",
            "assistants of courses, who see none of them then",
        ),
        ("SELECT COUNT(*) FROM account WHERE last_sign_in_at IS NOT NULL", "dates of a last sign-in"),
    )
    found = ((connection.execute(sa.text(query)).scalar() or 0, words) for query, words in counted)
    return [f"{number:,} {words}" for number, words in found if number]


def upgrade() -> None:
    _make_table()
    op.execute(
        "INSERT INTO account_role (account_id, role, everywhere)"
        " SELECT id, 'administrator', 1 FROM account WHERE role = 'admin'"
    )
    op.execute(
        "INSERT INTO account_role (account_id, role, course_id)"
        " SELECT account_id, 'lecturer', course_id FROM course_lecturer"
    )
    op.drop_table("course_lecturer")
    with op.batch_alter_table("account") as table:
        table.add_column(sa.Column("last_sign_in_at", _UTC, nullable=True))
        table.drop_column("role")


def downgrade() -> None:
    with op.batch_alter_table("account") as table:
        table.drop_column("last_sign_in_at")
        table.add_column(sa.Column("role", _FORMER_ROLE, nullable=False, server_default="lecturer"))
    op.execute(
        "UPDATE account SET role = 'admin'"
        " WHERE id IN (SELECT account_id FROM account_role WHERE role = 'administrator')"
    )
    with op.batch_alter_table("account") as table:
        table.alter_column(
            "role", existing_type=_FORMER_ROLE, existing_nullable=False, existing_server_default="lecturer",
            server_default=None,
        )  # fmt: skip
    op.create_table(
        "course_lecturer",
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_course_lecturer_course_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_course_lecturer_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("course_id", "account_id", name=op.f("pk_course_lecturer")),
        **_UTF8,
    )
    op.create_index(op.f("ix_course_lecturer_account_id"), "course_lecturer", ["account_id"])
    op.execute(
        "INSERT INTO course_lecturer (account_id, course_id)"
        " SELECT account_id, course_id FROM account_role WHERE role = 'lecturer'"
    )
    op.drop_table("account_role")


def _make_table() -> None:
    op.create_table(
        "account_role",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("role", _ROLE, nullable=False),
        sa.Column("everywhere", sa.Boolean(), nullable=True),
        sa.Column("department_id", sa.Integer(), nullable=True),
        sa.Column("course_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(_FITS, name=op.f("ck_account_role_reaches_as_far_as_its_role")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_role_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_account_role_department_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_account_role_course_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_role")),
        sa.UniqueConstraint("account_id", "everywhere", name=op.f("uq_account_role_account_id_everywhere")),
        sa.UniqueConstraint("account_id", "department_id", name=op.f("uq_account_role_account_id_department_id")),
        sa.UniqueConstraint("account_id", "course_id", name=op.f("uq_account_role_account_id_course_id")),
        **_UTF8,
    )
    op.create_index(op.f("ix_account_role_department_id"), "account_role", ["department_id"])
    op.create_index(op.f("ix_account_role_course_id"), "account_role", ["course_id"])
