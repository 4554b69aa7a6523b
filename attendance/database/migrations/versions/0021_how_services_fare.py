"""Recognition services say where they are, which index they search and what waits in them; tokens of replicas.

Revision: 0021
Before it: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    # How services fare is not counted: each says it anew within a minute.
    number = connection.execute(sa.text("SELECT COUNT(*) FROM api_token WHERE role = 'replica'")).scalar() or 0
    return [f"{number:,} tokens with which services on other machines fetch the index"] if number else []


def upgrade() -> None:
    with op.batch_alter_table("service") as table:
        table.add_column(sa.Column("address", sa.String(length=255), nullable=True))
        table.add_column(sa.Column("index_version", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("index_source", sa.String(length=255), nullable=True))
        table.add_column(sa.Column("index_problem", sa.String(length=500), nullable=True))
        table.add_column(sa.Column("outbox_depth", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.execute("DELETE FROM api_token WHERE role = 'replica'")
    with op.batch_alter_table("service") as table:
        for column in ("outbox_depth", "index_problem", "index_source", "index_version", "address"):
            table.drop_column(column)
