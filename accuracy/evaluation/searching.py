"""Searches of probes in a gallery: each probe's distance to its own person, and the people nearest to it beside."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attendance.gallery.gallery import Candidate, Gallery

RANKS = 10
"""Candidates that a search gives, so many ranks of the CMC."""
MOST_COMPARISONS = 400_000
"""Impostor comparisons kept; beyond, people and probes are drawn. 0.1 % of so many is still 400."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One photo's face."""

    person: str
    photo: str
    """The photo's path, for people."""
    encoding: NDArray[np.float32]
    """Shape (encoding_size,)."""
    thumbnail: bytes | None = None
    """A small JPEG of the face."""
    sha256: str = ""
    """Of the photo's file."""


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """What probes found in one gallery."""

    probes: Sequence[Sample]
    people: tuple[str, ...]
    """Everybody whose probes there are, and everybody in `comparisons`, each once."""
    person: NDArray[np.int64]
    """Of each probe its person, a place in `people`; shape (m,)."""
    own: NDArray[np.float32]
    """Distance to the nearest of the person's other encodings in the gallery, shape (m,); infinite: there is none."""
    others: Sequence[Sequence[Candidate]]
    """For each probe other people of the gallery, nearest first, at most `RANKS`."""
    stranger: NDArray[np.bool_]
    """Which probes count as searches of somebody who is not enrolled: by `own` and `others` they are held against
    the gallery without their own person; shape (m,)."""
    comparisons: NDArray[np.float32]
    """Distances of probes to other people of the gallery, each that person's nearest encoding; shape (c,)."""
    comparison_people: NDArray[np.int64]
    """Shape (c, 2): whose probe, and who of the gallery, places in `people`."""
    enrolled: int
    """People in the gallery."""
    encodings: int

    @property
    def mated(self) -> NDArray[np.bool_]:
        """Which probes are of somebody who is enrolled, shape (m,)."""
        return np.isfinite(self.own)

    @property
    def other_distance(self) -> NDArray[np.float32]:
        """Distance to the nearest other person, shape (m,); infinite where the gallery has nobody else."""
        return np.array([found[0].distance if found else np.inf for found in self.others], np.float32)


def search(
    gallery: Gallery,
    probes: Sequence[Sample],
    *,
    left_out: Sequence[int | None] = (),
    in_turn: bool = False,
    seed: int = 0,
) -> Searches:
    """Search probes in a gallery.

    Args:
        gallery: to search.
        probes: to search; those of people who are not enrolled are strangers. There may be none.
        left_out: leave-one-out: for each probe the place of its own encoding among the person's, which is passed over;
            None: it is not enrolled.
        in_turn: everybody enrolled is also searched for without their own encodings, as a stranger.
        seed: of the choice of impostor comparisons where there are too many.
    """
    rows = np.array([probe.encoding for probe in probes], np.float32).reshape(len(probes), gallery.encoding_size)
    places = left_out or [None] * len(probes)
    own = np.array([_own_distance(gallery, *pair) for pair in zip(probes, places, strict=True)], np.float32)
    known = set(gallery.identities)
    unknown = np.array([probe.person not in known for probe in probes], np.bool_)
    distances, pairs = _compare(gallery, probes, rows, seed)
    people = tuple(dict.fromkeys([*(probe.person for probe in probes), *(person for _, person in pairs)]))
    place_of = {person: place for place, person in enumerate(people)}
    return Searches(
        probes=probes,
        people=people,
        person=np.array([place_of[probe.person] for probe in probes], np.int64),
        own=own,
        others=_others(gallery, probes, rows),
        stranger=np.ones(len(probes), np.bool_) if in_turn else unknown,
        comparisons=distances,
        comparison_people=np.array([[place_of[a], place_of[b]] for a, b in pairs], np.int64).reshape(-1, 2),
        enrolled=len(known),
        encodings=gallery.encodings,
    )


def _others(gallery: Gallery, probes: Sequence[Sample], rows: NDArray[np.float32]) -> list[list[Candidate]]:
    return [
        [candidate for candidate in nearest if candidate.student != probe.person][:RANKS]
        for probe, nearest in zip(probes, gallery.nearest(rows, count=RANKS + 1), strict=True)
    ]


def _own_distance(gallery: Gallery, probe: Sample, left_out: int | None) -> float:
    rows = gallery.rows_of(probe.person)
    if left_out is not None:
        rows = np.delete(rows, left_out, axis=0)
    return float(np.linalg.norm(rows - probe.encoding, axis=1).min()) if len(rows) else float("inf")


def _compare(
    gallery: Gallery, probes: Sequence[Sample], rows: NDArray[np.float32], seed: int
) -> tuple[NDArray[np.float32], list[tuple[str, str]]]:
    """Impostor comparisons: probes against other people of the gallery, all or a random choice of both."""
    draw = np.random.default_rng(seed)
    side = int(MOST_COMPARISONS**0.5)
    identities: Sequence[str] = gallery.identities
    chosen: Sequence[int] = range(len(probes))
    if len(identities) * len(probes) > MOST_COMPARISONS:
        many = max(side, MOST_COMPARISONS // len(probes))
        if len(identities) > many:
            identities = [identities[place] for place in sorted(draw.choice(len(identities), many, replace=False))]
        most = max(MOST_COMPARISONS // len(identities), 1)
        if len(probes) > most:
            chosen = sorted(draw.choice(len(probes), most, replace=False).tolist())
    distances: list[NDArray[np.float32]] = []
    pairs: list[tuple[str, str]] = []
    taken = rows[list(chosen)]
    for identity in identities:
        apart = _distances(taken, gallery.rows_of(identity)).min(axis=1)
        others = np.array([probes[place].person != identity for place in chosen], np.bool_)
        distances.append(apart[others])
        pairs += [(probes[place].person, identity) for place in chosen if probes[place].person != identity]
    together = np.concatenate(distances) if distances else np.empty(0, np.float32)
    return together.astype(np.float32), pairs


def _distances(probes: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Euclidean distances, shape (m, k), by |a|² + |b|² - 2ab; float64, since nearly equal ones would be lost."""
    left, right = probes.astype(np.float64), rows.astype(np.float64)
    squared = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None] - 2 * left @ right.T
    result: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0))
    return result
