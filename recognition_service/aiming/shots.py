"""A picture of a camera as the aiming view shows it: faces pixelated, their boxes and widths drawn in.

A shot is in memory only, and only while somebody looks. Names, encodings and matches are no part of it.
"""

from dataclasses import dataclass
from datetime import datetime

import cv2
import numpy as np

from attendance.aiming import AimedFace, AimedShot
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Face, Image
from attendance.settings.matching import MatchingRules
from recognition_service.engine.found import FoundFaces

_MOST_WIDTH = 1600
"""Pixels of a picture that is shown: more than fit beside a page's margins."""
_QUALITY = 82
_BLOCKS = 6
"""Of a pixelated face, a side: too few for features of any size."""
_AROUND = 0.25
"""Of a face's size, what is pixelated on each side of its box: detectors leave out chin, ears and hair."""
_RED, _YELLOW, _GREEN = (225, 29, 46), (250, 190, 40), (60, 200, 110)
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame and what was found in it."""

    jpeg: bytes
    said: AimedShot


def shot_of(
    number: int,
    jpeg: bytes,
    found: FoundFaces,
    *,
    captured_at: datetime,
    arrived_at: datetime,
    session: bool,
    rules: MatchingRules,
) -> Shot:
    """What a frame says of how the camera hangs.

    Args:
        number: of the shot.
        jpeg: the frame.
        found: its faces, and how bright it is.
        captured_at: by the camera's clock.
        arrived_at: by the service's.
        session: whether a class session counts in the room.
        rules: which faces are too small, and which count in full.

    Raises:
        ValueError: the frame was not measured.
    """
    if found.picture is None:
        raise ValueError("how bright the frame is was not measured")
    faces = sorted((_said(face) for face in found.faces), key=lambda face: (face.left, face.top))
    return Shot(
        jpeg,
        AimedShot(
            number=number,
            captured_at=captured_at,
            arrived_at=arrived_at,
            width=found.width,
            height=found.height,
            session=session,
            clear=False,
            brightness=round(found.picture.brightness, 1),
            blank=found.blank,
            smallest_named=rules.smallest_named,
            clear_width=rules.clear_width,
            clear_sharpness=rules.clear_sharpness,
            faces=tuple(faces),
        ),
    )


def told(shot: Shot, *, clear: bool) -> AimedShot:
    """What is said of a shot to whoever may see faces as they are where no session counts."""
    return shot.said.model_copy(update={"clear": clear and not shot.said.session})


def drawn(shot: Shot, *, clear: bool, max_pixels: int) -> bytes:
    """The picture, as a JPEG file without anything that the camera wrote beside it.

    Args:
        shot: as it is kept.
        clear: whether whoever looks may see faces as they are. Where a session counts, nobody may.
        max_pixels: of a picture.

    Raises:
        ImageError: the frame cannot be decoded.
    """
    picture = decode_image(shot.jpeg, max_pixels=max_pixels, formats=("JPEG",))
    said = told(shot, clear=clear)
    height, width = picture.shape[:2]
    if not said.clear:
        for face in said.faces:
            _pixelate(picture, face, width / said.width, height / said.height)
    if width > _MOST_WIDTH:
        picture = np.asarray(
            cv2.resize(picture, (_MOST_WIDTH, height * _MOST_WIDTH // width), interpolation=cv2.INTER_AREA), np.uint8
        )
        height, width = picture.shape[:2]
    for number, face in enumerate(said.faces, start=1):
        _draw_box(picture, number, face, said, width / said.width)
    _, file = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return file.tobytes()


def _said(face: Face) -> AimedFace:
    left, top, right, bottom = (round(float(value), 1) for value in face.box)
    return AimedFace(left=left, top=top, right=right, bottom=bottom, sharpness=round(float(face.sharpness), 1))


def _pixelate(picture: Image, face: AimedFace, across: float, down: float) -> None:
    """Leave a few even squares of a face, in place."""
    beside, above = _AROUND * (face.right - face.left), _AROUND * (face.bottom - face.top)
    height, width = picture.shape[:2]
    left, right = _span(face.left - beside, face.right + beside, across, width)
    top, bottom = _span(face.top - above, face.bottom + above, down, height)
    part = picture[top:bottom, left:right]
    if not part.size:
        return
    few = cv2.resize(part, (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA)
    part[:] = cv2.resize(few, (right - left, bottom - top), interpolation=cv2.INTER_NEAREST)


def _span(first: float, last: float, scale: float, most: int) -> tuple[int, int]:
    return max(0, int(np.floor(first * scale))), min(most, int(np.ceil(last * scale)))


def _draw_box(picture: Image, number: int, face: AimedFace, said: AimedShot, scale: float) -> None:
    """A box with the face's number and width. What its colour says stands in words beneath the picture, too."""
    too_small = face.width < said.smallest_named
    colour = _RED if too_small else _GREEN if face.width >= said.clear_width else _YELLOW
    left, top, right, bottom = (round(edge * scale) for edge in (face.left, face.top, face.right, face.bottom))
    line = max(2, picture.shape[1] // 500)
    cv2.rectangle(picture, (left, top), (right, bottom), colour, line)
    _write(picture, f"{number}: {face.width} px", (left, top, bottom), colour)


def _write(picture: Image, text: str, beside: tuple[int, int, int], colour: tuple[int, int, int]) -> None:
    """Beneath a box (its left, top and bottom), or above it where there is no room."""
    size = max(0.45, picture.shape[1] / 2200)
    (wide, high), under = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    left, top, bottom = beside
    tall = high + under + 4
    top = bottom + 2 if bottom + 2 + tall <= picture.shape[0] else max(0, top - 2 - tall)
    left = max(0, min(left, picture.shape[1] - wide - 6))
    cv2.rectangle(picture, (left, top), (left + wide + 6, top + tall), colour, cv2.FILLED)
    ink = _WHITE if colour == _RED else _BLACK
    cv2.putText(picture, text, (left + 3, top + high + 2), cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)
