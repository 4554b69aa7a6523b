"""`python -m benchmarks.zones`: what masking half of the frame saves of the engine's time, with both families.

The lecture hall of `benchmarks.hall`, 40 faces in 1920 x 1080, and the same in 640 x 480, are searched and their faces
encoded, whole and with the left half masked, in turns. Printed are the times, their ratio, and the faces found.
"""

import warnings
from collections.abc import Callable
from contextlib import closing
from functools import partial

import cv2

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.faces import find_in_pieces
from attendance.face_engine.interface import Face, FaceEngine, Image
from attendance.face_engine.opencv_engine import OpenCvEngine
from attendance.settings.families import DLIB, OPENCV
from attendance.zones import EVERYWHERE, Zones
from benchmarks.hall import make_hall
from benchmarks.tables import markdown
from benchmarks.timing import median_ratio, rounds

HALF = Zones(skip=(((0, 0), (0.5, 0), (0.5, 1), (0, 1)),))
_SMALL = 640, 480
_ROUNDS = 7


def main() -> None:
    """Search in turns, print a table."""
    warnings.filterwarnings("ignore", module="face_recognition_models")
    with closing(AcceleratedEngine(upsample=0)) as cutter:
        hall = make_hall(cutter).frame
    frames = {"1920 x 1080": hall, "640 x 480": cv2.resize(hall, _SMALL, interpolation=cv2.INTER_AREA)}
    engines: dict[str, tuple[Callable[[], FaceEngine], int | None]] = {
        "opencv": (OpenCvEngine, OPENCV.smallest_sought),
        "dlib": (partial(AcceleratedEngine, upsample=None), DLIB.smallest_sought),
    }
    rows = [["models", "frame", "whole, ms", "half masked, ms", "ratio", "faces"]]
    for family, (build, smallest) in engines.items():
        with closing(build()) as engine:
            for name, frame in frames.items():
                rows.append([family, name, *_measure(engine, frame, smallest)])
    print(markdown(rows))


def _measure(engine: FaceEngine, frame: Image, smallest_face: int | None) -> list[str]:
    def find(zones: Zones) -> list[Face]:
        pieces = find_in_pieces(engine, [frame], smallest_face=smallest_face, zones=zones)
        return [face for piece in pieces for faces in piece.answers.values() for face in faces]

    works = {"whole": (lambda: find(EVERYWHERE), 3), "half": (lambda: find(HALF), 3)}
    measured = rounds(works, _ROUNDS)
    times = [1e3 * min(one[name] for one in measured) for name in works]
    ratio = median_ratio(measured, "half", "whole")
    return [*(f"{time:.1f}" for time in times), f"{ratio:.2f}", f"{len(find(EVERYWHERE))} and {len(find(HALF))}"]


if __name__ == "__main__":
    main()
