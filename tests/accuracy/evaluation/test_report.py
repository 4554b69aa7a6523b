"""The report of an evaluation: what names of files and people may hold, and what never gets into it."""

import json
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from accuracy.evaluation.decisions import Rule
from accuracy.evaluation.evaluating import EvaluationPlan, EvaluationRun, run_evaluation
from accuracy.evaluation.photo_reading import PhotoFace, Reading, SeenPhoto
from accuracy.evaluation.photo_sets import Entry, LeftOut, PhotoSet, Scene
from accuracy.evaluation.report import as_json, render_page, write_evaluation
from accuracy.evaluation.text import print_evaluation

HOSTILE = "<script>alert(1)</script>\x1b[2J"
NUMBER = 0.123456789


def planted(
    people: dict[str, Sequence[tuple[float, float]]], *, rules: dict[str, Rule] | None = None, strangers: int = 0
) -> EvaluationRun:
    """An evaluation of people whose photos have encodings of three numbers, the last being `NUMBER`."""
    reading = Reading()
    entries: list[Entry] = []
    for person, places in people.items():
        for number, place in enumerate(places):
            path = Path(f"/photos/{person}/{number}.jpg")
            face = PhotoFace(np.array([*place, NUMBER], np.float32), b"\xff\xd8 a small picture")
            reading.photos[path] = SeenPhoto(f"{person}/{number}.jpg", [face], f"{person} {number}")
            entries.append(Entry(person, path, f"{person}/{number}.jpg"))
    scene = Path("/photos/scene.jpg")
    reading.photos[scene] = SeenPhoto(HOSTILE, [face, face], "scene")
    stay = len(entries) - strangers
    photos = PhotoSet(
        together=entries[:stay],
        strangers=entries[stay:],
        scenes=[Scene(scene, HOSTILE, frozenset(people))],
        left_out=[LeftOut(f"{HOSTILE}\udcff.jpg", "no face")],
    )
    chosen = {"the given threshold": Rule(0.55, 0.04)} if rules is None else rules
    return run_evaluation(photos, reading, EvaluationPlan(rules=chosen, replicates=100), model="planted")


def test_nothing_of_a_name_is_run_and_no_encoding_is_shown(tmp_path: Path) -> None:
    run = planted({HOSTILE: [(0, 0), (1, 0)], "=cmd|' /C calc'!A0": [(1, 0), (1, 0.1)]})
    page = write_evaluation(tmp_path / "report", run, model=HOSTILE, institution=HOSTILE, zone=ZoneInfo("UTC"))
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert text.count("data:image/jpeg;base64,") == 2 * len(run.evaluation.confusions) > 0
    figures = (tmp_path / "report" / "evaluation.json").read_text("utf-8")
    json.loads(figures)
    for content in (text, figures):
        assert "0.12345" not in content
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in page.parent.iterdir()}
    assert set(files.values()) == {0o600}
    assert {"evaluation.html", "evaluation.json", "det-verification.svg", "distances.png"} <= files.keys()
    assert text.count("data:image/svg+xml;base64,") == sum(name.endswith(".svg") for name in files)
    said: list[str] = []
    print_evaluation(run, said.append, model="planted")
    assert "\x1b" not in "".join(said)
    assert "0.12345" not in "".join(said)


def test_figures_are_numbers_or_nothing_never_infinite() -> None:
    run = planted({"a": [(0, 0)], "b": [(5, 0)], "c": [(0.1, 0)]}, strangers=1)
    figures = as_json(run, model="planted", made_at=datetime(2026, 11, 23, tzinfo=UTC))
    text = json.dumps(figures, allow_nan=False)
    assert figures["cmc"] == []
    assert figures["nonmated_searches"] == {"count": 1, "people": 1, "in_turn": False}
    assert figures["decisions"][0]["strangers"] == {"named as somebody else": 1}
    assert json.loads(text)["confusions"][0]["own_distance"] is None


def test_without_a_rule_what_the_product_would_decide_is_left_out() -> None:
    run = planted({"a": [(0, 0), (0, 0.1)], "b": [(5, 0), (5, 0.1)]}, rules={})
    page = render_page(run, {}, model="planted", institution="I", made_at=datetime(2026, 11, 23, tzinfo=UTC))
    assert "the configured thresholds are of another model" in page
    assert "No photo of an enrolled person is nearest to somebody else" in page
    assert run.scenes == []
