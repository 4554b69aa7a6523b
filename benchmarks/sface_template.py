"""`python -m benchmarks.sface_template`: where dlib's five points should lie in SFace's chip.

Photos of known people are encoded with the ArcFace family's places for the points, moved and scaled; probes are shrunk,
noisy and compressed again. Printed is how far encodings of one person and of different people are from each other, and
how many standard deviations lie between the two. The people are few: it tells places apart, not how well SFace works.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.encoding.alignment import ARCFACE_SIDE, TemplateAligner, arcface_template, sface_template
from attendance.face_engine.interface import FaceBoxes, Image
from attendance.face_engine.network_engine import load_landmarks
from attendance.face_engine.opencv_engine import OpenCvEngine
from benchmarks.pictures import face_pictures

WIDTHS = (0, 48, 32, 24, 20)
"""Pixels of the probes' faces; 0: as they are."""
SHIFTS, SCALES = (-3, 0, 3, 6), (0.92, 0.96, 1.0, 1.04)
CLEAR = 0.7
_NOISE, _QUALITY = 4.0, 85


def main() -> None:
    """Try every place, and print."""
    engine = OpenCvEngine(precision="fp32", encoder_precision="fp32")
    photos = [
        (who, crop, width) for who, image in _photos() for width in WIDTHS for crop in [_crop(engine, image, width)]
    ]
    predictor, _ = load_landmarks()
    boxes = [_nearest(engine.detect([crop])[0], crop) for _, crop, _ in photos]
    print(f"{'down, scale':<14}" + "".join(f"{f'{width} px' if width else 'whole':>24}" for width in WIDTHS))
    templates = {
        f"{shift:+d}, {scale}": (arcface_template() - ARCFACE_SIDE / 2) * scale + ARCFACE_SIDE / 2 + [0, shift]
        for shift in SHIFTS
        for scale in SCALES
    }
    for name, template in (templates | {"in use": sface_template()}).items():
        aligner = TemplateAligner(predictor, template, side=ARCFACE_SIDE, whole_pixels=False)
        chips = [cut.chips for cut in aligner.align([crop for _, crop, _ in photos], boxes)]
        encodings = [engine.encode(cut)[0] if len(cut) else None for cut in chips]
        rows = [
            (who, width, encoding)
            for (who, _, width), encoding in zip(photos, encodings, strict=True)
            if encoding is not None
        ]
        print(f"{name:<14}" + "".join(f"{_describe(rows, width):>24}" for width in WIDTHS), flush=True)


def _photos() -> Iterator[tuple[str, Image]]:
    """Each photo of one known person, and who it is."""
    for name, image in face_pictures().items():
        folder, _, rest = name.partition("/")
        if folder == "enrol":
            yield rest.partition("/")[0], image
        elif name.startswith(("obama", "biden", "astronaut", "Tom_Hanks")):
            yield name.rstrip("0123456789.jpgn").partition("_partial")[0], image


def _crop(engine: OpenCvEngine, image: Image, width: int) -> Image:
    """The largest clear face with its surroundings, shrunk to so many pixels; on grey, so that the search has room."""
    (found,) = engine.detect([image])
    clear = found.boxes[found.scores >= CLEAR]
    box = max(clear, key=lambda one: float(one[2] - one[0]))
    side, middle = float(box[2] - box[0]), (box[:2] + box[2:]) / 2
    left, top = np.maximum((middle - 1.6 * side).astype(int), 0)
    right, bottom = (middle + 1.6 * side).astype(int)
    part = np.ascontiguousarray(image[top:bottom, left:right])
    if width:
        scale = width / side
        part = np.asarray(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        noise = np.random.default_rng(width).normal(0, _NOISE, part.shape)
        part = np.clip(part + noise, 0, 255).astype(np.uint8)
        _, file = cv2.imencode(".jpg", part[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        part = np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1]
    return np.ascontiguousarray(np.pad(part, ((20, 60), (20, 60), (0, 0)), constant_values=110))


def _nearest(found: FaceBoxes, image: Image) -> FaceBoxes:
    """The face nearest to the middle, or none."""
    if not len(found.scores):
        return found
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    apart = np.linalg.norm(middles - np.array([image.shape[1] - 40, image.shape[0] - 40]) / 2, axis=1)
    return found.chosen([int(apart.argmin())])


def _describe(rows: list[tuple[str, int, NDArray[np.float32]]], width: int) -> str:
    """Mean distance within and between people, and the gap in standard deviations, of probes against whole photos."""
    gallery = [(who, encoding) for who, own, encoding in rows if not own]
    own, other = [], []
    for who, probe_width, probe in rows:
        if probe_width == width:
            for name, encoding in gallery:
                distance = float(np.linalg.norm(probe - encoding))
                if name == who and distance > 0:
                    own.append(distance)
                elif name != who:
                    other.append(distance)
    gap = (np.mean(other) - np.mean(own)) / np.sqrt((np.var(own) + np.var(other)) / 2)
    return f"{np.mean(own):.3f} {np.mean(other):.3f} {gap:.2f}"


if __name__ == "__main__":
    main()
