"""Long work in pieces, so that whoever shares the engine may have a turn between two of them."""

from collections.abc import Generator, MutableMapping, Sequence
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

from attendance.face_engine.interface import FaceBoxes, Image

Result = TypeVar("Result")

Pieces: TypeAlias = Generator[Sequence[int], None, Result]
"""Work that stops after each piece and yields for which images, by their places, that piece was; in the end its result.

What a piece leaves behind is the work's own: other work with the same engine may be done before the next piece.
"""

Search: TypeAlias = Pieces[list[FaceBoxes]]
"""A search for faces; its result has the faces of each image."""

Known: TypeAlias = MutableMapping[int, FaceBoxes]
"""Takes the faces of images, by their places, that a search is done with before its end; it is not bound to say any."""


@runtime_checkable
class EngineInPieces(Protocol):
    """What a `FaceEngine` may have besides. dlib itself has not: it searches an image of any size in one call."""

    def detect_in_pieces(
        self,
        images: Sequence[Image],
        *,
        upsample: int | None = None,
        smallest_face: int | None = None,
        known: Known,
    ) -> Search:
        """As `FaceEngine.detect`; no piece is longer than one call of a network, which the engine bounds.

        `known` is given the faces of each image as soon as they are known, before the pause that follows.
        """


def of_images(work: Generator[object, None, Result], places: Sequence[int]) -> Pieces[Result]:
    """Say of all pieces that they are for these images, whatever the work says itself."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: Result = end.value
            return result
        yield places


def finished(work: Generator[object, None, Result]) -> Result:
    """Do all pieces without a pause."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: Result = end.value
            return result
