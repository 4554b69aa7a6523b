"""The approximate index of a large gallery: FAISS's inverted file over the mean encodings of students.

The photos of a student lie close together, so the mean of a few of them stands for all: five times fewer vectors to
search than encodings, and a probe is nearer to the mean than to most of the photos. The means are divided into lists by
k-means and kept in 8 bits a number (FAISS's IVF with a scalar quantiser: Douze et al., "The Faiss library", 2024,
sections 4 and 5); the students of the nearest means are then compared exactly.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index_builder.search import ExactSearch, ProposedSearch
from index_builder.threads import Threads

LEAST_RECALL = 0.999
"""Share of probes whose nearest student must be found; where more proposals do not reach it, the search stays exact."""
_LEAST_MEASURED = 0.9995
"""Of a sample, so that chance does not pass what misses more: of 8,000 probes at most four are missed, which an index
of recall 0.999 would do one time in ten, and one of 0.998 one time in 2,500 (binomial distribution)."""

_SEED = 1
# Rows under one mean; a student with more has several means.
_GROUP = 8
_TRAINED_ON = 40
_ITERATIONS = 8
# Lists searched and groups proposed, tried in this order until the recall is reached: shares of the lists, numbers.
_TRIALS = ((1 / 32, 32), (1 / 16, 48), (1 / 8, 64), (3 / 16, 64), (1 / 4, 64), (3 / 8, 128), (1 / 2, 128))
_SAMPLE = 8_000
# Where no student has two photos: as far as photos of one person lie apart (see docs/performance.md).
_USUAL_DISTANCE = 0.35


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the index is searched, and what that was measured to find when it was built."""

    lists: int
    probes: int
    """Lists searched for each face."""
    proposals: int
    """Means whose encodings are then compared."""
    recall: float
    """Share of further photos of enrolled students whose nearest student was found; the photos are made of the
    gallery's own: an encoding, moved as one photo of another student is from another photo of that student."""
    recall_own: float
    """The same of encodings of the gallery itself."""
    sample: int
    """Probes of each kind."""


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
        if not isinstance(index, faiss.IndexIVF):
            raise ValueError("not an inverted file of FAISS")
        try:
            tuning = Tuning(**{name: value for name, value in search.items() if name != "kind"})
        except TypeError as error:
            raise ValueError("the manifest does not say how to search it") from error
        if tuning.lists != index.nlist or not 1 <= tuning.probes <= index.nlist or tuning.proposals < 1:
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


def build_proposals(rows: NDArray[np.float32], counts: NDArray[np.int64], threads: Threads) -> Proposals | None:
    """Index the means and choose how to search them; None where the recall wanted is not reached.

    Args:
        rows: encodings, shape (n, d); the rows of a student lie together.
        counts: how many each student has.
        threads: what FAISS may use.
    """
    starts = group_starts(counts)
    sizes = np.diff(starts)
    means: NDArray[np.float32] = np.add.reduceat(rows, starts[:-1], axis=0)
    means /= sizes[:, None].astype(np.float32)
    lists = 2 ** max(0, round(np.log2(4 * np.sqrt(len(means)))) - 1)
    index = _trained(means, lists, threads)
    owners = np.repeat(np.arange(len(counts)), counts)
    random = np.random.default_rng(_SEED)
    own, further = _sample(rows, counts, random)
    exact = ExactSearch(rows, owners, threads)
    wanted_own, wanted = exact.nearest(own, 1)[0], exact.nearest(further, 1)[0]
    for share, proposals in _TRIALS:
        tuning = Tuning(lists, max(1, round(lists * share)), proposals, 0.0, 0.0, len(further))
        search = Proposals(index, tuning).searcher(exact, counts, threads)
        recall = _agreement(search.nearest(further, 1)[0], wanted)
        recall_own = _agreement(search.nearest(own, 1)[0], wanted_own)
        if min(recall, recall_own) >= _LEAST_MEASURED:
            return Proposals(index, Tuning(lists, tuning.probes, proposals, recall, recall_own, len(further)))
    return None


def _trained(means: NDArray[np.float32], lists: int, threads: Threads) -> Any:
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
    return index


def _sample(
    rows: NDArray[np.float32], counts: NDArray[np.int64], random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Encodings of the gallery, and further photos made of it (see `Tuning.recall`)."""
    own = rows[random.integers(len(rows), size=_SAMPLE)]
    moved = rows[random.integers(len(rows), size=_SAMPLE)]
    several = np.flatnonzero(counts > 1)
    if len(several):
        first = (np.cumsum(counts) - counts)[random.choice(several, _SAMPLE)]
        return own, moved + rows[first] - rows[first + 1]
    noise = random.standard_normal(moved.shape, np.float32)
    return own, moved + noise * np.float32(_USUAL_DISTANCE / np.sqrt(moved.shape[1]))


def _agreement(found: NDArray[np.int64], wanted: NDArray[np.int64]) -> float:
    return float((found == wanted).mean())
