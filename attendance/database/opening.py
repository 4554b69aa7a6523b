"""What the commands of this room share: the configured database, and one sentence instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
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
def open_engine(url: str) -> Iterator[sa.Engine]:
    """The database at this address; whatever is wrong with it ends the command with one sentence."""
    try:
        engine = create_database_engine(url)
    except DatabaseError as error:
        raise click.ClickException(str(error)) from None
    try:
        yield engine
    except DatabaseError as error:
        raise click.ClickException(str(error)) from None
    except sa.exc.IntegrityError:
        raise click.ClickException("Somebody else changed the same thing at this moment; try again.") from None
    except sa.exc.DBAPIError as error:
        # `orig` is the driver's sentence: neither the statement nor its values.
        raise click.ClickException(f"The database refused: {error.orig}") from None
    finally:
        engine.dispose()


@contextmanager
def open_session(url: str) -> Iterator[Session]:
    """One transaction in a database whose schema is current; committed when the block ends well."""
    with open_engine(url) as engine:
        require_current_schema(engine)
        with session_factory(engine).begin() as db:
            begin_writing(db)
            yield db
