"""How a camera's clock and window are judged."""

from collections import deque
from datetime import datetime


class ClockSkew:
    """How far a camera's clock is ahead of the service's, from live frames.

    A frame's capture time minus its arrival is the clock's offset minus the way's delay. The largest of the last
    frames is the one that was delayed least (the minimum filter of NTP, RFC 5905 section 10); it is too low by that
    frame's delay, which on a campus is well under a second.
    """

    def __init__(self, samples: int = 32) -> None:
        self._differences: deque[float] = deque(maxlen=samples)

    def add(self, capture_time: datetime, arrival: datetime) -> None:
        """Take in a live frame."""
        self._differences.append((capture_time - arrival).total_seconds())

    @property
    def seconds(self) -> float | None:
        """The estimate; None while no frame was taken in."""
        # A copy: metrics are read by another thread.
        return max(tuple(self._differences), default=None)

    def may_be_within(self, behind_s: float, ahead_s: float) -> bool:
        """Whether one of the last live frames had a time that is accepted, or none came yet."""
        return not self._differences or any(-behind_s <= each <= ahead_s for each in self._differences)


class Window:
    """How many frames a camera may have in flight: additive increase, multiplicative decrease.

    AIMD makes senders that share a queue converge on equal shares of it (Chiu and Jain, "Analysis of the increase and
    decrease algorithms for congestion avoidance in computer networks", 1989). The window changes at most once in as
    many answers as it has places, because earlier answers are still to frames of the window before.
    """

    _LONG, _SHORT = 0.5, 0.25

    def __init__(self, largest: int) -> None:
        """Begin with the largest.

        Args:
            largest: frames; the window never grows beyond it nor shrinks below one.
        """
        self.size = largest
        self._largest = largest
        self._answers = 0

    def answer(self, load: float) -> int:
        """Judge the queue at an answer.

        Args:
            load: the queue's length over its bound.

        Returns:
            The new size when it changes; 0 otherwise.
        """
        self._answers += 1
        if self._answers < self.size:
            return 0
        size = self.size
        if load > self._LONG:
            size = max(1, size // 2)
        elif load < self._SHORT:
            size = min(self._largest, size + 1)
        if size == self.size:
            return 0
        self.size, self._answers = size, 0
        return size
