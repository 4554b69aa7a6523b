"""Comparing families on what two readings say; no engine runs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from accuracy.calibration.groups import compare_groups
from accuracy.comparison.charts import draw_charts
from accuracy.comparison.comparing import Comparison, Groups, Read, compare_families
from accuracy.comparison.report import as_json
from accuracy.comparison.text import alone_table, group_tables, summary, tables
from accuracy.evaluation.evaluating import EACH, EvaluationPlan
from accuracy.evaluation.photo_reading import PhotoFace, Reading, SeenPhoto
from accuracy.evaluation.photo_sets import Entry, PhotoSet, SetError
from attendance.settings import Settings, load_settings
from attendance.settings.families import DLIB_MODEL, SFACE_MODEL, Family

PEOPLE, PHOTOS = 24, 3
SCALE = {Family.DLIB: 0.25, Family.OPENCV: 0.6}


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Engines that only have a name: the readings below need no more of them."""

    def make(*, models: str, **_: object) -> SimpleNamespace:
        model = SFACE_MODEL if models == "opencv" else DLIB_MODEL
        return SimpleNamespace(info=SimpleNamespace(model=model), close=lambda: None)

    monkeypatch.setattr("attendance.models_in_use.create_engine", make)
    return load_settings({})


def the_photos() -> PhotoSet:
    return PhotoSet(
        together=[
            Entry(f"p{person:02}", Path(f"/none/p{person:02}/{photo}.jpg"), f"p{person:02}/{photo}.jpg")
            for person in range(PEOPLE)
            for photo in range(PHOTOS)
        ]
    )


def reader(photos: PhotoSet, faults: dict[tuple[Family, str], str], *, stops: Sequence[Family] = ()) -> Read:
    def read(_engine: object, _one_face: object, family: Family) -> Reading:
        draw = np.random.default_rng(1)
        centres = {f"p{person:02}": draw.normal(size=6) for person in range(PEOPLE)}
        seen = {}
        for place, (person, path, shown) in enumerate(photos.together):
            encoding = SCALE[family] * (centres[person] + 0.3 * draw.normal(size=6))
            face = PhotoFace(encoding.astype(np.float32), b"")
            fault = faults.get((family, shown), "")
            seen[path] = SeenPhoto(shown, [] if fault else [face], f"{place:064x}", fault)
        return Reading(seen, interrupted=family in stops)

    return read


def compare(
    settings: Settings, faults: dict[tuple[Family, str], str] | None = None, *, groups: Groups | None = None
) -> Comparison:
    photos = the_photos()
    plan = EvaluationPlan(strangers=EACH, replicates=100)
    found = compare_families(photos, plan, settings, reader(photos, faults or {}), groups=groups)
    assert found is not None
    return found


def test_all_rates_rest_on_photos_that_both_can_use(settings: Settings) -> None:
    faults = {
        (Family.DLIB, "p00/0.jpg"): "no face",
        (Family.DLIB, "p00/1.jpg"): "no face",
        (Family.OPENCV, "p01/0.jpg"): "2 faces; the person must be alone",
        (Family.DLIB, "p02/0.jpg"): "the JPEG is truncated",
        (Family.OPENCV, "p02/0.jpg"): "the JPEG is truncated",
    }
    found = compare(settings, faults)
    assert (found.photos, found.shared, found.people) == (72, 68, 24)
    dlib, opencv = found.families
    assert [one.run.evaluation.probes for one in found.families] == [68, 68]
    assert [one.run.not_acquired for one in found.families] == [3, 2]
    assert dlib.alone == {"p01/0.jpg": "2 faces; the person must be alone"}
    assert opencv.alone == {"p00/0.jpg": "no face", "p00/1.jpg": "no face"}
    assert [probe.photo for probe in dlib.run.searches.probes] == [probe.photo for probe in opencv.run.searches.probes]
    told = alone_table(found)
    assert told is not None
    assert ("p01/0.jpg", "dlib", "2 faces; the person must be alone") in told.rows
    assert "both families can use 68, of 24 people" in summary(found)[0]
    assert alone_table(compare(settings)) is None


def test_each_family_is_held_against_its_own_thresholds(settings: Settings) -> None:
    changed = settings.model_copy(
        update={"matching": settings.matching.model_copy(update={"opencv": replace_threshold(settings, 1.2)})}
    )
    found = compare(changed)
    assert [[at.rule.threshold for at in one.thresholds] for one in found.families] == [[0.55, 0.5], [1.2, 1.02]]
    for one in found.families:
        searches = one.run.searches
        for at in one.thresholds:
            assert at.false_match.rate == pytest.approx(float((searches.comparisons <= at.rule.threshold).mean()))
            assert at.false_non_match.rate == pytest.approx(float((searches.own > at.rule.threshold).mean()))
            assert at.false_match.low <= at.false_match.rate <= at.false_match.high
        roster = one.run.evaluation.rules[0]
        assert roster.right is not None
        assert one.thresholds[0].outcomes.right.rate == pytest.approx(roster.right.value)
        assert [at.wanted for at in one.tar] == [0.01, 0.001, 0.0001]
        assert one.tar[2].rate is None, "24 people give 1,656 comparisons"


def replace_threshold(settings: Settings, threshold: float) -> object:
    return settings.matching.opencv.model_copy(update={"threshold": threshold})


def test_groups_are_compared_within_each_family(settings: Settings) -> None:
    values = {f"p{person:02}": "ab"[person % 2] for person in range(PEOPLE)}

    def groups(encodings, threshold):
        return compare_groups(encodings, values, column="declared_group", threshold=threshold, budget=10**6)

    shown = list(group_tables(compare(settings, groups=groups)))
    titles = [table.title for table in shown]
    assert "By declared_group, family dlib at 0.55" in titles
    assert "By declared_group, family opencv at 1.07" in titles
    assert all([row[:2] for row in table.rows] == [("a", "12"), ("b", "12")] for table in shown)


def test_the_figures_as_json_and_as_charts(settings: Settings) -> None:
    found = compare(settings, {(Family.DLIB, "p00/0.jpg"): "no face"})
    made_at = datetime(2026, 3, 1, tzinfo=UTC)
    figures = as_json(found, made_at=made_at)
    assert set(figures["families"]) == {"dlib", "opencv"}
    opencv = figures["families"]["opencv"]
    assert opencv["usable_with_this_family_alone"] == [{"photo": "p00/0.jpg", "other_family": "no face"}]
    assert opencv["at_thresholds"][0]["threshold"] == 1.07
    assert 0 <= opencv["at_thresholds"][0]["fmr"]["low"] <= opencv["at_thresholds"][0]["fmr"]["high"] <= 1
    nameless = as_json(found, made_at=made_at, names=False)
    assert "p0" not in str(nameless)
    charts = draw_charts(found)
    assert {name for name in charts if name.startswith("det")} == {
        f"det-{kind}.{suffix}" for kind in ("verification", "identification") for suffix in ("png", "svg")
    }
    assert all(len(table.head) == len(row) for table in tables(found) for row in table.rows)


def test_nothing_is_told_of_a_part(settings: Settings) -> None:
    photos = the_photos()
    for family in Family.OPENCV, Family.DLIB:
        assert compare_families(photos, EvaluationPlan(), settings, reader(photos, {}, stops=[family])) is None


def test_no_photo_that_both_can_use(settings: Settings) -> None:
    faults = {(Family.DLIB, one.shown): "no face" for one in the_photos().together}
    with pytest.raises(SetError, match="no photo that both families can use"):
        compare(settings, faults)


def test_changed_files_are_no_photos() -> None:
    seen = SeenPhoto("a.jpg", [PhotoFace(np.zeros(3, np.float32), b"")], "aa")
    assert seen.unless_changed("aa") is seen
    assert seen.unless_changed("bb").fault == "another file by now"
    gone = replace(seen, problem="No such file or directory")
    assert gone.unless_changed("bb").fault == "No such file or directory"
