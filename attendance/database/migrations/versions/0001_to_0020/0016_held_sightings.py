"""What is held until a person has answered it: sightings, with their evidence, and what kept frames watched.

Revision: 0016
Before it: 0015
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_UTC = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_UTF8: Any = {"mysql_charset": "utf8mb4", "mariadb_charset": "utf8mb4"}
_ORIGIN = sa.Enum("live", "kept", "recording", name="origin", native_enum=False, length=16)
_REASONS = (
    ("attendance", "unrecorded_reason"),
    ("attendance_change", "old_unrecorded"),
    ("attendance_change", "new_unrecorded"),
)


def losses(connection: sa.Connection) -> list[str]:
    """What the way back deletes or forgets, of which there is some: a sentence's part each."""
    counted = (
        ("SELECT COUNT(*) FROM held_sighting", "held sightings, with what people answered"),
        ("SELECT COUNT(*) FROM held_observation", "hours of cameras that are held, with what people answered"),
        ("SELECT COUNT(*) FROM attendance_evidence WHERE held", "pieces of evidence of held sightings"),
        ("SELECT COUNT(*) FROM api_token WHERE role = 'recording'", "tokens of operators who play recordings"),
        (
            "SELECT COUNT(*) FROM attendance WHERE unrecorded_reason = 'held'",
            "entries not recorded because of a held sighting: people were seen who could not be named, they then say",
        ),
    )
    found = ((connection.execute(sa.text(query)).scalar() or 0, words) for query, words in counted)
    return [f"{number:,} {words}" for number, words in found if number]


def _references(table: str, **columns: tuple[str, str]) -> list[sa.ForeignKeyConstraint]:
    """By column, the table that it refers to, and what becomes of the row when that one goes."""
    return [
        sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"), ondelete=on_delete)
        for column, (target, on_delete) in columns.items()
    ]


def upgrade() -> None:
    with op.batch_alter_table("attendance_evidence") as table:
        table.add_column(sa.Column("held", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "held_sighting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.Column("camera_id", sa.Integer(), nullable=True),
        sa.Column("origin", _ORIGIN, nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("first_seen", _UTC, nullable=False),
        sa.Column("last_seen", _UTC, nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("arrived_at", _UTC, nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=True),
        sa.Column("answer", sa.String(length=500), nullable=True),
        sa.Column("answered_at", _UTC, nullable=True),
        sa.Column("answered_by_id", sa.Integer(), nullable=True),
        *_references(
            "held_sighting",
            session_id=("class_session", "CASCADE"),
            student_id=("student", "CASCADE"),
            camera_id=("camera", "SET NULL"),
            answered_by_id=("account", "SET NULL"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held_sighting")),
        sa.UniqueConstraint(
            "session_id", "student_id", "camera_id", "origin", "late",
            name=op.f("uq_held_sighting_session_id_student_id_camera_id_origin_late"),
        ),
        **_UTF8,
    )  # fmt: skip
    for column in ("student_id", "camera_id"):
        op.create_index(op.f(f"ix_held_sighting_{column}"), "held_sighting", [column])
    _add_held_observation()


def _add_held_observation() -> None:
    op.create_table(
        "held_observation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("camera_id", sa.Integer(), nullable=True),
        sa.Column("room_id", sa.Integer(), nullable=False),
        sa.Column("hour", _UTC, nullable=False),
        sa.Column("watched", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.LargeBinary(length=600), nullable=False),
        sa.Column("arrived_at", _UTC, nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=True),
        sa.Column("answered_at", _UTC, nullable=True),
        sa.Column("answered_by_id", sa.Integer(), nullable=True),
        *_references(
            "held_observation",
            session_id=("class_session", "CASCADE"),
            camera_id=("camera", "SET NULL"),
            room_id=("room", "CASCADE"),
            answered_by_id=("account", "SET NULL"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held_observation")),
        sa.UniqueConstraint(
            "session_id", "camera_id", "room_id", "hour",
            name=op.f("uq_held_observation_session_id_camera_id_room_id_hour"),
        ),
        **_UTF8,
    )  # fmt: skip
    for column in ("camera_id", "room_id"):
        op.create_index(op.f(f"ix_held_observation_{column}"), "held_observation", [column])


def downgrade() -> None:
    for table_name, column in _REASONS:
        # The nearest of the reasons that the older schema knows.
        op.execute(f"UPDATE {table_name} SET {column} = 'unnamed' WHERE {column} = 'held'")  # noqa: S608 - our names
    op.execute("DELETE FROM api_token WHERE role = 'recording'")
    op.drop_table("held_observation")
    op.drop_table("held_sighting")
    op.execute("DELETE FROM attendance_evidence WHERE held")  # or it would say that it had confirmed somebody
    with op.batch_alter_table("attendance_evidence") as table:
        table.drop_column("held")
