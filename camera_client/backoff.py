"""How long to wait before trying again."""

import random


class Backoff:
    """Exponential backoff with full jitter: a random wait below a bound that doubles with every failure.

    Hundreds of cameras that lost one service must not come back in step; of the ways to spread them, full jitter needs
    the fewest attempts (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """

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
        # 2 ** 32 is beyond any cap; a larger power would only overflow after days of failures.
        bound = min(self._cap_s, self._base_s * 2 ** min(self.failures, 32))
        self.failures += 1
        return self._rng.uniform(0, bound)

    def reset(self) -> None:
        """Forget the failures, after a success."""
        self.failures = 0
