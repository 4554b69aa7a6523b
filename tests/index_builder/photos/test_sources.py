from pathlib import Path

import pytest
from PIL import Image

from attendance.pictures.formats import AVIF, HEIC, JPEG, PNG, WEBP
from attendance.tables.fields import INDEX_NUMBER
from index_builder.photos.sources import find_photos
from index_builder.photos.verdicts import PhotoOutcome
from tests.attendance.pictures.made import encoded


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a\nb", "control or invisible"),
        ("x" * 65, "65 characters"),
        (" 1001", "starts or ends with a space"),
        ("=cmd|'calc'!A1", "would be a formula"),
        ("+1001", "would be a formula"),
        ("a\\b", "is a path"),
        ("__MACOSX", "is what programs call a folder of their own"),
        ("$RECYCLE.BIN", "is what programs call a folder of their own"),
        ("System Volume Information", "is what programs call a folder of their own"),
        ("@eaDir", "is what programs call a folder of their own"),
        ("New folder", "is what programs call a folder of their own"),
        ("New folder (2)", "is what programs call a folder of their own"),
        ("untitled folder 3", "is what programs call a folder of their own"),
        ("Unknown", "is what programs write where there is no value"),
        ("240101.jpg", "is the name of a file"),
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


def test_the_contents_say_what_is_a_photo(tmp_path: Path) -> None:
    """A name's ending is believed only where it promises a picture: then its owner is told what the file is."""
    folder = tmp_path / "1001"
    folder.mkdir()
    picture = Image.new("RGB", (64, 64))
    taken = []
    for name, kind in {
        "a.HEIC": JPEG, "b.jfif": JPEG, "c.jpg": WEBP, "d.jpg": AVIF, "e": PNG, "f.dat": HEIC,
        "g.txt": JPEG, "h.jpg": HEIC,
    }.items():  # fmt: skip
        (folder / name).write_bytes(encoded(picture, kind))
        taken.append(folder / name)
    (folder / "i.gif").write_bytes(b"GIF89a")
    (folder / "k.jpg").write_text("no picture")
    (folder / "l.pdf").write_bytes(b"%PDF-1.7")
    (folder / "m.txt").write_text("taken in March")
    (folder / "n.jpg").mkdir()
    photos = find_photos(tmp_path)
    assert photos.by_student["1001"] == [*taken, folder / "i.gif", folder / "k.jpg"]
    assert {verdict.name: verdict.detail for verdict in photos.misplaced} == {
        "1001/l.pdf": "it is no picture, but a PDF file",
        "1001/m.txt": "it is no picture",
        "1001/n.jpg": "it is a folder",
    }
