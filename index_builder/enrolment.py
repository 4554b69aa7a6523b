"""From folders of photos to encodings: one folder a student, named by index number, each photo judged by itself."""

import hashlib
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_engine.faces import find_faces
from face_engine.images import decode_image
from face_engine.interface import FaceEngine, ImageError
from index_builder.gallery import Gallery
from index_builder.layouts import name_problem
from index_builder.photos import PhotoOutcome, PhotoVerdict
from index_builder.store import Store, StoreError, update_store

PHOTO_SUFFIXES = frozenset((".jpg", ".jpeg", ".png"))

SMALLEST_FACE = 60
"""Pixels that a face's box must be wide. A chip of 150 shows one and a half times the box: less would be invented."""

# What phones take today; more is refused.
_MOST_PIXELS = 80_000_000
_MOST_BYTES = 64 * 1024 * 1024
# A face that fills a fifth of a photo of this size has more pixels than its chip; searching more only takes longer.
_WORKED_ON_PIXELS = 2_500_000


@dataclass(frozen=True, slots=True)
class PhotoReport:
    """One line of the report."""

    path: Path
    outcome: PhotoOutcome
    detail: str = ""
    """A clause that says more, for people."""


@dataclass(frozen=True, slots=True)
class Photos:
    """What a folder of students' folders holds."""

    by_student: Mapping[str, Sequence[Path]]
    """For each index number the photos; possibly none."""
    misplaced: Sequence[PhotoReport]
    """Files and folders that cannot be used."""

    @property
    def count(self) -> int:
        """How many photos there are."""
        return sum(len(paths) for paths in self.by_student.values())


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the photos gave."""

    encodings: Mapping[str, NDArray[np.float64]]
    """For each student with a good photo an array of shape (k, encoding_size)."""
    reports: Sequence[PhotoReport]
    without: Sequence[str]
    """Students of whom no photo was good."""


def find_photos(folder: Path) -> Photos:
    """List the photos of a folder that holds one folder for each student, named by index number.

    Hidden files are passed over.

    Raises:
        OSError: the folder cannot be read.
    """
    by_student: dict[str, list[Path]] = {}
    misplaced: list[PhotoReport] = []
    for path in _visible(folder):
        if not path.is_dir():
            misplaced.append(PhotoReport(path, PhotoOutcome.MISPLACED, "it lies outside any student's folder"))
            continue
        # Some file systems spell é as e and an accent; index numbers are compared letter by letter.
        student = unicodedata.normalize("NFC", path.name)
        problem = name_problem(student)
        if problem is not None:
            misplaced.append(PhotoReport(path, PhotoOutcome.MISPLACED, f"it cannot be an index number: {problem}"))
            continue
        photos = by_student.setdefault(student, [])
        for file in _visible(path):
            if file.suffix.lower() in PHOTO_SUFFIXES and not file.is_dir():
                photos.append(file)
            else:
                misplaced.append(PhotoReport(file, PhotoOutcome.MISPLACED, "it is no .jpg or .png file"))
    return Photos(by_student, misplaced)


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and path.name != "Thumbs.db")


def encode_photos(
    engine: FaceEngine, photos: Photos, *, max_pixels: int, tell: Callable[[PhotoReport], None] = lambda _: None
) -> Enrolment:
    """Encode the one face of each photo; a photo that is no good never stops the others.

    Args:
        engine: finds and encodes the faces, upsampling as it was set up.
        photos: what to encode.
        max_pixels: the largest image that the engine takes.
        tell: called with each photo's report as soon as it is known.

    Raises:
        EngineError: the engine itself fails.
    """
    encodings: dict[str, NDArray[np.float64]] = {}
    reports: list[PhotoReport] = []
    without: list[str] = []
    for report in photos.misplaced:
        tell(report)
    for student, paths in photos.by_student.items():
        rows = []
        for path in paths:
            report, encoding = _encode_photo(engine, path, max_pixels)
            if encoding is not None:
                rows.append(encoding)
            reports.append(report)
            tell(report)
        if rows:
            encodings[student] = np.stack(rows).astype(np.float64)
        else:
            without.append(student)
    return Enrolment(encodings, [*photos.misplaced, *reports], without)


def judge_and_encode(
    engine: FaceEngine,
    student: str,
    photos: Sequence[tuple[str, bytes]],
    *,
    gallery: Gallery | None,
    own: NDArray[np.float64] | None,
    max_pixels: int,
) -> list[PhotoVerdict]:
    """Judge the photos of one student, each by itself and against each other, and encode the good ones.

    Args:
        engine: finds and encodes the faces.
        student: index number.
        photos: name and bytes of each file, JPEG or PNG.
        gallery: the students enrolled so far, against whom a photo is held; None: nobody. The student's own encodings
            in it are passed over.
        own: the encodings that the student has and keeps, shape (k, encoding_size); None: none.
        max_pixels: the largest image that the engine takes.

    Returns:
        A verdict for each photo, in order.

    Raises:
        EngineError: the engine itself fails.
    """
    verdicts = []
    for name, data in photos:
        report, encoding = _encode_bytes(engine, Path(name), data, max_pixels)
        row = encoding.astype(np.float64) if encoding is not None else None
        sha256 = hashlib.sha256(data).hexdigest()
        verdicts.append(PhotoVerdict(name, report.outcome, report.detail, row, sha256=sha256))
    return verdicts


def _encode_photo(engine: FaceEngine, path: Path, max_pixels: int) -> tuple[PhotoReport, NDArray[np.float32] | None]:
    try:
        data = _read(path)
    except ImageError as error:
        return PhotoReport(path, PhotoOutcome.UNREADABLE, str(error)), None
    except OSError as error:
        return PhotoReport(path, PhotoOutcome.UNREADABLE, error.strerror or "it cannot be read"), None
    return _encode_bytes(engine, path, data, max_pixels)


def _encode_bytes(
    engine: FaceEngine, path: Path, data: bytes, max_pixels: int
) -> tuple[PhotoReport, NDArray[np.float32] | None]:
    try:
        image = decode_image(
            data,
            max_pixels=_MOST_PIXELS,
            upright=True,
            shrink_above=min(max_pixels, _WORKED_ON_PIXELS),
        )
        (faces,) = find_faces(engine, [image])
    except ImageError as error:
        return PhotoReport(path, PhotoOutcome.UNREADABLE, str(error)), None
    if not faces:
        return PhotoReport(path, PhotoOutcome.NO_FACE, "a face must be upright and in full view"), None
    if len(faces) > 1:
        return PhotoReport(path, PhotoOutcome.SEVERAL_FACES, f"{len(faces)} faces; the student must be alone"), None
    width = round(float(faces[0].box[2] - faces[0].box[0]))
    if width < SMALLEST_FACE:
        detail = f"the face is {width} pixels wide; {SMALLEST_FACE} are needed"
        return PhotoReport(path, PhotoOutcome.TOO_SMALL, detail), None
    return PhotoReport(path, PhotoOutcome.OK), faces[0].encoding


def _read(path: Path) -> bytes:
    if path.stat().st_size > _MOST_BYTES:
        raise ImageError(f"the file is larger than {_MOST_BYTES:,} bytes")
    return path.read_bytes()


def save_enrolment(path: Path, enrolment: Enrolment, *, model: str, encoding_size: int) -> Store:
    """Merge what the photos gave into the store; a student enrolled again has the new encodings only.

    Students without a good photo keep what they had.

    Raises:
        StoreError: the store cannot be read or written, or was made with another model.
    """

    def merge(store: Store | None) -> Store:
        if store is None:
            return Store(enrolment.encodings, model, encoding_size)
        check_model(path, store, model)
        return store.with_students(enrolment.encodings, {})

    return update_store(path, merge, encoding_size=encoding_size)


def check_model(path: Path, store: Store, model: str) -> None:
    """Check that a store's encodings were made with a model; those of two cannot be compared.

    Raises:
        StoreError: they were made with another.
    """
    if store.model != model:
        raise StoreError(
            f"the store {path} was made with the model {store.model}, but the engine uses {model}: "
            "enrol every student again into a new store"
        )
