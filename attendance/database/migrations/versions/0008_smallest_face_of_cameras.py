"""The smallest face that is wanted in a camera's frames.

Revision: 0008
Before it: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("camera") as table:
        table.add_column(sa.Column("smallest_face", sa.SmallInteger()))


def downgrade() -> None:
    with op.batch_alter_table("camera") as table:
        table.drop_column("smallest_face")
