"""What reached the service of each camera, hour by hour, and how its pictures looked.

Revision: 0020
Before it: 0019
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    hours = connection.execute(sa.text("SELECT COUNT(*) FROM camera_health")).scalar() or 0
    return [f"the health history of cameras: {hours:,} hours"] if hours else []


def upgrade() -> None:
    op.create_table(
        "camera_health",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("camera_id", sa.Integer(), nullable=False),
        sa.Column("hour", _UTC, nullable=False),
        sa.Column("minutes", sa.LargeBinary(length=1560), nullable=False),
        sa.ForeignKeyConstraint(
            ["camera_id"], ["camera.id"], name=op.f("fk_camera_health_camera_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_camera_health")),
        sa.UniqueConstraint("camera_id", "hour", name=op.f("uq_camera_health_camera_id_hour")),
        **_UTF8,
    )
    op.create_index("ix_camera_health_hour", "camera_health", ["hour"])


def downgrade() -> None:
    op.drop_table("camera_health")
