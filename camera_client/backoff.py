"""How long a camera waits before it tries again."""

import random

from attendance.backoff import full_jitter


class Backoff:
    """Counts failures in a row, and gives the wait after each: hundreds of cameras may have lost one service."""

    def __init__(self, base_s: float = 0.5, cap_s: float = 30.0, rng: random.Random | None = None) -> None:
        """Start with no failures.

        Args:
            base_s: bound of the first wait, seconds.
            cap_s: no wait is longer, seconds.
            rng: source of chance; the system's unless given.
        """
        self._base_s = base_s
        self._cap_s = cap_s
        self._rng = random.SystemRandom() if rng is None else rng
        self.failures = 0

    def next_wait(self) -> float:
        """Count a failure and give the seconds to wait."""
        self.failures += 1
        return full_jitter(self.failures, base_s=self._base_s, cap_s=self._cap_s, rng=self._rng)

    def reset(self) -> None:
        """Forget the failures, after a success."""
        self.failures = 0
