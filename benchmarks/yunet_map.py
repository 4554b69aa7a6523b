"""`python -m benchmarks.yunet_map`: the map from YuNet's boxes to the squares that dlib's detector draws, fitted anew.

Faces that both detectors find, on every picture at hand and at several sizes, give side and centre of dlib's square
over the height of YuNet's box. The medians of one half of the pictures are tried on the other half. It also prints how
far scores computed in bfloat16 are from those in float32, which `yunet_refinement.MARGIN` rests on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.detection.yunet_decoding import anchor_scores
from attendance.face_engine.detection.yunet_detector import SQUARE_SHIFT, SQUARE_SIDE, YuNetDetector, fit_frame
from attendance.face_engine.detection.yunet_refinement import MARGIN
from attendance.face_engine.interface import Image
from attendance.face_engine.models.cache import default_cache_folder
from attendance.face_engine.models.opencv_files import load_opencv_graph
from attendance.face_engine.runtimes.runtime import Session, start_runtime
from benchmarks.pictures import face_pictures, shrink

PIXELS = (1_000_000, 300_000, 100_000)
CLEAR = 0.7
"""YuNet's score from which a face is taken."""
NEAR_LIMITS = (0.2, 0.7)
"""Scores between these are near a limit that somebody may set."""


@dataclass(frozen=True)
class Pair:
    """One face as both see it."""

    picture: str
    height: float
    """Of YuNet's box, pixels."""
    centre: NDArray[np.float64]
    square: NDArray[np.float64]
    """dlib's: left, top, right, bottom, pixels."""

    @property
    def numbers(self) -> NDArray[np.float64]:
        """Side, and shift of the centre right and down, of dlib's square over the height of YuNet's box."""
        middle = (self.square[:2] + self.square[2:]) / 2
        return np.array([self.square[2] - self.square[0], *(middle - self.centre)]) / self.height


def main() -> None:
    """Fit and print."""
    graph, file = load_opencv_graph(default_cache_folder(), "detector")
    runtime = start_runtime("openvino")
    exact = runtime.load(graph, precision="fp32")
    dlib = AcceleratedEngine(precision="fp32")
    print(f"{file.name}; {runtime.title}, {runtime.device}", flush=True)
    pictures = {
        f"{name} at {pixels:,} pixels": shrink(image, pixels)
        for name, image in face_pictures().items()
        for pixels in PIXELS
    }
    pairs = [pair for name, image in pictures.items() for pair in _pairs(name, image, YuNetDetector(exact), dlib)]
    _report(pairs)
    _report_margin(exact, runtime.load(graph, precision="bf16"), list(pictures.values()))


def _pairs(name: str, image: Image, yunet: YuNetDetector, dlib: AcceleratedEngine) -> list[Pair]:
    (found,) = yunet.search_once([image], 1.0)
    if found is None:
        return []
    squares = dlib.detect([image], upsample=1)[0].boxes.astype(np.float64)
    pairs = []
    for box, score in zip(found.boxes.astype(np.float64), found.scores, strict=True):
        centre, height = box[:2] + box[2:] / 2, float(box[3])
        apart = np.linalg.norm((squares[:, :2] + squares[:, 2:]) / 2 - centre, axis=1)
        if score >= CLEAR and len(apart) and apart.min() < height / 2:
            pairs.append(Pair(name.split(" at ", maxsplit=1)[0], height, centre, squares[apart.argmin()]))
    return pairs


def _report(pairs: list[Pair]) -> None:
    names = sorted({pair.picture for pair in pairs})
    halves = [[pair for pair in pairs if names.index(pair.picture) % 2 == half] for half in (0, 1)]
    numbers = np.array([pair.numbers for pair in pairs])
    print(f"{len(pairs)} faces of {len(names)} pictures; side, shift right, shift down, over the height of YuNet's box")
    for title, value in (
        ("median", np.median(numbers, axis=0)),
        ("spread (median absolute deviation)", np.median(np.abs(numbers - np.median(numbers, axis=0)), axis=0)),
        ("in use", np.array([SQUARE_SIDE, *SQUARE_SHIFT])),
    ):
        print(f"  {title:<36}" + "".join(f"{one:9.3f}" for one in value))
    fitted = np.median([pair.numbers for pair in halves[0]], axis=0)
    overlaps = [_overlap(_square(pair, fitted), pair.square) for pair in halves[1]]
    used = [_overlap(_square(pair, np.array([SQUARE_SIDE, *SQUARE_SHIFT])), pair.square) for pair in pairs]
    print(
        f"  fitted on {len(halves[0])} faces, tried on the other {len(halves[1])}: overlap (IoU) with dlib's square "
        f"{np.median(overlaps):.3f} (median), {np.percentile(overlaps, 5):.3f} (5 % are below); in use: "
        f"{np.median(used):.3f}, {np.percentile(used, 5):.3f}"
    )


def _square(pair: Pair, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = pair.centre + numbers[1:] * pair.height
    half = numbers[0] * pair.height / 2
    return np.concatenate([middle - half, middle + half])


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    sides = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0)
    common = float(sides.prod())
    return common / (float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])) - common)


def _report_margin(exact: Session, coarse: Session, images: list[Image]) -> None:
    worst = 0.0
    for image in images:
        frame = fit_frame(image, 1.0)[None]
        right, near = (anchor_scores(session.run(frame)[0]) for session in (exact, coarse))
        low, high = NEAR_LIMITS
        worst = max(worst, float(np.abs(right - near)[(right > low) & (right < high)].max(initial=0)))
    print(f"bfloat16 scores from {low} to {high} are off by up to {worst:.4f}; taken to be off by up to {MARGIN}")


if __name__ == "__main__":
    main()
