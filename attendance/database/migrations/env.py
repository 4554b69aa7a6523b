"""Alembic's environment: runs on the connection that `attendance.database.engine` hands over."""

from alembic import context
from alembic.util.exc import CommandError

from attendance.database.models import Base

connection = context.config.attributes["connection"]
sqlite = connection.dialect.name == "sqlite"
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    # SQLite cannot alter a table: Alembic copies it.
    render_as_batch=sqlite,
    # `attendance.database.engine` begins SQLite's transactions itself, so that a migration that fails is undone whole.
    transactional_ddl=sqlite,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
    # Foreign keys are off while tables are copied; what a migration broke must not be kept.
    if sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise CommandError("the migration would leave rows that refer to nothing; nothing was changed")
connection.commit()
