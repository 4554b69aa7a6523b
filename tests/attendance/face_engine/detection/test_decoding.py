import dlib
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from attendance.face_engine.detection.decoding import decide, find_candidates, round_half_away, suppress
from attendance.face_engine.detection.pyramid import tile_layout
from attendance.face_engine.interface import FaceBoxes

OVERLAP = 0.3382761351109955


def decode_scores(scores: NDArray[np.float32]) -> FaceBoxes:
    layout = tile_layout(640, 480)
    return decide(find_candidates(scores, layout, window=(80, 80), overlap=OVERLAP, threshold=0), upsample=0)


def kept_one_by_one(boxes: NDArray[np.float64]) -> list[int]:
    """dlib's suppression, with dlib's rectangles."""
    rectangles = [dlib.rectangle(*map(int, box)) for box in boxes]
    kept: list[int] = []
    for place, box in enumerate(rectangles):
        if all(box.intersect(rectangles[other]).area() / (box + rectangles[other]).area() <= OVERLAP for other in kept):
            kept.append(place)
    return kept


@given(
    st.lists(
        st.tuples(st.integers(-50, 300), st.integers(-50, 300), st.integers(0, 120), st.integers(0, 120)), max_size=40
    )
)
def test_suppression_is_dlib_s(corners: list[tuple[int, int, int, int]]) -> None:
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in corners], float).reshape(-1, 4)
    assert suppress(boxes, OVERLAP).tolist() == kept_one_by_one(boxes)


def test_halves_go_away_from_zero() -> None:
    assert round_half_away(np.array([0.5, 1.5, -0.5, -1.5, 2.4, -2.6])).tolist() == [1, 2, -1, -2, 2, -3]


def test_no_score_no_face() -> None:
    found = decode_scores(np.full((220, 80), -1, np.float32))
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)


def test_best_first() -> None:
    scores = np.full((220, 80), -1, np.float32)
    scores[10, 10], scores[10, 11], scores[40, 50] = 0.5, 0.4, 0.9
    found = decode_scores(scores)
    assert found.scores.tolist() == [np.float32(0.9), np.float32(0.5)]
    # Cell (10, 10) is centred on pixel 94 of the tile, 83 of the image; a window reaches 39.5 pixels to each side.
    assert found.boxes[1].tolist() == [44, 44, 123, 123]
