"""Exact intervals over people."""

import numpy as np
import pytest

from accuracy.statistics.people import design_effect, mean_over_people, rate_of_pairs, rate_of_people
from accuracy.statistics.rates import clopper_pearson


def test_all_that_is_one_persons_is_one_trial() -> None:
    hits, person = np.array([True] * 9 + [False]), np.array([0] * 9 + [3])
    assert mean_over_people(hits, person) == (1.0, 2)
    assert rate_of_people(hits, person) == clopper_pearson(1.8, 2)
    assert rate_of_people(hits[:0], person[:0]).high == 1
    assert mean_over_people(hits[:0], person[:0]) == (0.0, 0)


def all_pairs(people: int) -> np.ndarray:
    return np.array([(a, b) for a in range(people) for b in range(people) if a != b])


def test_without_false_matches_only_pairs_of_which_no_two_share_a_person_count() -> None:
    pairs = all_pairs(40)
    assert rate_of_pairs(np.full(len(pairs), 1.4, np.float32), pairs, 1.1) == clopper_pearson(0, 20)
    assert rate_of_pairs(np.empty(0, np.float32), np.empty((0, 2), np.int64), 1.1).high == 1


def test_one_who_looks_like_many_makes_the_rate_less_sure() -> None:
    draw = np.random.default_rng(0)
    pairs = all_pairs(60)
    chance = np.sort(pairs, axis=1)
    scattered = (chance[:, 0] * 7 + chance[:, 1] * 13) % 30 == 0
    alike = (pairs == 5).any(axis=1)
    distances = draw.uniform(1.2, 1.4, len(pairs))
    found = {}
    for name, matched in (("scattered", scattered), ("alike", alike)):
        found[name] = rate_of_pairs(np.where(matched, 1.0, distances).astype(np.float32), pairs, 1.1)
        assert found[name].rate == pytest.approx(matched.mean())
    independent = clopper_pearson(scattered.sum() / 2, len(pairs) / 2)
    assert found["scattered"].high == pytest.approx(independent.high, rel=0.2)
    assert found["alike"].high > 2 * found["scattered"].high


def test_the_effect_of_a_larger_threshold_stands_in_where_matches_are_rare() -> None:
    draw = np.random.default_rng(0)
    pairs = all_pairs(60)
    distances = draw.uniform(1.0, 1.4, len(pairs)).astype(np.float32)
    rare = rate_of_pairs(distances, pairs, float(np.sort(distances)[1]))
    assert rare.rate == pytest.approx(2 / len(pairs))
    assert rare.high < clopper_pearson(0, 30).high, "worth more than 30 trials"


def test_the_design_effect_of_independent_pairs_is_one() -> None:
    rate = 0.01
    assert design_effect(rate, rate * (1 - rate) / 99, 100) == pytest.approx(1)
    assert design_effect(rate, 10 * rate * (1 - rate) / 99, 100) > 10
