from pathlib import Path

import pytest

from attendance.tables.fields import INDEX_NUMBER
from index_builder.photos.sources import find_photos
from index_builder.photos.verdicts import PhotoOutcome


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a\nb", "control or invisible"),
        ("x" * 65, "65 characters"),
        (" 1001", "starts or ends with a space"),
        ("=cmd|'calc'!A1", "would be a formula"),
        ("+1001", "would be a formula"),
        ("a\\b", "is a path"),
    ],
)
def test_folders_that_name_nobody(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).mkdir()
    photos = find_photos(tmp_path)
    assert photos.by_student == {}
    (verdict,) = photos.misplaced
    assert verdict.outcome is PhotoOutcome.MISPLACED
    assert words in verdict.detail


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "..", "."])
def test_paths_name_nobody(name: str) -> None:
    assert "is a path" in str(INDEX_NUMBER.problem(name))


@pytest.mark.parametrize("name", ["240101", "früh-7", "学生-12", "O'Neil 3", "Ж42"])
def test_numbers_of_all_scripts_are_fine(name: str) -> None:
    assert INDEX_NUMBER.problem(name) is None


def test_letters_with_accents_are_one_letter(tmp_path: Path) -> None:
    (tmp_path / "ze\u0301ta").mkdir()
    (tmp_path / "ze\u0301ta" / "a.jpg").touch()
    assert list(find_photos(tmp_path).by_student) == ["z\u00e9ta"]


def test_folders_in_a_students_folder_are_not_searched(tmp_path: Path) -> None:
    (tmp_path / "1001" / "old.jpg").mkdir(parents=True)
    photos = find_photos(tmp_path)
    assert photos.by_student == {"1001": []}
    assert photos.misplaced[0].name == "1001/old.jpg"
