"""The settings file keeps every line but those of the thresholds, or is left alone."""

import stat
import tomllib
from pathlib import Path

import pytest

from accuracy.calibration.settings_file import SettingsFileError, write_thresholds
from attendance.settings import load_settings
from attendance.settings.families import Family

NEW = {"threshold": 0.485, "campus_threshold": 0.43}


def test_a_missing_file_is_made(tmp_path: Path) -> None:
    path = tmp_path / "attendance.toml"
    write_thresholds(path, Family.DLIB, NEW)
    assert path.read_text() == "[matching.dlib]\nthreshold = 0.485\ncampus_threshold = 0.43\n"
    assert load_settings({"ATTENDANCE_CONFIG": str(path)}).matching.dlib.campus_threshold == 0.43


def test_other_lines_stay_and_whoever_could_read_it_still_can(tmp_path: Path) -> None:
    path = tmp_path / "attendance.toml"
    path.write_text(
        '# Ours\n[institution]\nname = "Łódź"\n\n[matching]  # tuned\nmargin = 0.05\nthreshold = 0.6 # old\n\n'
        "[service]\nmax_batch = 4\n",
        encoding="utf-8",
    )
    path.chmod(0o640)
    write_thresholds(path, Family.DLIB, NEW)
    text = path.read_text("utf-8")
    assert text == (
        '# Ours\n[institution]\nname = "Łódź"\n\n[matching]  # tuned\ncampus_threshold = 0.43\nmargin = 0.05\n'
        "threshold = 0.485\n\n[service]\nmax_batch = 4\n"
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    write_thresholds(path, Family.DLIB, NEW)
    assert path.read_text("utf-8") == text


def test_a_file_without_the_section_gets_one(tmp_path: Path) -> None:
    path = tmp_path / "attendance.toml"
    path.write_text("[service]\nmax_batch = 4")
    write_thresholds(path, Family.DLIB, {"threshold": 0.5})
    assert tomllib.loads(path.read_text()) == {"service": {"max_batch": 4}, "matching": {"dlib": {"threshold": 0.5}}}


@pytest.mark.parametrize(
    "text",
    [
        "matching = { threshold = 0.6 }\n",
        "matching.threshold = 0.6\n",
        "[matching\n",
        "[matching]\nthresold = 0.6\n",
        'matching = "no table"\n',
        'name = """\n[matching]\nthreshold = 1\n"""\n',
    ],
)
def test_what_cannot_be_changed_safely_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "attendance.toml"
    path.write_text(text)
    with pytest.raises(SettingsFileError, match="by hand"):
        write_thresholds(path, Family.DLIB, NEW)
    assert path.read_text() == text


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsFileError, match="cannot read or write"):
        write_thresholds(tmp_path, Family.DLIB, NEW)


def test_each_family_has_its_section(tmp_path: Path) -> None:
    path = tmp_path / "attendance.toml"
    path.write_text("[matching.dlib]\nthreshold = 0.5\n\n[matching.opencv] # tuned\nthreshold = 1.0\n")
    assert write_thresholds(path, Family.OPENCV, {"threshold": 1.08}) == "matching.opencv"
    assert write_thresholds(path, Family.CUSTOM, {"threshold": 1.2}) == "matching.custom"
    assert path.read_text() == (
        "[matching.dlib]\nthreshold = 0.5\n\n[matching.opencv] # tuned\nthreshold = 1.08\n\n"
        "[matching.custom]\nthreshold = 1.2\n"
    )


def test_former_names_mean_dlib_alone(tmp_path: Path) -> None:
    path = tmp_path / "attendance.toml"
    path.write_text("[matching]\nthreshold = 0.5\n")
    assert write_thresholds(path, Family.OPENCV, NEW) == "matching.opencv"
    assert write_thresholds(path, Family.DLIB, NEW) == "matching"
    matching = load_settings({"ATTENDANCE_CONFIG": str(path)}).matching
    assert (matching.threshold, matching.campus_threshold) == (0.485, 0.43)
