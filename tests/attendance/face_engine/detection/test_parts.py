import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.detection.parts import cut_part, fits, merge_parts, plan_parts
from attendance.face_engine.detection.tiles import upsampled_size
from attendance.face_engine.interface import FaceBoxes, Image


@given(st.integers(200, 5000), st.integers(200, 5000), st.integers(0, 2), st.integers(300_000, 20_000_000))
def test_parts_cover_the_frame_and_fit(width: int, height: int, upsample: int, work_pixels: int) -> None:
    plan = plan_parts(width, height, upsample=upsample, work_pixels=work_pixels, window=80)
    assert fits(*plan.overview, work_pixels)
    columns, rows = np.zeros(width, bool), np.zeros(height, bool)
    for part in plan.parts:
        tall, wide = upsampled_size(part.height, part.width, upsample)
        assert fits(wide, tall, work_pixels + 200_000)
        assert 0 <= part.left <= part.left + part.width <= width
        assert 0 <= part.top <= part.top + part.height <= height
        columns[part.left : part.left + part.width] = True
        rows[part.top : part.top + part.height] = True
    assert columns.all()
    assert rows.all()


def test_neighbours_share_enough_for_a_face() -> None:
    plan = plan_parts(3840, 2160, upsample=0, work_pixels=4_000_000, window=80)
    lefts = sorted({part.left for part in plan.parts})
    smallest_in_overview = 80 * 3840 / plan.overview[0]
    for one, other in itertools.pairwise(lefts):
        assert one + plan.parts[0].width - other >= smallest_in_overview


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union."""
    width, height = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]) + 1
    common = float(max(width, 0) * max(height, 0))
    return common / float(sum(np.prod(box[2:] - box[:2] + 1) for box in (one, other)) - common)


@pytest.mark.parametrize("upsample", [0, 1])
def test_the_faces_of_a_large_frame(six_people: Image, upsample: int) -> None:
    large = np.asarray(cv2.resize(six_people, None, fx=2.0, fy=2.0), np.uint8) if upsample == 0 else six_people
    engines = [AcceleratedEngine(work_pixels=pixels) for pixels in (60_000_000, 3_000_000)]
    whole, parts = (engine.detect([large], upsample=upsample)[0] for engine in engines)
    assert len(whole.boxes) == len(parts.boxes) == 6
    for box in parts.boxes:
        assert max(overlap(box, other) for other in whole.boxes) > 0.5
    for engine in engines:
        engine.close()


def test_a_face_larger_than_a_part_is_found_in_the_overview(six_people: Image) -> None:
    face = np.asarray(cv2.resize(six_people[270:400, 440:570], (1500, 1500), interpolation=cv2.INTER_CUBIC), np.uint8)
    engine = AcceleratedEngine(work_pixels=1_000_000)
    (found,) = engine.detect([face], upsample=0)
    assert len(found.boxes) == 1
    assert found.boxes[0, 2] - found.boxes[0, 0] > 500
    engine.close()


def test_a_face_cut_by_an_inner_edge_is_left_to_the_neighbour() -> None:
    plan = plan_parts(1000, 300, upsample=0, work_pixels=400_000, window=80)
    none = FaceBoxes(np.empty((0, 4), np.float32), np.empty(0, np.float32))
    cut = FaceBoxes(
        np.array([[plan.parts[0].width - 40, 10, plan.parts[0].width + 39, 89]], np.float32), np.ones(1, np.float32)
    )
    answers = [none] * len(plan.parts)
    answers[0] = cut
    assert len(merge_parts(plan, 1000, 300, answers, none, overlap=0.338).boxes) == 0
    answers[0], answers[-1] = (
        none,
        FaceBoxes(
            np.array([[plan.parts[-1].width - 40, 10, plan.parts[-1].width + 39, 89]], np.float32),
            np.ones(1, np.float32),
        ),
    )
    assert len(merge_parts(plan, 1000, 300, answers, none, overlap=0.338).boxes) == 1, "at the frame's own edge"


def test_parts_are_copies_in_one_piece() -> None:
    plan = plan_parts(1000, 300, upsample=0, work_pixels=400_000, window=80)
    assert cut_part(np.zeros((300, 1000, 3), np.uint8), plan.parts[-1]).flags.c_contiguous
