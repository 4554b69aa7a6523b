"""Opening the configured database for a command: whatever is wrong with it is one of our errors, a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.engine import (
    DatabaseError,
    begin_writing,
    create_database_engine,
    require_current_schema,
    session_factory,
)


@contextmanager
def open_engine(url: str, *, pool_size: int = 5, name: str = "ATTENDANCE_DATABASE_URL") -> Iterator[sa.Engine]:
    """The database at this address, for as long as the block lasts.

    Args:
        url: as for `create_database_engine`.
        pool_size: connections kept open (MySQL and MariaDB).
        name: where the address was given, for messages.

    Raises:
        DatabaseError: the address is none, or the database is away or refuses what the block asks of it. The message
            holds the driver's words and neither a statement nor its values.
    """
    engine = create_database_engine(url, pool_size=pool_size, name=name)
    try:
        yield engine
    except sa.exc.IntegrityError as error:
        raise DatabaseError("somebody else changed the same thing at this moment; try again") from error
    except sa.exc.SQLAlchemyError as error:
        raise DatabaseError(f"the database refused: {getattr(error, 'orig', None) or type(error).__name__}") from error
    finally:
        engine.dispose()


@contextmanager
def open_session(url: str) -> Iterator[Session]:
    """One transaction in a database whose schema is current; committed when the block ends well.

    Raises:
        DatabaseError: as for `open_engine`, or the schema is not current.
    """
    with open_engine(url) as engine:
        require_current_schema(engine)
        with session_factory(engine).begin() as db:
            begin_writing(db)
            yield db
