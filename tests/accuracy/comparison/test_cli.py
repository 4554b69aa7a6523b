"""`--compare` of `attendance evaluate` and `attendance calibrate` as an operator uses it: real faces, both engines."""

import io
import json
import stat
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from attendance.database.engine import create_database_engine, session_factory, upgrade
from attendance.database.models import Student
from attendance.gallery.store import Store
from operations.cli.main import attendance
from tests.stores import write_store


def run(*arguments: object, code: int = 0) -> Result:
    done = CliRunner().invoke(attendance, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def figures(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "comparison.json").read_text("utf-8"))
    return found


def check_charts(folder: Path, *names: str) -> None:
    for name in names:
        with Image.open(io.BytesIO((folder / f"{name}.png").read_bytes())) as image:
            colours = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
        for ink in ((0x12, 0x35, 0x5B), (0xB3, 0x54, 0x1E)):
            assert (np.abs(colours - ink).max(axis=1) < 40).any(), f"{name}: a curve for each family"
        ElementTree.fromstring((folder / f"{name}.svg").read_text("utf-8"))  # noqa: S314 - just written


@pytest.mark.usefixtures("both_families")
def test_evaluate_prints_and_writes_both(faces: Path, tmp_path: Path) -> None:
    output = tmp_path / "report"
    said = run("evaluate", faces, "--compare", "--output", output, "--bootstrap", 100).output
    assert "Family dlib: model dlib-resnet-v1" in said
    assert "Family opencv: model sface-2021dec" in said
    assert "dlib    the roster's threshold 0.55, margin 0.04" in said
    assert "opencv  the roster's threshold 1.07, margin 0.04" in said
    found = figures(output)
    assert found["photos"] == 10
    assert found["photos_both_can_use"] == 7, "a copy can be used, and is not searched"
    for one in found["families"].values():
        assert one["mated_searches"] == {"count": 6, "people": 3}
        assert one["at_thresholds"][0]["named_rightly"]["rate"] == 1
        assert one["at_thresholds"][0]["strangers_named"]["rate"] == 0
        assert [at["pixels"] for at in one["by_width"]] == [16, 20, 24, 32, 40, 60]
        assert one["by_width"][-1]["found"]["rate"] == 1
        assert one["by_width"][-1]["pixels_of_its_own_box"] == pytest.approx(60, rel=0.25)
    at_16 = {family: one["by_width"][0]["found"]["rate"] for family, one in found["families"].items()}
    assert at_16["opencv"] >= at_16["dlib"]
    check_charts(output, "det-verification", "det-identification", "widths")
    page = (output / "comparison.html").read_text("utf-8")
    assert page.count("data:image/svg+xml") == 3
    assert "data:image/jpeg" not in page
    assert {stat.S_IMODE(file.stat().st_mode) for file in output.iterdir()} == {0o600}


@pytest.mark.exhaustive  # each family alone names them in tests/accuracy/evaluation/test_cli.py
@pytest.mark.usefixtures("both_families")
def test_the_faces_beside_the_repository_have_their_names_with_both(
    shared_faces: Path, shared_answers: Path, tmp_path: Path
) -> None:
    output = tmp_path / "report"
    run("evaluate", shared_faces, "--answers", shared_answers, "--compare", "--output", output, "--bootstrap", 100)
    for family, one in figures(output)["families"].items():
        assert len(one["scenes"]) == 11
        assert [scene["photo"] for scene in one["scenes"] if not scene["right"]] == [], family
        assert one["mated_searches"]["count"] == 7
        assert [at["named_as_somebody_else"]["rate"] for at in one["by_width"]] == [0] * 6, family
        assert [at["strangers_named"]["rate"] for at in one["by_width"]] == [0] * 6, family


def test_without_the_files_of_opencv_it_says_how_to_get_them(
    faces: Path, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NAME", "DETECTOR"):
        monkeypatch.delenv(f"ATTENDANCE_ENGINE_{name}")
    monkeypatch.setenv("ATTENDANCE_ENGINE_CACHE", str(tmp_path / "empty"))
    said = run("evaluate", faces, "--compare", code=1).output
    assert said.startswith("Error: the detector of the models opencv is not in")
    assert "`attendance models fetch` gets it" in said


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["--compare", "--threshold", "1"], "--threshold is for one family", 2),
        (["--compare", "--margin", "0"], "--margin is for one family", 2),
        (["--compare", "--gallery", "."], "--gallery is for one family", 2),
        (["--compare", "--embedding", "a:b"], "--embedding is for one family", 2),
        (["--group", "department"], "--group is for --compare", 2),
        (["--compare"], "the reference engine has dlib's models only", 1),
    ],
)
def test_what_does_not_go_together(faces: Path, arguments: list[str], message: str, code: int) -> None:
    assert message in run("evaluate", faces, *arguments, code=code).output


@pytest.fixture
def one_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the charts and five of the six widths, which the evaluation's test has."""
    monkeypatch.setattr("accuracy.comparison.report.draw_charts", lambda _: {})
    monkeypatch.setattr("accuracy.comparison.small_faces.WIDTHS", (60,))


@pytest.fixture
def enrolled(both_families: Path, faces: Path) -> Path:
    """A gallery of family dlib made from the photos; who is enrolled consents."""
    both_families.mkdir()
    engine = create_database_engine(f"sqlite:///{both_families / 'attendance.db'}")
    upgrade(engine)
    engine.dispose()
    for spare in ("1003/3 copy.png", "1003/4 three.png", "1004/3 wall.png", "1004/4 cut.png"):
        (faces / spare).unlink()
    environ = {"ATTENDANCE_ENGINE_MODELS": "dlib"}
    done = CliRunner(env=environ).invoke(attendance, ["enrol", str(faces), "--consent", "form", "--new", "add"])
    assert done.exit_code == 0, done.output
    return both_families


@pytest.mark.usefixtures("one_width")
def test_calibrate_sees_the_kept_photos_with_both(enrolled: Path, faces: Path, tmp_path: Path) -> None:
    store = enrolled / "gallery" / "encodings.pickle"
    before = store.read_bytes()
    output = tmp_path / "report"
    said = run("calibrate", "--compare", "--report", output).output
    assert "matching.dlib.threshold" in said
    assert "matching.opencv.threshold" in said
    assert "both families can use 6, of 3 people" in said
    found = figures(output)
    assert set(found["calibrations"]) == {"dlib", "opencv"}
    assert found["calibrations"]["opencv"]["choices"][0]["threshold"] <= 1.07
    for one in found["families"].values():
        assert one["mated_searches"] == {"count": 6, "people": 3}
    for text in (said, (output / "comparison.json").read_text(), (output / "comparison.html").read_text("utf-8")):
        assert "1003" not in text, "nobody is named"
        assert faces.name + "/" not in text
    assert store.read_bytes() == before


@pytest.mark.usefixtures("one_width")
def test_calibrate_leaves_out_who_withdrew_and_what_has_changed(enrolled: Path, faces: Path) -> None:
    with session_factory(create_database_engine(f"sqlite:///{enrolled / 'attendance.db'}")).begin() as db:
        student = db.query(Student).filter_by(index_number="1001").one()
        student.consent_given_at = None
    (faces / "1003" / "1.png").write_bytes((faces / "1004" / "1.png").read_bytes())
    said = run("calibrate", "--compare").output
    assert "Students not compared, without consent: 1." in said
    assert "both families can use 3, of 2 people" in said
    for photo in [*(faces / "1003").iterdir(), *(faces / "1004").iterdir()]:
        photo.unlink()
    said = run("calibrate", "--compare", code=1).output
    assert "none of this gallery's is kept: use `attendance evaluate FOLDER --compare`" in said


@pytest.mark.usefixtures("data")
def test_calibrate_compare_changes_no_settings(data: Path) -> None:
    write_store(data / "gallery" / "encodings.pickle", Store({"1": np.ones((1, 128))}))
    assert "--compare changes no settings" in run("calibrate", "--compare", "--write", code=2).output
