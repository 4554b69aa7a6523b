"""Where photos come from: folders named by index number, or a table that names photos."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from attendance.face_engine.interface import ImageError
from attendance.gallery.provenance import Provenance
from attendance.pictures.formats import HEAD_BYTES, PHOTO_FORMATS, PICTURE_SUFFIXES, format_of
from attendance.tables.fields import INDEX_NUMBER, TextRule, compose
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict

_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Claim:
    """What a table says of a student beside the photos."""

    name: str = ""
    consent_means: str = ""
    """E.g. "signed form"; empty: the table says nothing of consent."""
    consented_at: datetime | None = None
    """UTC; None: not said."""


@dataclass(frozen=True, slots=True)
class Photos:
    """Photos of students, not read yet."""

    folder: Path
    """Below which they all lie."""
    by_student: Mapping[str, Sequence[Path]]
    """For each index number the photos; possibly none."""
    misplaced: Sequence[PhotoVerdict] = ()
    """Files, folders and lines that cannot be used."""
    source: str = "folder"
    """For the provenance."""
    claims: Mapping[str, Claim] = field(default_factory=dict)
    origins: Mapping[Path, Provenance] = field(default_factory=dict)
    """Of photos that were enrolled before: where they came from, and the hash that the file must still have."""
    left_out: int = 0
    """Lines of a table, and folders that may be meant for a student, of which nothing can be used."""

    @property
    def count(self) -> int:
        """How many photos there are."""
        return sum(len(paths) for paths in self.by_student.values())

    def without(self, students: Collection[str], why: str) -> "Photos":
        """These photos without those of some students, who are named as left out."""
        kept = {student: paths for student, paths in self.by_student.items() if student not in students}
        gone = [PhotoVerdict(one, PhotoOutcome.MISPLACED, why) for one in self.by_student if one in students]
        return replace(self, by_student=kept, misplaced=[*self.misplaced, *gone], left_out=self.left_out + len(gone))

    def shown(self, path: Path) -> str:
        """A photo's path for the report."""
        return str(path.relative_to(self.folder))


def find_photos(folder: Path, *, rule: TextRule = INDEX_NUMBER) -> Photos:
    """List the photos of a folder that holds one folder for each student, named by index number.

    Hidden files are passed over.

    Args:
        folder: of the folders.
        rule: what may be an index number here.

    Raises:
        OSError: the folder cannot be read.
    """
    by_student: dict[str, list[Path]] = {}
    misplaced: list[PhotoVerdict] = []
    left_out = 0

    def leave(path: Path, why: str) -> None:
        misplaced.append(PhotoVerdict(str(path.relative_to(folder)), PhotoOutcome.MISPLACED, why))

    for path in _visible(folder):
        if not path.is_dir():
            leave(path, "it lies outside any student's folder")
            continue
        student = compose(path.name)
        problem = rule.problem(student)
        if problem is not None:
            leave(path, f"it cannot be an index number: {problem}")
            left_out += 1
            continue
        photos = by_student.setdefault(student, [])
        for file in _visible(path):
            why = no_picture(file)
            if why is None:
                photos.append(file)
            else:
                leave(file, why)
    return Photos(folder, by_student, misplaced, left_out=left_out)


def no_picture(path: Path) -> str | None:
    """Why a file is not looked at as a photo, a clause; None: it is, or says by its name that it is one.

    The contents decide. What only its name calls a picture is looked at too, so that its owner is told what it is.
    """
    if not path.is_file():
        return "it is a folder" if path.is_dir() else "it is no file"
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return None
    try:
        with path.open("rb") as file:
            kind = format_of(file.read(HEAD_BYTES))
    except OSError as error:
        return error.strerror or "it cannot be read"
    if kind in PHOTO_FORMATS:
        return None
    return f"it is no picture, but a {kind} file" if kind else "it is no picture"


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and path.name != "Thumbs.db")


def read_photo(path: Path) -> bytes:
    """The bytes of a photo's file.

    Raises:
        ImageError: it is missing, cannot be read, or is too large for a photo.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ImageError(f"the file is larger than {_MOST_BYTES:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(error.strerror or "it cannot be read") from None


def hashes_of(paths: Sequence[Path]) -> frozenset[str]:
    """SHA-256 of files, in hexadecimal digits, without those that cannot be read."""
    hashes = set()
    for path in paths:
        try:
            hashes.add(hashlib.sha256(read_photo(path)).hexdigest())
        except ImageError:
            continue
    return frozenset(hashes)
