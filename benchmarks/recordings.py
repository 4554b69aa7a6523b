"""What one core does of recordings and photos in bulk: `python -m benchmarks.recordings`.

A lecture of the demo's people, made here, is split, decoded, searched and encoded by one process with one thread, as
`attendance recordings run` does it; encoding alone is measured beside it. Photos of the demo's people are looked at as
`attendance gallery convert --on` does it. What counts is the processor's time, so that others who work
on the machine matter little.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import FaceEngine
from attendance.models_in_use import models_of
from attendance.settings import Settings
from attendance.settings.families import Family
from benchmarks.costs import processor
from index_builder.photos.judging import FORGIVABLE
from operations.demo.classroom import write_frames, write_photos
from operations.demo.pictures import fetch_pictures
from operations.photo_looks import LookSettings, PhotoJob, look_at_photo
from operations.recordings.assembling import maker_of
from operations.recordings.looking import Lens, LookJob, engine_of, fingerprint, look_at
from operations.recordings.stretches import plan_video

_BEGIN = datetime(2025, 3, 3, 9, tzinfo=UTC)
_LENGTH_S = 40.0
_PHOTOS_S = 10.0
_SIZES = ((960, 540), (1920, 1080))


def main() -> int:
    """Measure both families of models at two sizes, and photos, and print tables."""
    settings = Settings()
    print(f"{processor()}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as work:
        pictures = fetch_pictures()
        frames, photos = Path(work) / "frames", Path(work) / "photos"
        write_frames(pictures, frames, length_s=_LENGTH_S)
        write_photos(pictures, photos)
        print("models   picture      decode only   with faces   of that encoding   hours of video an hour and core")
        for width, height in _SIZES:
            video = _video(frames, Path(work) / f"{height}.mp4", (width, height))
            for family in (Family.OPENCV, Family.DLIB):
                _measure_video(settings, family, video, f"{width} x {height}")
        print("models   photos a second and core")
        for family in (Family.OPENCV, Family.DLIB):
            _measure_photos(settings, family, sorted(photos.rglob("*.jpg")))
    return 0


def _measure_video(settings: Settings, family: Family, video: Path, size: str) -> None:
    build = maker_of(models_of(settings, family, "it is measured"), settings)
    plan = plan_video(video, 60)
    lens = Lens(build, rate=1.0, smallest_face=settings.matching.rules(family).smallest_sought)
    jobs = [LookJob(video, one, _BEGIN, 0, plan.length_s, lens, fingerprint(video)) for one in plan.stretches]
    engine = engine_of(build)
    for job in jobs:  # the first pictures of a size take longer
        look_at(job)
    with _Stopwatch(engine) as encoding:
        began = time.process_time()
        told = [look_at(job)[0] for job in jobs]
        took = time.process_time() - began
    pictures, faces = sum(one.pictures for one in told), sum(one.faces for one in told)
    print(
        f"{family:<8} {size:<12} {1000 * _decoding(video) / pictures:6.0f} ms {'':<5}{1000 * took / pictures:6.0f} ms"
        f"{'':<8}{1000 * encoding.took_s / pictures:6.0f} ms {'':<8}{plan.length_s / took:5.1f}   "
        f"({faces / pictures:.1f} faces a picture, {timedelta(seconds=round(plan.length_s))})"
    )


def _measure_photos(settings: Settings, family: Family, photos: Sequence[Path]) -> None:
    build = maker_of(models_of(settings, family, "it is measured"), settings)
    numbers = settings.matching.numbers_of(engine_of(build).info.model)
    how = LookSettings(build, settings.engine.max_pixels, numbers, frozenset(FORGIVABLE))
    jobs = [PhotoJob(path.name, path.read_bytes(), how) for path in photos]
    for job in jobs:
        look_at_photo(job)
    began, looked_at = time.process_time(), 0
    while time.process_time() - began < _PHOTOS_S:
        for job in jobs:
            look_at_photo(job)
        looked_at += len(jobs)
    print(f"{family:<8} {looked_at / (time.process_time() - began):6.1f}   ({len(photos)} photos of 320 x 320)")


class _Stopwatch:
    """How long an engine encodes, seconds of the processor."""

    def __init__(self, engine: FaceEngine) -> None:
        self._engine = engine
        self.took_s = 0.0

    def __enter__(self) -> Self:
        encode = self._engine.encode

        def timed(chips: NDArray[np.uint8]) -> NDArray[np.float32]:
            began = time.process_time()
            encodings = encode(chips)
            self.took_s += time.process_time() - began
            return encodings

        self._engine.encode = timed  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        del self._engine.encode  # type: ignore[method-assign]


def _decoding(video: Path) -> float:
    """Seconds of the processor to decode all pictures; none is looked at."""
    began = time.process_time()
    capture = cv2.VideoCapture(str(video))
    while capture.grab():
        pass
    capture.release()
    return time.process_time() - began


def _video(frames: Path, path: Path, size: tuple[int, int]) -> Path:
    """The frames as H.264 with 25 pictures a second, as recorders write it."""
    import av  # noqa: PLC0415 - an extra

    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"  # type: ignore[attr-defined]
        number = 0
        for name in sorted(frames.iterdir()):
            image = cv2.imread(str(name))
            if image is None:
                raise FileNotFoundError(name)
            image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
            for _ in range(25 // 2):
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
                picture.pts, picture.time_base = number, Fraction(1, 25)
                number += 1
                file.mux(stream.encode(picture))  # type: ignore[attr-defined]
        file.mux(stream.encode())  # type: ignore[attr-defined]
    return path


if __name__ == "__main__":
    sys.exit(main())
