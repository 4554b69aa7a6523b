"""Thresholds from galleries that can and that cannot support them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from accuracy.calibration.pairs import Comparisons, compare, edge_at
from accuracy.calibration.thresholds import Choice, Purpose, chance_of_false_entry, choose, needed_rate
from accuracy.statistics.rates import upper_limit


def gallery(people: int, photos: int, size: int = 64) -> dict[str, NDArray[np.float64]]:
    """Normal encodings, impostors some 0.8 apart and genuine ones some 0.3."""
    draw = np.random.default_rng(2)
    within = 0.3 / (2 * size) ** 0.5
    between = (0.32 / size - within**2) ** 0.5
    return {f"s{n}": draw.normal(draw.normal(0, between, size), within, (photos, size)) for n in range(people)}


def chosen(comparisons: Comparisons, wanted: Purpose, default: float = 0.55) -> Choice:
    return choose(comparisons, wanted, setting="threshold", searched=wanted.roster, default=default)


def test_the_formula_by_hand() -> None:
    # The worked example of docs/accuracy.md.
    needed = needed_rate(0.001, (10 + 0.05 * 200) * 200)
    assert needed == pytest.approx(2.5012e-7, rel=1e-4)
    pairs = np.log(0.05) / np.log1p(-needed)
    assert pairs == pytest.approx(11_977_000, rel=1e-3)
    assert upper_limit(0, pairs) == pytest.approx(needed, rel=1e-6)
    assert (2 * pairs) ** 0.5 == pytest.approx(4_894, abs=1)
    # At a false match rate of 1 in 100,000 the same session has a false entry in 3.9 % of cases.
    assert chance_of_false_entry(1e-5, 4000) == pytest.approx(0.0392, abs=1e-4)
    assert chance_of_false_entry(needed_rate(0.001, 4000), 4000) == pytest.approx(0.001, rel=1e-9)
    assert chance_of_false_entry(1.0, 10) == 1.0
    assert needed_rate(0.001, 0) == 1.0


def test_the_chosen_threshold_keeps_what_was_wanted_at_the_upper_limit() -> None:
    comparisons = compare(gallery(800, 2))
    wanted = Purpose(rate=0.2, roster=20, strangers=1)
    choice = chosen(comparisons, wanted)
    assert choice.measured
    assert choice.chance <= 0.2
    assert choice.false_match_limit <= choice.needed
    assert 0.35 < choice.threshold < 0.8
    assert choice.false_match_limit > choice.false_match.rate
    # A step further the limit is beyond what is needed.
    assert comparisons.false_match_limit(edge_at(choice.threshold) + 1) > choice.needed
    assert choice.remarks == ()


def test_a_stricter_wish_gives_no_larger_threshold() -> None:
    comparisons = compare(gallery(800, 2))
    loose, strict = (chosen(comparisons, Purpose(rate, 20, 1)).threshold for rate in (0.5, 0.1))
    assert strict < loose


@pytest.mark.parametrize("people", [1, 2, 5, 40])
def test_a_small_gallery_is_told_so_and_gets_the_default(people: int) -> None:
    choice = chosen(compare(gallery(people, 2)), Purpose())
    assert not choice.measured
    assert choice.threshold == 0.55
    assert "cannot support an estimate" in choice.remarks[0]
    assert f"{people} {'person is' if people == 1 else 'people are'}" in choice.remarks[0]


def test_pairs_of_few_people_do_not_stand_in_for_people() -> None:
    # 40 people are 780 pairs; without one match at the threshold, they say no more than 20 independent pairs.
    comparisons = compare(gallery(40, 2))
    assert comparisons.effective_pairs[edge_at(0.4)] <= comparisons.pairs
    assert comparisons.false_match_limit(edge_at(0.3)) > 3 / comparisons.pairs * 0.9


def test_without_two_photos_everybody_counts_as_a_stranger() -> None:
    comparisons = compare(gallery(800, 1))
    choice = chosen(comparisons, Purpose(rate=0.5, roster=5, strangers=1))
    assert choice.trials == (1 + 5) * 5
    assert choice.measured
    assert "Nobody has two photos" in choice.remarks[0]


def test_a_default_that_the_data_contradict_is_not_given() -> None:
    draw = np.random.default_rng(1)
    alike = {f"s{n}": draw.normal(0, 0.05, (2, 16)) for n in range(60)}
    comparisons = compare(alike)
    choice = chosen(comparisons, Purpose())
    assert not choice.measured
    assert choice.threshold < 0.4
    assert comparisons.impostor_rates[edge_at(choice.threshold)] < 0.01
    assert "is contradicted by the data" in choice.remarks[1]


def test_a_threshold_that_misses_many_says_so() -> None:
    draw = np.random.default_rng(1)
    scattered = {f"s{n}": draw.normal(0, 0.2, (2, 16)) for n in range(800)}
    choice = chosen(compare(scattered), Purpose(rate=0.5, roster=5, strangers=1))
    assert choice.measured
    assert "miss" in choice.remarks[0]
