"""What the database knows of published indexes: which one was in use when, and who can be recognised by it."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audit.noting import by_command, note
from attendance.database.engine import DatabaseError, address_file, require_current_schema, session_factory
from attendance.database.models import AuditAction, IndexVersion
from attendance.database.opening import open_engine
from attendance.database.watching.recognisable import note_index
from attendance.gallery.publishing import BuiltIndex


def record_version(database_url: str, built: BuiltIndex, *, in_use: bool = True, pool_size: int = 1) -> None:
    """Add the version to the database's list, and note who can be recognised from now on.

    When a newer version is in the list already, that one's builder has noted it.

    Args:
        database_url: the database.
        built: the version.
        in_use: whether services use it; of one that was built into a folder of its own nothing is noted of students.
        pool_size: connections kept open.

    Raises:
        DatabaseError: there is no database yet, its schema is not current, or it cannot be reached.
    """
    require_database_file(database_url)
    created_at = datetime.fromisoformat(built.manifest.created_at)
    row = IndexVersion(
        version=built.manifest.version,
        model=built.manifest.model,
        identities=built.manifest.identities,
        encodings=built.manifest.encodings,
        sha256=built.sha256,
    )
    with open_engine(database_url, pool_size=pool_size) as engine:
        require_current_schema(engine)
        try:
            sessions = session_factory(engine)
            with sessions.begin() as db:
                overtaken = _newer_is_listed(db, row.version, created_at)
                db.add(row)
                counts = {"students": row.identities, "encodings": row.encodings}
                note(db, AuditAction.INDEX_PUBLISHED, actor=by_command(), subject=row.version, details=counts)
            if in_use and not overtaken:
                note_index(sessions, built.holds, created_at)
        except sa.exc.SQLAlchemyError as error:
            raise DatabaseError(f"the database refused the row ({type(error).__name__})") from error


def _newer_is_listed(db: Session, version: str, created_at: datetime) -> bool:
    """Whether another builder was quicker with a later version. Numbers alone do not tell: a new folder begins at 1."""
    newer = sa.select(IndexVersion.id).where(IndexVersion.version > version, IndexVersion.published_at > created_at)
    return db.scalar(newer.limit(1)) is not None


def require_database_file(database_url: str) -> None:
    """Check that there is a database: where there is none, an operator is not told of its tables.

    Raises:
        DatabaseError: there is none.
    """
    file = address_file(database_url)
    if file is not None and not file.exists():
        raise DatabaseError("there is no database yet")
