"""Comparisons of galleries whose error rates are known from their distributions."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from accuracy.calibration.pairs import EDGES, compare, edge_at

SIZE, BETWEEN, WITHIN = 8, 0.3, 0.1


def gallery(people: int, photos: int, *, seed: int = 0, alike: float = 0.0) -> dict[str, NDArray[np.float64]]:
    """Normal encodings around normal people; a share `alike` of them are drawn towards the middle."""
    draw = np.random.default_rng(seed)
    centres = draw.normal(0, BETWEEN, (people, SIZE))
    centres[: int(alike * people)] *= 0.3
    return {f"s{place}": draw.normal(centre, WITHIN, (photos, SIZE)) for place, centre in enumerate(centres)}


def true_fmr(threshold: float) -> float:
    return float(stats.chi2.cdf(threshold**2 / (2 * (BETWEEN**2 + WITHIN**2)), SIZE))


def test_rates_of_a_normal_mixture_lie_in_their_intervals() -> None:
    found = compare(gallery(600, 1))
    assert found.pairs == 179_700
    for threshold in (0.4, 0.5, 0.7, 1.0):
        interval = found.false_match_rate(edge_at(threshold))
        assert interval.low <= true_fmr(threshold) <= interval.high
        assert found.false_match_limit(edge_at(threshold)) > interval.rate
    assert len(found.genuine) == 0
    assert found.false_non_match_rate(0.5)[1:] == (0.0, 1.0)


def test_genuine_comparisons_are_with_the_own_other_photos() -> None:
    found = compare(gallery(800, 2))
    assert found.people_with_two == 800
    for threshold in (0.3, 0.4, 0.5):
        truth = float(stats.chi2.sf(threshold**2 / (2 * WITHIN**2), SIZE))
        interval = found.false_non_match_rate(threshold)
        assert interval.low <= truth <= interval.high


def test_more_photos_a_student_give_more_false_matches() -> None:
    one, five = (compare(gallery(300, photos)).impostor_rates[edge_at(0.7)] for photos in (1, 5))
    assert five > 1.3 * one


def test_every_distance_is_counted_as_by_hand() -> None:
    encodings = {
        "a": np.array([[0.0, 0.0], [0.0, 0.1]]),
        "b": np.array([[0.5, 0.0]]),
        "c": np.array([[0.0, 9.0]]),
    }
    found = compare(encodings, roster=2, margin=0.04)
    assert found.genuine == pytest.approx([0.1, 0.1])
    assert found.genuine_person.tolist() == [0, 0]
    # b's probe is 0.5 from a; a's is 0.5 or 0.51 from b.
    assert found.matches[1, edge_at(0.495)] == 0
    assert found.matches[1, edge_at(0.5)] == 1
    assert found.matches[0, edge_at(0.515)] == 1
    assert found.matches[2].sum() == 0
    assert found.rates.impostor_trials == 6
    assert found.campus is not None
    assert (found.campus.count, found.campus.nearest[edge_at(0.515)]) == (3, 2)


def test_searches_agree_with_the_formula() -> None:
    found = compare(gallery(500, 1, seed=3), roster=50, margin=0)
    assert found.roster is not None
    assert found.roster.count > 4000
    edge = edge_at(0.4)
    expected = 1 - (1 - true_fmr(0.4)) ** 50
    assert found.roster.nearest[edge] / found.roster.count == pytest.approx(expected, rel=0.3)
    assert (found.roster.named <= found.roster.nearest).all()


def test_a_margin_forbids_names_between_two() -> None:
    encodings = gallery(300, 1, seed=5)
    wide = compare(encodings, roster=100, margin=0.1).roster
    none = compare(encodings, roster=100, margin=0.0).roster
    assert wide is not None
    assert none is not None
    assert wide.named[edge_at(0.7)] < none.named[edge_at(0.7)] == none.nearest[edge_at(0.7)]


def test_people_who_look_like_many_make_the_pairs_worth_less() -> None:
    even, uneven = compare(gallery(400, 1)), compare(gallery(400, 1, alike=0.1))
    edge = edge_at(0.6)
    assert uneven.effective_pairs[edge] < 0.5 * even.effective_pairs[edge]
    assert (even.effective_pairs >= 200).all()
    assert (even.effective_pairs <= even.pairs).all()


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    edge = edge_at(0.6)
    inside = 0
    for seed in range(60):
        interval = compare(gallery(120, 1, seed=seed)).false_match_rate(edge)
        inside += interval.low <= true_fmr(0.6) <= interval.high
    # Of 60 at 95 % fewer than 52 would come once in 200 times.
    assert inside >= 52


def test_intervals_hold_it_too_where_some_look_like_many() -> None:
    threshold, edge = 0.6, edge_at(0.6)

    def uneven(people: int, draw: np.random.Generator) -> NDArray[np.float64]:
        scale = np.where(draw.random(people) < 0.1, 0.3, 1.0)
        rows: NDArray[np.float64] = scale[:, None] * draw.normal(0, BETWEEN, (people, SIZE))
        return rows

    draw = np.random.default_rng(99)
    truth = float((np.linalg.norm(uneven(500_000, draw) - uneven(500_000, draw), axis=1) <= threshold).mean())
    inside = naive = 0
    for seed in range(60):
        rows = uneven(150, np.random.default_rng(seed))
        found = compare({str(place): row[None] for place, row in enumerate(rows)})
        interval = found.false_match_rate(edge)
        inside += interval.low <= truth <= interval.high
        interval = found.rates.false_match_rate(threshold)
        naive += interval.low <= truth <= interval.high
    assert inside >= 52
    # As if pairs were independent the interval is far too narrow.
    assert naive < 40


def test_too_large_a_gallery_is_sampled_by_people_and_the_same_again() -> None:
    encodings = gallery(400, 2)
    one, again = (compare(encodings, budget=20_000, seed=4) for _ in range(2))
    assert one.people == again.people
    assert (one.matches == again.matches).all()
    assert one.people_in_gallery == 400
    # 100 people: each one's probe with all photos of all.
    assert len(one.people) == 100
    assert one.encodings == 200


@pytest.mark.parametrize("photos", [1, 2])
def test_one_student_has_no_impostor(photos: int) -> None:
    found = compare({"a": np.zeros((photos, 4))})
    assert found.pairs == 0
    assert found.roster is None
    assert found.campus is None
    assert found.false_match_limit(edge_at(0.5)) == 1.0
    assert np.isnan(found.false_match_rate(edge_at(0.5)).rate)


def test_two_students_are_worth_one_pair() -> None:
    found = compare({"a": np.zeros((1, 4)), "b": np.ones((1, 4))})
    assert found.effective_pairs.tolist() == [1.0] * len(EDGES)
    assert found.false_match_limit(edge_at(0.5)) == pytest.approx(0.95)


def test_nobody_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="nobody"):
        compare({})


def test_an_edge_is_never_above_the_threshold() -> None:
    for threshold in (0.55, 0.5, 0.3, 0.551, 0.5549):
        assert EDGES[edge_at(threshold)] <= threshold + 1e-9
        assert EDGES[edge_at(threshold) + 1] > threshold
    assert edge_at(99) == len(EDGES) - 1
    assert edge_at(0.001) == 0
