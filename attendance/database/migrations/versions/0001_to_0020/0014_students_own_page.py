"""Students have an address and a page of their own; every change of a consent is kept.

What is known of consent becomes its first change.

Revision: 0014
Before it: 0013
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
_PICTURE = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    # The first change of a consent is made of what the older schema keeps, too.
    counted = (
        ("SELECT COUNT(*) FROM student WHERE email IS NOT NULL", "addresses of students"),
        ("SELECT COUNT(*) FROM student WHERE language IS NOT NULL", "languages of students"),
        ("SELECT COUNT(*) FROM consent_change WHERE recorder <> 'earlier'", "changes of consent: the last one stays"),
        ("SELECT COUNT(*) FROM photo_proposal", "photos that students proposed"),
        ("SELECT COUNT(*) FROM dispute", "entries that students called wrong, with their answers"),
    )
    found = ((connection.execute(sa.text(query)).scalar() or 0, words) for query, words in counted)
    return [f"{number:,} {words}" for number, words in found if number]


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def _kept_words(name: str, *words: str) -> Any:
    return sa.Enum(*words, name=name, native_enum=False, length=16)


def _of(table: str, target: str, on_delete: str, column: str | None = None) -> sa.ForeignKeyConstraint:
    column = column or f"{target}_id"
    name = {"session": "class_session"}.get(target, target)
    return sa.ForeignKeyConstraint([column], [f"{name}.id"], name=op.f(f"fk_{table}_{column}"), ondelete=on_delete)


def upgrade() -> None:
    with op.batch_alter_table("student") as table:
        table.add_column(sa.Column("email", _exact(254), nullable=True))
        table.add_column(sa.Column("language", sa.String(length=16), nullable=True))
        table.add_column(sa.Column("sign_in_epoch", sa.Integer(), nullable=False, server_default="0"))
        table.create_unique_constraint(op.f("uq_student_email"), ["email"])
    _add_links_and_consent()
    _add_proposals()
    _add_disputes()
    op.execute(
        "INSERT INTO consent_change (student_id, kind, happened_at, recorded_at, means, recorder)"
        " SELECT id, 'given', consent_given_at, consent_given_at, consent_means, 'earlier' FROM student"
        " WHERE consent_given_at IS NOT NULL"
    )
    op.execute(
        "INSERT INTO consent_change (student_id, kind, happened_at, recorded_at, recorder)"
        " SELECT id, 'withdrawn', consent_withdrawn_at, consent_withdrawn_at, 'earlier' FROM student"
        " WHERE consent_withdrawn_at IS NOT NULL"
    )


def _add_links_and_consent() -> None:
    op.create_table(
        "student_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.Column("token_hash", _exact(64), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.Column("expires_at", _UTC, nullable=False),
        _of("student_link", "student", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_student_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_student_link_token_hash")),
        **_UTF8,
    )
    op.create_index(op.f("ix_student_link_student_id"), "student_link", ["student_id"])
    op.create_index(op.f("ix_student_link_expires_at"), "student_link", ["expires_at"])
    op.create_table(
        "consent_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.Column("kind", _kept_words("consentkind", "given", "withdrawn"), nullable=False),
        sa.Column("happened_at", _UTC, nullable=False),
        sa.Column("recorded_at", _UTC, nullable=False),
        sa.Column("means", sa.String(length=120), nullable=True),
        sa.Column(
            "recorder", _kept_words("consentrecorder", "account", "student", "command", "earlier"), nullable=False
        ),
        sa.Column("account_id", sa.Integer(), nullable=True),
        _of("consent_change", "student", "CASCADE"),
        _of("consent_change", "account", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_change")),
        **_UTF8,
    )
    op.create_index(op.f("ix_consent_change_student_id"), "consent_change", ["student_id"])


def _add_proposals() -> None:
    op.create_table(
        "photo_proposal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("content", _PICTURE, nullable=True),
        sa.Column("proposed_at", _UTC, nullable=False),
        sa.Column("state", _kept_words("proposalstate", "waiting", "accepted", "rejected"), nullable=False),
        sa.Column("decided_at", _UTC, nullable=True),
        sa.Column("decided_by_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        _of("photo_proposal", "student", "CASCADE"),
        _of("photo_proposal", "account", "SET NULL", "decided_by_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photo_proposal")),
        **_UTF8,
    )
    op.create_index("ix_photo_proposal_student_id_state", "photo_proposal", ["student_id", "state"])
    op.create_index(op.f("ix_photo_proposal_proposed_at"), "photo_proposal", ["proposed_at"])


def _add_disputes() -> None:
    op.create_table(
        "dispute",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=True),
        sa.Column("claimed", _kept_words("status", "present", "late", "absent", "excused"), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("raised_at", _UTC, nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=True),
        sa.Column("answer", sa.String(length=500), nullable=True),
        sa.Column("answered_at", _UTC, nullable=True),
        sa.Column("answered_by_id", sa.Integer(), nullable=True),
        _of("dispute", "session", "CASCADE"),
        _of("dispute", "student", "CASCADE"),
        _of("dispute", "account", "SET NULL", "answered_by_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispute")),
        sa.UniqueConstraint("session_id", "student_id", "open", name=op.f("uq_dispute_session_id_student_id_open")),
        **_UTF8,
    )
    op.create_index(op.f("ix_dispute_student_id"), "dispute", ["student_id"])
    op.create_index(op.f("ix_dispute_open"), "dispute", ["open"])


def downgrade() -> None:
    for name in ("dispute", "photo_proposal", "consent_change", "student_link"):
        op.drop_table(name)
    with op.batch_alter_table("student") as table:
        table.drop_constraint(op.f("uq_student_email"), type_="unique")
        for column in ("sign_in_epoch", "language", "email"):
            table.drop_column(column)
