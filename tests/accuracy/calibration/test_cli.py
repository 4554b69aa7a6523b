"""`attendance calibrate` as an operator runs it."""

import io
import json
import stat
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image

from attendance.database.engine import create_database_engine, session_factory
from attendance.gallery.provenance import Provenance
from attendance.gallery.store import Store
from operations.cli.main import attendance
from tests.databases import make_tables
from tests.factories import make_student
from tests.stores import write_store

SIZE = 128


def faces(people: int, photos: int, *, apart: float = 0.8, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """Encodings some 0.3 apart of one person and `apart` of two."""
    draw = np.random.default_rng(seed)
    within = 0.3 / (2 * SIZE) ** 0.5
    between = (apart**2 / 2 / SIZE - within**2) ** 0.5
    return {f"s{n:04d}": draw.normal(draw.normal(0, between, SIZE), within, (photos, SIZE)) for n in range(people)}


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def save(data: Path, encodings: dict[str, NDArray[np.float64]], model: str = "dlib-resnet-v1") -> None:
    write_store(data / "gallery" / "encodings.pickle", Store(encodings, model))


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(attendance, ["calibrate", *arguments])
    assert result.exit_code == code, result.output
    return result


def with_students(data: Path, groups: dict[str, str | None]) -> None:
    engine = create_database_engine(f"sqlite:///{data / 'attendance.db'}")
    make_tables(engine)
    with session_factory(engine).begin() as db:
        for number, group in groups.items():
            make_student(db, number).declared_group = group
    engine.dispose()


EASY = ("--wanted", "0.3", "--roster", "20", "--strangers", "1")


def test_a_report_with_charts_and_the_settings_written(data: Path, tmp_path: Path) -> None:
    encodings = faces(600, 2)
    save(data, encodings)
    with_students(data, {number: "ab"[place % 2] for place, number in enumerate(encodings)})
    Path("attendance.toml").write_text("[matching]\nmargin = 0.05\n")
    output = run(*EASY, "--report", "report", "--write").output
    assert "600 people with 1,200 encodings of dlib-resnet-v1; 179,700 impostor pairs" in output
    assert "By declared_group" in output
    assert "No group's interval lies apart" in output
    folder = tmp_path / "report"
    for stem in ("det", "distances"):
        with Image.open(io.BytesIO((folder / f"{stem}.png").read_bytes())) as image:
            image.load()
            assert image.format == "PNG"
            assert np.asarray(image.convert("L")).std() > 5
        svg = ET.fromstring((folder / f"{stem}.svg").read_text("utf-8"))  # noqa: S314 - just written
        assert svg.tag.endswith("svg")
        assert stat.S_IMODE((folder / f"{stem}.png").stat().st_mode) == 0o600
    figures = json.loads((folder / "calibration.json").read_text())
    roster, campus = figures["choices"]
    assert roster["measured"]
    assert roster["fmr_upper_limit"] <= roster["needed_fmr"]
    written = tomllib.loads(Path("attendance.toml").read_text())["matching"]
    assert written["margin"] == 0.05
    written = written["dlib"]
    assert written["threshold"] == roster["threshold"]
    assert ("campus_threshold" in written) == campus["measured"]
    page = (folder / "calibration.html").read_text("utf-8")
    assert page.count("data:image/svg+xml") == 2
    assert not any(number in page for number in encodings)


def test_a_small_gallery_gets_the_default_and_nothing_is_written(data: Path) -> None:
    save(data, faces(5, 2))
    output = run("--write").output
    assert output.count("cannot support an estimate") == 2
    assert "[matching.dlib]\nthreshold = 0.55\ncampus_threshold = 0.5\n" in output
    assert "Nothing was written" in output
    assert not Path("attendance.toml").exists()


def test_of_another_model_the_configured_values_are_the_default(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_MATCHING_CUSTOM_THRESHOLD", "1.1")
    save(data, faces(5, 2, apart=1.6), model="arcface")
    assert "matching.custom.threshold = 1.1, not measured" in run().output


def test_each_family_has_its_own_defaults_and_section(data: Path) -> None:
    save(data, faces(5, 2, apart=1.35), model="sface-2021dec")
    output = run("--write").output
    assert "[matching.opencv]\nthreshold = 1.07\ncampus_threshold = 1.02\n" in output
    assert "matching.opencv.threshold = 1.07, not measured (in use: 1.07)" in output
    assert "\n1.128 " in output, "the table shows thresholds about those of this family"
    assert "\n0.475 " not in output


def test_what_is_measured_for_opencv_is_written_there(data: Path) -> None:
    Path("attendance.toml").write_text("[matching]\nthreshold = 0.5\n")
    save(data, faces(600, 2, apart=1.35), model="sface-2021dec")
    output = run(*EASY, "--write").output
    assert f"Written to {Path('attendance.toml').absolute()}: matching.opencv.threshold = " in output
    written = tomllib.loads(Path("attendance.toml").read_text())["matching"]
    assert written["threshold"] == 0.5, "dlib's, by its former name"
    assert written["opencv"]["threshold"] > 0.6


def test_distances_by_their_former_names_are_replaced_where_they_stand(data: Path) -> None:
    Path("attendance.toml").write_text("[matching]\nthreshold = 0.5\n")
    save(data, faces(600, 2))
    output = run(*EASY, "--write").output
    written = tomllib.loads(Path("attendance.toml").read_text())["matching"]
    assert f"Written to {Path('attendance.toml').absolute()}: matching.threshold = {written['threshold']:g}" in output
    assert written["threshold"] != 0.5
    assert "dlib" not in written


def test_a_model_of_ones_own_is_measured_or_told_to_be_set(data: Path) -> None:
    save(data, faces(5, 2, apart=1.35), model="arcface")
    output = run("--write", code=1).output
    assert "cannot support an estimate of threshold" in output
    assert "set matching.custom.threshold" in output
    save(data, faces(600, 2, apart=1.35), model="arcface")
    output = run(*EASY, "--write").output
    assert "from this gallery (nothing is set)" in output
    assert "matching.custom.threshold" in output
    assert tomllib.loads(Path("attendance.toml").read_text())["matching"]["custom"]["threshold"] > 0.6


def test_the_store_of_few_real_faces_gets_the_default(shared_faces: Path) -> None:
    output = run("--store", str(shared_faces / "encodings.pickle")).output
    assert "5 people with 9 encodings" in output
    assert "contradict" not in output
    assert "[matching.dlib]\nthreshold = 0.55\ncampus_threshold = 0.5\n" in output


def test_a_variable_that_wins_over_the_file_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_MATCHING_THRESHOLD", "0.6")
    save(data, faces(600, 2))
    assert "ATTENDANCE_MATCHING_THRESHOLD is set in the environment" in run(*EASY, "--write").output


@pytest.mark.parametrize(("people", "photos"), [(1, 1), (1, 3), (2, 1), (30, 1)])
def test_too_little_to_compare_is_said(data: Path, people: int, photos: int) -> None:
    save(data, faces(people, photos))
    output = run("--report", "report").output
    assert "cannot support an estimate" in output
    assert ("FNMR is unknown" in output) == (photos == 1)
    assert Path("report/det.png").stat().st_size > 1000
    assert "NaN" not in Path("report/calibration.json").read_text()


def test_what_is_set_aside_is_left_out(data: Path) -> None:
    encodings = faces(3, 2)
    aside = {"s0000": [Provenance(), Provenance(set_aside=True)], "s0001": [Provenance(set_aside=True)] * 2}
    write_store(data / "gallery" / "encodings.pickle", Store(encodings, provenance=aside))
    assert "2 people with 3 encodings" in run().output


def test_bad_input_is_one_sentence(data: Path) -> None:
    assert "there is no store" in run(code=1).output
    save(data, {})
    assert "holds no student" in run(code=1).output
    save(data, faces(3, 1))
    with_students(data, {"s0000": None})
    output = run("--group", "shoe_size", code=1).output
    assert "no column 'shoe_size'; it has" in output
    assert "declared_group" in output
    assert "Traceback" not in output
    Path("report").write_text("a file")
    run("--report", "report", code=2)
    run("--wanted", "0", code=2)
    run("--roster", "0", code=2)


def test_small_groups_are_not_shown(data: Path) -> None:
    encodings = faces(40, 2)
    save(data, encodings)
    groups = {number: "scarce" if place < 4 else "many" for place, number in enumerate(encodings)}
    with_students(data, dict(list(groups.items())[:-2]))
    output = run().output
    assert "many" in output
    assert "scarce" not in output
    assert "Groups of fewer than 10 people, not shown: 1" in output
    assert "not in the database: 2" in output
    # Without anything declared there is nothing to report.
    assert "gallery_encodings" in run("--group", "gallery_encodings").output


def test_a_sample_is_said_to_be_one(data: Path) -> None:
    save(data, faces(60, 2))
    assert "20 people (drawn from 60; --comparisons compares more)" in run("--comparisons", "800").output
