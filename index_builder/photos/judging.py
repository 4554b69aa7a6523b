"""Judging a student's photos from their bytes: each by itself, against each other, and against other students'."""

import hashlib
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from attendance.face_engine.interface import Face, FaceEngine, Image, ImageError
from attendance.face_engine.photos import decode_photo
from attendance.gallery.gallery import Gallery
from attendance.settings.families import FamilyNumbers
from index_builder.photos.comparing import (
    GalleryOthers,
    Others,
    OwnComparison,
    compare_own,
    find_outliers,
    nearest_of,
)
from index_builder.photos.quality import judge_quality, measure_face
from index_builder.photos.upright import UNSTEADY, find_upright
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict

# What phones take today; more is refused.
_MOST_PIXELS = 80_000_000
# A face that fills a fifth of a photo of this size has more pixels than its chip; searching more only takes longer.
_WORKED_ON_PIXELS = 2_500_000

_THUMBNAIL_SIDE = 112
_THUMBNAIL_ROOM = 0.45
"""Shown around the face, as a share of its box."""

FORGIVABLE = frozenset(
    (
        PhotoOutcome.BLURRED,
        PhotoOutcome.TOO_DARK,
        PhotoOutcome.TOO_BRIGHT,
        PhotoOutcome.LOW_CONTRAST,
        PhotoOutcome.TURNED_AWAY,
        PhotoOutcome.EYES_CLOSED,
        PhotoOutcome.LIKE_ANOTHER,
    )
)
"""Outcomes that a person who looked at the photo may overrule; it is then doubtful, and used."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the photos are held against."""

    numbers: FamilyNumbers
    """Of the models that encode the photos."""
    others: Sequence[Others] = ()
    """The students enrolled so far."""
    owners: Mapping[str, str] = field(default_factory=dict)
    """For the SHA-256 of photos used so far the student whose photo it is."""


def judge_and_encode(
    engine: FaceEngine,
    student: str,
    photos: Sequence[tuple[str, bytes]],
    *,
    gallery: Gallery | None,
    own: NDArray[np.float64] | None,
    max_pixels: int,
    numbers: FamilyNumbers,
    accept: Collection[PhotoOutcome] = (),
) -> list[PhotoVerdict]:
    """Judge the photos of one student, each by itself and against each other, and encode the good ones.

    Args:
        engine: finds and encodes the faces.
        student: index number.
        photos: name and bytes of each file, of a format that `decode_photo` takes.
        gallery: the students enrolled so far, against whom a photo is held; None: nobody. The student's own encodings
            in it are passed over.
        own: the encodings that the student has and keeps, shape (k, encoding_size); None: none.
        max_pixels: the largest image that the engine takes.
        numbers: of the engine's family of models.
        accept: outcomes, of `FORGIVABLE`, that somebody who looked at the photos overrules.

    Returns:
        A verdict for each photo, in order.

    Raises:
        EngineError: the engine itself fails.
    """
    looked_at = [
        look_at(engine, name, data, max_pixels=max_pixels, numbers=numbers, accept=accept) for name, data in photos
    ]
    known = Known(numbers, [GalleryOthers(gallery)] if gallery is not None else [])
    return compare(student, looked_at, known=known, own=own, accept=accept)


def look_at(
    engine: FaceEngine,
    name: str,
    data: bytes,
    *,
    max_pixels: int,
    numbers: FamilyNumbers,
    accept: Collection[PhotoOutcome] = (),
) -> PhotoVerdict:
    """Judge one photo by itself; the arguments are those of `judge_and_encode`.

    Raises:
        EngineError: the engine itself fails.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        image = decode_photo(data, max_pixels=_MOST_PIXELS, shrink_above=min(max_pixels, _WORKED_ON_PIXELS))
        upright = find_upright(engine, image, numbers.photo_score)
    except ImageError as error:
        return PhotoVerdict(name, PhotoOutcome.UNREADABLE, str(error), sha256=sha256)
    image, faces = upright.image, upright.faces
    thumbnail = make_thumbnail(image, faces[0] if len(faces) == 1 else None)
    if len(faces) != 1:
        outcome, detail = PhotoOutcome.NO_FACE, "a face must be upright and in full view"
        if faces:
            outcome, detail = PhotoOutcome.SEVERAL_FACES, f"{len(faces)} faces; the student must be alone"
        return PhotoVerdict(name, outcome, detail, thumbnail=thumbnail, sha256=sha256)
    outcome, detail, quality = judge_quality(measure_face(image, faces[0]), numbers)
    if upright.unsteadiness >= UNSTEADY and outcome.gives_encoding:
        outcome, detail, quality = PhotoOutcome.NOT_UPRIGHT, "eyes and nose cannot be told: turn it, show the face", 0.0
    if outcome in accept and outcome in FORGIVABLE:
        outcome, detail = PhotoOutcome.DOUBTFUL, f"{outcome}, but accepted: {detail}"
    detail = "; ".join(part for part in (detail, upright.how_it_lay) if part)
    encoding = faces[0].encoding.astype(np.float64) if outcome.gives_encoding else None
    return PhotoVerdict(name, outcome, detail, encoding, quality, thumbnail, sha256)


def compare(
    student: str,
    verdicts: Sequence[PhotoVerdict],
    *,
    known: Known,
    own: NDArray[np.float64] | None = None,
    accept: Collection[PhotoOutcome] = (),
) -> list[PhotoVerdict]:
    """Hold the photos of one student, each judged by itself, against each other and against other students'.

    Args:
        student: index number.
        verdicts: of `look_at`.
        known: what other students have.
        own: the encodings that the student has and keeps.
        accept: as for `judge_and_encode`.
    """
    judged = _repeated(verdicts)
    kept = np.empty((0, 0)) if own is None else own
    places = [place for place, verdict in enumerate(judged) if verdict.encoding is not None]
    agreement = _agreement(judged, places, kept, known)
    if agreement.undecided:
        # Where some are known to be of another student, the rest may well agree.
        for place in places:
            judged[place] = _against_others(student, judged[place], known, np.nan, accept)
        places = [place for place in places if judged[place].encoding is not None]
        agreement = _agreement(judged, places, kept, known)
    for row, place in enumerate(places, start=len(kept)):
        verdict = _against_own(student, judged[place], agreement, row, known)
        judged[place] = _against_others(student, verdict, known, float(agreement.medians[row]), accept)
    for place, verdict in enumerate(judged):
        owner = known.owners.get(verdict.sha256 or "", student)
        if owner != student:
            judged[place] = _refused(verdict, PhotoOutcome.SHARED, f"the same file is a photo of {owner}", owner)
    _set_outliers_aside(judged, kept, known.numbers)
    return judged


def _repeated(verdicts: Sequence[PhotoVerdict]) -> list[PhotoVerdict]:
    """Leave out what is the same file as one before it."""
    seen: dict[str, str] = {}
    judged = []
    for verdict in verdicts:
        first = seen.setdefault(verdict.sha256, verdict.name) if verdict.sha256 else verdict.name
        if verdict.encoding is not None and first != verdict.name:
            verdict = _refused(verdict, PhotoOutcome.REPEATED, f"the same file as {first}")  # noqa: PLW2901
        judged.append(verdict)
    return judged


def _agreement(
    judged: Sequence[PhotoVerdict], places: Sequence[int], own: NDArray[np.float64], known: Known
) -> OwnComparison:
    rows = [*own, *(judged[place].encoding for place in places)]
    matrix = np.array(rows, np.float64) if rows else np.empty((0, 0))
    return compare_own(matrix, len(own), unlike=known.numbers.unlike_own)


def _against_own(student: str, verdict: PhotoVerdict, agreement: OwnComparison, row: int, known: Known) -> PhotoVerdict:
    if row not in agreement.unlike or verdict.encoding is None:
        return verdict
    detail = "it shows somebody else than the student's other photos"
    if agreement.undecided:
        detail = "the student's photos show different people, and it cannot be told which of them is the student"
    other = nearest_of(known.others, verdict.encoding, student)
    if other is None or other.distance >= known.numbers.doubtfully_like_another:
        return _refused(verdict, PhotoOutcome.UNLIKE_OWN, detail)
    detail += f"; it is like {other.student} (distance {other.distance:.2f})"
    return _refused(verdict, PhotoOutcome.UNLIKE_OWN, detail, other.student)


def _against_others(
    student: str, verdict: PhotoVerdict, known: Known, own_median: float, accept: Collection[PhotoOutcome]
) -> PhotoVerdict:
    other = nearest_of(known.others, verdict.encoding, student) if verdict.encoding is not None else None
    if other is None or other.distance >= known.numbers.doubtfully_like_another:
        return verdict
    if other.distance < known.numbers.same_picture:
        return _refused(verdict, PhotoOutcome.SHARED, f"the same picture is one of {other.student}", other.student)
    detail = f"distance {other.distance:.2f} to {other.student}"
    # Twins are like each other, and each still more like themselves.
    like_another = other.distance < known.numbers.like_another and not own_median < other.distance
    if like_another and PhotoOutcome.LIKE_ANOTHER not in accept:
        detail += ": one of the two may have the wrong photo"
        return _refused(verdict, PhotoOutcome.LIKE_ANOTHER, detail, other.student)
    detail += ": the two may be taken for each other"
    if detail in verdict.detail:
        return verdict
    detail = f"{verdict.detail}; {detail}" if verdict.detail else detail
    return replace(verdict, outcome=PhotoOutcome.DOUBTFUL, detail=detail, other=other.student)


def _set_outliers_aside(judged: list[PhotoVerdict], own: NDArray[np.float64], numbers: FamilyNumbers) -> None:
    places = [place for place, verdict in enumerate(judged) if verdict.encoding is not None]
    rows = [judged[place].encoding for place in places]
    if not rows:
        return
    medians = compare_own(np.array([*own, *rows], np.float64), len(own), unlike=numbers.unlike_own).medians
    for row in find_outliers(medians, smallest_deviation=numbers.smallest_deviation):
        if row >= len(own):
            place = places[row - len(own)]
            detail = (
                f"median distance {medians[row]:.2f} to the student's others, which have {np.nanmedian(medians):.2f}"
            )
            judged[place] = replace(judged[place], outcome=PhotoOutcome.SET_ASIDE, detail=detail)


def _refused(verdict: PhotoVerdict, outcome: PhotoOutcome, detail: str, other: str | None = None) -> PhotoVerdict:
    return replace(verdict, outcome=outcome, detail=detail, encoding=None, other=other)


def make_thumbnail(image: Image, face: Face | None) -> bytes:
    """A small JPEG of the face with some room around it, or of the whole picture where there is no one face."""
    picture = Pillow.fromarray(image)
    if face is not None:
        left, top, right, bottom = (float(edge) for edge in face.box)
        room = _THUMBNAIL_ROOM * (right - left)
        top, left = max(top - room, 0), max(left - room, 0)
        right, bottom = min(right + room, picture.width), min(bottom + room, picture.height)
        picture = picture.crop((round(left), round(top), max(round(right), 1), max(round(bottom), 1)))
    picture.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    return file.getvalue()
