"""Which parts of a frame are searched: all that is wanted, with a margin, and little else."""

import math

import numpy as np
import pytest

from attendance.face_engine.detection.areas import areas_of, merged
from attendance.face_engine.interface import FaceBoxes
from attendance.zones import Polygon, Zones

SIZES = [(640, 480), (1920, 1080), (1080, 1920), (97, 61)]


def faces(*rows: tuple[float, ...]) -> FaceBoxes:
    """Of boxes with their scores."""
    table = np.array(rows, np.float32)
    return FaceBoxes(table[:, :4], table[:, 4])


def box(left: float, top: float, right: float, bottom: float) -> Polygon:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


LEFT = box(0, 0, 0.5, 1)
CIRCLE = tuple((0.5 + 0.4 * math.cos(turn), 0.5 + 0.4 * math.sin(turn)) for turn in np.arange(20) * math.tau / 20)
ZONES = {
    "half masked": Zones(skip=(LEFT,)),
    "two corners": Zones(look=(box(0, 0, 0.2, 0.2), box(0.8, 0.8, 1, 1))),
    "a corner in an L": Zones(look=(box(0, 0, 0.1, 1), box(0, 0.9, 1, 1))),
    "an island masked": Zones(skip=(box(0.1, 0.1, 0.9, 0.9),)),
    "a circle": Zones(look=(CIRCLE,)),
    "all but a circle": Zones(skip=(CIRCLE,)),
    "a diagonal": Zones(skip=(((0, 0), (1, 0), (0, 1)),)),
    "a door in a zone": Zones(look=(box(0.2, 0.3, 0.9, 0.8),), skip=(box(0.5, 0.3, 0.6, 0.5),)),
    "a thin strip": Zones(look=(box(0.3, 0.5, 0.9, 0.502),)),
}


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("zones", ZONES.values(), ids=ZONES)
def test_a_face_in_a_zone_is_searched_for_with_its_margin_and_counted_once(zones: Zones, size: tuple[int, int]) -> None:
    width, height = size
    areas = areas_of(zones, width, height)
    margin = 0.99 * min(256, max(size) / 10)
    for x in (np.arange(23) + 0.5) / 23:
        for y in (np.arange(19) + 0.5) / 19:
            centre, half = np.array([x * width, y * height]), 3.0
            face = np.array([[*(centre - half), *(centre + half)]], np.float32)
            having = [area for area in areas if area.has(face)[0]]
            if (x, y) not in zones:
                continue
            assert having, (x, y)
            for area in having:
                edges = np.clip([centre - margin, centre + margin], 0, size)
                assert (edges[0] >= (area.left, area.top)).all()
                assert (edges[1] <= (area.right, area.bottom)).all()
            found = [(area, faces((*(face[0] - [area.left, area.top] * 2), 0.9))) for area in areas]
            assert np.allclose(merged(found, zones, width, height).boxes, face, atol=1e-3)


@pytest.mark.parametrize("zones", ZONES.values(), ids=ZONES)
def test_never_more_is_searched_than_the_frame_and_nothing_beyond_it(zones: Zones) -> None:
    for width, height in SIZES:
        areas = areas_of(zones, width, height)
        assert all(0 <= area.left < area.right <= width and 0 <= area.top < area.bottom <= height for area in areas)
        assert sum((area.right - area.left) * (area.bottom - area.top) for area in areas) <= width * height


@pytest.mark.parametrize(
    ("zones", "most"), [("half masked", 0.6), ("two corners", 0.28), ("a corner in an L", 0.6), ("a thin strip", 0.32)]
)
def test_what_is_left_out_is_saved_but_for_the_margin(zones: str, most: float) -> None:
    areas = areas_of(ZONES[zones], 1920, 1080)
    searched = sum((area.right - area.left) * (area.bottom - area.top) for area in areas)
    assert searched <= most * 1920 * 1080


def test_faces_between_two_areas_are_one() -> None:
    zones = ZONES["a corner in an L"]
    areas = areas_of(zones, 1920, 1080)
    assert len(areas) == 2
    face = np.array([190.0, 970, 290, 1070])  # its centre lies where they meet
    found = [
        (area, faces((*(face + shift - [area.left, area.top] * 2), score)))
        for area, shift, score in zip(areas, (0, 0.6), (0.7, 0.8), strict=True)
    ]
    assert all(area.has(face[None].astype(np.float32)) for area in areas)
    together = merged(found, zones, 1920, 1080)
    assert together.scores.tolist() == pytest.approx([0.8])


def test_faces_outside_are_left_out_and_the_others_stay_best_first() -> None:
    zones = ZONES["two corners"]
    areas = areas_of(zones, 1920, 1080)
    assert [area.left for area in areas] == [0, 1312]
    corner, other = faces((10, 10, 50, 50, 0.6), (390, 200, 470, 280, 0.9)), faces((300, 300, 340, 340, 0.7))
    together = merged([(areas[0], corner), (areas[1], other)], zones, 1920, 1080)
    assert together.scores.tolist() == pytest.approx([0.7, 0.6])
    assert together.boxes[1].tolist() == [10, 10, 50, 50]
