"""Photos that lie on their side or head without saying so: turned upright, or refused.

A detector finds many such faces, and dlib's predictor, trained on upright ones, puts its five points into them as if
they were upright: neither the score nor the eyes' line tells them. The encodings are of nobody, 0.6 to 0.9 (dlib) and
1.3 to 1.4 (opencv) from the person's own, and near to other people's that lie so. What tells them is that the points
do not stay where they are: turned by 10 and 20 degrees, the same face has them elsewhere. Measured with 37 faces of
60 pixels and more in portraits, films and groups, each in four directions, by both families, as a share of the
distance of the eyes (`unsteadiness`): upright 0.00 to 0.03, half-covered faces to 0.07; lying 0.05 to 0.92, but for
one of 103 with 0.02. In each photo of a person the upright direction had the least.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.faces import detect_faces, encode_faces, find_faces
from attendance.face_engine.interface import Face, FaceBoxes, FaceEngine, Image

STEADY = 0.02
"""Up to this a face is upright, and no other direction is looked at."""
UNSTEADY = 0.12
"""From this on nobody can tell where eyes and nose are: no direction makes a good photo of it."""
_ANGLES = (-20.0, -10.0, 10.0, 20.0)
_TURNS = (1, 3, 2)
"""Quarters against the clock, the likely ones first."""
_WORDS = {1: "on its right side", 2: "upside down", 3: "on its left side"}
_FACE_SIDE = 160
"""Pixels to which a face is shrunk for this; the predictor looks at differences of pixels, and needs no more."""


@dataclass(frozen=True, slots=True)
class UprightPhoto:
    """A photo, and its faces, as they are upright."""

    image: Image
    faces: Sequence[Face]
    """Best first; those that are surely faces."""
    turned: int = 0
    """Quarters against the clock by which it was turned."""
    unsteadiness: float = 0.0
    """Of its one face; 0 where there are none or several."""

    @property
    def how_it_lay(self) -> str:
        """A clause for people; empty where it was upright."""
        return f"it lay {_WORDS[self.turned]} and was turned" if self.turned else ""


def find_upright(
    engine: FaceEngine, image: Image, photo_score: float, *, faces: Sequence[Face] | None = None
) -> UprightPhoto:
    """Find the faces of a photo of one person, turned upright where it lies on its side or head.

    Args:
        engine: finds and encodes the faces.
        image: RGB, uint8, shape (height, width, 3).
        photo_score: from which score on a face is surely one.
        faces: what the engine found in it; None: not looked for yet.

    Raises:
        EngineError: the engine itself fails.
    """
    given = faces if faces is not None else find_faces(engine, [image])[0]
    found = [face for face in given if face.score >= photo_score]
    if len(found) > 1:
        return UprightPhoto(image, found)
    own = unsteadiness(engine, image, found[0].box) if found else np.inf
    best = UprightPhoto(image, found, 0, float(own) if found else 0.0)
    if own <= STEADY:
        return best
    least = own / 2 if found else UNSTEADY  # a head that is merely hard to read is not turned
    for turn in _TURNS:
        turned = np.ascontiguousarray(np.rot90(image, turn))
        (boxes,) = detect_faces(engine, [turned])
        sure = boxes.chosen(boxes.scores >= photo_score)
        if len(sure.scores) != 1:
            continue
        there = unsteadiness(engine, turned, sure.boxes[0])
        if there < least and there < UNSTEADY:
            least = there
            best = UprightPhoto(turned, encode_faces(engine, [turned], [sure])[0], turn, there)
            if there <= STEADY:
                break
    return best


def unsteadiness(engine: FaceEngine, image: Image, box: NDArray[np.float32]) -> float:
    """How far the landmarks of a face move when the picture is turned a little, as a share of the eyes' distance.

    Args:
        engine: finds the landmarks.
        image: RGB, uint8, shape (height, width, 3).
        box: left, top, right, bottom of the face, pixels.

    Returns:
        The largest of the mean distances over turns by 10 and 20 degrees to both sides.
    """
    width = max(float(box[2] - box[0]), 1.0)
    scale = min(_FACE_SIDE / width, 1.0)
    centre = (float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2)
    side = max(round(2 * width * scale), 2)
    turns = [_turn(centre, angle, scale, side) for angle in (0.0, *_ANGLES)]
    views = [
        np.asarray(cv2.warpAffine(image, turn, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8)
        for turn in turns
    ]
    half = width * scale / 2
    middle = np.array([[side / 2 - half, side / 2 - half, side / 2 + half, side / 2 + half]], np.float32)
    one = FaceBoxes(middle, np.ones(1, np.float32))
    points = [
        cut.landmarks[0] @ back[:, :2].T + back[:, 2]
        for cut, back in zip(
            engine.align(views, [one] * len(views)), map(cv2.invertAffineTransform, turns), strict=True
        )
    ]
    eyes = max(float(np.linalg.norm(points[0][0] - points[0][2])), 1.0)
    return float(max(np.linalg.norm(moved - points[0], axis=1).mean() / eyes for moved in points[1:]))


def _turn(centre: tuple[float, float], angle: float, scale: float, side: int) -> NDArray[np.float64]:
    """The transform, shape (2, 3), that turns and shrinks around `centre` and puts it into the middle of a square."""
    turn = np.asarray(cv2.getRotationMatrix2D(centre, angle, scale), np.float64)
    return np.column_stack([turn[:, :2], turn[:, 2] + side / 2 - np.array(centre)])
