"""The approximate index of a large gallery: FAISS's inverted file over the mean encodings of students.

The photos of a student lie close together, so the mean of a few of them stands for all: five times fewer vectors to
search than encodings, and a probe is nearer to the mean than to most of the photos. The means are divided into lists by
k-means and kept in 8 bits a number (FAISS's IVF with a scalar quantiser: Douze et al., "The Faiss library", 2024,
sections 4 and 5); the students of the nearest means are then compared exactly.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from attendance.gallery.manifest import Tuning, tuning_of
from attendance.gallery.search import ExactSearch, ProposedSearch
from attendance.gallery.threads import Threads

_LEAST_MEASURED = 0.9995
"""Share of a sample of probes whose nearest student must be found, so that 0.999 of all are; else search is exact.
Chance does not pass what misses more: of 8,000 probes at most four are missed, which an index of recall 0.999 would do
one time in ten, and one of 0.998 one time in 2,500 (binomial distribution)."""

_LEAST_STRANGERS = 0.9975
"""Of strangers made of the gallery's own people, who are harder than others: around a million encodings, parameters
that found 0.998 of them found 1,499 or 1,500 of 1,500 strangers drawn as people are."""

_SEED = 1
# Rows under one mean; a student with more has several means.
_GROUP = 8
_TRAINED_ON = 40
_ITERATIONS = 8
# Lists searched and groups proposed, tried in this order until the recall is reached: shares of the lists, numbers.
# Strangers decide, to whom many people are about equally far (`python -m benchmarks.matching.recall` prints the recall
# of each).
TRIALS = ((1 / 8, 64), (1 / 4, 128), (1 / 4, 256), (3 / 8, 256), (3 / 8, 512), (1 / 2, 512), (3 / 4, 512))
_SAMPLE = 8_000
_STRANGERS = 4_000
# Probes after which it is seen whether too many are missed already.
_BLOCK = 250
_ROUNDING = 1e-6
# People of whom one stranger is made.
_MIXED = 8


class Proposals:
    """An index over means of encodings. Any number of threads may search it at once."""

    def __init__(self, index: Any, tuning: Tuning) -> None:
        """Take over a trained `faiss.IndexIVF`."""
        self.tuning = tuning
        self._index = index

    @classmethod
    def from_parts(cls, index: Any, search: Mapping[str, Any]) -> "Proposals":
        """Put together what `serialize` and `described` gave.

        Raises:
            ValueError: they do not fit each other.
        """
        if not isinstance(index, faiss.IndexIVF) or index.metric_type != faiss.METRIC_L2:
            raise ValueError("not a Euclidean inverted file of FAISS")
        tuning = tuning_of(search)
        if tuning.lists != index.nlist or tuning.probes > index.nlist:
            raise ValueError("the manifest describes another index")
        return cls(index, tuning)

    @property
    def described(self) -> dict[str, Any]:
        """For the manifest."""
        return {"kind": "ivf", **asdict(self.tuning)}

    @property
    def groups(self) -> int:
        """How many means it holds."""
        return int(self._index.ntotal)

    def serialize(self) -> bytes:
        """The FAISS index as a file's bytes."""
        data: bytes = faiss.serialize_index(self._index).tobytes()
        return data

    def searcher(self, exact: ExactSearch, counts: NDArray[np.int64], threads: Threads) -> ProposedSearch:
        """What searches the rows by this index's proposals.

        Raises:
            ValueError: the index is not one of these rows.
        """
        starts = group_starts(counts)
        if len(starts) - 1 != self.groups or exact.rows.shape[1] != self._index.d:
            raise ValueError("it was built over other encodings")
        parameters = self._parameters(self.tuning.probes)

        def propose(probes: NDArray[np.float32]) -> NDArray[np.int64]:
            return self._propose(probes, self.tuning.proposals, parameters, threads)

        return ProposedSearch(exact, starts, propose)

    def _parameters(self, probes: int) -> Any:
        return faiss.SearchParametersIVF(nprobe=probes)  # type: ignore[call-arg]  # FAISS adds it at run time

    def _propose(
        self, probes: NDArray[np.float32], proposals: int, parameters: Any, threads: Threads
    ) -> NDArray[np.int64]:
        def search(part: NDArray[np.float32]) -> NDArray[np.int64]:
            found: NDArray[np.int64] = self._index.search(part, min(proposals, self.groups), params=parameters)[1]
            return found

        return threads.search(probes, self.groups * parameters.nprobe // self._index.nlist, search)


def group_starts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first row of each group of rows under one mean and, last, how many rows there are.

    Args:
        counts: how many encodings each student has.
    """
    groups = -(-counts // _GROUP)
    number = np.arange(groups.sum()) - np.repeat(np.cumsum(groups) - groups, groups)
    starts = np.repeat(np.cumsum(counts) - counts, groups) + number * _GROUP
    return np.append(starts, counts.sum()).astype(np.int64)


def build_proposals(
    rows: NDArray[np.float32], counts: NDArray[np.int64], threads: Threads, *, usual_distance: float
) -> Proposals | None:
    """Index the means and choose how to search them; None where the recall wanted is not reached.

    Args:
        rows: encodings, shape (n, d); the rows of a student lie together.
        counts: how many each student has.
        threads: what FAISS may use.
        usual_distance: that photos of one person lie apart, for a gallery in which no student has two.
    """
    means = _means(rows, counts)
    index, lists = _train(means, threads)
    owners = np.repeat(np.arange(len(counts)), counts)
    random = np.random.default_rng(_SEED)
    probes = [*_sample(rows, counts, random, usual_distance), _strangers(means, random)]
    exact = ExactSearch(rows, owners, threads)
    wanted = [exact.nearest(kind, 1)[0] for kind in probes]
    for share, proposals in TRIALS:
        tuning = Tuning(lists, max(1, round(lists * share)), proposals, 0.0, 0.0, len(probes[0]))
        search = Proposals(index, tuning).searcher(exact, counts, threads)
        # Strangers first: most trials end with them.
        strangers = _recall(search, probes[2], wanted[2], _LEAST_STRANGERS)
        further = _recall(search, probes[1], wanted[1], _LEAST_MEASURED) if strangers else 0.0
        own = _recall(search, probes[0], wanted[0], _LEAST_MEASURED) if further else 0.0
        if own:
            return Proposals(index, replace(tuning, recall=further, recall_own=own, recall_strangers=strangers))
    return None


def train(rows: NDArray[np.float32], counts: NDArray[np.int64], threads: Threads) -> tuple[Any, int]:
    """The index that `build_proposals` tunes, and how many lists it has; the arguments are the same."""
    return _train(_means(rows, counts), threads)


def _means(rows: NDArray[np.float32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
    starts = group_starts(counts)
    means: NDArray[np.float32] = np.add.reduceat(rows, starts[:-1], axis=0)
    means /= np.diff(starts)[:, None].astype(np.float32)
    return means


def _train(means: NDArray[np.float32], threads: Threads) -> tuple[Any, int]:
    lists = 2 ** max(0, round(np.log2(4 * np.sqrt(len(means)))) - 1)
    size = means.shape[1]
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatL2(size), size, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_L2, False
    )
    index.cp.niter = _ITERATIONS
    index.cp.seed = _SEED
    index.cp.min_points_per_centroid = 1
    index.cp.max_points_per_centroid = _TRAINED_ON
    threads.use_all()
    chosen = np.random.default_rng(_SEED).choice(len(means), min(len(means), lists * _TRAINED_ON), replace=False)
    index.train(np.ascontiguousarray(means[np.sort(chosen)]))
    index.add(means)
    return index, lists


def _sample(
    rows: NDArray[np.float32], counts: NDArray[np.int64], random: np.random.Generator, usual_distance: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Encodings of the gallery, and further photos made of it (see `Tuning.recall`)."""
    sample = min(_SAMPLE, len(rows))
    own = rows[random.integers(len(rows), size=sample)]
    moved = rows[random.integers(len(rows), size=sample)]
    several = np.flatnonzero(counts > 1)
    if len(several):
        first = (np.cumsum(counts) - counts)[random.choice(several, sample)]
        return own, moved + rows[first] - rows[first + 1]
    noise = random.standard_normal(moved.shape, np.float32)
    return own, moved + noise * np.float32(usual_distance / np.sqrt(moved.shape[1]))


def _strangers(means: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """People who are not in the gallery (see `Tuning.recall_strangers`)."""
    average = means.mean(axis=0)
    count = min(_STRANGERS, len(means))
    weights = random.standard_normal((count, _MIXED), np.float32)
    # Of length one, so that the sums scatter as the people do.
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    people = means[random.integers(len(means), size=(count, _MIXED))] - average
    made: NDArray[np.float32] = average + np.einsum("sm,smd->sd", weights, people)
    return made


def _recall(search: ProposedSearch, probes: NDArray[np.float32], wanted: NDArray[np.int64], least: float) -> float:
    """The share of probes whose nearest student is the one wanted; 0 as soon as it cannot be the least any more."""
    missed = 0
    for start in range(0, len(probes), _BLOCK):
        block = slice(start, start + _BLOCK)
        missed += int((search.nearest(probes[block], 1)[0] != wanted[block]).sum())
        if missed > (1 - least) * len(probes) + _ROUNDING:
            return 0.0
    return 1 - missed / len(probes)
