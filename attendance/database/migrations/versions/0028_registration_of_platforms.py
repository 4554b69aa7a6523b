"""Learning platforms that register themselves: the addresses at which they do, and those that wait to be confirmed.

Revision: 0028
Before it: 0027
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
_TABLE = "lti_registration_address"


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    counted = (
        ("SELECT COUNT(*) FROM lti_registration_address", "addresses at which learning platforms register themselves"),
        (
            "SELECT COUNT(*) FROM lti_platform WHERE waiting",
            "learning platforms that registered themselves and wait to be confirmed",
        ),
    )
    found = ((connection.execute(sa.text(query)).scalar() or 0, words) for query, words in counted)
    return [f"{number:,} {words}" for number, words in found if number]


def upgrade() -> None:
    digest = sa.String(64).with_variant(sa.String(64, collation="utf8mb4_bin"), "mysql", "mariadb")
    op.create_table(
        _TABLE,
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", digest, nullable=False),
        sa.Column("expires_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f(f"fk_{_TABLE}_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f(f"pk_{_TABLE}")),
        sa.UniqueConstraint("token_hash", name=op.f(f"uq_{_TABLE}_token_hash")),
        **_UTF8,
    )
    with op.batch_alter_table("lti_platform") as table:
        table.add_column(sa.Column("waiting", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """A platform that nobody has confirmed goes: without the column it could be switched on unseen."""
    op.execute("DELETE FROM lti_platform WHERE waiting")
    with op.batch_alter_table("lti_platform") as table:
        table.drop_column("waiting")
    op.drop_table(_TABLE)
