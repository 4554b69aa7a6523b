"""Error rates with known answers."""

import numpy as np
import pytest
from scipy import stats

from accuracy.statistics.rates import ErrorRates, clopper_pearson, upper_limit


@pytest.mark.parametrize(
    ("errors", "trials", "low", "high"),
    [
        # R's binom.test, which gives Clopper-Pearson's limits.
        (0, 10, 0.0, 0.3084971),
        (1, 10, 0.002528579, 0.4450161),
        (5, 10, 0.187086, 0.812914),
        (10, 10, 0.6915029, 1.0),
        (7, 20, 0.1539092, 0.5921885),
    ],
)
def test_clopper_pearson_against_published_values(errors: int, trials: int, low: float, high: float) -> None:
    found = clopper_pearson(errors, trials)
    assert found.rate == errors / trials
    assert (found.low, found.high) == pytest.approx((low, high), rel=2e-6)


def test_without_errors_the_rule_of_three() -> None:
    assert upper_limit(0, 3000) == pytest.approx(3 / 3000, rel=0.002)
    assert clopper_pearson(0, 0)[1:] == (0.0, 1.0)
    assert upper_limit(4, 4) == 1.0


@pytest.mark.parametrize(("errors", "trials"), [(-1, 3), (4, 3), (1, 0)])
def test_more_errors_than_trials_are_refused(errors: int, trials: int) -> None:
    for function in (clopper_pearson, upper_limit):
        with pytest.raises(ValueError, match="errors in"):
            function(errors, trials)


def test_a_distance_at_the_threshold_matches() -> None:
    rates = ErrorRates(np.array([0.2, 0.4, 0.6, np.inf]), np.array([0.9, 0.5, 0.7, 0.8]))
    assert rates.false_matches(0.5) == 1
    assert rates.false_match_rate(0.49).rate == 0
    assert rates.false_non_match_rate(0.4).rate == 0.5
    assert rates.false_non_matches(9) == 1


def test_counts_are_as_repeated_distances() -> None:
    draw = np.random.default_rng(1)
    values, counts = np.round(draw.random(30), 2), draw.integers(0, 9, 30)
    one = ErrorRates(values, values, genuine_counts=counts, impostor_counts=counts)
    other = ErrorRates(np.repeat(values, counts), np.repeat(values, counts))
    for threshold in (0.0, 0.25, 0.5, 1.0):
        assert one.false_match_rate(threshold) == other.false_match_rate(threshold)
        assert one.false_non_match_rate(threshold) == other.false_non_match_rate(threshold)


def test_normal_distances_give_their_rates_and_a_straight_det_curve() -> None:
    draw = np.random.default_rng(7)
    rates = ErrorRates(draw.normal(0.4, 0.06, 20_000), draw.normal(0.8, 0.08, 200_000))
    for threshold in (0.5, 0.6, 0.65):
        matched, missed = rates.false_match_rate(threshold), rates.false_non_match_rate(threshold)
        assert matched.low <= stats.norm.cdf(threshold, 0.8, 0.08) <= matched.high
        assert missed.low <= stats.norm.sf(threshold, 0.4, 0.06) <= missed.high
    points = rates.det_points()
    inside = (points.false_match > 0.001) & (points.false_non_match > 0.001)
    assert inside.sum() > 10
    x, y = stats.norm.ppf(points.false_match[inside]), stats.norm.ppf(points.false_non_match[inside])
    # Both are linear in the threshold, so that one is linear in the other, falling with the ratio of the spreads.
    assert np.polyfit(x, y, 1)[0] == pytest.approx(-0.08 / 0.06, rel=0.05)
    assert (np.diff(points.false_match) >= 0).all()
    assert (np.diff(points.false_non_match) <= 0).all()


def test_what_is_no_row_of_distances_is_refused() -> None:
    with pytest.raises(ValueError, match="one row of numbers"):
        ErrorRates(np.array([np.nan]), np.array([0.1]))
    with pytest.raises(ValueError, match="one row of numbers"):
        ErrorRates(np.zeros((2, 2)), np.array([0.1]))
    with pytest.raises(ValueError, match="a count"):
        ErrorRates(np.array([0.1]), np.array([0.1]), impostor_counts=np.array([1, 2]))
