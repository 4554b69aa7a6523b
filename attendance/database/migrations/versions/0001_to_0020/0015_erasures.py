"""Erasures are rows of their own, which every recognition service carries out and acknowledges.

What was asked of the gallery's worker before becomes such rows.

Revision: 0015
Before it: 0014
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    counted = (
        ("SELECT COUNT(*) FROM erasure WHERE finished_at IS NOT NULL", "records of erasures that were carried out"),
        ("SELECT COUNT(*) FROM service", "recognition services, which make themselves known again"),
    )
    found = ((connection.execute(sa.text(query)).scalar() or 0, words) for query, words in counted)
    return [f"{number:,} {words}" for number, words in found if number]


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def _kept_words(name: str, *words: str) -> Any:
    return sa.Enum(*words, name=name, native_enum=False, length=16)


def upgrade() -> None:
    op.create_table(
        "erasure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", _kept_words("erasurekind", "withdrawal", "deletion", "former_number"), nullable=False),
        sa.Column("index_number", _exact(64), nullable=True),
        sa.Column("requested_at", _UTC, nullable=False),
        sa.Column(
            "recorder", _kept_words("consentrecorder", "account", "student", "command", "earlier"), nullable=False
        ),
        sa.Column("requested_by_id", sa.Integer(), nullable=True),
        sa.Column("leased_until", _UTC, nullable=True),
        sa.Column("message", sa.String(length=500), nullable=True),
        sa.Column("shared_at", _UTC, nullable=True),
        sa.Column("finished_at", _UTC, nullable=True),
        sa.Column("overwritten_at", _UTC, nullable=True),
        sa.ForeignKeyConstraint(
            ["requested_by_id"], ["account.id"], name=op.f("fk_erasure_requested_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
        **_UTF8,
    )
    op.create_index(op.f("ix_erasure_index_number"), "erasure", ["index_number"])
    op.create_index("ix_erasure_finished_at_id", "erasure", ["finished_at", "id"])
    op.create_table(
        "service",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", _exact(190), nullable=False),
        sa.Column("first_seen_at", _UTC, nullable=False),
        sa.Column("last_seen_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service")),
        sa.UniqueConstraint("name", name=op.f("uq_service_name")),
        **_UTF8,
    )
    op.create_table(
        "erasure_acknowledgement",
        sa.Column("erasure_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("done_at", _UTC, nullable=False),
        sa.ForeignKeyConstraint(
            ["erasure_id"], ["erasure.id"], name=op.f("fk_erasure_acknowledgement_erasure_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["service_id"], ["service.id"], name=op.f("fk_erasure_acknowledgement_service_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("erasure_id", "service_id", name=op.f("pk_erasure_acknowledgement")),
        **_UTF8,
    )
    op.create_index(op.f("ix_erasure_acknowledgement_service_id"), "erasure_acknowledgement", ["service_id"])
    _take_over()


def _take_over() -> None:
    """What was asked of the gallery's worker. Of whom it is done, and who is gone, only that it was done is kept."""
    job = sa.table(
        "gallery_job",
        *(sa.column(name) for name in ("id", "kind", "state", "index_number", "requested_by_id", "message")),
        sa.column("requested_at", _UTC),
        sa.column("finished_at", _UTC),
    )
    student = sa.table("student", sa.column("index_number"), sa.column("consent_given_at"))
    same = student.c.index_number == job.c.index_number
    known, consents = sa.exists().where(same), sa.exists().where(same, student.c.consent_given_at.is_not(None))
    done = job.c.state == "done"
    # One that failed, in a version that gave up, is asked for anew, unless the student has consented since.
    wanted = sa.or_(job.c.state.in_(("waiting", "working")), done, sa.and_(job.c.state == "failed", ~consents))
    ended = sa.case((done, sa.func.coalesce(job.c.finished_at, job.c.requested_at)))
    values = {
        "kind": sa.case((known, "withdrawal"), else_="deletion"),
        "index_number": sa.case((sa.or_(~done, known), job.c.index_number)),
        "requested_at": job.c.requested_at,
        "recorder": sa.case((job.c.requested_by_id.is_(None), "earlier"), else_="account"),
        "requested_by_id": job.c.requested_by_id,
        "message": sa.case((~done, job.c.message)),
        "shared_at": ended,
        "finished_at": ended,
        "overwritten_at": ended,
    }
    chosen = sa.select(*values.values()).where(job.c.kind == "erase", wanted).order_by(job.c.id)
    erasure = sa.table("erasure", *(sa.column(name) for name in values))
    op.execute(sa.insert(erasure).from_select(list(values), chosen))
    op.execute(sa.delete(job).where(job.c.kind == "erase"))


def downgrade() -> None:
    op.execute(
        "INSERT INTO gallery_job (kind, index_number, state, requested_by_id, requested_at, message)"
        " SELECT 'erase', index_number, 'waiting', requested_by_id, requested_at, message"
        " FROM erasure WHERE finished_at IS NULL AND index_number IS NOT NULL ORDER BY id"
    )
    for name in ("erasure_acknowledgement", "service", "erasure"):
        op.drop_table(name)
