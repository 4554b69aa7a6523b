"""Both families of models on the same photos: what each makes of the photos that both can use."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accuracy.calibration.groups import GroupReport
from accuracy.comparison.small_faces import MOST_PHOTOS, FoundFace, SmallEncodings, SmallFaces, draw_photos
from accuracy.evaluation.decisions import ROSTER, Rule, SearchOutcome, decide, rules_of, with_own
from accuracy.evaluation.evaluating import EvaluationPlan, EvaluationRun, run_evaluation
from accuracy.evaluation.figures import RateAt, verification_at
from accuracy.evaluation.photo_reading import OneFace, Reading
from accuracy.evaluation.photo_sets import PhotoSet, SetError
from accuracy.evaluation.searching import Sample, Searches, search
from accuracy.statistics.people import rate_of_pairs, rate_of_people
from accuracy.statistics.rates import Interval
from attendance.face_engine.interface import FaceEngine
from attendance.models_in_use import models_of
from attendance.settings.families import Family, FamilyNumbers
from attendance.settings.model import Settings

FAMILIES = (Family.DLIB, Family.OPENCV)
WANTED = (0.01, 0.001, 0.0001)
"""False match rates at which TAR is compared."""
Read = Callable[[FaceEngine, OneFace | None, Family], Reading]
"""Reads all photos with an engine, telling of each photo of exactly one face."""
Groups = Callable[[Mapping[str, NDArray[np.float64]], float], GroupReport]
"""Given people's encodings and a threshold, the rates by group."""


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """The errors at one of a family's thresholds."""

    title: str
    rule: Rule
    false_match: Interval
    """Of comparisons of two people; exact, of the effective number of pairs."""
    false_non_match: Interval
    """Of comparisons of a person with the same person; exact, of as many trials as there are people."""
    outcomes: "Outcomes"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What the product would have done, each with its exact interval of as many trials as there are people."""

    mated: int
    """Searches of enrolled people."""
    right: Interval
    wrong: Interval
    strangers: int
    named: Interval
    """Searches of strangers that named anybody."""


@dataclass(frozen=True, slots=True)
class AtWidth:
    """Faces scaled down to one width, at the roster's threshold."""

    width: int
    """Pixels, of the box that the family opencv finds at full size."""
    own_width: float | None
    """Pixels, of the boxes that this family finds, the median; None: it finds none."""
    photos: int
    found: Interval
    outcomes: Outcomes
    """Of all of them; a face that is not found names nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class FamilyFigures:
    """One family."""

    numbers: FamilyNumbers
    """In use: those of the family, and what is set in their place."""
    model: str
    run: EvaluationRun
    alone: Mapping[str, str]
    """Photos that only this family can use, and why the other cannot."""
    tar: Sequence[RateAt]
    thresholds: Sequence[AtThreshold]
    widths: Sequence[AtWidth]
    groups: GroupReport | None
    encodings: Mapping[str, NDArray[np.float64]]
    """Of each person the encodings of the photos that both can use, shape (k, encoding_size)."""

    @property
    def family(self) -> Family:
        """Which."""
        return self.numbers.family


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Both."""

    families: Sequence[FamilyFigures]
    photos: int
    """In people's folders."""
    shared: int
    """Of these, which both can use: on them all rates rest."""
    people: int
    """Of those photos."""
    drawn: bool
    """Whether only some of the photos were scaled down."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What one family made of the photos."""

    model: str
    reading: Reading
    small: SmallEncodings


def compare_families(
    photos: PhotoSet, plan: EvaluationPlan, settings: Settings, read: Read, *, groups: Groups | None = None
) -> Comparison | None:
    """Look at photos with both families, one after the other, and work out what each makes of them.

    Args:
        photos: of people.
        plan: how they are used; its rules are left aside for those of each family.
        settings: all of them.
        read: reads the photos with an engine.
        groups: the report by group; None: there is none.

    Returns:
        None if somebody stopped it.

    Raises:
        SetError: there are too few people or photos that both can use, or the plan does not fit them.
        FamilyError: the engine that is set does not have both families.
        EngineError: an engine cannot be made, for example since files are missing, or fails.
    """
    entries = [*photos.together, *photos.enrol, *photos.probe, *photos.strangers]
    searched = [entry.path for entry in (*photos.together, *photos.probe, *photos.strangers)]
    searched += [scene.path for scene in photos.scenes]
    small = SmallFaces(draw_photos(searched, seed=plan.seed))
    seen: dict[Family, _Seen] = {}
    # The family opencv first: its boxes say how far faces are scaled, and its files are those that may be missing.
    for family in reversed(FAMILIES):
        found = _look(family, settings, read, small)
        if found is None:
            return None
        seen[family] = found
    usable = {
        family: {path for path, photo in one.reading.photos.items() if not photo.fault} for family, one in seen.items()
    }
    shared = frozenset.intersection(*(frozenset(paths) for paths in usable.values()))
    if not shared:
        raise SetError("there is no photo that both families can use")
    figures = []
    for family, other in zip(FAMILIES, reversed(FAMILIES), strict=True):
        alone = {
            entry.shown: seen[other].reading.photos[entry.path].fault
            for entry in entries
            if entry.path in usable[family] and entry.path not in usable[other]
        }
        numbers = settings.matching.numbers(family)
        figures.append(
            _work_out(photos, plan, seen[family], numbers=numbers, shared=shared, alone=alone, groups=groups)
        )
    count = sum(entry.path in shared for entry in entries)
    people = len({entry.person for entry in entries if entry.path in shared})
    return Comparison(figures, len(entries), count, people, drawn=len(searched) > MOST_PHOTOS)


def _look(family: Family, settings: Settings, read: Read, small: SmallFaces) -> _Seen | None:
    """All that an engine is needed for; None: stopped."""
    models = models_of(settings, family, "both families are compared")
    # A model of one's own takes the place of dlib's encoder; here it is asked for dlib's.
    engine_settings = settings.engine.model_copy(update={"embedding": None})
    with closing(models.create_engine(engine_settings)) as engine:
        reading = read(engine, small.take if family is Family.OPENCV else None, family)
        if reading.interrupted:
            return None
        try:
            return _Seen(engine.info.model, reading, small.encode(engine))
        except KeyboardInterrupt:
            return None


def _work_out(
    photos: PhotoSet,
    plan: EvaluationPlan,
    seen: _Seen,
    *,
    numbers: FamilyNumbers,
    shared: frozenset[Path],
    alone: Mapping[str, str],
    groups: Groups | None,
) -> FamilyFigures:
    rules = rules_of(numbers)
    run = run_evaluation(photos, seen.reading, replace(plan, rules=rules), model=seen.model, shared=shared)
    encodings = _by_person(run)
    return FamilyFigures(
        numbers,
        seen.model,
        run,
        alone,
        verification_at(run.searches, WANTED, replicates=plan.replicates, seed=plan.seed),
        [_at_threshold(title, rule, run.searches) for title, rule in rules.items()],
        _at_widths(photos, run, seen.small, rules[ROSTER], seed=plan.seed),
        None if groups is None else groups(encodings, numbers.threshold),
        encodings,
    )


def _by_person(run: EvaluationRun) -> dict[str, NDArray[np.float64]]:
    samples = {id(one): one for several in run.arrangement.enrolled.values() for one in several}
    samples |= {id(one): one for one in run.arrangement.probes}
    people: dict[str, list[NDArray[np.float32]]] = {}
    for sample in samples.values():
        people.setdefault(sample.person, []).append(sample.encoding)
    return {person: np.stack(rows).astype(np.float64) for person, rows in people.items()}


def _at_threshold(title: str, rule: Rule, searches: Searches) -> AtThreshold:
    mated = searches.mated
    return AtThreshold(
        title,
        rule,
        rate_of_pairs(searches.comparisons, searches.comparison_people, rule.threshold),
        rate_of_people(searches.own[mated] > rule.threshold, searches.person[mated]),
        _outcomes(
            rule,
            searches,
            mated=mated,
            stranger=searches.stranger,
            person=searches.person,
            places=np.arange(len(searches.probes)),
        ),
    )


def _outcomes(
    rule: Rule,
    searches: Searches | None,
    *,
    mated: NDArray[np.bool_],
    stranger: NDArray[np.bool_],
    person: NDArray[np.int64],
    places: NDArray[np.int64],
) -> Outcomes:
    """What becomes of searches.

    Args:
        rule: how the product decides.
        searches: of those faces that were found; None: of none.
        mated: which of all are of somebody enrolled, shape (n,).
        stranger: which of all are of strangers, shape (n,).
        person: whose each is, shape (n,).
        places: of each probe of `searches` its place among all.
    """
    right, wrong, named = (np.zeros(len(person), np.bool_) for _ in range(3))
    if searches is not None:
        for probe, own, others, place in zip(
            searches.probes, searches.own.tolist(), searches.others, places.tolist(), strict=True
        ):
            if mated[place]:
                outcome, _ = decide(rule, probe.person, with_own(own, probe.person, others))
                right[place], wrong[place] = outcome is SearchOutcome.RIGHT, outcome is SearchOutcome.WRONG
            if stranger[place]:
                named[place] = rule.name(others)[0] is not None
    return Outcomes(
        int(mated.sum()),
        rate_of_people(right[mated], person[mated]),
        rate_of_people(wrong[mated], person[mated]),
        int(stranger.sum()),
        rate_of_people(named[stranger], person[stranger]),
    )


def _at_widths(photos: PhotoSet, run: EvaluationRun, small: SmallEncodings, rule: Rule, *, seed: int) -> list[AtWidth]:
    """The same searches with the faces scaled down."""
    paths = {shown: path for path, shown in photos.files}
    return [_at_width(width, run, several, paths, rule, seed=seed) for width, several in small.items()]


def _at_width(
    width: int,
    run: EvaluationRun,
    small: Mapping[Path, FoundFace | None],
    paths: Mapping[str, Path],
    rule: Rule,
    *,
    seed: int,
) -> AtWidth:
    arranged, full = run.arrangement, run.searches
    scaled = np.array([place for place, one in enumerate(arranged.probes) if paths[one.photo] in small], np.int64)
    probes: list[Sample] = []
    places: list[int] = []
    widths: list[float] = []
    for among, place in enumerate(scaled.tolist()):
        probe = arranged.probes[place]
        face = small[paths[probe.photo]]
        if face is not None:
            probes.append(replace(probe, encoding=face.encoding))
            places.append(among)
            widths.append(face.width)
    found = np.zeros(len(scaled), np.bool_)
    found[places] = True
    searches = None
    if probes:
        left_out = [arranged.left_out[scaled[among]] for among in places] if arranged.left_out else []
        searches = search(run.gallery, probes, left_out=left_out, in_turn=arranged.in_turn, seed=seed)
    person = full.person[scaled]
    outcomes = _outcomes(
        rule,
        searches,
        mated=full.mated[scaled],
        stranger=full.stranger[scaled],
        person=person,
        places=np.array(places, np.int64),
    )
    return AtWidth(
        width, float(np.median(widths)) if widths else None, len(scaled), rate_of_people(found, person), outcomes
    )
