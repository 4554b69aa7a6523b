"""Building the index from the store, and noting in the database which one was in use when."""

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from database.engine import DatabaseError, create_database_engine, require_current_schema, session_factory
from database.models import IndexVersion
from index_builder.files import locked, make_private_folder
from index_builder.format import GalleryError, Manifest, publish
from index_builder.store import read_store

_TURN = ".building.lock"


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """A version that was just published."""

    manifest: Manifest
    sha256: str
    """Of the manifest's file, and so of the whole version."""


def build_index(store_path: Path, folder: Path) -> BuiltIndex:
    """Read the store and publish its index.

    Builders take turns, each for reading and publishing: otherwise one that had read the store before a student was
    erased could publish the student again afterwards.

    Raises:
        StoreError: the store cannot be used; the index in use stays.
        GalleryError: the index cannot be written; the one in use stays.
    """
    if not store_path.exists():
        read_store(store_path)  # says so, and makes no folder
    try:
        make_private_folder(folder)
        with locked(folder / _TURN):
            store = read_store(store_path)
            manifest, sha256 = publish(folder, store.in_use, model=store.model, encoding_size=store.encoding_size)
    except OSError as error:
        raise GalleryError(f"cannot publish an index in {folder}: {error.strerror}") from error
    return BuiltIndex(manifest, sha256)


def record_version(database_url: str, built: BuiltIndex, *, pool_size: int = 1) -> None:
    """Add the version to the database's list.

    Raises:
        DatabaseError: there is no database yet, its schema is not current, or it cannot be reached.
    """
    require_database_file(database_url)
    engine = create_database_engine(database_url, pool_size=pool_size)
    try:
        require_current_schema(engine)
        with session_factory(engine).begin() as session:
            session.add(
                IndexVersion(
                    version=built.manifest.version,
                    model=built.manifest.model,
                    identities=built.manifest.identities,
                    encodings=built.manifest.encodings,
                    sha256=built.sha256,
                )
            )
    except sa.exc.SQLAlchemyError as error:
        raise DatabaseError(f"the database refused the row ({type(error).__name__})") from error
    finally:
        engine.dispose()


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
