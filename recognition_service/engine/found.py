"""What the pipeline finds in a picture: faces, encoded or not yet."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attendance.database.watching.health import PictureQuality
from attendance.face_engine.interface import DetectedFace, Face, FaceBoxes, Image
from recognition_service.engine.layouts import Layout, layouts_of
from recognition_service.engine.places import Place
from recognition_service.engine.work import Found, Job
from recognition_service.presentation.views import FaceView


@dataclass(frozen=True, slots=True)
class FoundFaces:
    """The faces of one picture."""

    faces: list[Face]
    """Best first; those encoded."""
    width: int
    height: int
    blank: bool = False
    """The picture shows nothing: it is black, white, or all of one shade."""
    narrow: Sequence[DetectedFace] = ()
    """Those too narrow to be encoded, where not all were to be."""
    views: Sequence[FaceView] = ()
    """The pixels of each face encoded, where they were wanted."""
    picture: PictureQuality | None = None
    """How bright and sharp it is, where that was wanted."""
    layouts: Sequence[Layout] | None = None
    """What is seen at the place of each face encoded, where that was wanted."""


@dataclass(slots=True, eq=False)
class DetectedFaces:
    """The faces of one picture before they are encoded, and its pixels, which are kept for that (`Pipeline.detect`)."""

    faces: list[DetectedFace]
    """Best first, in pixels of the picture as it was sent."""
    width: int
    height: int
    blank: bool
    """As of `FoundFaces`."""
    picture: PictureQuality | None
    """As of `FoundFaces`."""
    lane: Hashable
    priority: int
    image: Image
    boxes: FaceBoxes
    """The faces, in pixels of `image`."""
    reduction: int
    """By how much the image was reduced."""
    place: Place[Job, Found] | None
    """In the queue, for the first faces to be encoded; None: it was used."""

    def layouts(self, boxes: NDArray[np.float32]) -> list[Layout]:
        """What is seen at some places.

        Args:
            boxes: shape (n, 4), in pixels of the picture as it was sent.
        """
        return layouts_of(self.image, boxes / np.float32(self.reduction))
