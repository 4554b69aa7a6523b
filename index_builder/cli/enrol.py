"""`attendance enrol`: photos into the store."""

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.audit.noting import note_command
from attendance.database.engine import DatabaseError
from attendance.gallery.publishing import build_index
from attendance.gallery.store import read_store
from attendance.models_in_use import models_in_use
from attendance.reports.names import printable
from attendance.settings import load_settings
from attendance.settings.families import traits_of
from attendance.settings.model import Settings
from attendance.tables.fields import index_number_rule
from index_builder.cli.newcomers import left_out_of, new_people_options
from index_builder.consent import (
    ClaimedConsents,
    ConsentUnknownError,
    doubtful,
    note_gallery,
    open_register,
)
from index_builder.enrolment import FORGIVABLE, Enroller, EnrolmentResult, check_model
from index_builder.importing.photo_table import read_photo_table
from index_builder.index_versions import record_version
from index_builder.photos.sources import Photos, find_photos
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict
from index_builder.report import summary_table
from index_builder.report_page import write_report

_FILE = click.Path(path_type=Path, dir_okay=False)
_OUTCOME_WIDTH = max(len(outcome) for outcome in PhotoOutcome)
NOT_KNOWN = "the database does not know the student, who was left out"
_INTERRUPTED = 130


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--csv", "table", type=_FILE, help="A table that names photos, in place of FOLDER.")
@click.option("--store", type=_FILE, help="The store to extend. Default: the configured one.")
@click.option(
    "--consent",
    metavar="MEANS",
    help='Record that every student here consented, and by which means, e.g. "signed form 2026".',
)
@click.option("--report", type=_FILE, help="Write a page (HTML) with every photo and what became of it.")
@click.option(
    "--accept",
    multiple=True,
    type=click.Choice(sorted(outcome.value for outcome in FORGIVABLE)),
    help="Use photos with this fault all the same, because somebody looked at them. May be repeated.",
)
@click.option("--resume", is_flag=True, help="Pass over students whose photos are enrolled already.")
@new_people_options
@click.option("--publish", is_flag=True, help="Build the index afterwards, so that the service knows the students.")
def enrol(  # noqa: PLR0917 - one parameter an option
    folder: Path | None,
    table: Path | None,
    store: Path | None,
    consent: str | None,
    report: Path | None,
    accept: tuple[str, ...],
    new: str,
    *,
    resume: bool,
    dry_run: bool,
    publish: bool,
) -> None:
    """Encode students' photos and put them into the store.

    FOLDER holds one folder for each student, named by index number, with one or more photos (JPEG, PNG, WebP, AVIF,
    HEIC) of that student alone. A table (--csv) has the columns index_number and photo, and perhaps name,
    consent_means and consent_date. Students without recorded consent are turned away. People whom the database does
    not know are listed and asked about; whoever has no good photo is not added, and no consent is recorded. A student
    who is in the store already gets the new encodings in place of the old ones. The exit status is 1 if a student
    ended without any good photo, or a line of the table, or a folder, names nobody; the others are saved nevertheless.
    """
    settings = load_settings()
    store = store or settings.store_path
    photos = _find(folder, table, settings)
    _check_report(report)
    with open_register(settings.database_url) as sessions:
        for question in doubtful(sessions, photos.by_student):
            click.echo(f"Please check: {question}", err=True)
        consents = ClaimedConsents(sessions, photos.claims, means=consent)
        photos = photos.without(left_out_of(consents.new(list(photos.by_student)), new, dry_run=dry_run), NOT_KNOWN)
        enrolment = _enrol(photos, store, consents, settings, accept=accept, resume=resume, dry_run=dry_run)
        if not dry_run:
            _note(sessions, enrolment)
            note_command(sessions, "attendance enrol", {"students": len(enrolment.saved)})
    if report is not None:
        write_report(report, enrolment, institution=settings.institution.name, zone=_zone(settings))
    _sum_up(enrolment, store, report)
    if dry_run:
        click.echo("A dry run: nothing was written.")
    elif publish and enrolment.saved:
        publish_index(store, settings)
    elif enrolment.saved:
        click.echo("Next: attendance index build")
    if enrolment.interrupted:
        sys.exit(_INTERRUPTED)
    sys.exit(1 if enrolment.without or photos.left_out or not photos.by_student else 0)


def _find(folder: Path | None, table: Path | None, settings: Settings) -> Photos:
    if (folder is None) == (table is None):
        raise click.UsageError("name either FOLDER or --csv FILE")
    rule = index_number_rule(settings.institution.index_pattern)
    if table is not None:
        photos = read_photo_table(table, now=datetime.now(UTC), zone=_zone(settings), rule=rule)
        if not photos.by_student and not photos.misplaced:
            raise click.ClickException(f"{table} names no photos")
        return photos
    if folder is None:
        raise click.UsageError("name FOLDER")
    photos = find_photos(folder, rule=rule)
    if not photos.by_student:
        raise click.ClickException(f"{folder} holds no student's folder: make one for each, named by index number")
    return photos


def _zone(settings: Settings) -> ZoneInfo:
    return ZoneInfo(settings.institution.timezone)


def _check_report(report: Path | None) -> None:
    """Said now, not after an hour of photos."""
    if report is not None and not report.parent.is_dir():
        raise click.ClickException(f"there is no folder {report.parent} for the report")


def _enrol(
    photos: Photos,
    store: Path,
    consents: ClaimedConsents,
    settings: Settings,
    *,
    accept: tuple[str, ...],
    resume: bool,
    dry_run: bool,
) -> EnrolmentResult:
    """Enrol all photos, with a line for each and, on a terminal, a bar below."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    columns = (TextColumn("Encoding photos"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    models = models_in_use(settings, store=store)
    if models.note:
        console.print(models.note)
    with (
        closing(models.create_engine(settings.engine)) as engine,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        if store.exists():
            # Said before consent is recorded.
            check_model(store, read_store(store, encoding_size=engine.info.encoding_size), engine.info.model)
        for verdict in photos.misplaced:
            console.print(_line(verdict))
        task = progress.add_task("", total=photos.count)
        enroller = Enroller(
            engine,
            store,
            photos,
            max_pixels=settings.engine.max_pixels,
            allow=consents.look_at,
            admit=consents.admit,
            dry=dry_run,
            accept=[PhotoOutcome(outcome) for outcome in accept],
            numbers=settings.matching.numbers_of(engine.info.model),
            tell=lambda _, verdict: console.print(_line(verdict)),
            advance=lambda: progress.advance(task),
        )
        try:
            return enroller.run(resume=resume)
        except ConsentUnknownError as error:
            raise ConsentUnknownError(_kept(enroller.result, error)) from None


def _kept(enrolment: EnrolmentResult, error: ConsentUnknownError) -> str:
    kept = {student for student, count in enrolment.saved.items() if count} | enrolment.passed_over.keys()
    lost = {
        student for student, verdicts in enrolment.verdicts.items() if any(v.encoding is not None for v in verdicts)
    }
    return (
        f"{error}, and nobody is saved without a look at their consent. "
        f"Saved before: {count_of(len(kept), 'student')}; "
        f"judged since and not saved: {count_of(len(lost - kept), 'student')}. "
        "When the database is back, give the same command with --resume: it goes on from there"
    )


def _line(verdict: PhotoVerdict) -> str:
    # A file's name may hold what moves a terminal's cursor.
    shown = printable(verdict.name)
    return f"{verdict.outcome:<{_OUTCOME_WIDTH}}  {shown}" + (f": {verdict.detail}" if verdict.detail else "")


def _note(sessions: sessionmaker[Session], enrolment: EnrolmentResult) -> None:
    # Of those passed over too: where the database went away, they are not noted yet.
    counts = enrolment.saved | enrolment.passed_over
    try:
        note_gallery(sessions, counts, now=datetime.now(UTC))
    except sa.exc.SQLAlchemyError as error:
        click.echo(
            f"The students are enrolled, but the dashboard does not show it yet, since the database is away "
            f"({type(error).__name__}); enrol again with --resume.",
            err=True,
        )


def _sum_up(enrolment: EnrolmentResult, store: Path, report: Path | None) -> None:
    Console(soft_wrap=True, highlight=False).print(summary_table(enrolment))
    used = sum(1 for count in enrolment.saved.values() if count)
    encodings = enrolment.count(*(outcome for outcome in PhotoOutcome if outcome.gives_encoding))
    click.echo(
        f"{count_of(used, 'student')} enrolled with {count_of(encodings, 'encoding')}, "
        f"{count_of(enrolment.refused, 'file')} not used. Store: {store}"
    )
    if report is not None:
        click.echo(f"Report: {report} (it holds photos; only you can read it)")
    if enrolment.unchanged:
        click.echo(f"Enrolled before and passed over: {count_of(len(enrolment.unchanged), 'student')}")
    if enrolment.interrupted:
        click.echo("Stopped. What was judged until then is saved; go on with --resume.", err=True)
    if enrolment.without:
        click.echo(f"Without a good photo: {', '.join(enrolment.without)}", err=True)


def publish_index(store: Path, settings: Settings, output: Path | None = None, *, other_family: bool = False) -> None:
    """Build the index that the service searches, and say so.

    Args:
        store: to read.
        settings: say where the index and the database are.
        output: the folder of indexes, in place of the configured one.
        other_family: as for `build_index`.

    Raises:
        StoreError: the store cannot be used.
        GalleryError: the index cannot be written.
    """
    output = output or settings.index_path
    built = build_index(store, output, traits_of=traits_of, other_family=other_family)
    manifest = built.manifest
    click.echo(
        f"Published index {manifest.version}: {count_of(manifest.identities, 'student')}, "
        f"{count_of(manifest.encodings, 'encoding')}, model {manifest.model}. Folder: {output}"
    )
    try:
        record_version(settings.database_url, built, in_use=output.absolute() == settings.index_path.absolute())
    except DatabaseError as error:
        click.echo(f"Not recorded in the database: {error}")


def count_of(number: int, noun: str) -> str:
    """E.g. "1 student", "2 students"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
