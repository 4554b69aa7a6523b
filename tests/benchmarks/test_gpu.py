"""The benchmark of GPUs: what counts as the same decision, and that nothing is timed that did not happen."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.face_engine.interface import AlignedFaces, FaceBoxes, Image
from attendance.face_engine.runtimes.onnx_runtime import OnnxSession
from attendance.settings.families import Family
from benchmarks.gpu.measuring import agreement, took

PICTURE = np.zeros((200, 200, 3), np.uint8)


class Engine:
    """Says of each picture what it was made with."""

    def __init__(self, lefts: Sequence[float], encodings: Sequence[float]) -> None:
        self._boxes = np.array([[left, 10, left + 40, 50] for left in lefts], np.float32).reshape(-1, 4)
        self._encodings = np.zeros((len(encodings), 128), np.float32)
        self._encodings[:, 0] = encodings

    def detect(self, images: Sequence[Image], **_how: Any) -> list[FaceBoxes]:
        return [FaceBoxes(self._boxes, np.linspace(0.9, 0.8, len(self._boxes), dtype=np.float32)) for _ in images]

    def align(self, images: Sequence[Image], faces: Sequence[FaceBoxes]) -> list[AlignedFaces]:
        count = len(self._boxes)
        landmarks, chips = np.zeros((count, 5, 2), np.float32), np.zeros((count, 112, 112, 3), np.uint8)
        return [AlignedFaces(chips=chips, landmarks=landmarks) for _ in images]

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._encodings[: len(chips)]


def compared(one: Engine, other: Engine) -> dict[str, Any]:
    return agreement(Family.OPENCV, one, other, [PICTURE])  # type: ignore[arg-type]


def test_engines_that_agree() -> None:
    found = compared(Engine([10, 100], [0.0, 2.0]), Engine([10.5, 100], [0.01, 2.0]))
    assert (found["faces"], found["pictures_that_differ"], found["pairs"]) == (2, 0, 1)
    assert found["boxes_apart_px"] == pytest.approx(0.5)
    assert found["encodings_apart"] == pytest.approx(0.01)
    assert found["pairs_decided_otherwise"] == 0


def test_two_faces_that_are_one_person_on_the_one_only() -> None:
    assert compared(Engine([10, 100], [0.0, 0.1]), Engine([10, 100], [0.0, 2.0]))["pairs_decided_otherwise"] == 1


@pytest.mark.parametrize(
    "other", [Engine([10], [0.0]), Engine([10, 130], [0.0, 2.0]), Engine([10, 60, 100], [0.0] * 3)]
)
def test_a_face_that_is_missing_elsewhere_or_one_too_many(other: Engine) -> None:
    assert compared(Engine([10, 100], [0.0, 2.0]), other)["pictures_that_differ"] == 1


def test_time_within_networks_is_told_from_the_rest() -> None:
    def network(values: NDArray[np.float32]) -> NDArray[np.float32]:
        time.sleep(0.02)
        return values

    session = OnnxSession(network)

    def work() -> None:
        session.run(np.zeros(1, np.float32))
        time.sleep(0.01)

    found = took(work, times=2)
    assert 0.02 <= found.network_s < found.wall_s
    assert found.wall_s >= 0.03
    assert found.network_processor_s < 0.02, "waiting is no work"
