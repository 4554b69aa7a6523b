"""Which samples are enrolled and which are searched: leave-one-out, a split, or a gallery that is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accuracy.evaluation.photo_sets import LeftOut, SetError
from accuracy.evaluation.searching import Sample

_LEAST_ENROLLED = 2
"""People: with fewer there is nobody to be confused with."""


@dataclass(frozen=True, slots=True, eq=False)
class Arrangement:
    """Who is enrolled with what, and the probes."""

    enrolled: Mapping[str, Sequence[Sample]]
    probes: Sequence[Sample]
    left_out: Sequence[int | None] = ()
    """Leave-one-out: for each probe its place among its person's enrolled samples."""
    in_turn: bool = False
    """Whether everybody enrolled is searched for as a stranger too, without their own samples."""

    @property
    def encodings(self) -> dict[str, NDArray[np.float32]]:
        """For each person enrolled an array of shape (k, d)."""
        return {person: np.stack([sample.encoding for sample in samples]) for person, samples in self.enrolled.items()}


def without_repeats(samples: Sequence[Sample], left_out: list[LeftOut]) -> list[Sample]:
    """Samples whose file is no copy of one before: a photo would otherwise be found by itself."""
    seen: dict[str, str] = {}
    kept = []
    for sample in samples:
        first = seen.setdefault(sample.sha256, sample.photo) if sample.sha256 else sample.photo
        if first == sample.photo:
            kept.append(sample)
        else:
            left_out.append(LeftOut(sample.photo, f"the same file as {first}"))
    return kept


def by_person(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Samples of each person, in order."""
    grouped: dict[str, list[Sample]] = {}
    for sample in samples:
        grouped.setdefault(sample.person, []).append(sample)
    return grouped


def hold_out(samples: Sequence[Sample], fraction: float, *, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Draw a share of the people as strangers.

    Returns:
        The samples of those who stay and of those who are held out, at least one of the latter.

    Raises:
        SetError: too few people would stay.
    """
    people = list(by_person(samples))
    count = max(round(fraction * len(people)), 1)
    if len(people) - count < _LEAST_ENROLLED:
        raise SetError(
            f"with {count} of {len(people)} people held out as strangers, too few stay enrolled; "
            "use --strangers each, or a folder of strangers"
        )
    drawn = np.random.default_rng(seed).choice(len(people), count, replace=False)
    chosen = {people[place] for place in drawn}
    return [one for one in samples if one.person not in chosen], [one for one in samples if one.person in chosen]


def leave_one_out(samples: Sequence[Sample], strangers: Sequence[Sample], *, in_turn: bool) -> Arrangement:
    """Everybody is enrolled, and every photo is searched in a gallery that has all photos but itself.

    Raises:
        SetError: there are too few people.
    """
    enrolled = by_person(samples)
    _require_people(enrolled)
    probes = [sample for group in enrolled.values() for sample in group]
    places = [place for group in enrolled.values() for place in range(len(group))]
    return Arrangement(enrolled, [*probes, *strangers], [*places, *([None] * len(strangers))], in_turn)


def split(
    samples: Sequence[Sample], strangers: Sequence[Sample], fraction: float, *, in_turn: bool, seed: int
) -> Arrangement:
    """A share of each person's photos, drawn, is enrolled, at least one of them; the rest is searched.

    Raises:
        SetError: there are too few people, or nothing is left to search.
    """
    draw = np.random.default_rng(seed)
    enrolled: dict[str, list[Sample]] = {}
    probes: list[Sample] = []
    for person, group in by_person(samples).items():
        most = max(len(group) - 1, 1)
        count = min(max(round(fraction * len(group)), 1), most)
        chosen = set(draw.choice(len(group), count, replace=False).tolist())
        enrolled[person] = [one for place, one in enumerate(group) if place in chosen]
        probes += [one for place, one in enumerate(group) if place not in chosen]
    return arrange(enrolled, probes, strangers, in_turn=in_turn)


def arrange(
    enrolled: Mapping[str, Sequence[Sample]],
    probes: Sequence[Sample],
    strangers: Sequence[Sample],
    *,
    in_turn: bool,
    scenes: bool = False,
) -> Arrangement:
    """Enrolled samples and probes that were told apart already.

    Args:
        enrolled: by person.
        probes: of people who may be enrolled.
        strangers: of people who are not.
        in_turn: everybody enrolled is searched for as a stranger too.
        scenes: there are photos of several people, which are named face by face; then there may be no probe.

    Raises:
        SetError: there are too few people, or nothing is left to search.
    """
    _require_people(enrolled)
    if not probes and not strangers and not scenes:
        raise SetError("no photo is left to search with: everybody has one usable photo only, and that is enrolled")
    return Arrangement(enrolled, [*probes, *strangers], in_turn=in_turn)


def _require_people(enrolled: Mapping[str, Sequence[Sample]]) -> None:
    if len(enrolled) < _LEAST_ENROLLED:
        count = f"{len(enrolled)} person has" if len(enrolled) == 1 else "nobody has"
        raise SetError(f"{count} a usable photo to enrol; an evaluation needs at least {_LEAST_ENROLLED} people")
