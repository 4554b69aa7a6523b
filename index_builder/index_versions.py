"""The database's list of published indexes: which one was in use when."""

from pathlib import Path

import sqlalchemy as sa

from attendance.database.engine import DatabaseError, require_current_schema, session_factory
from attendance.database.models import IndexVersion
from attendance.database.opening import open_engine
from attendance.gallery.publishing import BuiltIndex


def record_version(database_url: str, built: BuiltIndex, *, pool_size: int = 1) -> None:
    """Add the version to the database's list.

    Raises:
        DatabaseError: there is no database yet, its schema is not current, or it cannot be reached.
    """
    require_database_file(database_url)
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
            with session_factory(engine).begin() as db:
                db.add(row)
        except sa.exc.SQLAlchemyError as error:
            raise DatabaseError(f"the database refused the row ({type(error).__name__})") from error


def require_database_file(database_url: str) -> None:
    """Check that there is a database, since connecting would make an empty SQLite file where there is none.

    Raises:
        DatabaseError: there is none.
    """
    try:
        address = sa.make_url(database_url)
    except sa.exc.ArgumentError:
        return  # create_database_engine says it better
    if address.get_backend_name() == "sqlite" and address.database and not Path(address.database).exists():
        raise DatabaseError("there is no database yet")
