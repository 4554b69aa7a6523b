"""`python -m benchmarks.small_faces`: how many faces are found, against their size in pixels, and at what cost.

Real faces scaled down, at several places of a 640 x 480 frame, for each number of doublings.
"""

import cv2
import numpy as np

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.interface import Image
from benchmarks.pictures import face_crops
from benchmarks.timing import best

WIDTHS = (16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 80, 96)
UPSAMPLES = (0, 1, 2)
_GRID = 3


def measure(engine: AcceleratedEngine) -> dict[str, dict[str, float]]:
    """For each number of doublings: share of faces found at each width in pixels, and milliseconds a frame."""
    table: dict[str, dict[str, float]] = {}
    crops = face_crops(engine, 100)
    for upsample in UPSAMPLES:
        row: dict[str, float] = {}
        for width in WIDTHS:
            found = shown = 0
            for crop in crops:
                frame, centres = _frame(crop, width)
                (boxes,) = (one.boxes for one in engine.detect([frame], upsample=upsample))
                middles = (boxes[:, :2] + boxes[:, 2:]) / 2
                found += sum(bool((np.abs(middles - centre).max(axis=1) < width / 2).any()) for centre in centres)
                shown += len(centres)
            row[f"{width} px"] = found / shown
        frame, _ = _frame(crops[0], 64)
        row["ms a frame"] = 1e3 * best(lambda frame=frame, upsample=upsample: engine.detect([frame], upsample=upsample))
        table[f"upsample {upsample}"] = row
    return table


def _frame(crop: Image, width: int) -> tuple[Image, list[np.ndarray]]:
    """A 640 x 480 frame with nine times the same face, so wide; and where the faces are."""
    scale = width / 100
    patch = cv2.resize(crop[140:340, 60:260], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.full((480, 640, 3), 110, np.uint8)
    side = patch.shape[0]
    centres = []
    for row in range(_GRID):
        for column in range(_GRID):
            # Not on a common grid with the detector's cells.
            left, top = 7 + column * 212 + 3 * row, 5 + row * 158 + 2 * column
            height = min(side, 480 - top)
            room = min(side, 640 - left)
            frame[top : top + height, left : left + room] = patch[:height, :room]
            if height == side and room == side:
                centres.append(np.array([left + side / 2, top + side / 2]))
    return frame, centres


def main() -> None:
    """Print the table."""
    table = measure(AcceleratedEngine())
    print(f"{'face width':<12}" + "".join(f"{name:>12}" for name in table))
    for size in next(iter(table.values())):
        cells = [f"{row[size]:>11.0f} " if size == "ms a frame" else f"{row[size]:>11.0%} " for row in table.values()]
        print(f"{size:<12}" + "".join(cells))


if __name__ == "__main__":
    main()
