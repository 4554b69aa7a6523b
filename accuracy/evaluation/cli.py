"""`attendance evaluate`: how well people are identified on photos with known answers."""

import os
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from accuracy.comparison.cli import compare_photos, report_comparison, show_comparison, stop
from accuracy.evaluation.decisions import Rule, rules_of
from accuracy.evaluation.embedding_model import EmbeddingModel
from accuracy.evaluation.evaluating import EACH, NONE, EnrolledGallery, EvaluationPlan, run_evaluation
from accuracy.evaluation.photo_sets import PhotoSet, find_set
from accuracy.evaluation.progress import read_with_progress
from accuracy.evaluation.report import write_evaluation
from accuracy.evaluation.text import print_evaluation
from accuracy.statistics.bootstrap import REPLICATES
from attendance.face_engine.interface import FaceEngine
from attendance.gallery.format import load_gallery
from attendance.gallery.gallery import Gallery
from attendance.gallery.store import StoreError, read_store
from attendance.models_in_use import ModelsInUse, models_for_photos, models_in_use
from attendance.settings import load_settings
from attendance.settings.families import DLIB, Family, FamilyError, FamilyNumbers
from attendance.settings.model import MatchingSettings, Settings

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--split",
    "split",
    metavar="ENROL/PROBE|SHARE",
    help="Two folders in FOLDER, what is enrolled and what is searched; or the share of each person's photos to enrol.",
)
@click.option(
    "--strangers",
    metavar="each|none|SHARE|DIR",
    help="Who is searched without being enrolled: each person in turn, nobody, a share of the people, or a folder.",
)
@click.option(
    "--gallery", type=click.Path(path_type=Path, exists=True), help="Search in this store or folder of indexes."
)
@click.option("--answers", type=_FILE, help="A table (photo, people) for photos that lie in no person's folder.")
@click.option("--threshold", type=click.FloatRange(0, min_open=True), help="Default: the configured ones.")
@click.option("--margin", type=click.FloatRange(0), help="Default: the configured one.")
@click.option(
    "--embedding", metavar="MODULE:FUNCTION", help="Encode with this function in place of the engine's model."
)
@click.option(
    "--embedding-takes",
    type=click.Choice(["chips", "photos"]),
    default="chips",
    show_default=True,
    help="What that function is given: aligned faces, or whole photos of one face.",
)
@click.option("--normalise", is_flag=True, help="Scale that function's encodings to length one.")
@click.option("--compare", is_flag=True, help="Both families of models side by side on the same photos.")
@click.option(
    "--group",
    metavar="COLUMN",
    help="With --compare: rates by this column of the student table. Default: declared_group.",
)
@click.option("--output", type=_FOLDER, help="Write a report there: a page with pictures, JSON, and plots.")
@click.option(
    "--bootstrap", type=click.IntRange(100, 100_000), default=REPLICATES, show_default=True, help="Replicates."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything that is drawn.")
def evaluate(  # noqa: PLR0917 - one parameter an option
    folder: Path,
    split: str | None,
    strangers: str | None,
    gallery: Path | None,
    answers: Path | None,
    threshold: float | None,
    margin: float | None,
    embedding: str | None,
    embedding_takes: str,
    group: str | None,
    output: Path | None,
    bootstrap: int,
    seed: int,
    *,
    compare: bool,
    normalise: bool,
) -> None:
    """Measure identification and verification on photos of known people.

    FOLDER holds one folder for each person, with photos of that person alone, or two such folders, enrol and probe.
    Each photo is searched among all the others (leave-one-out), unless --split, --gallery or the folders say otherwise.
    Nothing is enrolled in the configured gallery, and nothing of the photos is kept but what --output writes.
    With --compare both families of models are measured, each at its own thresholds.
    """
    settings = load_settings()
    halves, fraction = _read_split(split)
    held_out, others = _read_strangers(strangers)
    _check(gallery=gallery, split=split, embedding=embedding, held_out=held_out, normalise=normalise)
    _check_comparison(compare, group, gallery=gallery, embedding=embedding, threshold=threshold, margin=margin)
    _check_output(output, folder)
    plugged = _load(embedding, photos=embedding_takes == "photos", normalise=normalise)
    options = {"gallery": gallery is not None, "share": fraction is not None}
    photos = find_set(folder, halves=halves, strangers=others, answers=answers, **options)
    if compare:
        _compare(photos, EvaluationPlan(fraction, held_out, {}, bootstrap, seed), settings, group=group, output=output)
        return
    models = _models(settings, gallery)
    numbers = None if plugged is not None else _numbers(settings.matching, models.family)
    rules = _rules(numbers, threshold, DLIB.margin if margin is None and numbers is None else margin)
    plan = EvaluationPlan(fraction, held_out, rules, bootstrap, seed)
    _run(photos, plan, settings, models, gallery=gallery, plugged=plugged, output=output)


def _run(
    photos: PhotoSet,
    plan: EvaluationPlan,
    settings: Settings,
    models: ModelsInUse,
    *,
    gallery: Path | None,
    plugged: EmbeddingModel | None,
    output: Path | None,
) -> None:
    """Read, work out, print and write."""
    with closing(models.create_engine(settings.engine)) as engine:
        model = engine.info.model if plugged is None else plugged.name
        enrolled = None if gallery is None else _open_gallery(gallery, engine)
        max_pixels = settings.engine.max_pixels
        reading = read_with_progress(photos.files, engine, max_pixels=max_pixels, embedding=plugged)
    if reading.interrupted:
        stop()
    try:
        run = run_evaluation(photos, reading, plan, model=model, gallery=enrolled)
        print_evaluation(run, click.echo, model=model)
        if output is not None:
            zone = ZoneInfo(settings.institution.timezone)
            page = write_evaluation(output, run, model=model, institution=settings.institution.name, zone=zone)
            click.echo(f"Report: {page} (it holds photos; only you can read it)")
    except KeyboardInterrupt:
        stop()


def _compare(
    photos: PhotoSet, plan: EvaluationPlan, settings: Settings, *, group: str | None, output: Path | None
) -> None:
    """Both families: read, work out, print and write."""
    found = compare_photos(photos, plan, settings, group=group)
    if found is None:
        stop()
    show_comparison(found, names=True)
    if output is not None:
        report_comparison(output, found, settings, names=True)


def _load(embedding: str | None, *, photos: bool, normalise: bool) -> EmbeddingModel | None:
    """The plugged-in model, of an installed module or one in the current folder."""
    if embedding is None:
        return None
    sys.path.insert(0, str(Path.cwd()))
    return EmbeddingModel.load(embedding, photos=photos, normalise=normalise)


def _read_split(text: str | None) -> tuple[tuple[str, str] | None, float | None]:
    """The two folders, or the share."""
    if text is None:
        return None, None
    share = _share(text)
    if share is not None:
        return None, share
    first, _, second = text.partition("/")
    if not first or not second or "/" in second or {first, second} & {".", ".."} or first == second:
        raise click.BadParameter(f"{text!r} is neither two folders (enrol/probe) nor a share between 0 and 1")
    return (first, second), None


def _read_strangers(text: str | None) -> tuple[str | float | None, Path | None]:
    """Who of the folder is a stranger, and a folder of others."""
    if text is None or text in (EACH, NONE):
        return text, None
    share = _share(text)
    if share is not None:
        return share, None
    if not Path(text).is_dir():
        raise click.BadParameter(f"--strangers: {text!r} is neither each, none, a share between 0 and 1 nor a folder")
    return None, Path(text)


def _share(text: str) -> float | None:
    try:
        share = float(text)
    except ValueError:
        return None
    return share if 0 < share < 1 else None


def _check(
    *, gallery: Path | None, split: str | None, embedding: str | None, held_out: str | float | None, normalise: bool
) -> None:
    if gallery is not None and split is not None:
        raise click.UsageError("--split enrols photos of FOLDER, --gallery none: name one of them")
    if gallery is not None and isinstance(held_out, float):
        raise click.UsageError("with --gallery nobody of FOLDER is enrolled, so no share of them can be held out")
    if gallery is not None and embedding is not None:
        raise click.UsageError("a gallery holds the engine's encodings: --embedding cannot search it")
    if normalise and embedding is None:
        raise click.UsageError("--normalise is for --embedding")


def _check_comparison(compare: bool, group: str | None, **others: object) -> None:
    given = [f"--{name}" for name, value in others.items() if value is not None]
    if compare and given:
        raise click.UsageError(f"{given[0]} is for one family of models: leave it out, or leave out --compare")
    if group is not None and not compare:
        raise click.UsageError("--group is for --compare")


def _check_output(output: Path | None, folder: Path) -> None:
    """Said now, not after an hour of photos."""
    if output is None:
        return
    if output.resolve().is_relative_to(folder.resolve()):
        raise click.UsageError(f"--output lies in {folder}: its pictures would be taken for photos the next time")
    there = next(place for place in (output.absolute(), *output.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise click.ClickException(
            f"the report cannot be written to {output}: {there} is no folder that you may write in"
        )


def _models(settings: Settings, gallery: Path | None) -> ModelsInUse:
    """Those of the gallery that is searched; without one, those of the installation."""
    if gallery is None:
        return models_for_photos(settings)
    if gallery.is_dir():
        return models_in_use(settings, index=gallery)
    return models_in_use(settings, store=gallery)


def _numbers(settings: MatchingSettings, family: Family) -> FamilyNumbers | None:
    """None for a model of one's own whose distances are not set."""
    try:
        return settings.numbers(family)
    except FamilyError:
        return None


def _open_gallery(path: Path, engine: FaceEngine) -> EnrolledGallery:
    """A store's encodings, or the current index of a folder.

    Raises:
        StoreError: the store cannot be used, or another model made it.
        GalleryError: the same of the index.
    """
    info = engine.info
    if path.is_dir():
        return EnrolledGallery(load_gallery(path, model=info.model))
    store = read_store(path, encoding_size=info.encoding_size)
    if store.model != info.model:
        raise StoreError(f"the store {path} was made with the model {store.model}, but the engine uses {info.model}")
    gallery = Gallery.from_encodings(store.in_use, model=store.model, encoding_size=store.encoding_size)
    return EnrolledGallery(gallery, store)


def _rules(numbers: FamilyNumbers | None, threshold: float | None, margin: float | None) -> Mapping[str, Rule]:
    """How the product decides; nothing for a model whose threshold nobody named.

    Args:
        numbers: of the family of models; None: not known.
        threshold: in place of the family's.
        margin: in place of the family's; given where those are not known.
    """
    if numbers is None:
        return {} if threshold is None or margin is None else {"the given threshold": Rule(threshold, margin)}
    apart = numbers.margin if margin is None else margin
    if threshold is not None:
        return {"the given threshold": Rule(threshold, apart)}
    return rules_of(numbers, apart)
