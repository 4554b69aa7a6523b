"""What the engine costs against frame size, batch size and faces; its memory, its start, and the machine's own rate."""

import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.detection.pyramid import tile_layout
from attendance.face_engine.faces import find_faces
from attendance.face_engine.interface import Image
from attendance.face_engine.models.onnx_export import DETECTOR_CONVOLUTIONS
from attendance.face_engine.reference import ReferenceEngine
from attendance.settings.families import OPENCV
from benchmarks.pictures import crowd
from benchmarks.timing import best, median_ratio, rounds

SIZES = {"240p": (426, 240), "360p": (640, 360), "480p": (640, 480), "720p": (1280, 720), "1080p": (1920, 1080)}
BATCHES = (1, 2, 4, 8, 16, 32)
FACES = (0, 1, 2, 4, 8, 16, 32)

_FIRST_ANSWER = """
import sys
import numpy as np
from attendance.face_engine.factory import create_engine
from attendance.face_engine.faces import find_faces
engine = create_engine(name="accelerated", detector="cnn", models=sys.argv[1], upsample=0, max_pixels=16_000_000)
find_faces(engine, [np.zeros((480, 640, 3), np.uint8)])
print(0)
"""
_PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from attendance.face_engine.factory import create_engine
from attendance.face_engine.faces import find_faces
engine = create_engine(
    name="accelerated", detector="cnn", models=sys.argv[1], precision=sys.argv[2],
    upsample=int(sys.argv[3]) if sys.argv[3] else None, smallest_face=int(sys.argv[4]), max_pixels=16_000_000,
)
image = np.load(sys.argv[5])
for _ in range(3):
    find_faces(engine, [image])
# Not getrusage: its figure begins with that of the process that started this one.
print(int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text()).group(1)) / 1024)
"""


def against_size(engine: AcceleratedEngine, frame: Image) -> dict[str, float]:
    """Milliseconds to detect and encode one frame of each size."""
    return {
        name: 1e3 * best(lambda size=size: find_faces(engine, [cv2.resize(frame, size)], upsample=0))
        for name, size in SIZES.items()
    }


def against_batch(engine: AcceleratedEngine, frame: Image) -> dict[str, float]:
    """Milliseconds a frame, in batches of so many."""
    return {
        str(count): 1e3 * best(lambda count=count: find_faces(engine, [frame] * count, upsample=0), times=3) / count
        for count in BATCHES
    }


def against_faces(engine: AcceleratedEngine) -> dict[str, dict[str, float]]:
    """Milliseconds of each step for one 720p frame with so many faces."""
    measured = {}
    for faces in FACES:
        image = crowd(engine, faces)
        found = engine.detect([image], upsample=0)
        (cut,) = engine.align([image], found)
        measured[str(faces)] = {
            "found": float(len(found[0].boxes)),
            "detect": 1e3 * best(lambda image=image: engine.detect([image], upsample=0)),
            "align": 1e3 * best(lambda image=image, found=found: engine.align([image], found)),
            "encode": 1e3 * best(lambda chips=cut.chips: engine.encode(chips)),
        }
    return measured


def alignment(engine: AcceleratedEngine) -> dict[str, float]:
    """The time of landmarks and chips over dlib's own, one call a face, by faces in a frame: medians of rounds."""
    dlib = ReferenceEngine(detector="cnn", upsample=0)
    shares = {}
    for faces in FACES[1:]:
        image = crowd(engine, faces)
        found = engine.detect([image], upsample=0)
        works = {
            name: (lambda image=image, found=found, aligning=aligning: aligning.align([image], found), 15)
            for name, aligning in (("ours", engine), ("dlib", dlib))
        }
        shares[str(faces)] = median_ratio(rounds(works, 5), "ours", "dlib")
    return shares


def steps(engine: AcceleratedEngine, frame: Image) -> dict[str, float]:
    """Milliseconds of each step for one frame."""
    found = engine.detect([frame], upsample=0)
    (cut,) = engine.align([frame], found)
    return {
        "detect": 1e3 * best(lambda: engine.detect([frame], upsample=0), times=15),
        "align": 1e3 * best(lambda: engine.align([frame], found), times=15),
        "encode": 1e3 * best(lambda: engine.encode(cut.chips), times=15),
    }


def peak_memory(frame: Image) -> dict[str, float]:
    """MiB that a process with one engine of dlib's models takes at most over frames."""
    return {
        f"{precision}, upsample {upsample}": _peak(frame, "dlib", precision, str(upsample), 36)
        for precision in ("fp32", "auto")
        for upsample in (0, 1)
    }


def peak_memory_of_opencv(frame: Image) -> float:
    """The same of the models opencv, as the service looks at frames where no setting says otherwise."""
    return _peak(frame, "opencv", "auto", "", OPENCV.smallest_sought)


def _peak(frame: Image, models: str, precision: str, upsample: str, smallest_face: int) -> float:
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file.name, frame)
        return _printed_number(_PEAK, models, precision, upsample, str(smallest_face), file.name)


def time_to_first_answer(models: str) -> float:
    """Seconds from the start of a process to its first answer, what was made of the models being in the cache."""
    _printed_number(_FIRST_ANSWER, models)
    start = time.perf_counter()
    _printed_number(_FIRST_ANSWER, models)
    return time.perf_counter() - start


def detector_operations(width: int, height: int) -> float:
    """Multiply-adds of the detector over an image's tile."""
    layout = tile_layout(width, height)
    rows, columns, channels, total = layout.height, layout.width, 3, 0
    for filters, side, stride, padding in DETECTOR_CONVOLUTIONS:
        rows, columns = ((length + 2 * padding - side) // stride + 1 for length in (rows, columns))
        total += rows * columns * filters * side * side * channels
        channels = filters
    return float(total)


def matrix_rate() -> float:
    """Multiply-adds a second that numpy's float32 matrix product reaches here, now."""
    side = 1536
    one, other = (np.random.default_rng(seed).random((side, side), np.float32) for seed in (0, 1))
    return side**3 / best(lambda: one @ other, times=7)


def circumstances() -> dict[str, Any]:
    """When and on what a measurement begins, as results.json has it."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": os.getloadavg()[0],
    }


def processor() -> str:
    """The processor's name."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"model name\s*:\s*(.*)", text)
    return found.group(1) if found else "unknown"


def _printed_number(code: str, *arguments: str) -> float:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])
