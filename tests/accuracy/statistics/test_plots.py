"""The charts are images that open, and name what they show."""

import io
import xml.etree.ElementTree as ET
from collections.abc import Mapping

import numpy as np
import pytest
from PIL import Image

from accuracy.statistics.plots import Band, Curve, Distribution, render_bands, render_det, render_histograms
from accuracy.statistics.rates import ErrorRates


def check(files: Mapping[str, bytes]) -> None:
    assert list(files) == ["png", "svg"]
    with Image.open(io.BytesIO(files["png"])) as image:
        image.load()
        assert image.format == "PNG"
        assert min(image.size) > 500
        grey = np.asarray(image.convert("L"))
        assert grey.min() < 60
        assert grey.max() > 200
    assert ET.fromstring(files["svg"].decode("utf-8")).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - just written


@pytest.fixture
def rates() -> ErrorRates:
    draw = np.random.default_rng(3)
    return ErrorRates(draw.normal(0.4, 0.06, 500), draw.normal(0.8, 0.08, 5000))


def test_both_charts_open(rates: ErrorRates) -> None:
    points = rates.det_points()
    curves = [Curve("one pair", points, {"roster 0.55": 0.55, "none": -1.0}), Curve("roster of 200", points)]
    check(render_det(*curves))
    draw = np.random.default_rng(4)
    distributions = [
        Distribution("genuine", draw.normal(0.4, 0.06, 500)),
        Distribution("impostor", np.array([0.7, 0.8, np.inf]), np.array([5, 9, 1])),
    ]
    check(render_histograms(*distributions, thresholds={"roster": 0.55}))


def test_nothing_to_draw_is_an_empty_chart() -> None:
    check(render_det(Curve("nobody", ErrorRates(np.array([]), np.array([])).det_points())))
    check(render_histograms(Distribution("nobody", np.array([]))))


def test_the_same_data_give_the_same_picture(rates: ErrorRates) -> None:
    one, other = (render_det(Curve("a", rates.det_points())) for _ in "xy")
    assert one == other


def test_shares_against_widths_stand_beside_each_other() -> None:
    places = np.array([16.0, 24.0, 40.0])
    shares = np.array([[0.2, 0.1, 0.4], [0.9, 0.6, 1.0], [1.0, 0.8, 1.0]])
    files = render_bands(
        Band("dlib", places, shares), Band("opencv", places, shares), title="t", x_label="x", y_label="y"
    )
    image = np.asarray(Image.open(io.BytesIO(files["png"])).convert("RGB")).reshape(-1, 3)
    for ink in ((0x12, 0x35, 0x5B), (0xB3, 0x54, 0x1E)):
        assert (np.abs(image.astype(int) - ink).max(axis=1) < 8).sum() > 200, "both are seen, though they are alike"
    assert files["svg"].startswith(b"<?xml")
