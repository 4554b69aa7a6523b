"""The gallery: the enrolled students' encodings, searched by FAISS."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attendance.errors import AttendanceError
from attendance.gallery.proposals import Proposals, build_proposals
from attendance.gallery.rosters import RosterCache
from attendance.gallery.search import ExactSearch, Search
from attendance.gallery.threads import Threads

_CHECKED_ROWS = 65_536


class GalleryError(AttendanceError):
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
        rows: the encodings, float32, shape (encodings, encoding_size); not to be written to.
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
        rows: NDArray[np.float32],
        proposals: Proposals | None = None,
        threads: int = 0,
    ) -> None:
        """Take encodings over.

        Args:
            version: its name.
            model: the embedding model.
            encoding_size: numbers in an encoding.
            students: index numbers, each once.
            counts: how many encodings each has; their rows lie together, in the order of `students`.
            rows: all encodings, float32, shape (sum of counts, encoding_size); may be mapped from a file.
            proposals: the approximate index of them; None: every search is exact.
            threads: that one search may use at most; 0: one a core.

        Raises:
            GalleryError: the parts do not fit each other.
        """
        if rows.dtype != np.float32 or rows.ndim != 2 or not rows.flags.c_contiguous:  # (n, d)
            raise GalleryError(f"index {version}: its encodings are not rows of float32")
        if rows.shape[1] != encoding_size:
            raise GalleryError(f"index {version}: its encodings have {rows.shape[1]} numbers, not {encoding_size}")
        place_of = {student: place for place, student in enumerate(students)}
        if len(students) != len(counts) or len(place_of) != len(students) or min(counts, default=1) < 1:
            raise GalleryError(f"index {version}: its labels are damaged")
        if sum(counts) != len(rows):
            raise GalleryError(f"index {version}: {sum(counts)} labels for {len(rows)} encodings")
        if not _finite(rows):
            raise GalleryError(f"index {version}: it holds encodings that are not finite numbers")
        self.version = version
        self.model = model
        self.encoding_size = encoding_size
        self.identities = tuple(students)
        self.encodings = len(rows)
        self.rows = rows
        self.loaded_at = datetime.now(UTC)
        self._place_of = place_of
        self._counts = np.asarray(counts, np.int64)
        self._starts = np.cumsum(self._counts) - self._counts
        self._threads = Threads(threads)
        self._search = self._searcher(proposals)
        self._rosters = RosterCache()

    def _searcher(self, proposals: Proposals | None) -> Search:
        owners = np.repeat(np.arange(len(self._counts)), self._counts)
        exact = ExactSearch(self.rows, owners, self._threads)
        if proposals is None:
            return exact
        try:
            return proposals.searcher(exact, self._counts, self._threads)
        except ValueError as error:
            raise GalleryError(f"index {self.version}: its approximate index cannot be used: {error}") from error

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
        for student, rows in encodings.items():
            if rows.ndim != 2 or rows.shape[1] != encoding_size:  # rows and numbers
                raise GalleryError(f"the encodings of {student!r} are not of shape (k, {encoding_size})")
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite then is refused below
            nothing = np.empty((0, encoding_size), np.float32)
            together = np.concatenate([nothing, *encodings.values()], dtype=np.float32, casting="same_kind")
        return cls(
            version=version,
            model=model,
            encoding_size=encoding_size,
            students=list(encodings),
            counts=[len(rows) for rows in encodings.values()],
            rows=together,
        )

    @property
    def labels(self) -> list[tuple[str, int]]:
        """Each student and how many encodings they have, in the order of the rows."""
        return list(zip(self.identities, self._counts.tolist(), strict=True))

    def build_proposals(self, *, usual_distance: float) -> Proposals | None:
        """Build the approximate index that a large gallery is searched with; None where an exact search is better.

        Args:
            usual_distance: that photos of one person lie apart with this model.

        Raises:
            GalleryError: there is nobody to search.
        """
        if not self.encodings:
            raise GalleryError("an empty gallery needs no index")
        return build_proposals(self.rows, self._counts, self._threads, usual_distance=usual_distance)

    def nearest(
        self, probes: NDArray[np.float32], *, among: Collection[str] | None = None, count: int = 2
    ) -> list[list[Candidate]]:
        """Find for each probe the students nearest to it.

        A student's distance is that of the nearest of the student's encodings. It does not depend on what else is in
        the batch, nor on whether the index is exact (see `search.py`). Among given students the search is
        always exact.

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
        if probes.ndim != 2 or probes.shape[1] != self.encoding_size:  # probes and numbers
            raise ValueError(f"probes have shape {probes.shape}, not (m, {self.encoding_size})")
        if not np.isfinite(probes).all():
            raise ValueError("a probe holds numbers that are not finite")
        if count < 1:
            raise ValueError(f"count is {count}; it must be 1 or more")
        if len(probes) == 0:
            return []
        search = self._search if among is None else self._rosters.search(frozenset(among), self._search_among)
        students, distances = search.nearest(probes, count)
        return [
            [Candidate(self.identities[place], apart) for place, apart in zip(*found, strict=True) if place >= 0]
            for found in zip(students.tolist(), distances.tolist(), strict=True)
        ]

    def rows_of(self, student: str) -> NDArray[np.float32]:
        """A student's encodings, shape (k, encoding_size), not to be written to; none for who is not enrolled."""
        place = self._place_of.get(student)
        if place is None:
            return self.rows[:0]
        return self.rows[self._starts[place] : self._starts[place] + self._counts[place]]

    def _search_among(self, among: frozenset[str]) -> ExactSearch:
        """A search of the students of a roster alone: their encodings are copied together."""
        found = (self._place_of.get(student) for student in among)
        students = np.sort(np.array([place for place in found if place is not None], np.int64))
        counts = self._counts[students]
        owners = np.repeat(students, counts)
        # Within each student's rows 0, 1, 2, ...
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return ExactSearch(self.rows[self._starts[owners] + offsets], owners, self._threads)


def _finite(rows: NDArray[np.float32]) -> bool:
    # A sum is finite only if every number is; it takes no memory.
    with np.errstate(over="ignore", invalid="ignore"):
        return all(
            bool(np.isfinite(rows[start : start + _CHECKED_ROWS].sum(dtype=np.float64)))
            for start in range(0, len(rows), _CHECKED_ROWS)
        )
