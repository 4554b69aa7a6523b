"""Where the dashboard finds the service that holds a camera's stream, for the aiming view.

Revision: 0022
Before it: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("camera") as table:
        # A service of the version before leaves it empty.
        table.add_column(sa.Column("aiming_address", sa.String(length=255), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("camera") as table:
        table.drop_column("aiming_address")
