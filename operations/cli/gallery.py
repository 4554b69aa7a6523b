"""`attendance gallery`: erasing students from everywhere, and the work that the dashboard asks for."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click
import sqlalchemy as sa
import structlog

from attendance.database.engine import DatabaseError, require_current_schema, session_factory
from attendance.database.erasure import forget_deleted_rows, withdraw
from attendance.database.opening import open_engine
from attendance.face_engine.factory import create_engine
from attendance.face_engine.interface import FaceEngine
from attendance.gallery.format import GalleryError
from attendance.gallery.publishing import BuiltIndex
from attendance.gallery.removal import Erased, erase_from_gallery, is_in_gallery
from attendance.gallery.store import StoreError
from attendance.settings import Settings, load_settings
from attendance.settings.logs import configure_logging
from index_builder.index_versions import record_version
from index_builder.jobs import GalleryTools, work_once
from recognition_service.outbox.store import Outbox, OutboxError

_MANY = 1_000_000
_POLL_S, _LONGEST_WAIT_S = 1.0, 30.0

log = structlog.get_logger()


@click.group()
def gallery() -> None:
    """Erase students from everywhere, and do what the dashboard asks for."""


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
        for student in index_numbers:
            known = withdraw(session_factory(engine), student, now=datetime.now(UTC))
            if not known and not is_in_gallery(student, store_path=settings.store_path, index_path=settings.index_path):
                raise click.ClickException(f"neither the database nor the gallery knows {student!r}; nothing is done")
        done, waiting = _erase(engine, settings, index_numbers, photos=not keep_photos)
    click.echo(
        f"Erased {done.encodings} encodings, {len(done.photos)} photos, {waiting} sightings on their way to the "
        f"database, {len(done.versions)} versions of the index."
    )
    if done.built is not None:
        click.echo(f"Published index {done.built.manifest.version}.")
        _record(settings, done.built)


def _erase(engine: sa.Engine, settings: Settings, students: tuple[str, ...], *, photos: bool) -> tuple[Erased, int]:
    """Erase students who have been withdrawn; what was removed, and how many sightings of the outboxes."""
    forget_deleted_rows(engine)
    waiting = sum(_erase_from_outbox(path, students) for path in settings.outbox_paths)
    paths = {"store_path": settings.store_path, "index_path": settings.index_path}
    return erase_from_gallery(students, photos=photos, **paths), waiting


def _record(settings: Settings, built: BuiltIndex) -> None:
    try:
        record_version(settings.database_url, built)
    except DatabaseError as error:
        click.echo(f"Index {built.manifest.version} is not recorded in the database: {error}", err=True)


@gallery.command()
@click.option("--once", is_flag=True, help="End when no job waits.")
def work(once: bool) -> None:
    """Do the work on the gallery that the dashboard asks for, until SIGTERM or Ctrl-C."""
    settings = load_settings()
    configure_logging(settings.log)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with _sentences(), open_engine(settings.database_url) as engine:
        if once:
            require_current_schema(engine)
        _work(engine, settings, stopping, once=once)


def _work(engine: sa.Engine, settings: Settings, stopping: threading.Event, *, once: bool) -> None:
    sessions, face_engine = session_factory(engine), None

    def load() -> FaceEngine:
        nonlocal face_engine
        face_engine = face_engine or create_engine(**settings.engine.arguments())
        return face_engine

    def erase_one(student: str) -> BuiltIndex | None:
        withdraw(sessions, student, now=datetime.now(UTC))
        done, _ = _erase(engine, settings, (student,), photos=True)
        if done.built is not None:
            _record(settings, done.built)
        return done.built

    told = partial(_record, settings)
    jobs = GalleryTools(settings.store_path, settings.index_path, load, settings.engine.max_pixels, erase_one, told)
    failures = 0
    while not stopping.is_set():
        try:
            busy = work_once(sessions, jobs)
            failures = 0
        except (sa.exc.SQLAlchemyError, DatabaseError) as error:
            if once:
                raise
            failures += 1
            log.warning("gallery_waits_for_database", failures=failures, error=str(getattr(error, "orig", error)))
            busy = False
        if not busy and once:
            break
        if busy:
            forget_deleted_rows(engine)
        else:
            stopping.wait(min(_POLL_S * 2**failures, _LONGEST_WAIT_S))
    if face_engine is not None:
        face_engine.close()


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except (StoreError, GalleryError, OutboxError) as error:
        raise click.ClickException(f"{error}. Ask for the erasure again") from None
    except OSError as error:
        raise click.ClickException(f"cannot delete {error.filename}: {error.strerror}. Ask again") from None


def _erase_from_outbox(path: Path, students: tuple[str, ...]) -> int:
    outbox = Outbox(path)
    try:
        ids = [number for number, sighting in outbox.pending(_MANY) if sighting.index_number in students]
        outbox.discard(ids)
    finally:
        outbox.close()
    return len(ids)
