"""Where the pictures of a video lie in its time, and which stretches of it have none."""

import math
from collections import deque
from collections.abc import Iterable

from camera_client.decoding.reader import VideoReader

_USUAL_FPS = 25.0
_HIGHEST_FPS = 1000.0
# Lengths in headers are rounded, and some are those of the sound.
_LENGTH_TOLERANCE_S = 1.0
_LEAST_GAP_S = 0.25
_LEAST_GAP_FRAMES = 3
_STEPS = 10
"""Pictures whose steps say what is usual."""
LONGEST_SPOILED_S = 10.0
"""Cameras that refresh pictures bit by bit never send one that stands alone: after so long, any is taken."""
# A time stamp further beyond the header's end is a damaged one.
_BEYOND_S = 60.0


class VideoPlaces:
    """Positions of a video's pictures, seconds from its first: its own time stamps where they rise.

    After something that could not be decoded, pictures are spoiled until two have come that stand alone: the first may
    be damaged itself, and others may still refer to what was lost. After a gap without a known reason, one is enough.
    """

    def __init__(self, reader: VideoReader, steps: Iterable[float] = ()) -> None:
        """Follow a reader.

        Args:
            reader: just opened, or at the beginning of a part of a video.
            steps: of that part, from one picture to the next before it, seconds.
        """
        self._reader = reader
        fps = reader.fps
        self._interval = 1 / (fps if 0 < fps <= _HIGHEST_FPS else _USUAL_FPS)
        self._first = 0.0
        self._last = -self._interval
        self._good_until = 0.0
        self._steps: deque[float] = deque(steps, maxlen=_STEPS)
        self._least_gap_s = math.inf
        self._spoiled_at = 0.0
        self._alone_needed = 0
        self.broke = False
        """Whether something is missing right before the last picture."""
        self._after_damage = False
        self._gaps: list[tuple[float, float, bool]] = []
        self.count = 0
        """Pictures that could be decoded, spoiled ones among them."""

    def next(self) -> float | None:
        """The position of the picture just grabbed; None when it is spoiled."""
        before = self._last
        position = self._position()
        if not self._alone_needed:
            self._least_gap_s = self._usual_gap_s()
        jumped = position - before > self._least_gap_s
        self._steps.append(position - before)
        self.broke = self._reader.broke or jumped
        if self.broke:
            self._spoiled_at = position
            self._alone_needed = max(self._alone_needed, 2 if self._reader.broke else 1)
            self._after_damage = self._after_damage or self._reader.broke
        self._alone_needed -= self._alone_needed > 0 and self._reader.stands_alone
        if self._alone_needed and position - self._spoiled_at < LONGEST_SPOILED_S:
            return None
        self._alone_needed = 0
        if position - self._good_until > (_LEAST_GAP_S if self._after_damage else self._least_gap_s):
            self._gaps.append((self._good_until, position, self._after_damage))
        self._after_damage = False
        self._good_until = position + self._interval
        return position

    def _usual_gap_s(self) -> float:
        """What is no usual step from one picture to the next; the rate in the header need not be the real one."""
        usual = max(self._steps) if len(self._steps) == _STEPS else math.inf
        return max(_LEAST_GAP_S, _LEAST_GAP_FRAMES * usual)

    def _position(self) -> float:
        stamp = self._reader.stamp_s
        if self.count == 0:
            self._first = stamp
        position = stamp - self._first
        impossible = self.header_s > 0 and position > self.header_s + _BEYOND_S
        if position <= self._last or impossible:  # some containers keep no time stamps
            position = self._last + self._interval
        self._last = position
        self.count += 1
        return position

    @property
    def sure_before(self) -> float:
        """Pictures before this position came whole: the last before a damage may be damaged without a mark."""
        return self._last - _LEAST_GAP_FRAMES * self._interval

    @property
    def length_s(self) -> float:
        """From the first picture to the end of the last."""
        return self._last + self._interval

    @property
    def header_s(self) -> float:
        """The length that the header says; 0: none."""
        return self._reader.frames * self._interval

    def missing(self) -> list[tuple[float, float]]:
        """Stretches without a picture that can be used, once the video is at its end.

        A gap alone may be meant, as of a recorder that records what moves; not where something could not be decoded, or
        the header promises more pictures than came.
        """
        too_few = self.count < 0.99 * self._reader.frames - _LEAST_GAP_FRAMES
        found = [(begins, ends) for begins, ends, damaged in self._gaps if damaged or too_few]
        end = max(self.length_s, self.header_s)
        damaged_end = self._after_damage and end - self._good_until > _LEAST_GAP_S
        if damaged_end or end - self._good_until > _LENGTH_TOLERANCE_S * (0.5 if too_few else 1):
            found.append((self._good_until, end))
        return found
