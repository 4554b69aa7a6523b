"""The report with all its parts: corrections, groups with any name."""

import json
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from accuracy.calibration.calibrating import Calibration, calibrate
from accuracy.calibration.corrections import Corrected
from accuracy.calibration.groups import GroupReport, compare_groups
from accuracy.calibration.report import write_calibration
from accuracy.calibration.text import as_rate, correction_lines
from accuracy.calibration.thresholds import Purpose
from accuracy.statistics.rates import Interval, clopper_pearson
from attendance.gallery.store import Store
from attendance.settings.model import MatchingSettings

CORRECTED = Corrected(100, 2, 5, np.full(300, 0.4), np.array([0.52, 0.49]))
NAMES = ("<script>alert(1)</script>", "=cmd|' /C calc'!A0", "Zażółć\x07")


@pytest.fixture(scope="module")
def found() -> Calibration:
    draw = np.random.default_rng(0)
    people = {f"s{n:03d}": draw.normal(draw.normal(0, 0.1, 32), 0.04, (2, 32)) for n in range(90)}
    groups = {number: NAMES[place % 3] for place, number in enumerate(people)}

    def report(threshold: float) -> GroupReport:
        return compare_groups(people, groups, column="declared_group", threshold=threshold, budget=1_000_000)

    return calibrate(
        Store(people, encoding_size=32),
        Purpose(roster=30),
        MatchingSettings(),
        budget=1_000_000,
        groups=report,
        corrected=CORRECTED,
    )


def test_no_name_of_a_group_becomes_part_of_the_page(found: Calibration, tmp_path: Path) -> None:
    page = write_calibration(tmp_path / "r", found, institution="<b>U</b>", zone=ZoneInfo("UTC")).read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<b>U</b>" not in page
    assert "\x07" not in page
    assert "script-src" not in page
    assert "default-src 'none'" in page


def test_the_figures_name_every_group_and_threshold(found: Calibration, tmp_path: Path) -> None:
    write_calibration(tmp_path / "r", found, institution="U", zone=ZoneInfo("UTC"))
    figures = json.loads((tmp_path / "r" / "calibration.json").read_text("utf-8"))
    assert {group["group"] for group in figures["groups"]} == set(NAMES)
    assert [choice["setting"] for choice in figures["choices"]] == [
        "matching.dlib.threshold",
        "matching.dlib.campus_threshold",
    ]
    assert figures["made_at"].endswith(str(UTC).replace("UTC", "+00:00"))


def test_corrections_are_told_with_their_interval(found: Calibration) -> None:
    first, second, third = correction_lines(found.corrected)
    assert "in 2 of 100 ended sessions" in first
    assert "0.0200 (0.0024 to 0.0704)" in first
    assert "end at the threshold in use" in second
    assert "0.490" in third
    assert found.searched()


def test_rates_read_well_at_any_size() -> None:
    assert as_rate(clopper_pearson(0, 0)) == "unknown"
    assert as_rate(Interval(0.0, 0.0, 1.23456e-7)) == "0 (0 to 1.2e-07)"
    assert as_rate(Interval(0.25, 0.2, 0.3)) == "0.2500 (0.2000 to 0.3000)"
