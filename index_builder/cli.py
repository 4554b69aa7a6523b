"""`attendance enrol` and `attendance index`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from database.engine import DatabaseError
from face_engine.factory import create_engine
from face_engine.interface import EngineError, FaceEngine
from index_builder.building import build_index, record_version
from index_builder.enrolment import (
    Enrolment,
    PhotoReport,
    Photos,
    check_model,
    encode_photos,
    find_photos,
    save_enrolment,
)
from index_builder.format import GalleryError, load_gallery, read_manifest
from index_builder.photos import PhotoOutcome
from index_builder.store import StoreError, read_store
from settings import load_settings
from settings.model import EngineSettings

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)
_OUTCOME_WIDTH = len(PhotoOutcome.SEVERAL_FACES)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--store", type=_FILE, help="The store to extend. Default: the configured one.")
def enrol(folder: Path, store: Path | None) -> None:
    """Encode the photos in FOLDER and put them into the store.

    FOLDER holds one folder for each student, named by index number, with one or more photos (.jpg, .png) of that
    student alone. A student who is in the store already gets the new encodings in place of the old ones. The exit
    status is 1 if a student ended without any good photo; the others are saved nevertheless.
    """
    settings = load_settings()
    store = store or settings.store_path
    with _errors_for_people():
        photos = find_photos(folder)
        if not photos.by_student:
            raise click.ClickException(f"{folder} holds no student's folder: make one for each, named by index number")
        with _engine(settings.engine) as engine:
            facts = engine.info
            if store.exists():
                # Said now, not after an hour of photos.
                check_model(store, read_store(store, encoding_size=facts.encoding_size), facts.model)
            enrolment = _encode(engine, photos, folder, settings.engine.max_pixels)
        if enrolment.encodings:
            save_enrolment(store, enrolment, model=facts.model, encoding_size=facts.encoding_size)
    _sum_up(enrolment, store)


@contextmanager
def _errors_for_people() -> Iterator[None]:
    try:
        yield
    except (EngineError, StoreError, GalleryError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"cannot read {error.filename}: {error.strerror}") from None


@contextmanager
def _engine(settings: EngineSettings) -> Iterator[FaceEngine]:
    try:
        engine = create_engine(**settings.arguments())
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    try:
        yield engine
    finally:
        engine.close()


def _encode(engine: FaceEngine, photos: Photos, folder: Path, max_pixels: int) -> Enrolment:
    """Encode all photos, with a line for each and, on a terminal, a bar below."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    columns = (TextColumn("Encoding photos"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=photos.count)

        def tell(report: PhotoReport) -> None:
            console.print(_line(report, folder))
            if report.outcome is not PhotoOutcome.MISPLACED:
                progress.advance(task)

        return encode_photos(engine, photos, max_pixels=max_pixels, tell=tell)


def _line(report: PhotoReport, folder: Path) -> str:
    path = str(report.path.relative_to(folder))
    # A file's name may hold what moves a terminal's cursor.
    shown = path if path.isprintable() else ascii(path)
    return f"{report.outcome:<{_OUTCOME_WIDTH}}  {shown}" + (f": {report.detail}" if report.detail else "")


def _sum_up(enrolment: Enrolment, store: Path) -> None:
    encodings = sum(len(rows) for rows in enrolment.encodings.values())
    refused = len(enrolment.reports) - encodings
    click.echo(
        f"{_count(len(enrolment.encodings), 'student')} enrolled with {_count(encodings, 'encoding')}, "
        f"{_count(refused, 'file')} not used. Store: {store}"
    )
    if enrolment.without:
        click.echo(f"Without a good photo: {', '.join(enrolment.without)}", err=True)
        sys.exit(1)
    click.echo("Next: attendance index build")


@click.group()
def index() -> None:
    """Build and inspect the index that the service searches."""


@index.command()
@click.option("--store", type=_FILE, help="The store to read. Default: the configured one.")
@click.option("--output", type=_FOLDER, help="The folder of indexes. Default: the configured one.")
def build(store: Path | None, output: Path | None) -> None:
    """Read the store and publish an index of it; a running service picks it up."""
    settings = load_settings()
    output = output or settings.index_path
    with _errors_for_people():
        built = build_index(store or settings.store_path, output)
    manifest = built.manifest
    click.echo(
        f"Published index {manifest.version}: {_count(manifest.identities, 'student')}, "
        f"{_count(manifest.encodings, 'encoding')}, model {manifest.model}. Folder: {output}"
    )
    try:
        record_version(settings.database_url, built)
    except DatabaseError as error:
        click.echo(f"Not recorded in the database: {error}")


@index.command()
@click.option("--output", type=_FOLDER, help="The folder of indexes. Default: the configured one.")
def info(output: Path | None) -> None:
    """Check the current index, every file of it, and say what it holds."""
    output = output or load_settings().index_path
    with _errors_for_people():
        gallery = load_gallery(output)
        manifest = read_manifest(output)
    rows = {
        "Version": gallery.version,
        "Created": manifest.created_at if manifest is not None else "",
        "Model": f"{gallery.model}, {gallery.encoding_size} numbers an encoding",
        "Students": str(len(gallery.identities)),
        "Encodings": str(gallery.encodings),
        "Folder": str(output),
    }
    for title, value in rows.items():
        click.echo(f"{title + ':':<11} {value}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
