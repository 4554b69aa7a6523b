import random

from camera_client.backoff import Backoff


def chance(seed: int) -> random.Random:
    return random.Random(seed)


def test_waits_lie_below_a_bound_that_doubles_up_to_the_cap() -> None:
    for seed in range(50):
        backoff = Backoff(1.0, 8.0, chance(seed))
        for bound in (1, 2, 4, 8, 8, 8):
            assert 0 <= backoff.next_wait() <= bound


def test_waits_are_spread() -> None:
    firsts = {round(Backoff(1.0, 8.0, chance(seed)).next_wait(), 1) for seed in range(100)}
    assert len(firsts) > 8


def test_success_starts_again() -> None:
    backoff = Backoff(1.0, 1000.0, chance(3))
    for _ in range(10):
        backoff.next_wait()
    backoff.reset()
    assert backoff.failures == 0
    assert backoff.next_wait() <= 1.0


def test_days_of_failures_do_not_overflow() -> None:
    backoff = Backoff(0.5, 30.0)
    backoff.failures = 100_000
    assert backoff.next_wait() <= 30
