import itertools

import pytest

from camera_client.spool.thinning import frames_to_drop


def after_dropping(times: list[int], excess: int) -> list[int]:
    dropped = set(frames_to_drop(times, [1] * len(times), excess))
    return [time for place, time in enumerate(times) if place not in dropped]


def test_every_second_of_the_oldest_goes_first() -> None:
    assert after_dropping(list(range(12)), 3) == [0, 2, 4, 6, 7, 8, 9, 10, 11]


def test_what_was_thinned_before_is_spared_until_all_is_as_thin() -> None:
    assert after_dropping([0, 2, 4, 6, 7, 8, 9, 10, 11], 2) == [0, 2, 4, 6, 8, 10, 11]
    assert after_dropping([0, 2, 4, 6, 8, 10], 2) == [0, 4, 8, 10]


def test_a_pause_between_two_outages_is_no_reason_to_drop_one_of_them() -> None:
    first, second = list(range(0, 100, 10)), list(range(100_000, 100_100, 10))
    assert after_dropping(first + second, 10) == first[::2] + second[::2]


def test_a_day_is_covered_evenly_by_what_a_few_minutes_fill() -> None:
    """Two frames a second for a day, and room for a thousand frames."""
    kept: list[int] = []
    for time in range(0, 86_400_000, 500):
        kept.append(time + (time * 7919) % 90)  # an unsteady camera
        if len(kept) > 1000:
            kept = after_dropping(kept, 125)
    gaps = sorted(after - before for before, after in itertools.pairwise(kept))
    assert len(kept) > 800
    assert kept[0] < 500
    assert gaps[-1] <= 6 * 86_400_000 / len(kept)


def test_sizes_count_not_frames() -> None:
    assert frames_to_drop([0, 1, 2, 3], [1, 9, 1, 1], 5) == [1]


@pytest.mark.parametrize("times", [[], [7], [7, 7, 7], [0, 1, 3, 900]])
def test_all_go_when_that_is_not_enough(times: list[int]) -> None:
    assert sorted(frames_to_drop(times, [1] * len(times), 100)) == list(range(len(times)))
    assert frames_to_drop(times, [1] * len(times), 0) == []
