"""Zones of a camera's picture, in which faces count.

Revision: 0019
Before it: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    cameras = connection.execute(sa.text("SELECT COUNT(*) FROM camera WHERE zones IS NOT NULL")).scalar() or 0
    return [f"the zones and masks of {cameras:,} cameras"] if cameras else []


def upgrade() -> None:
    with op.batch_alter_table("camera") as table:
        table.add_column(sa.Column("zones", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("camera") as table:
        table.drop_column("zones")
