"""How many hours of recorded lectures one core looks at in an hour: `python -m benchmarks.recordings`.

A lecture of the demo's people, made here, is split, decoded, searched and encoded by one process with one thread, as
`attendance recordings run` does it; then it is followed. What counts is the processor's time, so that others who work
on the machine matter little.
"""

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from attendance.models_in_use import models_of
from attendance.settings import Settings
from attendance.settings.families import Family
from operations.demo.classroom import write_frames
from operations.demo.pictures import fetch_pictures
from operations.recordings.assembling import maker_of
from operations.recordings.looking import Lens, LookJob, engine_of, fingerprint, look_at
from operations.recordings.stretches import plan_video

_BEGIN = datetime(2025, 3, 3, 9, tzinfo=UTC)
_LENGTH_S = 40.0
_SIZES = ((960, 540), (1920, 1080))


def main() -> int:
    """Measure both families of models at two sizes, and print a table."""
    settings = Settings()
    with tempfile.TemporaryDirectory() as work:
        frames = Path(work) / "frames"
        write_frames(fetch_pictures(), frames, length_s=_LENGTH_S)
        print("models   picture      decode only   with faces   hours of video an hour and core")
        for width, height in _SIZES:
            video = _video(frames, Path(work) / f"{height}.mp4", (width, height))
            plan = plan_video(video, 60)
            for family in (Family.OPENCV, Family.DLIB):
                build = maker_of(models_of(settings, family, "it is measured"), settings)
                rules = settings.matching.rules(family)
                lens = Lens(build, rate=1.0, smallest_face=rules.smallest_sought)
                engine_of(build)
                for warm in (True, False):
                    began, pictures, faces = time.process_time(), 0, 0
                    for stretch in plan.stretches:
                        job = LookJob(video, stretch, _BEGIN, 0, plan.length_s, lens, fingerprint(video))
                        told, _ = look_at(job)
                        pictures, faces = pictures + told.pictures, faces + told.faces
                    took = time.process_time() - began
                    if warm:
                        continue
                    decoding = _decoding(video)
                    print(
                        f"{family:<8} {width} x {height:<6} {1000 * decoding / pictures:6.0f} ms {'':<5}"
                        f"{1000 * took / pictures:6.0f} ms    {plan.length_s / took:5.1f}   "
                        f"({faces / pictures:.1f} faces a picture, {timedelta(seconds=round(plan.length_s))})"
                    )
    return 0


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
