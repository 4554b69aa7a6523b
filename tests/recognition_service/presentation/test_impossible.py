"""One student in two rooms at once; many students at one spot, one after the other."""

from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from recognition_service.presentation.impossible import Spots, Whereabouts
from tests.factories import NINE


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


@pytest.mark.parametrize(("room", "seconds", "elsewhere"), [(2, 3, True), (2, -3, True), (1, 3, False), (2, 60, False)])
def test_who_is_seen_in_one_room_is_not_in_another(room: int, seconds: float, elsewhere: bool) -> None:
    whereabouts = Whereabouts()
    whereabouts.seen("anna", 1, NINE)
    assert whereabouts.is_elsewhere("anna", room, NINE + after(seconds)) is elsewhere
    assert not whereabouts.is_elsewhere("ben", room, NINE + after(seconds))


def test_who_is_erased_is_nowhere() -> None:
    whereabouts = Whereabouts()
    whereabouts.seen("anna", 1, NINE)
    whereabouts.follow("anna", 1, NINE)
    whereabouts.forget(["anna", "nobody"])
    assert not whereabouts.is_elsewhere("anna", 2, NINE)
    assert not whereabouts.may_be_elsewhere("anna", 2, NINE)


def test_whom_another_room_doubts_is_followed_no_more_until_looked_at() -> None:
    whereabouts = Whereabouts()
    whereabouts.seen("anna", 1, NINE)
    assert whereabouts.follow("anna", 1, NINE + after(30))
    assert not whereabouts.is_elsewhere("anna", 2, NINE + after(31)), "nobody has seen her for long"
    assert not whereabouts.may_be_elsewhere("anna", 1, NINE + after(31)), "here is not elsewhere"
    assert not whereabouts.may_be_elsewhere("ben", 2, NINE + after(31))
    assert not whereabouts.may_be_elsewhere("anna", 2, NINE + after(41)), "nor is she there now"
    assert whereabouts.may_be_elsewhere("anna", 2, NINE + after(31))
    assert not whereabouts.follow("anna", 1, NINE + after(31.5)), "and so she is encoded once"
    whereabouts.seen("anna", 1, NINE + after(31.5))
    assert whereabouts.is_elsewhere("anna", 2, NINE + after(32))
    assert not whereabouts.may_be_elsewhere("anna", 2, NINE + after(32)), "it is known"
    assert whereabouts.follow("anna", 1, NINE + after(32))


def box(x: float, y: float = 0.0) -> NDArray[np.float32]:
    return np.array([x, y, x + 80, y + 80], np.float32)


def test_the_third_at_one_spot_is_one_too_many() -> None:
    spots = Spots()
    crowded = []
    for track, student in enumerate(("anna", "ben", "carl", "dora")):
        for _ in range(3):
            spots.see(track, box(100 + 3 * track))
        crowded.append(spots.is_crowded(track, student, NINE + after(10 * track)))
    assert crowded == [False, False, True, True]


def test_who_walks_past_a_spot_did_not_come_from_a_pocket() -> None:
    spots = Spots()
    for track, student in enumerate(("anna", "ben", "carl", "dora")):
        for step in range(4):
            spots.see(track, box(400 - 100 * step))
        assert not spots.is_crowded(track, student, NINE + after(5 * track))


def test_who_queues_before_a_door_comes_nearer() -> None:
    spots = Spots()
    for track, student in enumerate(("anna", "ben", "carl", "dora")):
        for width in (50, 60, 70):
            spots.see(track, np.array([140 - width / 2, 40 - width / 2, 140 + width / 2, 40 + width / 2], np.float32))
        assert not spots.is_crowded(track, student, NINE + after(5 * track))


@pytest.mark.parametrize(("apart", "every_s"), [(200.0, 5.0), (0.0, 300.0)])
def test_neighbours_and_the_next_class_are_no_crowd(apart: float, every_s: float) -> None:
    spots = Spots()
    for track, student in enumerate(("anna", "ben", "carl", "dora")):
        spots.see(track, box(apart * track))
        assert not spots.is_crowded(track, student, NINE + after(every_s * track))


def test_one_student_again_and_again_is_one() -> None:
    spots = Spots()
    for track in range(6):
        spots.see(track, box(100))
        assert not spots.is_crowded(track, "anna", NINE + after(track))
