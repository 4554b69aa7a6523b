"""The HTML reports held against WCAG 2.1 A and AA by axe, light and dark; an empty curve says why it is empty."""

from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from playwright.sync_api import Browser, sync_playwright

from accuracy.calibration.calibrating import calibrate
from accuracy.calibration.report import write_calibration
from accuracy.calibration.thresholds import Purpose
from accuracy.evaluation.report import write_evaluation
from accuracy.statistics.plots import Curve, is_empty, render_det
from accuracy.statistics.rates import ErrorRates
from attendance.gallery.store import Store
from attendance.settings.model import MatchingSettings
from index_builder.enrolment import EnrolmentResult
from index_builder.photos.judging import make_thumbnail
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict
from index_builder.report_page import write_report
from tests.accuracy.evaluation.test_report import planted
from tests.axe import WCAG, violations

UTC = ZoneInfo("UTC")
TOO_FEW = "There are too few people for a detection error trade-off"


@pytest.fixture(scope="module")
def browser(require_program: Callable[[list[str], str], str]) -> Iterator[Browser]:
    path = require_program(["chromium", "chromium-browser", "google-chrome"], "chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


def calibration(folder: Path, *, people: int, apart: float) -> Path:
    draw = np.random.default_rng(0)
    store = Store(
        {f"s{n}": draw.normal(draw.normal(0, apart, 32), 0.04, (2, 32)) for n in range(people)}, encoding_size=32
    )
    found = calibrate(store, Purpose(roster=30), MatchingSettings(), budget=100_000)
    return write_calibration(folder, found, institution="U", zone=UTC)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    picture = make_thumbnail(np.full((300, 200, 3), 120, np.uint8), None)
    outcomes = [
        PhotoVerdict(f"1/{n}.jpg", outcome, "why", None, None, picture) for n, outcome in enumerate(PhotoOutcome)
    ]
    write_report(folder / "e.html", EnrolmentResult(verdicts={"1": outcomes, "2": []}), institution="U", zone=UTC)
    run = planted({"Ada": [(0, 0), (1, 0)], "Kurt": [(1, 0), (1, 0.1)]})
    return {
        "enrolment": folder / "e.html",
        "calibration": calibration(folder / "c", people=60, apart=0.1),
        "evaluation": write_evaluation(folder / "v", run, model="m", institution="U", zone=UTC),
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["enrolment", "calibration", "evaluation"])
def test_a_report_is_accessible(browser: Browser, pages: dict[str, Path], name: str, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"file://{pages[name]}")
    assert violations(page, *WCAG, "best-practice") == []
    assert page.locator("h1").count() == 1
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement !== document.body"):
        assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    page.close()


def test_what_is_wrong_with_a_page_is_found(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content("<html lang='en'><title>A page</title><main><h1>A page</h1><img src='data:,'></main>")
    (found,) = violations(page, *WCAG)
    assert found.startswith("image-alt: ")
    assert "img" in found
    page.close()


def test_an_empty_curve_says_that_there_are_too_few_people(tmp_path: Path) -> None:
    few = calibration(tmp_path / "few", people=3, apart=1.0).read_text("utf-8")
    assert TOO_FEW in few
    many = calibration(tmp_path / "many", people=60, apart=0.02).read_text("utf-8")
    assert TOO_FEW not in many
    apart = Curve("c", ErrorRates(np.array([0.1, 0.2]), np.array([0.9, 0.8])).det_points())
    mixed = Curve("c", ErrorRates(np.linspace(0.1, 0.7, 50), np.linspace(0.4, 0.9, 50)).det_points())
    assert (is_empty(apart), is_empty(mixed), is_empty(apart, mixed)) == (True, False, False)
    assert len(render_det(apart)["svg"]) != len(render_det(mixed)["svg"])
