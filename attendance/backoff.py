"""How long to wait before trying again; the camera client and the core follow the same rule."""

import random

_SYSTEM = random.SystemRandom()


def full_jitter(failures: int, *, base_s: float, cap_s: float, rng: random.Random = _SYSTEM) -> float:
    """Seconds to wait after so many failures: chance below a bound that doubles with each of them.

    Those who failed together must not come back in step; of the ways to spread them, full jitter needs the fewest
    attempts (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

    Args:
        failures: in a row, from 1.
        base_s: bound of the first wait, seconds.
        cap_s: no wait is longer, seconds.
        rng: source of chance.
    """
    # 2 ** 32 is beyond any cap; a larger power would only overflow after days of failures.
    return rng.uniform(0, min(cap_s, base_s * 2.0 ** min(max(failures - 1, 0), 32)))
