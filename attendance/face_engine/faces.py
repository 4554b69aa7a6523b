"""An engine over a batch, in two steps: detect the faces of frames, and encode those that are worth it.

Whoever has both frames and tracks may decide in between which faces need no encoding.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.areas import Area, areas_of, merged
from attendance.face_engine.interface import DetectedFace, EngineError, Face, FaceBoxes, FaceEngine, Image
from attendance.face_engine.pieces import EngineInPieces, Known, Search
from attendance.zones import EVERYWHERE, Zones

# ITU-R BT.601 luma.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_ENCODED_TOGETHER = 64
"""Faces in a piece of encoding: as many as an encoder takes in one call at most."""


@dataclass(frozen=True, slots=True)
class PieceOfWork:
    """A piece that is done."""

    shares: Mapping[int, float]
    """Which part of it was for which image, by its place; together 1."""
    answers: Mapping[int, list[Face]] = field(default_factory=dict)
    """The faces, best first, of each image that is finished by it."""
    narrow: Mapping[int, list[DetectedFace]] = field(default_factory=dict)
    """Those of the same images that were too narrow to be encoded, best first."""


def find_faces(
    engine: FaceEngine, images: Sequence[Image], *, upsample: int | None = None, smallest_face: int | None = None
) -> list[list[Face]]:
    """Find and encode the faces of each image.

    Args:
        engine: any engine.
        images: RGB, uint8, shape (height, width, 3); sizes may differ; an empty batch gives an empty list.
        upsample: as for `FaceEngine.detect`.
        smallest_face: the same.

    Returns:
        For each image its faces, best first.

    Raises:
        ImageError: as for `FaceEngine.detect`.
        EngineError: the engine gave more or fewer answers than it was asked for.
    """
    found = detect_faces(engine, images, upsample=upsample, smallest_face=smallest_face)
    return encode_faces(engine, images, found)


def find_in_pieces(
    engine: FaceEngine,
    images: Sequence[Image],
    *,
    upsample: int | None = None,
    smallest_face: int | None = None,
    zones: Zones = EVERYWHERE,
    narrowest: float = 0.0,
) -> Iterator[PieceOfWork]:
    """Find and encode the faces of each image, in pieces between which others may use the engine.

    A piece is one call of a network or less, where the engine is an `EngineInPieces`; else a whole search is one.
    Images with few faces are finished before those with many, which need longer.

    Args:
        engine: any engine.
        images: as for `find_faces`.
        upsample: as for `FaceEngine.detect`.
        smallest_face: the same.
        zones: where faces count, in each of the images. What they leave out is not searched as far as that saves
            anything, and a face whose centre lies there is neither encoded nor an answer. Boxes and landmarks are in
            pixels of the image all the same.
        narrowest: width in pixels of the narrowest face that is encoded.

    Yields:
        What each piece was for; each image's faces come once.

    Raises:
        ImageError: as for `FaceEngine.detect`.
        EngineError: the engine gave more or fewer answers than it was asked for.
    """
    search = search_in_pieces(engine, images, upsample=upsample, smallest_face=smallest_face, zones=zones)
    while True:
        try:
            places = next(search)
        except StopIteration as over:
            found: list[FaceBoxes] = over.value
            break
        yield PieceOfWork(shared_out(places))
    wide = [boxes.at_least(narrowest) for boxes in found]
    chosen = [boxes.chosen(which) for boxes, which in zip(found, wide, strict=True)]
    for piece in encode_in_pieces(engine, images, chosen):
        yield replace(piece, narrow={place: found[place].chosen(~wide[place]).faces() for place in piece.answers})


def search_in_pieces(
    engine: FaceEngine,
    images: Sequence[Image],
    *,
    upsample: int | None = None,
    smallest_face: int | None = None,
    zones: Zones = EVERYWHERE,
    areas: Sequence[Area] | None = None,
    known: Known | None = None,
) -> Search:
    """Find the faces of each image without encoding them, in pieces; arguments and errors as for `find_in_pieces`.

    `areas` are what of each image is searched; None: what the zones leave. `known` is given the faces of images that
    the engine is done with before the end, where it says so.
    """
    known = {} if known is None else known
    if areas is not None or zones:
        found = yield from _search_areas(engine, images, upsample, smallest_face, zones, areas, known)
    else:
        found = yield from _search(engine, images, upsample, smallest_face, known)
    _require_count("detection", len(found), len(images))
    return found


def shared_out(places: Sequence[int]) -> dict[int, float]:
    """Which part of a piece of a search was for which image, by its place: an even one for each part searched."""
    return {place: parts / len(places) for place, parts in Counter(places).items()}


def encode_in_pieces(engine: FaceEngine, images: Sequence[Image], found: Sequence[FaceBoxes]) -> Iterator[PieceOfWork]:
    """Align and encode faces that were found, in pieces between which others may use the engine.

    Args:
        engine: any engine.
        images: as for `find_faces`.
        found: which faces of each image, in any number and order.

    Yields:
        What each piece was for; each image's faces come once, in the order of `found`.

    Raises:
        ImageError: as for `FaceEngine.align`.
        EngineError: the engine gave more or fewer answers than it was asked for.
    """
    faces: dict[int, list[Face]] = {place: [] for place in range(len(images))}
    for part in encoding_parts([len(boxes.scores) for boxes in found]):
        chosen = [found[place].chosen(np.arange(start, end)) for place, start, end in part]
        encoded = encode_faces(engine, [images[place] for place, _, _ in part], chosen)
        count = sum(map(len, encoded))
        answers = {}
        for (place, _, end), own in zip(part, encoded, strict=True):
            faces[place] += own
            if end == len(found[place].scores):
                answers[place] = faces.pop(place)
        yield PieceOfWork({p: len(own) / count for (p, _, _), own in zip(part, encoded, strict=True) if count}, answers)


def _search(
    engine: FaceEngine, images: Sequence[Image], upsample: int | None, smallest_face: int | None, known: Known
) -> Search:
    if isinstance(engine, EngineInPieces):
        return (yield from engine.detect_in_pieces(images, upsample=upsample, smallest_face=smallest_face, known=known))
    found = engine.detect(images, upsample=upsample, smallest_face=smallest_face)
    if images:
        yield range(len(images))
    return found


def _search_areas(  # noqa: PLR0917 - as of a search
    engine: FaceEngine,
    images: Sequence[Image],
    upsample: int | None,
    smallest_face: int | None,
    zones: Zones,
    given: Sequence[Area] | None,
    known: Known,
) -> Search:
    """The faces that lie in zones and areas; each area of an image is searched as an image of its own."""
    areas = [
        (place, area)
        for place, image in enumerate(images)
        for area in (areas_of(zones, *image.shape[1::-1]) if given is None else given)
    ]
    parts_of: dict[int, list[int]] = {place: [] for place in range(len(images))}
    for part, (place, _) in enumerate(areas):
        parts_of[place].append(part)

    def whole(place: int, found: Mapping[int, FaceBoxes]) -> FaceBoxes:
        parts = [(areas[part][1], found[part]) for part in parts_of[place]]
        return merged(parts, zones, *images[place].shape[1::-1], of_cores=given is not None)

    parts_known: dict[int, FaceBoxes] = {}
    work = _search(engine, [area.cut(images[place]) for place, area in areas], upsample, smallest_face, parts_known)
    while True:
        try:
            parts = next(work)
        except StopIteration as over:
            _require_count("detection", len(over.value), len(areas))
            every = dict(enumerate(over.value))
            break
        places = [areas[part][0] for part in parts]
        for place in parts_of.keys() - known.keys():
            if all(part in parts_known for part in parts_of[place]):
                known[place] = whole(place, parts_known)
        yield places
    return [known[place] if place in known else whole(place, every) for place in parts_of]


def encoding_parts(counts: Sequence[int]) -> Iterator[list[tuple[int, int, int]]]:
    """What is encoded together: images by their numbers of faces, fewest first, as places and ranges of faces.

    Args:
        counts: the number of faces of each image.
    """
    part: list[tuple[int, int, int]] = []
    room = _ENCODED_TOGETHER
    for place in sorted(range(len(counts)), key=counts.__getitem__):
        start = 0
        while True:
            end = min(counts[place], start + room)
            part.append((place, start, end))
            room -= end - start
            if room == 0:
                yield part
                part, room = [], _ENCODED_TOGETHER
            start = end
            if start == counts[place]:
                break
    if part:
        yield part


def detect_faces(
    engine: FaceEngine, images: Sequence[Image], *, upsample: int | None = None, smallest_face: int | None = None
) -> list[FaceBoxes]:
    """Find the faces of each image, without encoding them.

    Args:
        engine: any engine.
        images: as for `find_faces`.
        upsample: as for `FaceEngine.detect`.
        smallest_face: the same.

    Returns:
        For each image its faces, best first; `FaceBoxes.chosen` leaves some of them out.

    Raises:
        ImageError: as for `FaceEngine.detect`.
        EngineError: the engine gave more or fewer answers than it was asked for.
    """
    found = engine.detect(images, upsample=upsample, smallest_face=smallest_face)
    _require_count("detection", len(found), len(images))
    return found


def encode_faces(engine: FaceEngine, images: Sequence[Image], found: Sequence[FaceBoxes]) -> list[list[Face]]:
    """Align and encode faces that were found, all of them in one call of the encoder, whatever images they are in.

    Args:
        engine: any engine.
        images: as for `find_faces`.
        found: which faces of each image, in any number and order.

    Returns:
        For each image its faces, in the order of `found`.

    Raises:
        ValueError: there are not as many `found` as `images`.
        ImageError: as for `FaceEngine.align`.
        EngineError: the engine gave more or fewer answers than it was asked for.
    """
    aligned = engine.align(images, found)
    _require_count("alignment", len(aligned), len(images))
    for boxes, cut in zip(found, aligned, strict=True):
        _require_count("alignment of one image", len(cut.chips), len(boxes.boxes))
    with_faces = [cut.chips for cut in aligned if len(cut.chips)]
    if not with_faces:
        return [[] for _ in images]
    chips = np.concatenate(with_faces)
    encodings = engine.encode(chips)
    _require_count("encoding", len(encodings), len(chips))
    sharpness = measure_sharpness(chips)
    faces: list[list[Face]] = []
    start = 0
    for boxes, cut in zip(found, aligned, strict=True):
        faces.append(
            [
                Face(
                    box=boxes.boxes[place],
                    score=float(boxes.scores[place]),
                    landmarks=cut.landmarks[place],
                    encoding=encodings[start + place].copy(),  # or whoever keeps one keeps those of the whole batch
                    sharpness=float(sharpness[start + place]),
                )
                for place in range(len(cut.chips))
            ]
        )
        start += len(cut.chips)
    return faces


def measure_sharpness(chips: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The variance of the Laplacian of each chip's grey image; larger is sharper.

    The 4-neighbour Laplacian over all pixels but the outermost (Pech-Pacheco et al., "Diatom autofocusing in
    brightfield microscopy: a comparative study", ICPR 2000).

    Args:
        chips: uint8, shape (n, side, side, 3), RGB; the side is 3 or more.

    Returns:
        float32, shape (n,).
    """
    grey = chips.astype(np.float32) @ _LUMA
    inner = grey[:, 1:-1, 1:-1]
    laplacian = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:] - 4 * inner
    variance: NDArray[np.float32] = laplacian.reshape(len(chips), -1).var(axis=1)
    return variance


def _require_count(step: str, got: int, expected: int) -> None:
    if got != expected:
        raise EngineError(f"the engine's {step} gave {got} answers where {expected} were asked for")
