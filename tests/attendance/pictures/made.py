"""Pictures of every format that photos have, made here."""

import io
import re
import struct
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

from attendance.pictures.formats import AVIF, HEIC, JPEG, PNG, WEBP

pillow_heif.register_heif_opener()
_NAMES = {JPEG: "JPEG", PNG: "PNG", WEBP: "WEBP", AVIF: "AVIF", HEIC: "HEIF"}
_HOW: dict[str, dict[str, Any]] = {
    JPEG: {"quality": 95, "subsampling": 0},
    WEBP: {"lossless": True},
    AVIF: {"quality": 95},
    HEIC: {"quality": 95},
}


def encoded(image: Image.Image, kind: str, **more: Any) -> bytes:
    """A picture as a file of one of `PHOTO_FORMATS`, nearly as it is."""
    file = io.BytesIO()
    if kind == HEIC and "exif" in more:  # its encoder makes `irot` and `imir` of what the picture itself says
        image.info["exif"] = more.pop("exif").tobytes()
    image.save(file, _NAMES[kind], **{**dict(_HOW.get(kind, {})), **more})
    return file.getvalue()


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def stored_as(scene: NDArray[np.uint8]) -> dict[int, NDArray[np.uint8]]:
    """How a picture lies for each orientation (EXIF 2.3); undoing it gives the picture that was seen."""
    return {
        1: scene,
        2: scene[:, ::-1],
        3: scene[::-1, ::-1],
        4: scene[::-1],
        5: scene.transpose(1, 0, 2),
        6: np.rot90(scene),
        7: scene[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(scene, -1),
    }


def declaring(data: bytes, width: int, height: int) -> bytes:
    """A file whose boxes say that it has another size."""
    return re.sub(rb"(ispe....)........", lambda found: found[1] + struct.pack(">II", width, height), data, flags=re.S)
