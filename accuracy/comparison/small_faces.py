"""Faces scaled down to stated widths, as a camera at the front of a hall would send those at the back.

The size of a face as it happens to be in a photo says little: large and small faces are of other people, in other
light. So the same photos are scaled down, given a sensor's noise and compressed. This is kinder than a hall, which has
blur of motion and of the lens besides, and other light: of two sizes or two families the difference tells more than the
rate. Both families get the same pictures, and what is searched in stays at full size.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.faces import find_faces
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Face, FaceEngine, Image

WIDTHS = (16, 20, 24, 32, 40, 60)
"""Pixels, of the box that the family opencv finds: one measure for both."""
MOST_PHOTOS = 500
"""Photos that are scaled; of more, so many are drawn."""
_DOUBLED_TWICE_BELOW = 40
"""A width under which the frame is doubled twice for either family, as for a camera of which small faces are wanted."""
_AROUND = 1.2
"""How far the cut reaches from the face's middle, in widths of the face."""
_CANVAS = 160
_GREY = 120
_NOISE = 2.0
_QUALITY = 90
_BATCH = 16


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """A scaled-down face as a family finds it."""

    encoding: NDArray[np.float32]
    """Shape (encoding_size,)."""
    width: float
    """Pixels, of the box that this family gives it."""


SmallEncodings: TypeAlias = Mapping[int, Mapping[Path, FoundFace | None]]
"""For each width and photo the face; None where it is not found."""


@dataclass(frozen=True, slots=True)
class SmallFace:
    """A face so small, as a camera would send it."""

    jpeg: bytes
    middle: tuple[float, float]
    """Pixels from the left and from the top."""


def scale_down(image: Image, face: Face, width: int, noise: np.random.Generator) -> SmallFace | None:
    """The surroundings of a face, scaled down by averaging, with noise, compressed.

    Args:
        image: RGB, uint8, shape (height, width, 3).
        face: of that image.
        width: pixels that the face's box shall be wide.
        noise: of the sensor, 2 of 255 in each pixel and colour.

    Returns:
        None where the face is not so wide: nothing is scaled up.
    """
    left, top, right, bottom = (float(edge) for edge in face.box)
    scale = width / (right - left)
    if scale > 1:
        return None
    reach = _AROUND * (right - left)
    x, y = (left + right) / 2, (top + bottom) / 2
    first_column, first_row = int(max(x - reach, 0)), int(max(y - reach, 0))
    cut = image[first_row : int(y + reach), first_column : int(x + reach)]
    small = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.full((max(_CANVAS, small.shape[0]), max(_CANVAS, small.shape[1]), 3), _GREY, np.float32)
    frame[: small.shape[0], : small.shape[1]] = small
    frame += noise.normal(0, _NOISE, frame.shape)
    pixels = np.ascontiguousarray(np.clip(frame, 0, 255).astype(np.uint8)[:, :, ::-1])
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return SmallFace(data.tobytes(), (scale * (x - first_column), scale * (y - first_row)))


@dataclass(slots=True)
class SmallFaces:
    """Scaled-down faces of photos, by the width."""

    wanted: Collection[Path]
    """The photos whose faces are scaled."""
    by_width: dict[int, dict[Path, SmallFace]] = field(default_factory=lambda: {width: {} for width in WIDTHS})

    def take(self, path: Path, image: Image, face: Face) -> None:
        """Scale the face of a photo; see `accuracy.evaluation.photo_reading.OneFace`."""
        if path not in self.wanted:
            return
        for width, faces in self.by_width.items():
            # Noise of the photo's own, so that the same photo gives the same picture whatever was read before.
            small = scale_down(image, face, width, np.random.default_rng([width, len(faces)]))
            if small is not None:
                faces[path] = small

    def encode(self, engine: FaceEngine) -> SmallEncodings:
        """Find and encode them.

        Raises:
            EngineError: the engine itself fails.
        """
        return {width: _encode(engine, faces, width) for width, faces in self.by_width.items()}


def _encode(engine: FaceEngine, faces: Mapping[Path, SmallFace], width: int) -> Mapping[Path, FoundFace | None]:
    upsample = 2 if width < _DOUBLED_TWICE_BELOW else 1
    found: dict[Path, FoundFace | None] = {}
    entries = list(faces.items())
    for start in range(0, len(entries), _BATCH):
        batch = entries[start : start + _BATCH]
        frames = [decode_image(small.jpeg, max_pixels=64_000_000) for _, small in batch]
        for (path, small), several in zip(batch, find_faces(engine, frames, upsample=upsample), strict=True):
            face = _at(small, width, several)
            found[path] = None if face is None else FoundFace(face.encoding, float(face.box[2] - face.box[0]))
    return found


def _at(small: SmallFace, width: int, faces: Sequence[Face]) -> Face | None:
    """The face whose middle lies where it should, the nearest; None: it was not found."""

    def apart(face: Face) -> float:
        x, y = (face.box[:2] + face.box[2:]) / 2
        return float(np.hypot(x - small.middle[0], y - small.middle[1]))

    nearest = min(faces, key=apart, default=None)
    return nearest if nearest is not None and apart(nearest) <= width / 2 else None


def draw_photos(paths: Sequence[Path], *, seed: int) -> frozenset[Path]:
    """At most `MOST_PHOTOS` of the photos, drawn."""
    if len(paths) <= MOST_PHOTOS:
        return frozenset(paths)
    chosen = np.random.default_rng(seed).choice(len(paths), MOST_PHOTOS, replace=False)
    return frozenset(paths[place] for place in chosen)
