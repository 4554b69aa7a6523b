"""What the engine costs against frame size, batch size and faces; its memory, its start, and the machine's own rate."""

import re
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.detection.pyramid import tile_layout
from attendance.face_engine.faces import find_faces
from attendance.face_engine.interface import Image
from attendance.face_engine.models.onnx_export import DETECTOR_CONVOLUTIONS
from benchmarks.pictures import crowd
from benchmarks.timing import best

SIZES = {"240p": (426, 240), "360p": (640, 360), "480p": (640, 480), "720p": (1280, 720), "1080p": (1920, 1080)}
BATCHES = (1, 2, 4, 8, 16, 32)
FACES = (0, 1, 2, 4, 8, 16, 32)

_FIRST_ANSWER = """
import time
start = time.perf_counter()
import numpy as np
from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.faces import find_faces
find_faces(AcceleratedEngine(), [np.zeros((480, 640, 3), np.uint8)], upsample=0)
print(time.perf_counter() - start)
"""
_PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.faces import find_faces
engine = AcceleratedEngine(precision=sys.argv[1])
image = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
for _ in range(3):
    find_faces(engine, [image], upsample=int(sys.argv[2]))
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


def steps(engine: AcceleratedEngine, frame: Image) -> dict[str, float]:
    """Milliseconds of each step for one frame."""
    found = engine.detect([frame], upsample=0)
    (cut,) = engine.align([frame], found)
    return {
        "detect": 1e3 * best(lambda: engine.detect([frame], upsample=0), times=15),
        "align": 1e3 * best(lambda: engine.align([frame], found), times=15),
        "encode": 1e3 * best(lambda: engine.encode(cut.chips), times=15),
    }


def peak_memory() -> dict[str, float]:
    """MiB that a process with one engine takes at most over 1080p frames."""
    return {
        f"{precision}, upsample {upsample}": _printed_number(_PEAK, precision, str(upsample))
        for precision in ("fp32", "auto")
        for upsample in (0, 1)
    }


def time_to_first_answer() -> float:
    """Seconds from the start of a process to its first answer, the exported models being in the cache."""
    _printed_number(_FIRST_ANSWER)
    start = time.perf_counter()
    _printed_number(_FIRST_ANSWER)
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


def processor() -> str:
    """The processor's name."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = re.search(r"model name\s*:\s*(.*)", text)
    return found.group(1) if found else "unknown"


def _printed_number(code: str, *arguments: str) -> float:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])
