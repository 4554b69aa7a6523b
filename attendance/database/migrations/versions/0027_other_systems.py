"""What other systems call what is here, and the learning platforms that open registers (LTI).

Revision: 0027
Before it: 0026
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
_KIND = sa.Enum(
    "department", "course", "class", "student", "account", name="externalkind", native_enum=False, length=16
)
_MATCHING = sa.Enum("connect", "email", name="ltimatching", native_enum=False, length=16)


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    counted = (
        ("SELECT COUNT(*) FROM lti_platform", "learning platforms, with the courses that are linked to them"),
        ("SELECT COUNT(*) FROM external_identity", "identities that other systems have for courses and people"),
    )
    found = ((connection.execute(sa.text(query)).scalar() or 0, words) for query, words in counted)
    return [f"{number:,} {words}" for number, words in found if number]


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(sa.String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def _of(table: str, target: str, column: str | None = None, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    column = column or f"{target}_id"
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"), ondelete=ondelete)


def upgrade() -> None:
    _identities()
    _platforms()
    _courses()
    op.create_table(
        "lti_nonce",
        sa.Column("nonce_hash", _exact(64), nullable=False),
        sa.Column("expires_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("nonce_hash", name=op.f("pk_lti_nonce")),
        **_UTF8,
    )
    op.create_index(op.f("ix_lti_nonce_expires_at"), "lti_nonce", ["expires_at"])
    op.create_table(
        "lti_key",
        sa.Column("kid", _exact(64), nullable=False),
        sa.Column("public", sa.JSON(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("made_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_lti_key")),
        **_UTF8,
    )


def _identities() -> None:
    targets = {"department_id": "department", "course_id": "course", "group_id": "course_group"}
    targets |= {"student_id": "student", "account_id": "account"}
    op.create_table(
        "external_identity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("system", _exact(120), nullable=False),
        sa.Column("kind", _KIND, nullable=False),
        sa.Column("external_id", _exact(255), nullable=False),
        *(sa.Column(column, sa.Integer(), nullable=True) for column in targets),
        sa.Column("noted_at", _UTC, nullable=False),
        *(_of("external_identity", target, column) for column, target in targets.items()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_external_identity")),
        sa.UniqueConstraint("system", "kind", "external_id", name=op.f("uq_external_identity_system_kind_external_id")),
        **_UTF8,
    )
    for column in targets:
        op.create_index(op.f(f"ix_external_identity_{column}"), "external_identity", [column])


def _platforms() -> None:
    op.create_table(
        "lti_platform",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", _exact(80), nullable=False),
        sa.Column("issuer", _exact(255), nullable=False),
        sa.Column("client_id", _exact(255), nullable=False),
        sa.Column("keys_url", sa.String(length=500), nullable=False),
        sa.Column("authorisation_url", sa.String(length=500), nullable=False),
        sa.Column("token_url", sa.String(length=500), nullable=False),
        sa.Column("frame_origins", sa.String(length=500), nullable=False),
        sa.Column("matching", _MATCHING, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", _UTC, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lti_platform")),
        sa.UniqueConstraint("name", name=op.f("uq_lti_platform_name")),
        sa.UniqueConstraint("issuer", "client_id", name=op.f("uq_lti_platform_issuer_client_id")),
        **_UTF8,
    )
    op.create_table(
        "lti_deployment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("platform_id", sa.Integer(), nullable=False),
        sa.Column("external_id", _exact(255), nullable=False),
        _of("lti_deployment", "lti_platform", "platform_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lti_deployment")),
        sa.UniqueConstraint("platform_id", "external_id", name=op.f("uq_lti_deployment_platform_id_external_id")),
        **_UTF8,
    )


def _courses() -> None:
    op.create_table(
        "lti_course",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("deployment_id", sa.Integer(), nullable=False),
        sa.Column("external_id", _exact(255), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=True),
        sa.Column("gives_roles", sa.Boolean(), nullable=False),
        sa.Column("sends_rates", sa.Boolean(), nullable=False),
        sa.Column("memberships_url", sa.String(length=1000), nullable=True),
        sa.Column("line_items_url", sa.String(length=1000), nullable=True),
        sa.Column("line_item_url", sa.String(length=1000), nullable=True),
        sa.Column("seen_at", _UTC, nullable=False),
        sa.Column("rates_sent_at", _UTC, nullable=True),
        sa.Column("leased_until", _UTC, nullable=True),
        sa.Column("problem", sa.String(length=500), nullable=True),
        _of("lti_course", "lti_deployment", "deployment_id"),
        _of("lti_course", "course", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lti_course")),
        sa.UniqueConstraint("deployment_id", "external_id", name=op.f("uq_lti_course_deployment_id_external_id")),
        **_UTF8,
    )
    op.create_index(op.f("ix_lti_course_course_id"), "lti_course", ["course_id"])
    op.create_table(
        "lti_rate",
        sa.Column("lti_course_id", sa.Integer(), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.Column("percent", sa.SmallInteger(), nullable=True),
        sa.Column("sent_at", _UTC, nullable=False),
        _of("lti_rate", "lti_course"),
        _of("lti_rate", "student"),
        sa.PrimaryKeyConstraint("lti_course_id", "student_id", name=op.f("pk_lti_rate")),
        **_UTF8,
    )
    op.create_index(op.f("ix_lti_rate_student_id"), "lti_rate", ["student_id"])


def downgrade() -> None:
    for name in (
        "lti_key", "lti_nonce", "lti_rate", "lti_course", "lti_deployment", "lti_platform", "external_identity"
    ):  # fmt: skip
        op.drop_table(name)
