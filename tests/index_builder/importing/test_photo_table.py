from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from attendance.tables.errors import TableError
from index_builder.importing.photo_table import read_photo_table
from index_builder.photos.sources import Claim, Photos
from index_builder.photos.verdicts import PhotoOutcome

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def read(path: Path, content: str | bytes) -> Photos:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_photo_table(path, now=NOW, zone=ZoneInfo("Europe/Warsaw"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "table").mkdir()
    return tmp_path / "table" / "photos.csv"


TEXT = "index_number,photo,name,consent_means,consent_date\n1001,a/früh.jpg,Zoë Ümit,signed form,2026-09-30\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        TEXT.replace(",", ";"),
        TEXT.replace(",", "\t").encode("utf-16"),
        ("\ufeff" + TEXT).encode(),
        TEXT.replace("\n", "\r\n"),
        "sep=;\r\n" + TEXT.replace(",", ";").replace("2026-09-30", "30.09.2026"),
        TEXT.replace("index_number", " Index Number ").replace("consent_means", "Consent-Means") + ",,,,\n\n",
        TEXT.replace("a/früh", "a\\früh"),
        TEXT.replace("früh", '"früh').replace(".jpg", '.jpg"').replace('a/"', '"a/'),
    ],
)
def test_what_spreadsheets_write(table: Path, content: str | bytes) -> None:
    photos = read(table, content)
    assert photos.misplaced == []
    assert photos.by_student == {"1001": [table.parent / "a" / "früh.jpg"]}
    assert photos.claims == {"1001": Claim("Zoë Ümit", "signed form", datetime(2026, 9, 29, 22, 0, tzinfo=UTC))}
    assert (photos.source, photos.count, photos.shown(photos.by_student["1001"][0])) == ("csv", 1, "a/früh.jpg")


def test_several_lines_of_a_student(table: Path) -> None:
    photos = read(table, "photo,index_number,name\na.jpg,1001,\nb.PNG,1001,Ana\na.jpg,1002,\nb.PNG,1001,\n")
    assert {student: len(paths) for student, paths in photos.by_student.items()} == {"1001": 2, "1002": 1}
    assert photos.claims["1001"].name == "Ana"
    (again,) = photos.misplaced
    assert (again.name, again.outcome) == ("line 5", PhotoOutcome.REPEATED)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (",a.jpg", "index_number is empty"),
        ("../x,a.jpg", "'../x' is a path"),
        ("=cmd|'calc'!A0,a.jpg", "would be a formula"),
        ("2.401E+11,a.jpg", "rounded the index number"),
        ("1001,", "no photo is named"),
        ("1001,../x.jpg", "must be named relative to the table's folder and lie in it"),
        ("1001,a/../../x.jpg", "must be named relative"),
        ("1001,/etc/passwd", "must be named relative"),
        ("1001,C:\\photos\\x.jpg", "must be named relative"),
        ("1001,..\\x.jpg", "must be named relative"),
        ("1001,out/x.jpg", "a link that leads out"),
        ("1001,notes.txt", "notes.txt cannot be a photo: it is no picture"),
        ("1001,.", ". cannot be a photo: it is a folder"),
        ("1001,./", "./ cannot be a photo: it is a folder"),
        ("1001,a.jpg,,,2026-09-30", "a consent_date without consent_means"),
        ("1001,a.jpg,,form,2026-11-25", "in the future"),
        ("1001,a.jpg,,form,9/30/26", "is no date. Write it like 2026-10-05"),
        ("1001," + "x" * 200_000, "200,005 characters; a line here never has more"),
        ('1001,"' + "x" * 9_000, "quotation marks do not match"),
        ("s\u200b1,a.jpg", "index_number holds an invisible character (U+200B)"),
        ("1001,a.jpg," + "n" * 121, "name has 121 characters; at most 120 fit"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(table: Path, line: str, words: str) -> None:
    (table.parent.parent / "elsewhere").mkdir()
    (table.parent / "notes.txt").write_text("taken in March")
    (table.parent / "out").symlink_to(table.parent.parent / "elsewhere")
    header = "index_number,photo,name,consent_means,consent_date\n"
    photos = read(table, f"{header}1001,good.jpg\n{line}\n1002,good too.jpg\n")
    assert list(photos.by_student) == ["1001", "1002"]
    assert photos.count == 2
    (bad,) = photos.misplaced
    assert (bad.name, bad.outcome) == ("line 3", PhotoOutcome.MISPLACED)
    assert words in bad.detail


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "photos.csv: The file is empty"),
        ("\n\n", "The file is empty"),
        ("surname;name\nLee;Ann\n", "lacks the columns index_number and photo"),
        ("student;photo\n1001;a.jpg\n", "lacks the column index_number"),
        ("index_number,photo,photo\n", "The column photo is there twice"),
        (b"PK\x03\x04....", "a spreadsheet, not a CSV file"),
        (TEXT.encode("cp1250"), r"not in UTF-8 \(line 2 holds the byte 0xFC\).*Save it again as UTF-8"),
        (TEXT.encode("cp1252"), r"not in UTF-8 \(line 2 holds the byte 0xFC\).*Save it again as UTF-8"),
    ],
)
def test_a_table_that_cannot_be_used(table: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(TableError, match=words):
        read(table, content)


def test_a_missing_table(table: Path) -> None:
    with pytest.raises(TableError, match="No such file"):
        read_photo_table(table, now=NOW, zone=ZoneInfo("UTC"))
