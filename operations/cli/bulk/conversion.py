"""`attendance gallery convert`: a gallery of one family of models becomes one of another."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.orm import Session, sessionmaker

from attendance.face_engine.interface import FaceEngine
from attendance.models_in_use import ModelsInUse, models_of
from attendance.settings import load_settings
from attendance.settings.families import Family
from attendance.settings.model import ModelsName, Settings
from index_builder.consent import note_gallery, open_register, without_consent
from index_builder.photos.judging import FORGIVABLE
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict
from operations.cli.bulk.long_runs import INTERRUPTED, LogOfPace, stopped_by_signals, tell_stopped
from operations.cli.bulk.places import place_to_run
from operations.conversion import Conversion, ConversionTools, Telling
from operations.conversion import convert as run_conversion
from operations.erasure import record_index
from operations.photo_looks import LookSettings, RunnerLooks
from operations.recordings.assembling import maker_of
from operations.recordings.versions import admission_of
from operations.runners.choosing import runner_of


@click.command()
@click.option(
    "--to",
    "to",
    type=click.Choice([Family.OPENCV.value, Family.DLIB.value]),
    default=Family.OPENCV.value,
    show_default=True,
    help="The family of models wanted.",
)
@click.option(
    "--on",
    metavar="WHERE",
    callback=place_to_run,
    help="Where photos are looked at: local, or local:4 for four processes; ray://HOST:10001 or ray:HOST:6379, a Ray "
    "cluster. Default: in this process.",
)
@click.option("--partial", is_flag=True, help="Publish although new photos are needed of some students.")
def convert(to: str, on: str | None, *, partial: bool) -> None:
    """Encode the kept photos anew with another family of models.

    The gallery in use stays in use until everybody is converted; the command says of whom new photos are needed.
    Interrupted, it goes on where it was. Start the recognition service again afterwards. The exit status is 1 if the
    conversion is not complete.
    """
    settings = load_settings()
    models = models_of(settings, Family(to), "it was asked for")
    with stopped_by_signals(), open_register(settings.database_url) as sessions:
        with closing(models.create_engine(settings.engine)) as engine, _looks(on, models, engine, settings) as looks:
            conversion = _convert(engine, settings, sessions, looks, partial=partial)
        if conversion.built is not None:
            note_gallery(sessions, conversion.encodings, now=datetime.now(UTC))
            record_index(settings, conversion.built, _tell_unrecorded)
    _tell(conversion, settings, Family(to))
    if conversion.interrupted:
        sys.exit(INTERRUPTED)
    sys.exit(0 if conversion.built is not None else 1)


@contextmanager
def _looks(on: str | None, models: ModelsInUse, engine: FaceEngine, settings: Settings) -> Iterator[RunnerLooks | None]:
    """Who looks at the photos; None: the engine, here."""
    if on is None:
        yield None
        return
    build = maker_of(models, settings)
    with closing(
        runner_of(
            on,
            lambda: admission_of(build, engine.info, None, None, lambda text: click.echo(text, err=True)),
            processes=settings.recordings.processes,
            preload=["operations.photo_looks"],
        )
    ) as runner:
        click.echo(f"On {runner.where}.")
        numbers = settings.matching.numbers_of(engine.info.model)
        yield RunnerLooks(runner, LookSettings(build, settings.engine.max_pixels, numbers, frozenset(FORGIVABLE)))


def _convert(
    engine: FaceEngine,
    settings: Settings,
    sessions: sessionmaker[Session],
    looks: RunnerLooks | None,
    *,
    partial: bool,
) -> Conversion:
    gallery = ConversionTools(
        settings.store_path,
        settings.index_path,
        engine,
        settings.matching.numbers_of(engine.info.model),
        settings.engine.max_pixels,
        lambda students: without_consent(sessions, students),
        looks,
    )
    with _showing(Console(soft_wrap=True, highlight=False, markup=False)) as telling:
        return run_conversion(gallery, partial=partial, telling=telling)


@contextmanager
def _showing(console: Console) -> Iterator[Telling]:
    """Shows how far the conversion is, and each photo that is not simply good."""
    log = LogOfPace(console)
    columns = (TextColumn("Encoding photos"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        photos, done, before = 0, 0, 0

        def begins(count: int, encoded: int) -> None:
            nonlocal photos, done, before
            photos, done, before = count, 0, encoded
            progress.update(task, total=photos, completed=0)
            already = f", and {encoded:,} more of the same students are already" if encoded else ""
            console.print(f"{count - encoded:,} photos are to be encoded{already}.")

        def show(_student: str, verdict: PhotoVerdict) -> None:
            if verdict.outcome is not PhotoOutcome.OK:
                console.print(f"{verdict.outcome}  {_printable(verdict.name)}: {_printable(verdict.detail)}")

        def photo_done() -> None:
            nonlocal done
            done += 1
            progress.update(task, completed=done)
            log.tell(lambda: f"{done:,} of {photos:,} photos done; {log.left(done / photos, before / photos)}")

        yield Telling(begins, show, photo_done)


def _tell_unrecorded(reason: str) -> None:
    click.echo(f"The index is not recorded in the database: {reason}", err=True)


def _tell(conversion: Conversion, settings: Settings, family: Family) -> None:
    converted = sum(1 for count in conversion.encodings.values() if count)
    click.echo(f"Students of family {family} in {conversion.second}: {converted}.")
    for student, why in sorted(conversion.needed.items()):
        click.echo(f"new photos needed  {_printable(student)}: {_printable(why)}")
    for student in conversion.left_out:
        click.echo(
            f"no consent         {_printable(student)}: not converted; `attendance gallery erase` erases the rest"
        )
    if conversion.interrupted:
        tell_stopped()
    elif conversion.built is None:
        click.echo(
            "The gallery in use is as it was. Enrol new photos of these students into the second store "
            f"(attendance enrol FOLDER --store {conversion.second}) and give this command again, or publish without "
            "them (--partial)."
        )
    else:
        click.echo(f"Published index {conversion.built.manifest.version}. Start the recognition service again.")
        if conversion.kept is not None:
            click.echo(
                f"The former store is kept as {conversion.kept} until the others are converted: enrol new photos of "
                "them (attendance enrol FOLDER), and give this command again."
            )
        if settings.engine.models not in (ModelsName.AUTO, family):
            click.echo(f"ATTENDANCE_ENGINE_MODELS is {settings.engine.models}: set it to auto or {family}.")


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)
