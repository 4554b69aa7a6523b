"""People sign in at the institution's provider (OpenID Connect), and may have roles by its groups.

Revision: 0023
Before it: 0022
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
_KIND = sa.Enum("account", "student", name="identitykind", native_enum=False, length=16)
_TABLE = "provider_identity"
# SQLite copies the table, which must give each number once as before.
_NUMBERS = {"sqlite_autoincrement": True}


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    counted = (
        ("SELECT COUNT(*) FROM provider_identity", "people of the university's sign-in who are bound to somebody here"),
        (
            "SELECT COUNT(*) FROM account_role WHERE from_provider = 1",
            "roles by groups, which stay as if given by hand",
        ),
    )
    found = ((connection.execute(sa.text(query)).scalar() or 0, words) for query, words in counted)
    return [f"{number:,} {words}" for number, words in found if number]


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def _of(target: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{_TABLE}_{target}_id")
    return sa.ForeignKeyConstraint([f"{target}_id"], [f"{target}.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", _KIND, nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("student_id", sa.Integer(), nullable=True),
        sa.Column("issuer", _exact(255), nullable=False),
        sa.Column("subject", _exact(255), nullable=False),
        sa.Column("linked_at", _UTC, nullable=False),
        sa.Column("used_at", _UTC, nullable=False),
        sa.CheckConstraint(
            "(kind = 'account' AND account_id IS NOT NULL AND student_id IS NULL)"
            " OR (kind = 'student' AND student_id IS NOT NULL AND account_id IS NULL)",
            name=op.f(f"ck_{_TABLE}_is_of_its_kind"),
        ),
        _of("account"),
        _of("student"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{_TABLE}")),
        sa.UniqueConstraint("subject", "issuer", "kind", name=op.f(f"uq_{_TABLE}_subject_issuer_kind")),
        sa.UniqueConstraint("account_id", "issuer", name=op.f(f"uq_{_TABLE}_account_id_issuer")),
        sa.UniqueConstraint("student_id", "issuer", name=op.f(f"uq_{_TABLE}_student_id_issuer")),
        **_UTF8,
    )
    op.create_table(
        "spent_answer",
        sa.Column("digest", _exact(64), nullable=False),
        sa.Column("expires_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_spent_answer")),
        **_UTF8,
    )
    op.create_index(op.f("ix_spent_answer_expires_at"), "spent_answer", ["expires_at"])
    with op.batch_alter_table("account_role") as table:
        # A program of the version before gives roles without it while an installation is upgraded: by hand.
        table.add_column(sa.Column("from_provider", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("sign_in", table_kwargs=_NUMBERS) as table:
        table.add_column(sa.Column("identity_id", sa.Integer(), nullable=True))
        table.add_column(sa.Column("provider_session", _exact(255), nullable=True))
        table.add_column(sa.Column("id_token", sa.Text(), nullable=True))
        table.create_foreign_key(op.f("fk_sign_in_identity_id"), _TABLE, ["identity_id"], ["id"], ondelete="CASCADE")
    op.create_index(op.f("ix_sign_in_identity_id"), "sign_in", ["identity_id"])


def downgrade() -> None:
    # A version that does not know whom they were made through could not end them with it.
    op.execute("DELETE FROM sign_in WHERE identity_id IS NOT NULL")
    with op.batch_alter_table("sign_in", table_kwargs=_NUMBERS) as table:
        table.drop_constraint(op.f("fk_sign_in_identity_id"), type_="foreignkey")
        table.drop_index(op.f("ix_sign_in_identity_id"))
        for column in ("id_token", "provider_session", "identity_id"):
            table.drop_column(column)
    with op.batch_alter_table("account_role") as table:
        table.drop_column("from_provider")
    for name in ("spent_answer", _TABLE):
        op.drop_table(name)
