"""`attendance config`: which distances apply, and why."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from attendance.gallery.store import Store
from attendance.settings.families import SFACE_MODEL
from operations.cli.main import attendance
from tests.stores import write_store


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(tmp_path / "data"))
    return tmp_path / "data" / "gallery" / "encodings.pickle"


def config() -> str:
    done = CliRunner().invoke(attendance, ["config"])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_familys_distances_are_listed_with_where_they_come_from(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_store(store, Store({"1001": np.full((1, 128), 0.1)}, SFACE_MODEL))
    monkeypatch.setenv("ATTENDANCE_MATCHING_OPENCV_THRESHOLD", "1.05")
    monkeypatch.setenv("ATTENDANCE_MATCHING_THRESHOLD", "0.5")
    output = config()
    assert f"In use: the distances of family opencv, since the store {store} was made with it" in output
    assert "matching.opencv.threshold = 1.05 (set)" in output
    assert "matching.opencv.margin = 0.04 (built in)" in output
    assert "ATTENDANCE_MATCHING_OPENCV_CAMPUS_THRESHOLD=\n" in output
    assert "ATTENDANCE_MATCHING_THRESHOLD=0.5\n    Former name of matching.dlib.threshold." in output
    assert "matching.dlib.threshold = " not in output, "a distance of a family not in use has no effect"


def test_a_distance_by_its_former_name_is_named(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_store(store, Store({"1001": np.full((1, 128), 0.1)}))
    monkeypatch.setenv("ATTENDANCE_MATCHING_MARGIN", "0.05")
    assert "matching.dlib.margin = 0.05 (set as matching.margin, its former name)" in config()


def test_what_does_not_go_together_is_said_and_the_rest_is_listed(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_store(store, Store({"1001": np.full((1, 128), 0.1)}))
    monkeypatch.setenv("ATTENDANCE_ENGINE_MODELS", "opencv")
    output = config()
    assert "No distances apply: engine.models is opencv, but the store" in output
    assert "ATTENDANCE_WEB_LISTEN=" in output
