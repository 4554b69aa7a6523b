"""`attendance gallery`: erasing students from everywhere, and the work that the dashboard asks for."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from database.engine import DatabaseError, require_current_schema, session_factory
from database.erasure import forget_deleted_rows, withdraw
from database.opening import open_engine
from index_builder.building import record_version
from index_builder.erasure import erase_from_gallery, is_in_gallery
from index_builder.format import GalleryError
from index_builder.store import StoreError
from recognition_service.outbox import Outbox, OutboxError
from settings import Settings, load_settings

_MANY = 1_000_000


@click.group()
def gallery() -> None:
    """Erase students from the gallery."""


@gallery.command()
@click.argument("index_numbers", nargs=-1, required=True, metavar="INDEX_NUMBER...")
@click.option("--keep-photos", is_flag=True, help="Leave the files from which the encodings were made.")
@click.confirmation_option(prompt="Photos, encodings and evidence of these students are gone afterwards. Go on?")
def erase(index_numbers: tuple[str, ...], keep_photos: bool) -> None:
    """Erase students: photos, encodings, every index that holds them, and evidence of their attendance.

    Their consent counts as withdrawn. The register keeps their attendance. A running service takes the new index up
    within seconds. Interrupted, it is completed when it is asked for again.
    """
    settings = load_settings()
    with _sentences(), open_engine(settings.database_url) as engine:
        require_current_schema(engine)
        now = datetime.now(UTC)
        for student in index_numbers:
            known = withdraw(session_factory(engine), student, now=now)
            paths = {"store_path": settings.store_path, "index_path": settings.index_path}
            if not known and not is_in_gallery(student, **paths):
                raise click.ClickException(f"neither the database nor the gallery knows {student!r}; nothing is done")
        forget_deleted_rows(engine)
        waiting = sum(_erase_from_outbox(path, index_numbers) for path in _outboxes(settings))
        done = erase_from_gallery(index_numbers, photos=not keep_photos, **paths)
    click.echo(
        f"Erased {done.encodings} encodings, {len(done.photos)} photos, {waiting} sightings on their way to the "
        f"database, {len(done.versions)} versions of the index."
    )
    if done.built is not None:
        click.echo(f"Published index {done.built.manifest.version}.")
        try:
            record_version(settings.database_url, done.built)
        except DatabaseError as error:
            click.echo(f"Not recorded in the database: {error}")


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except (StoreError, GalleryError, OutboxError, DatabaseError) as error:
        raise click.ClickException(f"{error}. Ask for the erasure again") from None
    except OSError as error:
        raise click.ClickException(f"cannot delete {error.filename}: {error.strerror}. Ask again") from None


def _outboxes(settings: Settings) -> list[Path]:
    """The configured outbox, and those of several services that keep theirs beside it."""
    path = settings.outbox_path
    return sorted({*([path] if path.exists() else []), *path.parent.glob(f"{path.stem}-*{path.suffix}")})


def _erase_from_outbox(path: Path, students: tuple[str, ...]) -> int:
    outbox = Outbox(path)
    try:
        ids = [number for number, sighting in outbox.pending(_MANY) if sighting.index_number in students]
        outbox.discard(ids)
    finally:
        outbox.close()
    return len(ids)
