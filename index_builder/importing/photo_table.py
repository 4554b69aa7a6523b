"""A table (CSV) that names students' photos, as spreadsheets write it: commas, semicolons or tabs, UTF-8 or not."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

from attendance.errors import AttendanceError
from index_builder.photos.sources import PHOTO_SUFFIXES, Claim, Photos, clean_index_number, index_number_problem
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict

COLUMNS = ("index_number", "photo", "name", "consent_means", "consent_date")
_REQUIRED = COLUMNS[:2]
_MOST_BYTES = 32 * 1024 * 1024
_LONGEST = 120
"""Characters of a name or of the means of consent; the schema's columns have no more."""
_DATES = ("%Y-%m-%d", "%d.%m.%Y")
# What Excel makes of long numbers: 2.4E+11, or 2,4E+11.
_ROUNDED = re.compile(r"\d[.,]\d+E\+\d+")


class TableError(AttendanceError):
    """The table as a whole cannot be used; the message says why."""


class _LineError(Exception):
    """A line cannot be used."""


def read_photo_table(path: Path, *, now: datetime, zone: ZoneInfo) -> Photos:
    """Read a table with the columns index_number and photo, and perhaps name, consent_means and consent_date.

    A student may have several lines. A line that cannot be used is reported with its number, and the others are used.

    Args:
        path: the file. Photos are named relative to its folder and must lie in it.
        now: consent cannot be given later.
        zone: of the consent's dates.

    Raises:
        TableError: it cannot be read, is no text, or lacks a column.
    """
    folder = path.parent.resolve()
    by_student: dict[str, list[Path]] = {}
    claims: dict[str, Claim] = {}
    bad: list[PhotoVerdict] = []
    for number, row in _rows(path):
        try:
            student = _student(row)
            photo = _photo(row["photo"], folder)
            claim = _claim(row, now, zone)
        except _LineError as error:
            bad.append(PhotoVerdict(f"line {number}", PhotoOutcome.MISPLACED, str(error)))
            continue
        photos = by_student.setdefault(student, [])
        if photo in photos:
            bad.append(PhotoVerdict(f"line {number}", PhotoOutcome.REPEATED, f"{row['photo']} was named before"))
            continue
        photos.append(photo)
        former = claims.get(student, Claim())
        claims[student] = Claim(
            former.name or claim.name,
            former.consent_means or claim.consent_means,
            former.consented_at or claim.consented_at,
        )
    return Photos(folder, by_student, bad, "csv", claims)


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Each line's number and cells by column."""
    text = _decode(_read(path))
    first, _, rest = text.partition("\n")
    skipped = 0
    delimiter = _delimiter(first)
    if first.strip().lower().startswith("sep="):  # Excel's own hint
        delimiter, text, skipped = first.strip()[4:5] or ",", rest, 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = next(reader, [])
        columns = [re.sub(r"[\s_-]+", "_", cell.strip().lower()) for cell in header]
        missing = [column for column in _REQUIRED if column not in columns]
        if missing:
            raise TableError(f"{path}: the first line must name the columns; {' and '.join(missing)} is missing")
        twice = [column for column in COLUMNS if columns.count(column) > 1]
        if twice:
            raise TableError(f"{path}: the column {twice[0]} is there twice")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found = dict.fromkeys(COLUMNS, "") | dict(zip(columns, (cell.strip() for cell in cells), strict=False))
                yield reader.line_num + skipped, found
    except csv.Error as error:
        raise TableError(f"{path}, line {reader.line_num + skipped}: {error}") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > _MOST_BYTES:
        raise TableError(f"{path} is larger than {_MOST_BYTES:,} bytes")
    if data.startswith(b"PK\x03\x04"):
        raise TableError(f"{path} is a spreadsheet, not CSV: save it as CSV UTF-8")
    return data


def _decode(data: bytes) -> str:
    """UTF-8 with or without a mark, UTF-16 with one (Excel's "Unicode text"), else the code page of Western Windows."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _delimiter(line: str) -> str:
    return max(",;\t", key=line.count)


def _student(row: Mapping[str, str]) -> str:
    student = clean_index_number(row["index_number"])
    if _ROUNDED.fullmatch(student):
        raise _LineError(f"the spreadsheet rounded the index number to {student}: format the column as text")
    problem = index_number_problem(student)
    if problem is not None:
        raise _LineError(problem.replace("a name is empty", "the index number is empty"))
    return student


def _photo(text: str, folder: Path) -> Path:
    """The photo's path, proven to lie in the table's folder."""
    name = PurePosixPath(text.replace("\\", "/"))
    if not text:
        raise _LineError("no photo is named")
    if name.is_absolute() or ".." in name.parts or ":" in name.parts[0] or not text.isprintable():
        raise _LineError(f"the photo {text!r} must be named relative to the table's folder and lie in it")
    if name.suffix.lower() not in PHOTO_SUFFIXES:
        raise _LineError(f"{text} is no .jpg or .png file")
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder)
    except (OSError, RuntimeError):  # a circle of links
        inside = False
    if not inside:
        raise _LineError(f"the photo {text!r} is a link that leads out of the table's folder")
    return path


def _claim(row: Mapping[str, str], now: datetime, zone: ZoneInfo) -> Claim:
    name, means = unicodedata.normalize("NFC", row["name"]), unicodedata.normalize("NFC", row["consent_means"])
    for text, column in ((name, "name"), (means, "consent_means")):
        if len(text) > _LONGEST or not text.isprintable():
            raise _LineError(f"the {column} is longer than {_LONGEST} characters, or has invisible ones")
    if row["consent_date"] and not means:
        raise _LineError("a consent_date without consent_means")
    return Claim(name, means, _date(row["consent_date"], now, zone))


def _date(text: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    if not text:
        return None
    for form in _DATES:
        try:
            day = datetime.strptime(text, form).replace(tzinfo=zone).astimezone(UTC)
        except ValueError:
            continue
        if day > now:
            raise _LineError(f"the consent_date {text} is in the future")
        return day
    raise _LineError(f"the consent_date {text!r} is not a date such as 2026-09-30 or 30.09.2026")
