"""Sign-ins are rows, so that each can be ended; accounts may have a second factor.

Whoever is signed in signs in again.

Revision: 0017
Before it: 0016
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    # Sign-ins are not counted: whoever is signed in signs in again, as after the way here.
    number = connection.execute(sa.text("SELECT COUNT(*) FROM second_factor WHERE secret IS NOT NULL")).scalar() or 0
    return [f"{number:,} second factors of sign-ins, with their recovery codes"] if number else []


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def _of(table: str, target: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{target}_id")
    return sa.ForeignKeyConstraint([f"{target}_id"], [f"{target}.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "sign_in",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("student_id", sa.Integer(), nullable=True),
        sa.Column("token_hash", _exact(64), nullable=False),
        sa.Column("rests_on", _exact(64), nullable=False),
        sa.Column("awaits_code", sa.Boolean(), nullable=False),
        sa.Column("made_at", _UTC, nullable=False),
        sa.Column("used_at", _UTC, nullable=False),
        sa.Column("expires_at", _UTC, nullable=False),
        sa.Column("address", sa.String(length=60), nullable=False),
        sa.Column("browser", sa.String(length=60), nullable=False),
        sa.CheckConstraint("(account_id IS NULL) <> (student_id IS NULL)", name=op.f("ck_sign_in_is_of_one_person")),
        _of("sign_in", "account"),
        _of("sign_in", "student"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_in_token_hash")),
        sqlite_autoincrement=True,
        **_UTF8,
    )
    for column in ("account_id", "student_id", "expires_at"):
        op.create_index(op.f(f"ix_sign_in_{column}"), "sign_in", [column])
    op.create_table(
        "second_factor",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=True),
        sa.Column("confirmed_at", _UTC, nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.Column("next_secret", sa.String(length=64), nullable=True),
        sa.Column("next_made_at", _UTC, nullable=True),
        _of("second_factor", "account"),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_second_factor")),
        **_UTF8,
    )
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("code_hash", _exact(64), nullable=False),
        _of("recovery_code", "account"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("account_id", "code_hash", name=op.f("uq_recovery_code_account_id_code_hash")),
        **_UTF8,
    )
    for table in ("account", "student"):
        with op.batch_alter_table(table) as changed:
            changed.drop_column("sign_in_epoch")


def downgrade() -> None:
    # Beyond any number that a cookie from before holds, so that none of those counts again.
    for table in ("account", "student"):
        with op.batch_alter_table(table) as changed:
            changed.add_column(sa.Column("sign_in_epoch", sa.Integer(), nullable=False, server_default="1000000"))
    _default("account", None)
    _default("student", "0")
    for name in ("recovery_code", "second_factor", "sign_in"):
        op.drop_table(name)


def _default(table: str, default: str | None) -> None:
    with op.batch_alter_table(table) as changed:
        changed.alter_column(
            "sign_in_epoch", existing_type=sa.Integer(), existing_nullable=False, server_default=default
        )
