"""What the benchmark of families works out from distances."""

import numpy as np
import pytest

from attendance.settings.families import Family
from benchmarks.families import StrangersCurve, false_match_lines, strangers_of


def on_the_sphere(count: int, size: int = 128) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(count, size))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_the_curve_gives_what_was_counted_and_goes_on() -> None:
    rows = on_the_sphere(400)
    apart = np.linalg.norm(rows[:200, None] - rows[None, 200:], axis=2).ravel()
    curve = StrangersCurve(Family.OPENCV, apart)
    for at in (1.3, 1.35, 1.4):
        assert curve.rate(at) == pytest.approx((apart <= at).mean(), rel=0.1)
    assert curve.distance(curve.rate(1.1)) == pytest.approx(1.1)
    assert 0 < curve.rate(1.0) < curve.rate(1.1) < 1e-5
    plain = StrangersCurve(Family.DLIB, np.random.default_rng(0).normal(0.75, 0.08, 40_000).astype(np.float32))
    assert plain.rate(0.59) == pytest.approx(0.0228, rel=0.1)
    assert plain.distance(0.0228) == pytest.approx(0.59, abs=0.01)


def test_whoever_is_in_the_set_more_than_once_is_no_stranger_to_himself() -> None:
    """Near to one family is enough, if the other does not contradict; and a chain of such pairs is one person."""
    base = on_the_sphere(8)
    opencv = dict(enumerate(base.copy()))
    dlib = {place: 0.55 * row for place, row in enumerate(base)}
    for family, place, other, distance in (
        (opencv, 1, 0, 0.8), (dlib, 1, 0, 0.5), (opencv, 2, 1, 0.9), (dlib, 2, 1, 0.58),
        (opencv, 4, 3, 0.8), (dlib, 4, 3, 0.62), (opencv, 6, 5, 1.1), (dlib, 6, 5, 0.4),
    ):  # fmt: skip
        away = np.zeros(128, np.float32)
        away[100 + place] = distance
        family[place] = family[other] + away
    distances, pairs = strangers_of({Family.DLIB: dlib, Family.OPENCV: opencv | {9: base[0]}})
    missing = {(a, b) for a in range(8) for b in range(a + 1, 8)} - set(map(tuple, pairs.tolist()))
    assert missing == {(0, 1), (1, 2), (0, 2), (5, 6)}, "9 was seen by one family only; 3 and 4 are two people to dlib"
    assert all(len(found) == len(pairs) == 24 for found in distances.values())
    lines = list(false_match_lines(Family.OPENCV, distances[Family.OPENCV], pairs))
    assert "1 of 24" in lines[0]
