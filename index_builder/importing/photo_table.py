"""A table (CSV) that names students' photos."""

from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

from attendance.tables import columns
from attendance.tables.dates import parse_date
from attendance.tables.errors import LineError
from attendance.tables.fields import INDEX_NUMBER, TextRule
from attendance.tables.reading import Column, Line, read_table_file
from index_builder.photos.sources import Claim, Photos, no_picture
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict

_PHOTO = Column("photo", "The photo's file, named relative to the table's folder.", verbatim=True)
_NAME = replace(columns.STUDENT_NAME, required=False)
_OTHERS = (_PHOTO, _NAME, columns.CONSENT_MEANS, columns.CONSENT_DATE)


def read_photo_table(path: Path, *, now: datetime, zone: ZoneInfo, rule: TextRule = INDEX_NUMBER) -> Photos:
    """Read a table with the columns index_number and photo, and perhaps name, consent_means and consent_date.

    A student may have several lines. A line that cannot be used is reported with its number, and the others are used.

    Args:
        path: the file. Photos are named relative to its folder and must lie in it.
        now: consent cannot be given later.
        zone: of the consent's dates.
        rule: what may be an index number here.

    Raises:
        TableError: it cannot be read, is no text, or lacks a column.
    """
    folder = path.parent.resolve()
    by_student: dict[str, list[Path]] = {}
    claims: dict[str, Claim] = {}
    bad: list[PhotoVerdict] = []
    number, left_out = columns.index_number_column(rule), 0
    for line in read_table_file(path, (number, *_OTHERS)).lines():
        try:
            if line.error is not None:
                raise line.error
            student = line.text(number)
            photo = _photo(line.values["photo"], folder)
            claim = _claim(line, now, zone)
        except LineError as error:
            bad.append(PhotoVerdict(f"line {line.number}", PhotoOutcome.MISPLACED, error.message))
            left_out += 1
            continue
        photos = by_student.setdefault(student, [])
        if photo in photos:
            again = f"{line.values['photo']} was named before"
            bad.append(PhotoVerdict(f"line {line.number}", PhotoOutcome.REPEATED, again))
            continue
        photos.append(photo)
        former = claims.get(student, Claim())
        claims[student] = Claim(
            former.name or claim.name,
            former.consent_means or claim.consent_means,
            former.consented_at or claim.consented_at,
        )
    return Photos(folder, by_student, bad, "csv", claims, left_out=left_out)


def _photo(text: str, folder: Path) -> Path:
    """The photo's path, proven to lie in the table's folder."""
    name = PurePosixPath(text.replace("\\", "/"))
    if not text:
        raise LineError("no photo is named")
    if name.is_absolute() or ".." in name.parts or ":" in "".join(name.parts[:1]) or not text.isprintable():
        raise LineError(f"the photo {text!r} must be named relative to the table's folder and lie in it")
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder)
    except (OSError, RuntimeError):  # a circle of links
        inside = False
    if not inside:
        raise LineError(f"the photo {text!r} is a link that leads out of the table's folder")
    if path.exists():
        why = no_picture(path)
        if why is not None:
            raise LineError(f"{text} cannot be a photo: {why}")
    return path


def _claim(line: Line, now: datetime, zone: ZoneInfo) -> Claim:
    name, means = line.optional_text(_NAME) or "", line.optional_text(columns.CONSENT_MEANS) or ""
    day = line.values.get("consent_date", "")
    if day and not means:
        raise LineError("a consent_date without consent_means", "consent_date")
    return Claim(name, means, _moment(day, now, zone) if day else None)


def _moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    moment = datetime.combine(parse_date(text, "consent_date"), time(), tzinfo=zone).astimezone(UTC)
    if moment > now:
        raise LineError(f"the consent_date {text} is in the future", "consent_date")
    return moment
