"""Searches of rosters, kept from one batch of faces to the next."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from attendance.gallery.search import ExactSearch

_MOST_BYTES = 256 * 1024 * 1024
"""Of copied encodings: 500 rosters of 200 students with five encodings of 128 numbers."""


class RosterCache:
    """The searches of the rosters asked for last. May be used by several threads at once."""

    def __init__(self, *, most_bytes: int = _MOST_BYTES) -> None:
        """Start empty.

        Args:
            most_bytes: of encodings kept; a roster that is larger alone is made anew each time.
        """
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[frozenset[str], ExactSearch] = OrderedDict()
        self._lock = Lock()

    def search(self, roster: frozenset[str], make: Callable[[frozenset[str]], ExactSearch]) -> ExactSearch:
        """The search of a roster, made by `make` if it is not kept.

        `make` is not kept: a gallery that is let go must be gone at once, and its file out of memory.
        """
        with self._lock:
            found = self._kept.get(roster)
            if found is not None:
                self._kept.move_to_end(roster)
                return found
        made = make(roster)
        with self._lock:
            if roster not in self._kept:
                self._kept[roster] = made
                self._bytes += made.rows.nbytes
            while self._bytes > self._most_bytes:
                self._bytes -= self._kept.popitem(last=False)[1].rows.nbytes
        return made
