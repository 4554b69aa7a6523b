"""Whoever signs in is an account; courses belong to departments.

The courses that are there go to one department, which bears the institution's name.

Revision: 0010
Before it: 0009
"""

from typing import Any

import sqlalchemy as sa
from alembic import context, op

from attendance.settings import load_settings

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}

_REFERRING = (
    ("course_lecturer", "CASCADE", False, True),
    ("password_link", "CASCADE", False, True),
    ("imported_file", "CASCADE", False, True),
    ("attendance_change", "SET NULL", True, False),
)
"""Table, what deleting does, whether the column may be empty, whether it has an index of its own."""


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    number = connection.execute(sa.text("SELECT COUNT(*) FROM department")).scalar() or 0
    return [f"{number:,} departments"] if number > 1 else []


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    op.rename_table("lecturer", "account")
    _rename_all("lecturer", "account")
    op.add_column("account", sa.Column("language", sa.String(length=16), nullable=True))
    op.create_table(
        "department",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", _exact(120), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_department")),
        sa.UniqueConstraint("name", name=op.f("uq_department_name")),
        **_UTF8,
    )
    with op.batch_alter_table("course") as table:
        table.add_column(sa.Column("department_id", sa.Integer(), nullable=True))
        table.create_foreign_key(
            op.f("fk_course_department_id"), "department", ["department_id"], ["id"], ondelete="RESTRICT"
        )
        table.create_index(op.f("ix_course_department_id"), ["department_id"])
    _one_department()


def downgrade() -> None:
    with op.batch_alter_table("course") as table:
        table.drop_constraint(op.f("fk_course_department_id"), type_="foreignkey")
        table.drop_index(op.f("ix_course_department_id"))
        table.drop_column("department_id")
    op.drop_table("department")
    with op.batch_alter_table("account") as table:
        table.drop_column("language")
    _rename_all("account", "lecturer")
    op.rename_table("account", "lecturer")


def _rename_all(old: str, new: str) -> None:
    """Rename the columns that name who signs in, and what bears the table's name; `account` is there."""
    with op.batch_alter_table("account") as table:
        table.drop_constraint(op.f(f"uq_{old}_email"), type_="unique")
        table.create_unique_constraint(op.f(f"uq_{new}_email"), ["email"])
    for name, on_delete, nullable, indexed in _REFERRING:
        with op.batch_alter_table(name) as table:
            table.drop_constraint(op.f(f"fk_{name}_{old}_id"), type_="foreignkey")
            if indexed:
                table.drop_index(op.f(f"ix_{name}_{old}_id"))
        with op.batch_alter_table(name) as table:
            table.alter_column(
                f"{old}_id", new_column_name=f"{new}_id", existing_type=sa.Integer(), existing_nullable=nullable
            )
        with op.batch_alter_table(name) as table:
            if indexed:
                table.create_index(op.f(f"ix_{name}_{new}_id"), [f"{new}_id"])
            table.create_foreign_key(op.f(f"fk_{name}_{new}_id"), "account", [f"{new}_id"], ["id"], ondelete=on_delete)


def _one_department() -> None:
    connection = op.get_bind()
    if not context.is_offline_mode() and connection.execute(sa.text("SELECT COUNT(*) FROM course")).scalar():
        name = load_settings().institution.name
        connection.execute(sa.text("INSERT INTO department (name) VALUES (:name)"), {"name": name})
        connection.execute(sa.text("UPDATE course SET department_id = (SELECT id FROM department)"))
