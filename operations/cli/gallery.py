"""`attendance gallery`: erasing students from everywhere, and the work that the dashboard asks for."""

import signal
import threading

import click

from attendance.database.engine import require_current_schema
from attendance.database.opening import open_engine
from attendance.settings import load_settings
from attendance.settings.logs import configure_logging
from operations.cli.bulk.conversion import convert
from operations.cli.erasures import erasures, tell_erased
from operations.cli.noting import note_run
from operations.erasure import erase_students
from operations.gallery_work import GalleryWorker


@click.group()
def gallery() -> None:
    """Erase students from everywhere, and do what the dashboard asks for."""


@gallery.command()
@click.argument("index_numbers", nargs=-1, required=True, metavar="INDEX_NUMBER...")
@click.option("--keep-photos", is_flag=True, help="Leave the files from which the encodings were made.")
@click.confirmation_option(prompt="Photos, encodings and evidence of these students are gone afterwards. Go on?")
def erase(index_numbers: tuple[str, ...], keep_photos: bool) -> None:
    """Erase students: photos, encodings, every index that holds them, and evidence of their attendance.

    Their consent counts as withdrawn. The register keeps their attendance. Running services erase what they remember,
    and take the new index up, within seconds; those that have not yet are named. Interrupted, it is completed when it
    is asked for again. The exit status is 1 if something is left, or nothing is known of a student.
    """
    settings = load_settings()
    with open_engine(settings.database_url) as engine:
        require_current_schema(engine)
        report = erase_students(settings, engine, index_numbers, photos=not keep_photos)
        note_run(engine, {"students": len(index_numbers), "unfinished": len(report.unfinished)})
        tell_erased(settings, engine, report)


@gallery.command()
@click.option("--once", is_flag=True, help="End when no job is due, with exit status 1 if an erasure is left.")
def work(once: bool) -> None:
    """Do the work on the gallery that the dashboard asks for, until SIGTERM or Ctrl-C."""
    settings = load_settings()
    configure_logging(settings.log)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with open_engine(settings.database_url) as engine:
        worker = GalleryWorker(settings, engine)
        if not once:
            worker.run(stopping)
            return
        require_current_schema(engine)
        unfinished = worker.run_once(stopping)
    if unfinished:
        raise click.ClickException(f"{len(unfinished)} erasures are not finished: {' '.join(unfinished)}")


gallery.add_command(convert)
gallery.add_command(erasures)
