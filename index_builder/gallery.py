"""The gallery: the enrolled students' encodings in memory, searched exactly by FAISS."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray


class GalleryError(Exception):
    """An index is missing, damaged, cut short or made for another model; the message names what and which."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A student who may be the one in front of the camera."""

    student: str
    """Index number."""
    distance: float
    """Euclidean distance from the probe to the nearest of the student's encodings; 0 is the same picture."""


class Gallery:
    """One version of the index, read only. Any number of threads may search it at once.

    Attributes:
        version: as published; "" for a gallery that was never.
        model: the embedding model that made the encodings.
        encoding_size: numbers in an encoding.
        identities: the students' index numbers, each once.
        encodings: how many encodings there are in all.
        loaded_at: when it was read, UTC.
    """

    def __init__(
        self,
        *,
        version: str,
        model: str,
        encoding_size: int,
        students: Sequence[str],
        counts: Sequence[int],
        index: Any,
    ) -> None:
        """Take an index over.

        Args:
            version: its name.
            model: the embedding model.
            encoding_size: numbers in an encoding.
            students: index numbers, each once.
            counts: how many encodings each has; their rows lie together, in the order of `students`.
            index: a `faiss.IndexFlatL2` of all rows, float32.

        Raises:
            GalleryError: the parts do not fit each other.
        """
        if not isinstance(index, faiss.IndexFlat) or index.metric_type != faiss.METRIC_L2:
            raise GalleryError(f"index {version}: not an exact Euclidean FAISS index")
        if index.d != encoding_size:
            raise GalleryError(f"index {version}: its encodings have {index.d} numbers, not {encoding_size}")
        if len(students) != len(counts) or len(set(students)) != len(students) or any(count < 1 for count in counts):
            raise GalleryError(f"index {version}: its labels are damaged")
        if sum(counts) != index.ntotal:
            raise GalleryError(f"index {version}: {sum(counts)} labels for {index.ntotal} encodings")
        self.version = version
        self.model = model
        self.encoding_size = encoding_size
        self.identities = tuple(students)
        self.encodings = int(index.ntotal)
        self.loaded_at = datetime.now(UTC)
        self._index = index
        self._most = max(counts, default=0)
        # A view into the index's own memory, which `_index` keeps alive.
        self._rows = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(-1, index.d)
        if not np.isfinite(self._rows).all():
            raise GalleryError(f"index {version}: it holds encodings that are not finite numbers")
        ends = np.cumsum(counts, dtype=np.int64)
        self._owner = np.repeat(np.arange(len(students)), np.asarray(counts, np.int64))
        self._rows_of = {
            student: np.arange(end - count, end) for student, count, end in zip(students, counts, ends, strict=True)
        }

    @classmethod
    def empty(cls, model: str, encoding_size: int) -> "Gallery":
        """A gallery of nobody: every face is a stranger's."""
        return cls.from_encodings({}, model=model, encoding_size=encoding_size)

    @classmethod
    def from_encodings(
        cls, encodings: Mapping[str, NDArray[np.floating[Any]]], *, model: str, encoding_size: int, version: str = ""
    ) -> "Gallery":
        """A gallery made in memory.

        Args:
            encodings: for each student an array of shape (k, encoding_size), k at least 1.
            model: the embedding model.
            encoding_size: numbers in an encoding.
            version: its name.

        Raises:
            GalleryError: an array has another shape, or holds numbers that are not finite.
        """
        index = faiss.IndexFlatL2(encoding_size)
        for student, rows in encodings.items():
            if rows.ndim != 2 or rows.shape[1] != encoding_size:  # noqa: PLR2004 - rows and numbers
                raise GalleryError(f"the encodings of {student!r} are not of shape (k, {encoding_size})")
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite then is refused below
                index.add(np.ascontiguousarray(rows, np.float32))
        counts = [len(rows) for rows in encodings.values()]
        return cls(
            version=version,
            model=model,
            encoding_size=encoding_size,
            students=list(encodings),
            counts=counts,
            index=index,
        )

    @property
    def labels(self) -> list[tuple[str, int]]:
        """Each student and how many encodings they have, in the order of the rows."""
        return [(student, len(rows)) for student, rows in self._rows_of.items()]

    def serialize(self) -> bytes:
        """The FAISS index as a file's bytes."""
        data: bytes = faiss.serialize_index(self._index).tobytes()
        return data

    def nearest(
        self, probes: NDArray[np.float32], *, among: Collection[str] | None = None, count: int = 2
    ) -> list[list[Candidate]]:
        """Find for each probe the students nearest to it.

        A student's distance is that of the nearest of the student's encodings. It does not depend on what else is in
        the batch: FAISS finds the rows, and their distances are computed again, pair by pair.

        Args:
            probes: encodings, shape (m, encoding_size).
            among: search these students only (a roster; those who are not enrolled are passed over); None: all.
            count: how many students.

        Returns:
            For each probe at most `count` candidates, each another student, nearest first.

        Raises:
            ValueError: `probes` has another shape or holds numbers that are not finite, or `count` is under 1.
        """
        probes = np.ascontiguousarray(probes, np.float32)
        if probes.ndim != 2 or probes.shape[1] != self.encoding_size:  # noqa: PLR2004 - probes and numbers
            raise ValueError(f"probes have shape {probes.shape}, not (m, {self.encoding_size})")
        if not np.isfinite(probes).all():
            raise ValueError("a probe holds numbers that are not finite")
        if count < 1:
            raise ValueError(f"count is {count}; it must be 1 or more")
        rows = None if among is None else self._rows_among(among)
        searched = self.encodings if rows is None else len(rows)
        if searched == 0 or len(probes) == 0:
            return [[] for _ in probes]
        # However the rows of the nearest students crowd together, this many reach `count` students.
        depth = min(searched, (count - 1) * self._most + 1)
        found = self._search(probes, depth, rows)
        return [self._candidates(probe, places, count) for probe, places in zip(probes, found, strict=True)]

    def _rows_among(self, among: Collection[str]) -> NDArray[np.int64]:
        chosen = [self._rows_of[student] for student in set(among) if student in self._rows_of]
        return np.concatenate(chosen) if chosen else np.empty(0, np.int64)

    def _search(self, probes: NDArray[np.float32], depth: int, rows: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """The rows nearest to each probe, shape (m, depth); -1 where FAISS had none."""
        if rows is None:
            found: NDArray[np.int64] = self._index.search(probes, depth)[1]
            return found
        # Of FAISS's selectors this one makes it visit the listed rows alone: time follows the roster, not the campus.
        selector = faiss.IDSelectorArray(rows)
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]  # FAISS adds it at run time
        found = self._index.search(probes, depth, params=parameters)[1]
        return found

    def _candidates(self, probe: NDArray[np.float32], places: NDArray[np.int64], count: int) -> list[Candidate]:
        places = places[places >= 0]
        distances = np.linalg.norm(self._rows[places].astype(np.float64) - probe, axis=1)
        candidates: dict[str, Candidate] = {}
        for nearest in np.argsort(distances, kind="stable"):
            student = self.identities[self._owner[places[nearest]]]
            if student not in candidates:
                candidates[student] = Candidate(student, float(distances[nearest]))
                if len(candidates) == count:
                    break
        return list(candidates.values())
