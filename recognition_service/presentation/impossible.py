"""What cannot be: one student in two rooms at once, many students confirmed at one spot one after the other."""

import math
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Kept = TypeVar("Kept")

_AT_ONCE = timedelta(seconds=10)
"""Nobody who was seen in one room is in another so soon: out of one picture, through two doors, into the other."""
_MOST_STUDENTS = 65_536

_FOLLOWS = timedelta(seconds=120)
"""Within so long of each other, confirmations at one spot follow one another."""
_OTHERS = 2
"""So many others at the spot are as many as change places there; the next one is one too many."""
_MOST_SPOTS = 256
_WANDERS = 0.75
"""Widths of a face: who was never further from where the track began has not come to that spot, and was held there."""
_DEPTH = 3.0
"""Who comes nearer moves too: a face that grows by three tenths counts as one that has come from the side."""


class Whereabouts:
    """In which room each student was last confirmed; one for all cameras of a service, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, dict[int, datetime]] = OrderedDict()
        self._followed: OrderedDict[str, dict[int, datetime]] = OrderedDict()
        self._doubted: OrderedDict[str, int] = OrderedDict()  # and by which room

    def is_elsewhere(self, student: str, room: int, at: datetime) -> bool:
        """Whether a student was confirmed in another room at that time."""
        with self._lock:
            rooms = self._seen.get(student, {})
            return any(other != room and abs(at - when) <= _AT_ONCE for other, when in rooms.items())

    def may_be_elsewhere(self, student: str, room: int, at: datetime) -> bool:
        """Whether a face is followed as a student's in another room, and not encoded; it will be, at its next frame."""
        with self._lock:
            rooms = self._followed.get(student, {})
            followed = any(other != room and abs(at - when) <= _AT_ONCE for other, when in rooms.items())
            if followed:
                _keep(self._doubted, student, room)
            return followed

    def seen(self, student: str, room: int, at: datetime) -> None:
        """Note that a confirmed student was seen in a room."""
        with self._lock:
            rooms = self._seen.get(student, {})
            rooms[room] = max(at, rooms.get(room, at))
            _keep(self._seen, student, rooms)
            self._followed.get(student, {}).pop(room, None)

    def follow(self, student: str, room: int, at: datetime) -> bool:
        """Whether a settled student's face in a room need not be encoded; if so it is noted that it is followed."""
        with self._lock:
            if self._doubted.get(student, room) != room:
                del self._doubted[student]
                return False
            rooms = self._followed.get(student, {})
            rooms[room] = max(at, rooms.get(room, at))
            _keep(self._followed, student, rooms)
            return True

    def forget(self, students: Sequence[str]) -> None:
        """Forget who was erased."""
        with self._lock:
            for student in students:
                self._seen.pop(student, None)
                self._followed.pop(student, None)
                self._doubted.pop(student, None)


def _keep(entries: OrderedDict[str, Kept], student: str, value: Kept) -> None:
    """Note something of a student, and forget the one noted longest ago where there are too many."""
    entries[student] = value
    entries.move_to_end(student)
    while len(entries) > _MOST_STUDENTS:
        entries.popitem(last=False)


@dataclass(slots=True)
class _Stay:
    """Where a person has been since the track began."""

    centre: NDArray[np.float64]
    width: float
    furthest: float = 0.0
    """Widths of the face from where it began, to any side or nearer."""


@dataclass(frozen=True, slots=True)
class _Spot:
    student: str
    centre: NDArray[np.float64]
    width: float
    at: datetime


class Spots:
    """Who was confirmed where before one camera. Used by one thread at a time."""

    def __init__(self) -> None:
        self._stays: OrderedDict[int, _Stay] = OrderedDict()
        self._spots: deque[_Spot] = deque(maxlen=_MOST_SPOTS)

    def see(self, track: int, box: NDArray[np.float32]) -> None:
        """Take in where a track's face is now."""
        centre = np.array([box[0] + box[2], box[1] + box[3]], np.float64) / 2
        width = max(float(box[2] - box[0]), 1.0)
        stay = self._stays.setdefault(track, _Stay(centre, width))
        nearer = _DEPTH * abs(math.log(width / stay.width))
        stay.furthest = max(stay.furthest, float(np.linalg.norm(centre - stay.centre)) / stay.width, nearer)
        self._stays.move_to_end(track)
        while len(self._stays) > _MOST_SPOTS:
            self._stays.popitem(last=False)

    def is_crowded(self, track: int, student: str, at: datetime) -> bool:
        """Whether a student who is confirmed now is one too many for the spot, which is noted as theirs."""
        stay = self._stays.get(track)
        if stay is None or stay.furthest > _WANDERS:
            return False
        others = {spot.student for spot in self._spots if spot.student != student and _near(spot, stay, at)}
        if not any(spot.student == student and _near(spot, stay, at) for spot in self._spots):
            self._spots.append(_Spot(student, stay.centre, stay.width, at))
        return len(others) >= _OTHERS

    def forget(self, student: str | None = None) -> None:
        """Forget a student's spots, or everything."""
        kept = [] if student is None else [spot for spot in self._spots if spot.student != student]
        self._spots = deque(kept, maxlen=_MOST_SPOTS)
        if student is None:
            self._stays.clear()


def _near(spot: _Spot, stay: _Stay, at: datetime) -> bool:
    apart = float(np.linalg.norm(spot.centre - stay.centre))
    return abs(at - spot.at) <= _FOLLOWS and apart <= max(spot.width, stay.width)
