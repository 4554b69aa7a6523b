"""Rows that the database refuses while it takes others: tried again later and later, and in nobody's way meanwhile."""

import time
from dataclasses import dataclass

from attendance.backoff import full_jitter

_FORGET_S = 3600.0
_LONGER = 20
"""How much longer than for a database that is away the longest wait is."""


@dataclass(slots=True)
class _Refused:
    attempts: int
    next_at: float


class SetAside:
    """The rows of one table that were refused. Used by one thread at a time."""

    def __init__(self, *, base_s: float, cap_s: float) -> None:
        """Begin with none.

        Args:
            base_s: largest wait after the first refusal, and least of all, seconds.
            cap_s: of the waits for a database that is away, seconds.
        """
        self._base_s, self._cap_s = base_s, cap_s
        self._refused: dict[int, _Refused] = {}

    def add(self, row_id: int) -> int:
        """Set a row aside that was refused; how often it has been."""
        refused = self._refused.setdefault(row_id, _Refused(0, 0.0))
        refused.attempts += 1
        wait_s = max(self._base_s, full_jitter(refused.attempts, base_s=self._base_s, cap_s=self._cap_s * _LONGER))
        refused.next_at = time.monotonic() + wait_s
        return refused.attempts

    def now(self) -> set[int]:
        """The rows whose time has not come."""
        now = time.monotonic()
        for row_id in [row_id for row_id, refused in self._refused.items() if refused.next_at < now - _FORGET_S]:
            del self._refused[row_id]  # committed since, or renewed under another id
        return {row_id for row_id, refused in self._refused.items() if refused.next_at > now}
