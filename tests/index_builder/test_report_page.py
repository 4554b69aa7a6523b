from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from index_builder.enrolment import EnrolmentResult
from index_builder.photos.judging import make_thumbnail
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict
from index_builder.report import summary_table
from index_builder.report_page import render_report, write_report

PICTURE = make_thumbnail(np.full((300, 200, 3), 120, np.uint8), None)
HOSTILE = "</script><script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">.jpg"


@pytest.fixture
def enrolment() -> EnrolmentResult:
    def verdict(name: str, outcome: PhotoOutcome, detail: str = "", quality: float | None = None) -> PhotoVerdict:
        return PhotoVerdict(name, outcome, detail, np.zeros(128) if outcome.gives_encoding else None, quality, PICTURE)

    return EnrolmentResult(
        verdicts={
            "1001": [
                verdict("1001/a.jpg", PhotoOutcome.OK, quality=0.9),
                verdict("1001/b.jpg", PhotoOutcome.DOUBTFUL, "nearly blurred: <b>", 0.2),
                verdict("1001/c.jpg", PhotoOutcome.SET_ASIDE, "median distance 0.55", 0.7),
            ],
            "früh & <i>": [verdict(HOSTILE, PhotoOutcome.BLURRED, "sharpness 4")],
            "1003": [],
        },
        misplaced=[PhotoVerdict("line 7", PhotoOutcome.MISPLACED, "'../x' is a path")],
        saved={"1001": 2},
    )


def test_the_table_for_the_terminal(enrolment: EnrolmentResult) -> None:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(summary_table(enrolment))
    rows = [line.split() for line in captured.get().splitlines()]
    assert rows[1] == ["1001", "2", "1", "1"]
    assert rows[2] == ["früh", "&", "<i>", "0", "1", "blurred"]
    assert rows[3] == ["1003", "0"]
    many = EnrolmentResult(
        verdicts={f"{number}": [PhotoVerdict("a", PhotoOutcome.OK)] for number in range(100)} | enrolment.verdicts
    )
    with console.capture() as captured:
        console.print(summary_table(many))
    text = captured.get()
    names = [line.split()[0] for line in text.splitlines()]
    assert names[1:4] == ["1001", "früh", "1003"], "of many those are shown whom somebody should look at"
    assert "100 more students are not listed" in text


@pytest.fixture
def page(
    enrolment: EnrolmentResult, tmp_path: Path, require_program: Callable[[list[str], str], str]
) -> Iterator[Page]:
    chromium = require_program(["chromium", "chromium-browser", "google-chrome"], "chromium")
    write_report(tmp_path / "report.html", enrolment, institution="Ünïversity <x>", zone=ZoneInfo("Europe/Warsaw"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(f"file://{tmp_path / 'report.html'}")
        yield page
        browser.close()


def test_the_page_in_a_browser(page: Page) -> None:
    assert page.title().startswith("Enrolment report")
    assert page.locator("header p").first.inner_text().startswith("Ünïversity <x>")
    assert page.locator(".tile dd").all_inner_texts() == ["1", "2", "2", "1", "1", "2"]
    assert page.locator("section h2").all_inner_texts() == [
        "1001",
        "früh & <i>",
        "1003",
        "Files and lines of no student",
    ]
    assert HOSTILE in page.locator("article .name").all_inner_texts()
    sizes = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(sizes) == 4
    assert min(sizes) > 0

    page.get_by_role("button", name="Doubtful").click()
    assert page.locator("article:visible .name").all_inner_texts() == ["1001/b.jpg"]
    assert page.locator("section:visible h2").all_inner_texts() == ["1001"]
    page.get_by_role("button", name="All").click()
    page.get_by_role("searchbox").fill("FRÜH")
    assert page.locator("section:visible h2").all_inner_texts() == ["früh & <i>"]
    page.get_by_role("searchbox").fill("nobody")
    assert page.locator("#nothing:visible").inner_text() == "No photo here is of that kind."


def test_a_page_of_many_photos_leaves_out_pictures_of_those_that_are_fine(
    enrolment: EnrolmentResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index_builder.report_page._MOST_THUMBNAILS", 3)
    page = render_report(enrolment, institution="U", made_at=datetime(2026, 11, 23, tzinfo=UTC))
    assert page.count("data:image/jpeg") == 3
    enrolment.interrupted = True
    assert "stopped before its end" in render_report(
        enrolment, institution="U", made_at=datetime(2026, 11, 23, tzinfo=UTC)
    )
