"""The areas of a camera's picture in which faces count, drawn by an administrator.

A camera has zones to look in, masks to skip, both or neither. Where no zone to look in is drawn, the whole picture is
looked at. A mask always wins. Coordinates are fractions of the picture's width and height from its top left corner, so
that they mean the same at any resolution.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, pairwise
from typing import Any

from attendance.errors import AttendanceError
from attendance.texts import Text, english

Point = tuple[float, float]
Polygon = tuple[Point, ...]

FEWEST_POINTS, MOST_POINTS = 3, 20
"""Of one polygon."""
MOST_POLYGONS = 20
"""Zones to look in, and as many masks."""
SMALLEST_SHARE = 0.001
"""Of the picture: less is taken for nothing, for a polygon and for what all of them leave to search."""
_DECIMALS = 4
"""Of a coordinate: on a picture of 4,000 pixels, less than one of them."""
_UNITS = 10_000
_LAST = 1 - 1e-9
"""Of a coordinate: 1 itself lies in no polygon, since each lacks its right and lower edges."""
_ROWS = 256
"""Rows of the picture on which areas are measured."""
_LONGEST = 60_000
"""Characters of zones as text; MariaDB's TEXT holds 65,535 bytes."""


class ZonesError(AttendanceError):
    """Zones of a camera's picture make no sense, or leave nothing to search."""


@dataclass(frozen=True, slots=True)
class Zones:
    """Where in a picture faces count. Coordinates are rounded to four decimals, so that equal zones are equal.

    Attributes:
        look: polygons of which a face's centre must lie in one; none: it may lie anywhere.
        skip: polygons in none of which it may lie.

    Raises:
        ZonesError: a polygon has too few or too many points, one outside the picture, edges that cross, or no area;
            there are too many polygons; or nothing is left to search.
    """

    look: tuple[Polygon, ...] = ()
    skip: tuple[Polygon, ...] = ()

    def __post_init__(self) -> None:
        """Check and round."""
        object.__setattr__(self, "look", _polygons(self.look, _zone))
        object.__setattr__(self, "skip", _polygons(self.skip, _mask))
        if self and self.share() < SMALLEST_SHARE:
            raise ZonesError(english("These zones and masks leave nothing of the picture to search."))

    def __bool__(self) -> bool:
        """Whether anything is left out."""
        return bool(self.look or self.skip)

    def __contains__(self, point: Point) -> bool:
        """Whether a face with this centre counts. A centre beyond the picture's edge counts as on it."""
        point = (min(max(point[0], 0.0), _LAST), min(max(point[1], 0.0), _LAST))
        if self.look and not any(_inside(point, polygon) for polygon in self.look):
            return False
        return not any(_inside(point, polygon) for polygon in self.skip)

    def share(self) -> float:
        """Of the picture, what is searched: from 0 to 1, to within a row of 256."""
        if not self:
            return 1.0
        return sum(right - left for row in range(_ROWS) for left, right in self.spans((row + 0.5) / _ROWS)) / _ROWS

    def spans(self, y: float) -> list[tuple[float, float]]:
        """What is searched of the row at this height: disjoint, from left to right."""
        looked = _united(_crossed(self.look, y)) if self.look else [(0.0, 1.0)]
        for left, right in _crossed(self.skip, y):
            looked = [
                (start, end) for a, b in looked for start, end in ((a, min(b, left)), (max(a, right), b)) if end > start
            ]
        return looked


@lru_cache(maxsize=256)
def parse(text: str | None) -> Zones:
    """Zones as a camera's row keeps them.

    Args:
        text: what `dump` gave: an object of JSON with lists of polygons under `look` and `skip`, a polygon being a list
            of pairs of numbers. None or empty: no zones.

    Raises:
        ZonesError: it is no such text, or see `Zones`.
    """
    if text is None or not text.strip():
        return Zones()
    try:
        given = json.loads(text) if len(text) <= _LONGEST else None
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ZonesError(english("Zones are an object of JSON with the lists “look” and “skip”."))
    if unknown := sorted(given.keys() - {"look", "skip"}):
        raise ZonesError(english("Zones have no “%(name)s”; there are “look” and “skip”.", name=unknown[0][:40]))
    return Zones(look=_listed(given.get("look", [])), skip=_listed(given.get("skip", [])))


def dump(zones: Zones) -> str | None:
    """The text that `parse` reads; None where there are no zones."""
    if not zones:
        return None
    return json.dumps({"look": zones.look, "skip": zones.skip}, separators=(",", ":"))


def _listed(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ZonesError(_NO_LISTS)
    return tuple(value)


_NO_LISTS = english("“look” and “skip” are lists of polygons, each a list of points.")


def _zone(number: int) -> Text:
    return english("Zone %(number)s", number=number)


def _mask(number: int) -> Text:
    return english("Mask %(number)s", number=number)


def _polygons(given: Sequence[Any], name: Callable[[int], Text]) -> tuple[Polygon, ...]:
    if len(given) > MOST_POLYGONS:
        raise _wrong(name(len(given)), english("there are at most %(most)s", most=MOST_POLYGONS))
    return tuple(_polygon(points, name(number)) for number, points in enumerate(given, 1))


def _polygon(points: Any, name: Text) -> Polygon:
    if not isinstance(points, list | tuple):
        raise ZonesError(_NO_LISTS)
    if not FEWEST_POINTS <= len(points) <= MOST_POINTS:
        problem = english(
            "it has %(count)s points, and must have from %(least)s to %(most)s",
            count=len(points),
            least=FEWEST_POINTS,
            most=MOST_POINTS,
        )
        raise _wrong(name, problem)
    polygon = tuple(_point(point, name, number) for number, point in enumerate(points, 1))
    if _edges_cross(polygon):
        raise _wrong(name, english("its edges cross or touch"))
    if _area(polygon) < SMALLEST_SHARE:
        raise _wrong(name, english("it covers next to nothing of the picture"))
    return polygon


def _point(point: Any, name: Text, number: int) -> Point:
    if isinstance(point, list | tuple) and [type(each) in (int, float) for each in point] == [True, True]:
        x, y = point
        if 0 <= x <= 1 and 0 <= y <= 1:  # which also refuses NaN
            return round(float(x), _DECIMALS), round(float(y), _DECIMALS)
    raise _wrong(name, english("its point %(number)s is not two numbers from 0 to 1", number=number))


def _wrong(name: Text, problem: Text) -> ZonesError:
    return ZonesError(english("%(name)s: %(problem)s.", name=name, problem=problem))


def _edges(polygon: Polygon) -> list[tuple[Point, Point]]:
    return list(pairwise((*polygon, polygon[0])))


def _inside(point: Point, polygon: Polygon) -> bool:
    """By the crossings of a ray to the left (W. R. Franklin, PNPOLY)."""
    x, y = point
    return sum(crossing <= x for crossing in _crossings(polygon, y)) % 2 == 1


def _crossings(polygon: Polygon, y: float) -> list[float]:
    """Where edges cross a height. Each edge has its upper end and lacks its lower one, so their number is even."""
    return [x1 + (y - y1) * (x2 - x1) / (y2 - y1) for (x1, y1), (x2, y2) in _edges(polygon) if (y1 > y) is not (y2 > y)]


def _crossed(polygons: Iterable[Polygon], y: float) -> list[tuple[float, float]]:
    """What polygons cover of a height; spans may overlap. Those of one polygon are disjoint, its edges not crossing."""
    spans: list[tuple[float, float]] = []
    for polygon in polygons:
        crossings = sorted(_crossings(polygon, y))
        spans += zip(crossings[::2], crossings[1::2], strict=True)
    return spans


def _united(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    united: list[tuple[float, float]] = []
    for left, right in sorted(spans):
        if united and left <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], right))
        else:
            united.append((left, right))
    return united


def _area(polygon: Polygon) -> float:
    """By the shoelace formula; of a polygon whose edges do not cross."""
    return abs(math.fsum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in _edges(polygon))) / 2


def _edges_cross(polygon: Polygon) -> bool:
    """Whether edges that are no neighbours meet, or neighbours lie on one another."""
    edges = _edges(polygon)
    last = len(edges) - 1
    for (place, (a, b)), (other, (c, d)) in combinations(enumerate(edges), 2):
        if a == b or c == d:
            return True
        if other - place == 1 or (place, other) == (0, last):
            corner, one, two = (b, a, d) if other - place == 1 else (a, b, c)
            if _turn(one, corner, two) == 0 and _ahead(corner, one, two):
                return True
        elif _meet(a, b, c, d):
            return True
    return False


def _turn(a: Point, b: Point, c: Point) -> int:
    """To which side of a line from a to b a point lies: 1, -1, or 0 on it. In whole units, so exactly."""
    (ax, ay), (bx, by), (cx, cy) = ((round(x * _UNITS), round(y * _UNITS)) for x, y in (a, b, c))
    cross = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    return (cross > 0) - (cross < 0)


def _ahead(corner: Point, one: Point, two: Point) -> bool:
    return (one[0] - corner[0]) * (two[0] - corner[0]) + (one[1] - corner[1]) * (two[1] - corner[1]) > 0


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    sides = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if sides[0] != sides[1] and sides[2] != sides[3]:
        return True
    ends = ((sides[0], a, b, c), (sides[1], a, b, d), (sides[2], c, d, a), (sides[3], c, d, b))
    return any(side == 0 and _within(start, end, point) for side, start, end, point in ends)


def _within(start: Point, end: Point, point: Point) -> bool:
    return all(min(s, e) <= p <= max(s, e) for s, e, p in zip(start, end, point, strict=True))


EVERYWHERE = Zones()
"""The whole picture: a camera without zones."""
