"""`attendance calibrate`: thresholds from the gallery's own photos and from corrected attendance."""

import os
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from accuracy.calibration.calibrating import Calibration
from accuracy.calibration.calibrating import calibrate as run_calibration
from accuracy.calibration.corrections import Corrected, read_corrections
from accuracy.calibration.groups import DEFAULT_GROUP, GroupReport, compare_groups, groups_of, has_database
from accuracy.calibration.pairs import BUDGET
from accuracy.calibration.report import write_calibration
from accuracy.calibration.settings_file import lines_to_copy, write_thresholds
from accuracy.calibration.text import (
    TextTable,
    caveats,
    choice_lines,
    correction_lines,
    group_lines,
    group_tables,
    rate_table,
    summary,
    table_lines,
)
from accuracy.calibration.thresholds import STRANGERS, Purpose
from accuracy.comparison.cli import compare_galleries
from attendance.database.opening import open_session
from attendance.gallery.store import Store, read_store
from attendance.settings import load_settings
from attendance.settings.families import OPENCV, Family, FamilyError
from attendance.settings.files import FILE_NAME, settings_file
from attendance.settings.load import PREFIX
from attendance.settings.matching import MatchingSettings
from attendance.settings.model import Settings

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)
_MANY = 10_000
"""People whose comparison takes long enough to be announced."""


@click.command()
@click.option("--store", "path", type=_FILE, help="The store to read. Default: the configured one.")
@click.option(
    "--wanted",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.001,
    show_default=True,
    help="Largest share of class sessions with a false entry.",
)
@click.option("--roster", type=click.IntRange(1), default=200, show_default=True, help="Students of a session.")
@click.option(
    "--strangers",
    type=click.FloatRange(0, min_open=True),
    default=STRANGERS,
    show_default=True,
    help="People in the room who are not on its roster.",
)
@click.option(
    "--group", metavar="COLUMN", help=f"Report by this column of the student table. Default: {DEFAULT_GROUP}."
)
@click.option("--report", type=_FOLDER, help="Write a page, JSON, and charts as PNG and SVG there.")
@click.option("--write", is_flag=True, help="Write the thresholds into the settings file.")
@click.option("--compare", is_flag=True, help="Both families of models side by side, on the photos that are kept.")
@click.option(
    "--comparisons", type=click.IntRange(1), default=BUDGET, show_default=True, help="Most comparisons; then a sample."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of what is drawn.")
def calibrate(  # noqa: PLR0917 - one parameter an option
    path: Path | None,
    wanted: float,
    roster: int,
    strangers: float,
    group: str | None,
    report: Path | None,
    comparisons: int,
    seed: int,
    *,
    compare: bool,
    write: bool,
) -> None:
    """Choose the matching thresholds from the enrolled photos.

    Students' photos are compared with each other: how often two people match gives the thresholds at which false
    entries are as rare as wanted. Where the gallery is too small to say, the default is given. See docs/accuracy.md.
    With --compare the kept photos are looked at with both families of models, and each gets its thresholds.
    """
    settings = load_settings()
    if compare:
        if write:
            raise click.UsageError(
                "--compare changes no settings: choose a family, and calibrate its gallery with --write"
            )
        store = read_store(path or settings.store_path)
        wish = Purpose(wanted, roster, strangers)
        compare_galleries(store, wish, settings, group=group, report=report, budget=comparisons, seed=seed)
        return
    store = read_store(path or settings.store_path)
    wish = Purpose(wanted, roster, strangers, _margin(settings.matching, store))
    people = store.in_use
    if not people:
        raise click.ClickException("the store holds no student whose photos are in use: enrol some first")
    if len(people) > _MANY:
        click.echo(f"Comparing the photos of {len(people):,} people; this takes up to some minutes.", err=True)
    corrected, groups = _from_database(settings, group, Store(people, store.model, store.encoding_size), comparisons)
    found = run_calibration(
        store, wish, settings.matching, budget=comparisons, seed=seed, groups=groups, corrected=corrected
    )
    _show(found)
    if report is not None:
        zone = ZoneInfo(settings.institution.timezone)
        page = write_calibration(report, found, institution=settings.institution.name, zone=zone)
        click.echo(f"\nReport: {page}")
    if write:
        _write(found)


def _margin(settings: MatchingSettings, store: Store) -> float:
    """That in use; of a model of one's own for which nothing is set SFace's, whose encodings are of length one too."""
    try:
        return settings.numbers_of(store.model).margin
    except FamilyError:
        return settings.custom.margin if settings.custom.margin is not None else OPENCV.margin


def _from_database(
    settings: Settings, group: str | None, store: Store, budget: int
) -> tuple[Corrected | None, Callable[[float], GroupReport] | None]:
    """Corrections and groups; neither where there is no database yet and no group was asked for."""
    if group is None and not has_database(settings.database_url):
        return None, None
    with open_session(settings.database_url) as db:
        corrected = read_corrections(db)
    values = groups_of(settings.database_url, group, store.encodings)
    if values is None:
        return corrected, None
    column = group or DEFAULT_GROUP

    def report(threshold: float) -> GroupReport:
        return compare_groups(store.encodings, values, column=column, threshold=threshold, budget=budget)

    return corrected, report


def _show(found: Calibration) -> None:
    for line in [*summary(found), *found.searched(), *correction_lines(found.corrected), *caveats()]:
        click.echo(line)
    _echo_table(rate_table(found))
    for choice in found.choices:
        click.echo()
        for line in choice_lines(found, choice):
            click.echo(line)
    for table in group_tables(found):
        _echo_table(table)
    for line in group_lines(found):
        click.echo(line)
    click.echo(f"\nFor the settings file:\n{lines_to_copy(found.family, found.thresholds)}")


def _echo_table(table: TextTable) -> None:
    for line in table_lines(table):
        click.echo(line)


def _write(found: Calibration) -> None:
    """Write what was measured; a default that was not is no reason to change what somebody set."""
    measured = {choice.setting: choice.threshold for choice in found.choices if choice.measured}
    if not measured:
        click.echo("\nNothing was written: no threshold was measured.")
        return
    path = settings_file() or Path(FILE_NAME).absolute()
    section = write_thresholds(path, found.family, measured)
    click.echo(f"\nWritten to {path}: {', '.join(f'{section}.{key} = {value:g}' for key, value in measured.items())}")
    names = [f"MATCHING_{found.family}_{key}" for key in measured]
    names += [f"MATCHING_{key}" for key in measured if found.family is Family.DLIB]
    for name in names:
        variable = PREFIX + name.upper()
        if variable in os.environ:
            click.echo(f"{variable} is set in the environment and wins over the file: change it there too.")
    click.echo("Restart the recognition service to use them.")
