"""Settled faces: matching somebody already confirmed without searching for them again, where that is provably the same.

A search gives the distance r from a face to the nearest student other than the one it is taken for. A later face of
encoding distance s from the first is, by the triangle inequality, at least r - s from every other student (as Elkan,
"Using the triangle inequality to accelerate k-means", ICML 2003, spares comparisons). The student's own encodings, a
few rows, are compared exactly. If the student is near enough, and nearer than r - s by two margins, a search would name
the same student with the same vote; otherwise it is run. So it does not matter whose face this is: whoever has taken
the confirmed student's place is looked for like anybody else.

With an approximate index, "nearest other student" is as good as that index, as it is for a search.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attendance.settings.matching import MatchingRules
from recognition_service.evidence.matching import Matcher
from recognition_service.evidence.seen import FaceMatch, MatchKind

_MOST = 512
"""Persons remembered, as many as a tracker has; the one matched longest ago is forgotten first."""


@dataclass(frozen=True, slots=True)
class _Search:
    """A search that named a confirmed student."""

    roster: frozenset[str]
    encoding: NDArray[np.float32]
    match: FaceMatch
    own: NDArray[np.float32]
    """The student's encodings."""


class SettledFaces:
    """The last search of each confirmed person of one stream. Used by one thread at a time.

    Attributes:
        searched: faces that were searched for.
    """

    def __init__(self, rules: MatchingRules) -> None:
        self._rules = rules
        self._searches: OrderedDict[int, _Search] = OrderedDict()
        self._matcher: Matcher | None = None
        self.searched = 0

    def match(
        self,
        matcher: Matcher,
        encodings: NDArray[np.float32],
        roster: frozenset[str],
        persons: Sequence[int],
        guests: frozenset[str] = frozenset(),
    ) -> list[FaceMatch]:
        """As `Matcher.match`, but a face that is settled is not searched for.

        Args:
            matcher: of the index in use.
            encodings: finite, shape (n, d).
            roster: who may be named.
            persons: whom the tracker takes each face for, which is where to look first and proves nothing.
            guests: who may be named beside the roster; each time they are searched for.

        Returns:
            One match a face. Of those not searched for, the runner-up's distance is a bound from below, and there is no
            rival.

        Raises:
            ValueError: as `Matcher.match`.
        """
        self.use(matcher)
        settled = [self._settle(encoding, roster, person) for encoding, person in zip(encodings, persons, strict=True)]
        open_places = [place for place, match in enumerate(settled) if match is None]
        found = iter(matcher.match(encodings[open_places], roster, guests) if open_places else ())
        self.searched += len(open_places)
        return [next(found) if match is None else match for match in settled]

    def confirmed(
        self, matcher: Matcher, encoding: NDArray[np.float32], roster: frozenset[str], person: int, match: FaceMatch
    ) -> None:
        """Remember a search that named whom the person is confirmed as."""
        if match.student is None or match.others <= 0:
            return  # named by no search
        self.use(matcher)
        own = matcher.gallery.rows_of(match.student)
        if len(own):
            self._searches[person] = _Search(roster, encoding, match, own)
            self._searches.move_to_end(person)
        while len(self._searches) > _MOST:
            self._searches.popitem(last=False)

    def use(self, matcher: Matcher) -> None:
        """Forget the searches of any other index: who was erased must not stay in memory."""
        if matcher is not self._matcher:
            self._searches.clear()
            self._matcher = matcher

    def forget(self) -> None:
        """Forget every search, and the index that was searched, which may hold who is erased."""
        self._searches.clear()
        self._matcher = None

    def _settle(self, encoding: NDArray[np.float32], roster: frozenset[str], person: int) -> FaceMatch | None:
        last = self._searches.get(person)
        if last is None:
            return None
        if last.roster != roster:  # another session
            del self._searches[person]
            return None
        distance = float(np.linalg.norm(last.own - encoding, axis=1).min())
        others = last.match.others - float(np.linalg.norm(encoding - last.encoding))
        apart = others - distance
        if distance > self._rules.threshold or apart < 2.0 * self._rules.margin or apart <= 0:
            return None
        return FaceMatch(MatchKind.STUDENT, last.match.student, distance, others, last.match.student, None)
