"""`attendance recordings`: recorded lectures in bulk, on this machine or on a Ray cluster."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from sqlalchemy.orm import Session

from attendance.database.engine import require_current_schema, session_factory
from attendance.database.opening import open_engine
from attendance.errors import AttendanceError
from attendance.settings import Settings, load_settings
from attendance.settings.logs import configure_logging
from camera_client.frames import SourceError
from operations.cli.bulk.long_runs import INTERRUPTED, LogOfPace, stopped_by_signals, tell_stopped
from operations.cli.bulk.places import place_to_run
from operations.cli.noting import note_run
from operations.recordings.assembling import AskedSitting, Bulk, engine_of_settings
from operations.recordings.journal import FILE, Journal, alone
from operations.recordings.names import NamePattern, PatternError
from operations.recordings.running import RecordingsRun, RunReport
from operations.recordings.settling import settled
from operations.recordings.sitting_work import name_of
from operations.recordings.sittings import sittings_of
from operations.recordings.stretches import length_of
from operations.recordings.videos import Choices, LeftOutVideo, Video, digest_of, find_videos


def _pattern(_context: click.Context, _parameter: click.Parameter, text: str | None) -> NamePattern | None:
    try:
        return NamePattern(text) if text else None
    except PatternError as error:
        raise click.BadParameter(str(error)) from None


@click.group()
def recordings() -> None:
    """Put recorded lectures into registers, in bulk."""


@recordings.command()
@click.argument("place", metavar="FOLDER|LIST", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--on",
    default="local",
    show_default=True,
    callback=place_to_run,
    metavar="WHERE",
    help="local, or local:4 for four processes; ray://HOST:10001 (a Ray client server); ray:HOST:6379 (the head of the "
    "cluster of which this machine is one).",
)
@click.option(
    "--name",
    "pattern",
    metavar="PATTERN",
    callback=_pattern,
    help="What files' names say, e.g. {room}_%Y-%m-%d_%H-%M.mp4: {room}, {camera}, * for anything, and strftime's "
    "%Y %y %m %d %H %M %S %z. With a / it is held against the path within the folder.",
)
@click.option("--room", help="The room of recordings of which neither the list nor the name says it.")
@click.option("--camera", help="The same of the camera; needed where a room has several.")
@click.option(
    "--container-dates",
    is_flag=True,
    help="Where nothing else says when a recording began, believe the date in its container (MP4, MOV, Matroska, "
    "WebM), which is UTC by their standards.",
)
@click.option("--rate", type=click.FloatRange(0, 30, min_open=True), help="Frames looked at for each second.")
@click.option("--again", is_flag=True, help="Look at what was done before, too: with a new index, say.")
@click.option("--dry-run", is_flag=True, help="Say which class sessions would be touched, and change nothing.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="File that holds the token of an operator with the recorder role alone.",
)
def run(  # noqa: PLR0917 - click's parameters
    place: Path,
    on: str,
    pattern: NamePattern | None,
    room: str | None,
    camera: str | None,
    container_dates: bool,
    rate: float | None,
    again: bool,
    dry_run: bool,
    token_file: Path | None,
) -> None:
    """Look at the videos of a folder, or of a list, and enter in registers whom they show.

    A list is a CSV table with the columns file, room, camera and start. Killed or stopped, the same command goes on;
    what is done is not done again. The exit status is 1 if anything was left out.
    """
    settings = _with(load_settings(), token_file)
    configure_logging(settings.log)
    choices = Choices(pattern, room, camera, container_dates)
    asked = AskedSitting(on, rate or settings.recordings.rate, again)
    with stopped_by_signals(), open_engine(settings.database_url, pool_size=settings.database.pool_size) as database:
        require_current_schema(database)
        with session_factory(database, settings.attendance)() as db:
            videos, left = find_videos(db, place, choices, settings.institution)
            if dry_run:
                with _done_before(settings, again=again) as done:
                    for video in videos:
                        _tell_sessions(db, video, left, settings, done)
                _tell_left(left)
                sys.exit(1 if left else 0)
        with alone(settings.recordings_path, place):
            sys.exit(_run(settings, database, asked, videos, left))


def _with(settings: Settings, token_file: Path | None) -> Settings:
    if token_file is None:
        return settings
    given = settings.recordings.model_copy(update={"token": None, "token_file": token_file})
    return settings.model_copy(update={"recordings": given})


def _run(
    settings: Settings, database: sa.Engine, asked: AskedSitting, videos: Sequence[Video], left: list[LeftOutVideo]
) -> int:
    bulk = Bulk(settings, database, asked, engine_of_settings(settings))
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for source in dict.fromkeys(video.start_from for video in videos):
        count = sum(video.start_from is source for video in videos)
        console.print(f"{count} of {len(videos)} recordings: {source} says when they began.")
    stopped, failed = False, None
    with bulk.prepared(videos, left, console.print) as (work, where):
        # Before anything is entered: however the run ends, the log says who answers.
        note_run(database, {"answers": bulk.answers, "recordings_given": len(videos)})
        console.print(f"On {where}; {bulk.answers} answers for it.")
        with _showing(console, work) as tell:
            try:
                work.go(tell)
            except KeyboardInterrupt:
                stopped = True
            except AttendanceError as error:
                failed = error
    report = work.report
    undelivered = bulk.undelivered()
    _tell(report, undelivered, stopped=stopped)
    if failed is not None:
        raise failed
    note_run(database, {"answers": bulk.answers, "recordings": report.videos, "left_out": len(report.left)})
    if stopped:
        return INTERRUPTED
    return 1 if report.left or undelivered else 0


@contextmanager
def _showing(console: Console, work: RecordingsRun) -> Iterator[Callable[[RunReport], None]]:
    """Shows how far the run is, how fast it is, and when it may end."""
    log = LogOfPace(console)
    columns = (TextColumn("Recordings"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[pace]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=1.0, pace="")

        def tell(report: RunReport) -> None:
            ends = log.left(work.done, report.passed_over)
            pace = f"{report.seconds / max(log.passed_s, 1e-3):.1f} hours of video an hour, {ends}"
            progress.update(task, completed=work.done, pace=pace)
            log.tell(lambda: f"{work.done:.0%} done; {pace}")

        yield tell


@contextmanager
def _done_before(settings: Settings, *, again: bool) -> Iterator[Callable[[str], bool]]:
    """Says of a sitting whether a run would pass over it; no journal is made for that."""
    path = settings.recordings_path / FILE
    if again or not path.exists():
        yield lambda _: False
        return
    with closing(Journal(path)) as journal:
        yield lambda key: journal.done(key) is not None


def _tell_sessions(
    db: Session, video: Video, left: list[LeftOutVideo], settings: Settings, done: Callable[[str], bool]
) -> None:
    """Say which sessions a recording would touch, by its header where that says how long it is."""
    try:
        settled(video.path, settings.recordings.settle_s)
        length, digest = length_of(video.path), digest_of(video.path)
    except (SourceError, OSError) as error:
        left.append(LeftOutVideo(name_of(video.path), getattr(error, "strerror", None) or str(error)))
        return
    zone = ZoneInfo(settings.institution.timezone)
    begins = video.starts_at.astimezone(zone)
    click.echo(
        f"{name_of(video.path)}: {video.camera.room}, camera {video.camera.name}, from {begins:%Y-%m-%d %H:%M:%S %Z} "
        f"(by {video.start_from}), {timedelta(seconds=round(length))}"
    )
    sittings = sittings_of(db, video, digest, length)
    if not sittings:
        left.append(LeftOutVideo(name_of(video.path), f"no class session counts in {video.camera.room} while it runs"))
    for sitting in sittings:
        before = "; done before" if done(sitting.key) else ""
        for plan in sitting.plans:
            starts, ends = plan.starts_at.astimezone(zone), plan.ends_at.astimezone(zone)
            during = f"{starts:%Y-%m-%d %H:%M} to {ends:%H:%M}"
            click.echo(f"    session {plan.session_id}, {during}, {len(plan.roster)} students{before}")


def _tell_left(left: Sequence[LeftOutVideo]) -> None:
    for one in left:
        click.echo(f"left out  {name_of(Path(one.path))}: {one.why}")


def _tell(report: RunReport, undelivered: int, *, stopped: bool) -> None:
    _tell_left(report.left)
    click.echo(
        f"{report.videos} recordings looked at, {report.known} done before; {report.pictures:,} pictures of "
        f"{timedelta(seconds=round(report.seconds))} in {report.sittings} sittings, {report.students} sightings."
    )
    if report.held:
        click.echo(
            f"{report.held} sightings are held: they may show photos, and somebody must look at them in the dashboard."
        )
    if report.processor_s:
        click.echo(f"{report.seconds / report.processor_s:.2f} hours of video an hour and core.")
    if report.repeated:
        click.echo(f"{report.repeated} stretches of recordings that a stopped run had open were looked at again.")
    if undelivered:
        click.echo(
            f"{undelivered} sightings and hours wait for the database; the same command delivers them.", err=True
        )
    if stopped:
        tell_stopped()
