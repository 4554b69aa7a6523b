"""What `attendance evaluate --compare` and `attendance calibrate --compare` have in common."""

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import click
import numpy as np
from numpy.typing import NDArray

from accuracy.calibration.calibrating import calibrate as run_calibration
from accuracy.calibration.groups import DEFAULT_GROUP, GroupReport, compare_groups, groups_of, has_database
from accuracy.calibration.pairs import BUDGET
from accuracy.calibration.report import as_json as calibration_as_json
from accuracy.calibration.text import TextTable, table_lines, wish_line
from accuracy.calibration.thresholds import Purpose
from accuracy.comparison.comparing import Comparison, Groups, compare_families
from accuracy.comparison.kept_photos import find_kept_photos
from accuracy.comparison.report import write_comparison
from accuracy.comparison.text import (
    MOST_ALONE,
    alone_table,
    choice_table,
    notes,
    scene_table,
    summary,
    tables,
    width_lines,
)
from accuracy.evaluation.evaluating import EACH, EvaluationPlan
from accuracy.evaluation.photo_reading import OneFace, Reading
from accuracy.evaluation.photo_sets import PhotoSet
from accuracy.evaluation.progress import read_with_progress
from attendance.face_engine.interface import FaceEngine
from attendance.gallery.store import Store
from attendance.settings.families import Family
from attendance.settings.model import Settings
from index_builder.consent import open_register, without_consent

INTERRUPTED = 130
"""The exit status of a command that somebody interrupted."""


def compare_galleries(
    store: Store,
    wanted: Purpose,
    settings: Settings,
    *,
    group: str | None,
    report: Path | None,
    budget: int,
    seed: int,
) -> None:
    """Compare both families on the photos of a store, choose thresholds for each, print and write.

    Args:
        store: whose photos are taken; nothing of it is changed.
        wanted: what the thresholds shall keep; the margin is each family's own.
        settings: all of them.
        group: as for `compare_photos`.
        report: a folder to write in; None: nothing is written.
        budget: most comparisons.
        seed: of what is drawn.

    Raises:
        AttendanceError: as for `compare_photos`; also where no photo is kept, or the database is away.
    """
    kept = find_kept_photos(store, without_consent=_without_consent(settings, store))
    plan = EvaluationPlan(strangers=EACH, seed=seed)
    found = compare_photos(kept.photos, plan, settings, group=group, kept_as=kept.sha256)
    if found is None:
        stop()
    calibrations = [
        run_calibration(
            Store(one.encodings, one.model, next(iter(one.encodings.values())).shape[1]),
            replace(wanted, margin=one.numbers.margin),
            settings.matching,
            budget=budget,
            seed=seed,
        )
        for one in found.families
    ]
    chosen = choice_table(calibrations)
    _echo([*kept.lines(), wish_line(wanted)])
    _echo(table_lines(chosen._replace(rows=[row[:-1] for row in chosen.rows], head=chosen.head[:-1])))
    for row in chosen.rows:
        click.echo(f"{row[0]}: {row[-1]}")
    click.echo("")
    show_comparison(found, names=False)
    if report is not None:
        made_at = datetime.now(UTC).astimezone(ZoneInfo(settings.institution.timezone))
        figures = {str(one.family): calibration_as_json(one, made_at) for one in calibrations}
        more_figures = {"calibrations": figures, "students_not_compared": dict(kept.without)}
        report_comparison(report, found, settings, names=False, more=[chosen], more_figures=more_figures)


def _without_consent(settings: Settings, store: Store) -> Collection[str]:
    """Nobody where there is no database yet, which knows of consent."""
    if not has_database(settings.database_url):
        return ()
    with open_register(settings.database_url) as sessions:
        return without_consent(sessions, list(store.encodings))


def stop() -> NoReturn:
    """End a command that somebody interrupted."""
    click.echo("Stopped: no figures are given, since those of a part of the photos would mislead.", err=True)
    sys.exit(INTERRUPTED)


def compare_photos(
    photos: PhotoSet,
    plan: EvaluationPlan,
    settings: Settings,
    *,
    group: str | None,
    kept_as: Mapping[Path, str] | None = None,
) -> Comparison | None:
    """Compare both families on photos, with a bar for each on a terminal.

    Args:
        photos: of people.
        plan: how they are used.
        settings: all of them.
        group: the column of the student table by which rates are told apart; None: the declared group, if any did.
        kept_as: of photos that must not have changed the SHA-256.

    Returns:
        None if somebody stopped it.

    Raises:
        AttendanceError: as for `compare_families` and `groups_of`.
    """
    people = {one.person for one in (*photos.together, *photos.enrol, *photos.probe)}
    values = groups_of(settings.database_url, group, people)

    def read(engine: FaceEngine, one_face: OneFace | None, family: Family) -> Reading:
        reading = read_with_progress(
            photos.files,
            engine,
            max_pixels=settings.engine.max_pixels,
            one_face=one_face,
            what=f"Encoding photos, {family}",
        )
        for path, sha256 in (kept_as or {}).items():
            if path in reading.photos:
                reading.photos[path] = reading.photos[path].unless_changed(sha256)
        return reading

    return compare_families(photos, plan, settings, read, groups=_by_group(values, group or DEFAULT_GROUP))


def _by_group(values: Mapping[str, str] | None, column: str) -> Groups | None:
    if values is None:
        return None

    def report(encodings: Mapping[str, NDArray[np.float64]], threshold: float) -> GroupReport:
        return compare_groups(encodings, values, column=column, threshold=threshold, budget=BUDGET)

    return report


def show_comparison(found: Comparison, *, names: bool) -> None:
    """Print a comparison.

    Args:
        found: what to print.
        names: whether photos are named.
    """
    _echo(summary(found))
    for table in tables(found):
        _echo(table_lines(table))
    click.echo("")
    _echo([*width_lines(found), *notes(found)])
    if names:
        scenes, alone = scene_table(found), alone_table(found)
        if scenes is not None:
            _echo(table_lines(scenes))
        if alone is not None:
            _echo(table_lines(alone._replace(rows=alone.rows[:MOST_ALONE])))
            if len(alone.rows) > MOST_ALONE:
                click.echo("... all are in the report (--output)")


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def report_comparison(
    folder: Path,
    found: Comparison,
    settings: Settings,
    *,
    names: bool,
    more: Iterable[TextTable] = (),
    more_figures: Mapping[str, Any] | None = None,
) -> None:
    """Write the report and say where; see `write_comparison`."""
    zone = ZoneInfo(settings.institution.timezone)
    page = write_comparison(
        folder,
        found,
        institution=settings.institution.name,
        zone=zone,
        names=names,
        more=list(more),
        more_figures=more_figures,
    )
    click.echo(f"\nReport: {page}")
