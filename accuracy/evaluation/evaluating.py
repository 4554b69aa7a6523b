"""One evaluation from photos to figures: read, arrange, search, work out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from accuracy.evaluation.decisions import Rule
from accuracy.evaluation.figures import Evaluation, evaluate
from accuracy.evaluation.gallery_pictures import find_pictures
from accuracy.evaluation.photo_reading import Reading, SeenPhoto
from accuracy.evaluation.photo_sets import Entry, LeftOut, PhotoSet, SetError
from accuracy.evaluation.scenes import SceneResult, look_at_scenes
from accuracy.evaluation.searching import Sample, Searches, search
from accuracy.evaluation.splitting import (
    Arrangement,
    arrange,
    by_person,
    hold_out,
    leave_one_out,
    split,
    without_repeats,
)
from accuracy.statistics.bootstrap import REPLICATES
from attendance.gallery.gallery import Gallery
from attendance.gallery.store import Store
from attendance.settings.families import BUILT_IN, OPENCV, family_of

EACH, NONE = "each", "none"
MOST_PAIRS = 200
"""Misidentified pairs shown as pictures, the nearest first: the worst."""
NOT_SHARED = "the other family cannot use it"
_FEW_PEOPLE = 10


@dataclass(frozen=True, slots=True, eq=False)
class EnrolledGallery:
    """A gallery that is searched in place of photos of the folder."""

    gallery: Gallery
    store: Store | None = None
    """What it was read from; None: an index, which knows no photos."""

    @property
    def photos(self) -> frozenset[str]:
        """SHA-256 of the files it was made of, as far as they are known."""
        if self.store is None:
            return frozenset()
        origins = (origin for several in self.store.provenance.values() for origin in several)
        return frozenset(origin.photo_sha256 for origin in origins if origin.photo_sha256)


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """How photos are used."""

    fraction: float | None = None
    """Share of each person's photos that is enrolled; None: leave-one-out, or as the folders say."""
    strangers: str | float | None = None
    """`EACH`, `NONE`, a share of the people held out, or None: whoever is searched without being enrolled, and if there
    is nobody, each person in turn."""
    rules: Mapping[str, Rule] = field(default_factory=dict)
    replicates: int = REPLICATES
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationRun:
    """What came of it."""

    evaluation: Evaluation
    searches: Searches
    scenes: Sequence[SceneResult]
    enrolled: Mapping[str, Sequence[Sample]]
    """The samples that were enrolled; where a store was searched, those of people who are taken for others."""
    arrangement: Arrangement
    """Who is enrolled with what, and the probes."""
    gallery: Gallery
    """That was searched."""
    left_out: Sequence[LeftOut]
    photos: int
    """Read from people's folders."""
    not_acquired: int
    """Of these, how many could not be read or do not show exactly one face (failure to acquire)."""
    how: str
    """In words, how the photos were used."""
    remarks: Sequence[str]


def run_evaluation(
    photos: PhotoSet,
    reading: Reading,
    plan: EvaluationPlan,
    *,
    model: str,
    gallery: EnrolledGallery | None = None,
    shared: Collection[Path] | None = None,
) -> EvaluationRun:
    """Evaluate photos that were read.

    Args:
        photos: what lies where.
        reading: its photos.
        plan: how they are used.
        model: the embedding model.
        gallery: searched in place of photos of the folder.
        shared: the photos whose faces count in the rates, where several models are to be compared on the same; None:
            all that can be used. Photos in no person's folder are looked at in any case.

    Raises:
        SetError: there are too few people or photos, or the plan does not fit them.
    """
    left_out = list(photos.left_out)
    arranged, how = _arrange(photos, _only(reading, shared), plan, left_out, gallery)
    searched = (
        gallery.gallery
        if gallery is not None
        else Gallery.from_encodings(arranged.encodings, model=model, encoding_size=_size(arranged))
    )
    searches = search(searched, arranged.probes, left_out=arranged.left_out, in_turn=arranged.in_turn, seed=plan.seed)
    rule = next(iter(plan.rules.values()), None)
    evaluation = evaluate(searches, plan.rules, replicates=plan.replicates, seed=plan.seed)
    enrolled = arranged.enrolled
    if gallery is not None and gallery.store is not None:
        enrolled = find_pictures(gallery.store, {one.taken_for for one in evaluation.confusions[:MOST_PAIRS]})
    people = [*photos.together, *photos.enrol, *photos.probe, *photos.strangers]
    return EvaluationRun(
        photos=len(people),
        not_acquired=sum(bool(reading.photos[entry.path].fault) for entry in people),
        evaluation=evaluation,
        searches=searches,
        scenes=look_at_scenes(photos.scenes, reading, searched, rule, left_out),
        enrolled=enrolled,
        arrangement=arranged,
        gallery=searched,
        left_out=left_out,
        how=how,
        remarks=_remarks(searches, arranged, model),
    )


def _size(arranged: Arrangement) -> int:
    return len(next(one for several in arranged.enrolled.values() for one in several).encoding)


def _only(reading: Reading, shared: Collection[Path] | None) -> Reading:
    """The reading, with what is not shared by all as unusable."""
    if shared is None:
        return reading
    photos = {
        path: seen if seen.fault or path in shared else replace(seen, problem=NOT_SHARED)
        for path, seen in reading.photos.items()
    }
    return Reading(photos, interrupted=reading.interrupted)


def _arrange(
    photos: PhotoSet, reading: Reading, plan: EvaluationPlan, left_out: list[LeftOut], gallery: EnrolledGallery | None
) -> tuple[Arrangement, str]:
    together = _samples(photos.together, reading, left_out)
    enrol = _samples(photos.enrol, reading, left_out)
    probe = _samples(photos.probe, reading, left_out) + _of_scenes(photos, reading)
    strangers = _samples(photos.strangers, reading, left_out)
    unique = without_repeats([*together, *enrol, *probe, *strangers], left_out)
    kept = {id(sample) for sample in unique}
    together, enrol, probe, strangers = (
        [one for one in part if id(one) in kept] for part in (together, enrol, probe, strangers)
    )
    if isinstance(plan.strangers, float):
        held_from = [*together, *enrol, *probe]
        _, held = hold_out(enrol or held_from, plan.strangers, seed=plan.seed)
        out = {sample.person for sample in held}
        strangers += [one for one in held_from if one.person in out]
        together, enrol, probe = ([one for one in part if one.person not in out] for part in (together, enrol, probe))
    if gallery is not None:
        return _of_gallery(gallery, probe, strangers, plan, left_out, scenes=bool(photos.scenes))
    if photos.enrol:
        in_turn = _in_turn(plan, [*probe, *strangers], {one.person for one in enrol})
        how = "people enrolled from one folder and searched for with photos of another"
        return arrange(by_person(enrol), probe, strangers, in_turn=in_turn, scenes=bool(photos.scenes)), how
    in_turn = _in_turn(plan, strangers, set())
    if plan.fraction is None:
        return leave_one_out(together, strangers, in_turn=in_turn), "leave-one-out: each photo among all the others"
    how = f"{plan.fraction:.0%} of each person's photos enrolled, drawn with seed {plan.seed}; the rest searched"
    return split(together, strangers, plan.fraction, in_turn=in_turn, seed=plan.seed), how


def _in_turn(plan: EvaluationPlan, searched: Sequence[Sample], enrolled: set[str]) -> bool:
    """Whether each enrolled person is a stranger in turn: if asked for, or where there are no other strangers."""
    if plan.strangers is not None:
        return plan.strangers == EACH
    return all(sample.person in enrolled for sample in searched)


def _of_gallery(
    enrolled: EnrolledGallery,
    probe: list[Sample],
    strangers: list[Sample],
    plan: EvaluationPlan,
    left_out: list[LeftOut],
    *,
    scenes: bool,
) -> tuple[Arrangement, str]:
    gallery = enrolled.gallery
    if not gallery.identities:
        raise SetError("the gallery is empty: enrol students first")
    fresh, photos = [], enrolled.photos
    # Of a model of one's own SFace's: its encodings are of length one, too.
    numbers = BUILT_IN.get(family_of(gallery.model), OPENCV)
    for sample in probe:
        rows = gallery.rows_of(sample.person)
        same = len(rows) and float(np.linalg.norm(rows - sample.encoding, axis=1).min()) < numbers.same_encoding
        if sample.sha256 in photos or same:
            left_out.append(LeftOut(sample.photo, "the gallery was made from this photo"))
        else:
            fresh.append(sample)
    if not fresh and not strangers and not scenes:
        raise SetError("no photo is left to search with: every usable one is in the gallery already")
    in_turn = _in_turn(plan, [*fresh, *strangers], set(gallery.identities))
    how = f"photos searched in the gallery that is there (version {gallery.version or 'of the store'})"
    return Arrangement({}, [*fresh, *strangers], in_turn=in_turn), how


def _samples(entries: Sequence[Entry], reading: Reading, left_out: list[LeftOut]) -> list[Sample]:
    samples = []
    for person, path, shown in entries:
        seen = reading.usable(path, shown, left_out)
        if seen is not None:
            samples.append(_sample(person, seen))
    return samples


def _sample(person: str, seen: SeenPhoto) -> Sample:
    (face,) = seen.certain
    return Sample(person, seen.shown, face.encoding, face.thumbnail, seen.sha256)


def _of_scenes(photos: PhotoSet, reading: Reading) -> list[Sample]:
    """Loose photos of one face whose answer says who it is, or that it is nobody enrolled."""
    samples = []
    for path, shown, people in photos.scenes:
        seen = reading.photos.get(path)
        if seen is not None and not seen.fault and people is not None and len(people) <= 1:
            samples.append(_sample(next(iter(people), f"stranger {Path(shown).name}"), seen))
    return samples


def _remarks(searches: Searches, arranged: Arrangement, model: str) -> list[str]:
    remarks = []
    single = sum(1 for samples in arranged.enrolled.values() if len(samples) == 1)
    if arranged.left_out and single:
        what = "person has one usable photo only and is" if single == 1 else "people have one usable photo only and are"
        remarks.append(f"{single} {what} enrolled but cannot be searched for.")
    if not searches.mated.any():
        remarks.append("Nobody enrolled is searched for: identification and TAR are left out.")
    mated_people = len(np.unique(searches.person[searches.mated]))
    if 0 < mated_people < _FEW_PEOPLE:
        remarks.append(f"With {mated_people} enrolled people searched for, intervals are no more than a hint.")
    if not searches.stranger.any():
        remarks.append("There are no strangers: everything about false positives of searches is left out.")
    numbers = BUILT_IN.get(family_of(model))
    same = int((searches.own < numbers.same_picture).sum()) if numbers is not None else 0
    if same:
        remarks.append(
            f"{same} of the photos are so near to an enrolled one that they may be the same picture stored anew, which "
            "flatters the figures."
        )
    return remarks
