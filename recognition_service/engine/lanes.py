"""Whose turn it is: start-time fair queueing by cost.

Fairness is start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996): a lane starts at the virtual time, each item
that it is served moves it on by what the item costs, and the lane that is least far on goes first. Deficit round robin
would do the same with a quantum that must be as large as the largest item; here there is none to choose, and an item
whose cost is known only afterwards is charged afterwards: the difference moves the lane on, or back.
"""

from collections import defaultdict
from collections.abc import Collection
from typing import Generic

from recognition_service.engine.places import Item, LaneKey, Place, Result


class Lane(Generic[Item, Result]):
    """The places of one lane, oldest first, and how far on its service is."""

    def __init__(self, next_tag: float) -> None:
        self.places: dict[Place[Item, Result], None] = {}
        self.next_tag = next_tag
        """Where its next item starts."""
        self.at_work = 0
        """Items of batches that are at work."""

    def tags(self) -> dict[Place[Item, Result], float]:
        """Where each item in line starts: those that were at work before, then the others."""
        tags, tag = {}, self.next_tag
        for place in sorted(self.places, key=lambda place: not place.keeps):
            if place.in_line_since is not None:
                tags[place] = tag
                tag += place.expected
        return tags


class Lanes(Generic[Item, Result]):
    """All lanes, and the virtual time of each priority."""

    def __init__(self) -> None:
        self._lanes: dict[LaneKey, Lane[Item, Result]] = {}
        self._virtual_times: defaultdict[int, float] = defaultdict(float)

    def __len__(self) -> int:
        return len(self._lanes)

    def places_of(self, key: LaneKey) -> int:
        """How many places a lane has."""
        return len(self._lanes[key].places) if key in self._lanes else 0

    def add(self, place: Place[Item, Result]) -> None:
        """Give a place to its lane."""
        lane = self._open(place.lane)
        self._wake(place.lane, lane)
        lane.places[place] = None

    def remove(self, place: Place[Item, Result]) -> bool:
        """Take a place from its lane; whether it was there."""
        lane = self._lanes.get(place.lane)
        if lane is None or place not in lane.places:
            return False
        del lane.places[place]
        return True

    def charge(self, key: LaneKey, cost: float) -> None:
        """Move a lane on for what it has cost beside its items."""
        lane = self._open(key)
        self._wake(key, lane)
        lane.next_tag += cost

    def begin(self, place: Place[Item, Result]) -> None:
        """Charge what an item is expected to cost; its work begins."""
        lane = self._open(place.lane)
        lane.next_tag += place.expected
        lane.at_work += 1

    def spend(self, place: Place[Item, Result], cost: float) -> None:
        """Charge what an item at work costs beyond what was expected."""
        before = place.spent or 0.0
        place.spent = before + cost
        lane = self._open(place.lane)
        lane.next_tag += max(place.spent - place.expected, 0.0) - max(before - place.expected, 0.0)

    def end(self, place: Place[Item, Result]) -> None:
        """Give back what an item at work did not cost, if anybody said what it did."""
        lane = self._open(place.lane)
        lane.at_work -= 1
        if place.spent is not None:
            lane.next_tag -= max(place.expected - place.spent, 0.0)

    def tags(self) -> dict[Place[Item, Result], float]:
        """Where each item in line starts."""
        return {place: tag for lane in self._lanes.values() for place, tag in lane.tags().items()}

    def serve(self, priority: int, tag: float) -> None:
        """Note that service of a priority has come so far: where the item starts whose turn it is."""
        self._virtual_times[priority] = max(self._virtual_times[priority], tag)

    def longest(self) -> tuple[int, Collection[Place[Item, Result]]] | None:
        """The priority and the places of the least important lanes' longest; None: nobody has any that may be taken."""
        return max(
            (
                (priority, lane.places)
                for (priority, _), lane in self._lanes.items()
                if any(not place.keeps for place in lane.places)
            ),
            key=lambda item: (item[0], len(item[1])),
            default=None,
        )

    def forget_idle(self, *, all_of_them: bool = False) -> None:
        """Drop lanes with nothing to do whose next item would start at the virtual time anyway, or all of them."""
        for key in [key for key, lane in self._lanes.items() if not lane.places and not lane.at_work]:
            if all_of_them or self._lanes[key].next_tag <= self._virtual_times[key[0]]:
                del self._lanes[key]

    def _wake(self, key: LaneKey, lane: Lane[Item, Result]) -> None:
        """Whoever had nothing to do starts now, and saves nothing up."""
        if not lane.places and not lane.at_work:
            lane.next_tag = max(lane.next_tag, self._virtual_times[key[0]])

    def _open(self, key: LaneKey) -> Lane[Item, Result]:
        if key not in self._lanes:
            self._lanes[key] = Lane(self._virtual_times[key[0]])
        return self._lanes[key]
