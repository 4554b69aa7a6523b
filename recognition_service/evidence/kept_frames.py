"""The frames that confirmed a student, as many as are worth keeping: the first ones, and the best of the others."""

import math
from bisect import insort
from datetime import datetime

from attendance.database.evidence import MOST_FRAMES, FrameEvidence
from recognition_service.evidence.clearness import View
from recognition_service.evidence.seen import FaceMatch

_FIRST = MOST_FRAMES // 2


class KeptFrames:
    """Counts frames, and keeps some. Memory is bounded."""

    def __init__(self) -> None:
        self._first: list[FrameEvidence] = []
        self._best: list[FrameEvidence] = []
        self._since: datetime | None = None
        self._until: datetime | None = None
        self._gaps = 0
        self._gap = 0.0

    def add(self, captured_at: datetime, match: FaceMatch, weight: float, view: View) -> None:
        """Take in a frame that spoke for the student."""
        runner_up = match.runner_up if math.isfinite(match.runner_up) else None
        frame = FrameEvidence(captured_at, match.distance, runner_up, weight, view.width, view.sharpness)
        self._since = captured_at if self._since is None else min(self._since, captured_at)
        self._until = captured_at if self._until is None else max(self._until, captured_at)
        if runner_up is not None:
            self._gaps += 1
            self._gap += (runner_up - match.distance - self._gap) / self._gaps
        if len(self._first) < _FIRST:
            self._first.append(frame)
        else:
            insort(self._best, frame, key=lambda kept: kept.distance)
            del self._best[MOST_FRAMES - _FIRST :]

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """When the first and the last of all frames were captured; None when there was none."""
        return None if self._since is None or self._until is None else (self._since, self._until)

    @property
    def margin(self) -> float | None:
        """Mean distance by which the next student was farther; None when there never was another."""
        return self._gap if self._gaps else None

    def frames(self) -> tuple[FrameEvidence, ...]:
        """What is kept, by time."""
        return tuple(sorted((*self._first, *self._best), key=lambda frame: frame.captured_at))
