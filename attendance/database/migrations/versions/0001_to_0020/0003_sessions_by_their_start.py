"""An index of class sessions by their start, by which the dashboard's pages choose them.

Revision: 0003
Before it: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("class_session") as table:
        table.create_index("ix_class_session_starts_at", ["starts_at"])


def downgrade() -> None:
    with op.batch_alter_table("class_session") as table:
        table.drop_index("ix_class_session_starts_at")
