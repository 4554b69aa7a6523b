"""How far family opencv's answers are from those of OpenCV's own FaceDetectorYN and FaceRecognizerSF."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.yunet_decoding import YuNetFaces
from attendance.face_engine.detection.yunet_detector import SCORE_LIMIT, YuNetDetector
from attendance.face_engine.interface import Image
from attendance.face_engine.models.cache import default_cache_folder
from attendance.face_engine.models.opencv_files import load_opencv_graph
from attendance.face_engine.opencv_engine import OpenCvEngine
from attendance.face_engine.runtimes.runtime import start_runtime
from benchmarks.opencv_reference import OpenCvPipeline

BOX, SCORE = 0.1, 0.001
"""Pixels, and a score's share, that a face of float32's search may be off."""
ENCODINGS = {"fp32": 0.001, "auto": 0.1}
"""Euclidean distance from OpenCV's encoding of the same chip: bfloat16 moves some blurred faces by 0.09."""
DISTANCES = 0.03
"""By how much the distance of two encodings may differ, which is what decisions rest on."""


@dataclass
class Apart:
    """The worst seen."""

    faces: int = 0
    box: float = 0.0
    points: float = 0.0
    score: float = 0.0
    counts: list[str] = field(default_factory=list)
    encoding: dict[str, float] = field(default_factory=lambda: dict.fromkeys(ENCODINGS, 0.0))
    distance: float = 0.0
    other_counts: list[str] = field(default_factory=list)
    """Pictures in which the search by default, bfloat16 where it is faster, finds another number than float32."""

    @property
    def within(self) -> bool:
        """Whether all bounds hold."""
        encodings = all(self.encoding[name] <= bound for name, bound in ENCODINGS.items())
        decoding = not self.counts and self.box <= BOX and self.points <= BOX and self.score <= SCORE
        return decoding and encodings and self.distance <= DISTANCES and not self.other_counts


def compare(pictures: dict[str, Image]) -> Apart:
    """Compare on pictures, as they are."""
    folder = default_cache_folder()
    theirs = OpenCvPipeline(folder, limit=SCORE_LIMIT)
    graph, _ = load_opencv_graph(folder, "detector")
    exact = YuNetDetector(start_runtime("auto", threads=0).load(graph, precision="fp32"))
    engines = {name: OpenCvEngine(encoder_precision=name) for name in ENCODINGS}
    worst = Apart()
    encoded: dict[str, list[NDArray[np.float32]]] = {name: [] for name in (*engines, "theirs")}
    for name, image in pictures.items():
        (found,) = exact.search_once([image], 1.0)
        _compare_boxes(worst, name, found, theirs.detect(image))
        (boxes,) = engines["auto"].detect([image], upsample=0)
        (whole,) = exact.detect([image], 1.0)
        if len(boxes.scores) != len(whole.scores):
            worst.other_counts.append(f"{name}: {len(boxes.scores)} for {len(whole.scores)}")
        (cut,) = engines["auto"].align([image], [boxes])
        encoded["theirs"].append(theirs.encode(cut.chips))
        for precision, engine in engines.items():
            encoded[precision].append(engine.encode(cut.chips))
    together = {name: np.concatenate(parts) for name, parts in encoded.items()}
    for precision in engines:
        worst.encoding[precision] = float(np.linalg.norm(together[precision] - together["theirs"], axis=1).max())
    worst.distance = float(np.abs(_distances(together["auto"]) - _distances(together["theirs"])).max())
    return worst


def _compare_boxes(worst: Apart, name: str, found: YuNetFaces | None, rows: NDArray[np.float32]) -> None:
    """Hold what this decoding makes of one picture against OpenCV's rows."""
    count = 0 if found is None else len(found.scores)
    worst.faces += len(rows)
    if found is None or count != len(rows):
        worst.counts.append(f"{name}: {count} for {len(rows)}")
        return
    if not count:
        return
    # Scores that are equal to the last digits may stand in either order.
    apart = np.abs(found.boxes[:, None] - rows[None, :, :4]).max(axis=2)
    order = apart.argmin(axis=1)
    worst.box = max(worst.box, float(apart.min(axis=1).max()))
    worst.points = max(worst.points, float(np.abs(found.points.reshape(count, 10) - rows[order, 4:14]).max()))
    worst.score = max(worst.score, float(np.abs(found.scores - rows[order, 14]).max()))


def _distances(encodings: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.linalg.norm(encodings[:, None] - encodings[None], axis=2))


def show(worst: Apart) -> None:
    """Print it."""
    print(f"Family opencv against OpenCV's own classes: {worst.faces} faces at a score of {SCORE_LIMIT} or more")
    print(f"  worst edge of a box {worst.box:.4f} and point {worst.points:.4f} pixels (at most {BOX})")
    print(f"  worst score {worst.score:.6f} (at most {SCORE})")
    for name, bound in ENCODINGS.items():
        print(f"  encoding of the same chip, {name}, distance {worst.encoding[name]:.5f} (at most {bound})")
    print(f"  distance of two of them, auto against OpenCV's, {worst.distance:.4f} (at most {DISTANCES})")
    for title, cases in (("another number", worst.counts), ("by default another than float32", worst.other_counts)):
        print(f"  pictures with {title} of faces: {len(cases)} (bound 0)")
        print("".join(f"    {case}\n" for case in cases), end="")
