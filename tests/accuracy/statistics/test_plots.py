"""The charts are images that open, and name what they show."""

import io
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from accuracy.statistics.plots import Curve, Distribution, det_curve, histograms
from accuracy.statistics.rates import ErrorRates


def check(paths: list[Path]) -> None:
    assert [path.suffix for path in paths] == [".png", ".svg"]
    png, svg = paths
    with Image.open(io.BytesIO(png.read_bytes())) as image:
        image.load()
        assert image.format == "PNG"
        assert min(image.size) > 500
        grey = np.asarray(image.convert("L"))
        assert grey.min() < 60
        assert grey.max() > 200
    assert ET.fromstring(svg.read_text("utf-8")).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - just written


@pytest.fixture
def rates() -> ErrorRates:
    draw = np.random.default_rng(3)
    return ErrorRates(draw.normal(0.4, 0.06, 500), draw.normal(0.8, 0.08, 5000))


def test_both_charts_open(tmp_path: Path, rates: ErrorRates) -> None:
    points = rates.det_points()
    curves = [Curve("one pair", points, {"roster 0.55": 0.55, "none": -1.0}), Curve("roster of 200", points)]
    check(det_curve(tmp_path / "det.v1", *curves))
    draw = np.random.default_rng(4)
    distributions = [
        Distribution("genuine", draw.normal(0.4, 0.06, 500)),
        Distribution("impostor", np.array([0.7, 0.8, np.inf]), np.array([5, 9, 1])),
    ]
    check(histograms(tmp_path / "distances", *distributions, thresholds={"roster": 0.55}))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "det.v1.png", "det.v1.svg", "distances.png", "distances.svg",
    ]  # fmt: skip


def test_nothing_to_draw_is_an_empty_chart(tmp_path: Path) -> None:
    check(det_curve(tmp_path / "det", Curve("nobody", ErrorRates(np.array([]), np.array([])).det_points())))
    check(histograms(tmp_path / "distances", Distribution("nobody", np.array([]))))


def test_the_same_data_give_the_same_picture(tmp_path: Path, rates: ErrorRates) -> None:
    one, other = (det_curve(tmp_path / name, Curve("a", rates.det_points()))[0].read_bytes() for name in "xy")
    assert one == other
