"""Zones of a picture: what counts, what they cover, and which make no sense."""

import json

import pytest

from attendance.zones import EVERYWHERE, Zones, ZonesError, dump, parse

LEFT = ((0, 0), (0.5, 0), (0.5, 1), (0, 1))
RIGHT = ((0.5, 0), (1, 0), (1, 1), (0.5, 1))
DOOR = ((0.1, 0.2), (0.3, 0.2), (0.3, 0.6), (0.1, 0.6))
ARROW = ((0.2, 0.2), (0.8, 0.5), (0.2, 0.8), (0.4, 0.5))  # hollow on its left


def test_without_zones_everything_counts():
    assert not EVERYWHERE
    assert (0.0, 0.0) in EVERYWHERE
    assert (0.99, 0.5) in EVERYWHERE
    assert EVERYWHERE.share() == 1
    assert dump(EVERYWHERE) is None
    assert parse(None) == parse("") == parse("{}") == EVERYWHERE


def test_a_mask_wins_over_a_zone():
    zones = Zones(look=(LEFT,), skip=(DOOR,))
    assert (0.4, 0.5) in zones
    assert (0.2, 0.5) not in zones
    assert (0.6, 0.5) not in zones
    assert zones.share() == pytest.approx(0.5 - 0.2 * 0.4, abs=0.002)


def test_a_face_in_one_of_several_zones_counts_and_what_overlaps_counts_once():
    zones = Zones(look=(DOOR, LEFT, ARROW))
    assert (0.75, 0.5) in zones
    assert (0.9, 0.5) not in zones
    assert zones.share() == pytest.approx(0.5 + 0.045, abs=0.002)


def test_what_lies_in_the_hollow_of_a_polygon_lies_outside():
    zones = Zones(skip=(ARROW,))
    assert (0.5, 0.5) not in zones
    assert (0.3, 0.5) in zones
    assert zones.share() == pytest.approx(1 - 0.12, abs=0.002)


def test_every_point_counts_in_exactly_one_of_two_neighbours():
    parts = Zones(look=(LEFT,)), Zones(look=(RIGHT,))
    points = [(x / 20 + 0.001, y / 20) for x in range(20) for y in range(20)] + [(0.5, 0.5)]
    assert all(sum(point in part for part in parts) == 1 for point in points)


@pytest.mark.parametrize("point", [(0, 0), (1, 1), (0.5, 1), (1, 0.5), (-0.02, 0.5), (0.5, 1.02)])
def test_faces_at_the_pictures_edge_count_in_a_zone_that_reaches_it(point):
    assert point in Zones(look=(((0, 0), (1, 0), (1, 1), (0, 1)),))


def test_written_and_read_they_are_the_same():
    zones = Zones(look=(LEFT, ((1 / 3, 0), (2 / 3, 0.123456789), (0, 1))), skip=(DOOR,))
    assert parse(dump(zones)) == zones
    assert zones.look[1][0] == (0.3333, 0)


def test_the_longest_zones_fit_their_column():
    comb = tuple((0.001 + place / 10.1, 0.1234 + 0.5 * (place % 2)) for place in range(10))
    comb += tuple((x, 0.9876) for x, _ in reversed(comb))
    text = dump(Zones(look=(comb,) * 20, skip=(DOOR,) * 20))
    assert text is not None
    assert len(text) < 20_000


WRONG = {
    "not JSON": ("an object of JSON", "{"),
    "a list": ("an object of JSON", "[]"),
    "deep": ("an object of JSON", "[" * 50_000),
    "long": ("an object of JSON", json.dumps({"look": [[[0, 0]] * 30_000]})),
    "another key": ("no “mask”", '{"mask": []}'),
    "no list": ("are lists", '{"look": 1}'),
    "no polygon": ("are lists", '{"look": [1]}'),
    "two points": ("Zone 1: it has 2 points", '{"look": [[[0, 0], [1, 1]]]}'),
    "many points": ("Mask 1: it has 21 points", json.dumps({"skip": [[[0, 0]] * 21]})),
    "outside": ("Zone 1: its point 2 is not two numbers", '{"look": [[[0, 0], [1.01, 0], [1, 1]]]}'),
    "negative": ("its point 1 is", '{"look": [[[-0.1, 0], [1, 0], [1, 1]]]}'),
    "not a number": ("its point 1 is", '{"look": [[[NaN, 0], [1, 0], [1, 1]]]}'),
    "true": ("its point 1 is", '{"look": [[[true, 0], [1, 0], [1, 1]]]}'),
    "text": ("its point 3 is", '{"look": [[[0, 0], [1, 0], ["1", 1]]]}'),
    "three numbers": ("its point 1 is", '{"look": [[[0, 0, 0], [1, 0], [1, 1]]]}'),
    "crossing": ("Zone 1: its edges cross", '{"look": [[[0, 0], [1, 1], [1, 0], [0, 1]]]}'),
    "there and back": ("its edges cross", '{"look": [[[0, 0], [1, 0], [0.5, 0], [0.5, 1]]]}'),
    "a point twice": ("its edges cross", '{"look": [[[0, 0], [0, 0], [1, 0], [0, 1]]]}'),
    "touching": ("its edges cross", '{"look": [[[0, 0], [1, 0], [1, 1], [0.5, 0], [0, 1]]]}'),
    "a line": ("Zone 1: ", '{"look": [[[0, 0], [0.5, 0.5], [1, 1]]]}'),
    "tiny": ("Mask 2: it covers next to nothing", json.dumps({"skip": [DOOR, [[0, 0], [0.01, 0], [0.01, 0.01]]]})),
    "too many": ("Mask 21: there are at most 20", json.dumps({"skip": [DOOR] * 21})),
    "all masked": ("leave nothing", json.dumps({"skip": [LEFT, RIGHT]})),
    "zones masked": ("leave nothing", json.dumps({"look": [DOOR], "skip": [LEFT]})),
}


@pytest.mark.parametrize(("says", "text"), WRONG.values(), ids=WRONG)
def test_what_makes_no_sense_is_refused_in_words(says, text):
    with pytest.raises(ZonesError, match=says):
        parse(text)
