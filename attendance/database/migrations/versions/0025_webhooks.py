"""Webhooks: endpoints, events, and their deliveries.

Revision: 0025
Before it: 0022
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0025"
down_revision = "0022"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    count = sa.text("SELECT COUNT(*) FROM webhook_endpoint")
    endpoints = connection.execute(count).scalar() or 0
    waiting = connection.execute(
        sa.text("SELECT COUNT(*) FROM webhook_delivery WHERE state IN ('waiting', 'sending')")
    ).scalar()
    lost = [f"the addresses and secrets of {endpoints:,} receivers of webhooks"] if endpoints else []
    return [*lost, f"{waiting:,} events that were not delivered yet"] if waiting else lost


def upgrade() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", _exact(80), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("department_id", sa.Integer(), nullable=True),
        sa.Column("secret", sa.String(length=80), nullable=False),
        sa.Column("former_secret", sa.String(length=80), nullable=True),
        sa.Column("former_until", _UTC, nullable=True),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("off_at", _UTC, nullable=True),
        sa.Column("off_reason", sa.String(length=500), nullable=True),
        sa.Column("succeeded_at", _UTC, nullable=True),
        sa.Column("failing_since", _UTC, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("paused_until", _UTC, nullable=True),
        sa.ForeignKeyConstraint(
            ["department_id"], ["department.id"], name=op.f("fk_webhook_endpoint_department_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
        sa.UniqueConstraint("name", name=op.f("uq_webhook_endpoint_name")),
        **_UTF8,
    )
    op.create_index(op.f("ix_webhook_endpoint_department_id"), "webhook_endpoint", ["department_id"])
    op.create_table(
        "webhook_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", _exact(40), nullable=False),
        sa.Column("kind", _exact(40), nullable=False),
        sa.Column("key", _exact(190), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("happened_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_event")),
        sa.UniqueConstraint("uid", name=op.f("uq_webhook_event_uid")),
        sa.UniqueConstraint("key", name=op.f("uq_webhook_event_key")),
        **_UTF8,
    )
    op.create_index(op.f("ix_webhook_event_happened_at"), "webhook_event", ["happened_at"])
    _deliveries()


def _deliveries() -> None:
    op.create_table(
        "webhook_delivery",
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("endpoint_id", sa.Integer(), nullable=False),
        sa.Column("earlier_attempts", sa.Integer(), nullable=False),
        sa.Column("answer", sa.SmallInteger(), nullable=True),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("queued_at", _UTC, nullable=False),
        sa.Column("not_before", _UTC, nullable=False),
        sa.Column("first_tried_at", _UTC, nullable=True),
        sa.Column("leased_until", _UTC, nullable=True),
        sa.Column("ended_at", _UTC, nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["event_id"], ["webhook_event.id"], name=op.f("fk_webhook_delivery_event_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoint.id"], name=op.f("fk_webhook_delivery_endpoint_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint("event_id", "endpoint_id", name=op.f("uq_webhook_delivery_event_id_endpoint_id")),
        **_UTF8,
    )
    op.create_index(op.f("ix_webhook_delivery_state_not_before"), "webhook_delivery", ["state", "not_before"])
    op.create_index(op.f("ix_webhook_delivery_endpoint_id_state"), "webhook_delivery", ["endpoint_id", "state"])
    op.create_index(op.f("ix_webhook_delivery_ended_at"), "webhook_delivery", ["ended_at"])


def downgrade() -> None:
    op.drop_table("webhook_delivery")
    op.drop_table("webhook_event")
    op.drop_table("webhook_endpoint")


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")
