"""The pictures that the measurements use: the demo's, and further ones beside the repository if they are there."""

from pathlib import Path

import cv2
import numpy as np

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Image
from operations.demo.pictures import fetch_pictures

SHARED = Path(__file__).parents[1] / "../shared/faces"
CLIP_FRAMES = range(0, 260, 20)
LARGEST = 100_000_000
HALF_WIDTH, HEIGHT = 320, 480


def face_pictures() -> dict[str, Image]:
    """Every distinct picture with faces, by name; frames of the clip beside the repository included."""
    folder = fetch_pictures(print)
    paths = [*sorted(folder.glob("*.*g")), *sorted(SHARED.glob("*/**/*.*g"))]
    found: dict[str, Image] = {}
    for path in paths:
        image = decode_image(path.read_bytes(), max_pixels=LARGEST)
        if not any(np.array_equal(image, other) for other in found.values()):
            found[path.name if path.parent == folder else str(path.relative_to(SHARED))] = image
    if SHARED.is_dir():
        found |= {f"clip frame {number}": frame for number, frame in _clip_frames().items()}
    return found


def _clip_frames() -> dict[int, Image]:
    video = cv2.VideoCapture(str(SHARED / "hamilton_clip.mp4"))
    frames = {}
    for number in CLIP_FRAMES:
        video.set(cv2.CAP_PROP_POS_FRAMES, number)
        read, frame = video.read()
        if read:
            frames[number] = np.ascontiguousarray(frame[:, :, ::-1])
    return frames


def shrink(image: Image, pixels: int) -> Image:
    """The picture scaled down to about so many pixels; a smaller one as it is."""
    scale = min(1.0, (pixels / (image.shape[0] * image.shape[1])) ** 0.5)
    return np.ascontiguousarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def face_crops(engine: AcceleratedEngine, side: int) -> list[Image]:
    """The clearest face of each demo picture, 320 x 480 pixels around it, the face `side` pixels wide."""
    folder = fetch_pictures(print)
    crops = []
    for name in ("obama.jpg", "biden.jpg", "astronaut.png", "obama2.jpg", "obama3.jpg"):
        image = decode_image((folder / name).read_bytes(), max_pixels=LARGEST)
        (found,) = engine.detect([image], upsample=0)
        left, top, right, bottom = found.boxes[0]
        scale = side / float(right - left + 1)
        shift = np.array([HALF_WIDTH / 2, HEIGHT / 2]) - scale * np.array([left + right, top + bottom]) / 2
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        # Averaged first where it shrinks much, so that the scaled face has no jagged edges.
        small = cv2.blur(image, (max(1, round(1 / scale)),) * 2)
        crops.append(cv2.warpAffine(small, matrix, (HALF_WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE))
    return crops


def two_face_frames(engine: AcceleratedEngine) -> list[Image]:
    """Frames of 640 x 480 pixels with two faces of about 130 pixels each."""
    crops = face_crops(engine, 130)
    pairs = [(0, 1), (2, 3), (4, 1)]
    frames = [np.ascontiguousarray(np.concatenate([crops[one], crops[other]], axis=1)) for one, other in pairs]
    counts = [len(found.boxes) for found in engine.detect(frames, upsample=0)]
    if counts != [2] * len(frames):
        raise RuntimeError(f"the frames should show two faces each, and {counts} are found")
    return frames


def crowd(engine: AcceleratedEngine, faces: int, *, width: int = 1280, height: int = 720) -> Image:
    """A frame with so many faces of about 100 pixels in a grid."""
    crops = [crop[165:315, 85:235] for crop in face_crops(engine, 100)]
    frame = np.full((height, width, 3), 110, np.uint8)
    columns = width // 150
    for place in range(faces):
        top, left = (place // columns) * 150, (place % columns) * 150
        frame[top : top + 150, left : left + 150] = crops[place % len(crops)]
    return frame
