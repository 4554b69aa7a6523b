"""A camera's health over a time, in steps: what its page draws and its files hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import fmean, median

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import CameraHealth
from attendance.database.watching.health import HEIGHTS, HealthColumns, columns_of
from attendance.database.watching.observation import hour_of
from webapp.tools.times import day_bounds, local

_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)
_DAYS = {"week": 7, "term": 18 * 7}
PARTS_OF_A_DAY = 6
"""Steps of a day in the history of a week."""
_TALLEST = 2 * HEIGHTS[-1]
"""Pixels: where the class of the largest faces is taken to end, which has no end."""


class Span(StrEnum):
    """Over how long."""

    DAY = "day"
    """The last 24 hours, hour by hour."""
    WEEK = "week"
    """The last seven days, in parts of a sixth of a day."""
    TERM = "term"
    """The last eighteen weeks, day by day."""


@dataclass(slots=True)
class HistoryStep:
    """What a camera did in a part of the time."""

    begins: datetime
    ends: datetime
    connected: int = 0
    """Minutes."""
    frames: int = 0
    offsets: list[float] = field(default_factory=list)
    """Of the clock in each minute, milliseconds; positive where it is ahead."""
    brightness: list[float] = field(default_factory=list)
    """In each minute in which it was measured, 0 to 255."""
    sharpness: list[float] = field(default_factory=list)
    heights: list[int] = field(default_factory=lambda: [0] * (len(HEIGHTS) + 1))
    """How many faces were found, by class of height."""

    def add(self, minutes: HealthColumns) -> None:
        """Take in minutes."""
        self.connected += sum(minutes.connected)
        self.frames += sum(minutes.frames)
        self.offsets += [one for one in minutes.clock_offsets_ms if one is not None]
        self.brightness += [one for one in minutes.brightness if one is not None]
        self.sharpness += [one for one in minutes.sharpness if one is not None]
        self.heights = [one + sum(more) for one, more in zip(self.heights, minutes.heights, strict=True)]

    @property
    def minutes(self) -> int:
        """How long it is."""
        return round((self.ends - self.begins) / timedelta(minutes=1))

    @property
    def share(self) -> float:
        """Of its minutes, in how many the camera was connected; 0 to 1."""
        return min(1.0, self.connected / self.minutes) if self.minutes else 0.0

    @property
    def median_offset(self) -> float | None:
        """Of the clock, seconds."""
        return median(self.offsets) / 1000 if self.offsets else None

    @property
    def most_offset(self) -> float | None:
        """The largest either way, seconds."""
        return max(self.offsets, key=abs) / 1000 if self.offsets else None

    @property
    def mean_brightness(self) -> float | None:
        """0 to 255."""
        return fmean(self.brightness) if self.brightness else None

    @property
    def mean_sharpness(self) -> float | None:
        """Larger is sharper."""
        return fmean(self.sharpness) if self.sharpness else None

    @property
    def faces(self) -> int:
        """Found in all frames; who sits there is found in each."""
        return sum(self.heights)

    def height(self, share: float) -> float | None:
        """The height below which a share of the faces lies, pixels, to within its class; None without a face."""
        wanted, ends = share * self.faces, (*HEIGHTS, _TALLEST)
        before, start = 0, 0
        for count, end in zip(self.heights, ends, strict=True):
            if count and before + count >= wanted:
                return start + (end - start) * (wanted - before) / count
            before, start = before + count, end
        return None


def read_history(db: Session, camera_id: int, span: Span, now: datetime) -> list[HistoryStep]:
    """The steps of a time that ends now, the oldest first.

    Args:
        db: any session.
        camera_id: whose.
        span: over how long.
        now: aware.
    """
    steps = _steps(span, now)
    query = (
        sa.select(CameraHealth.hour, CameraHealth.minutes)
        .where(CameraHealth.camera_id == camera_id)
        .where(CameraHealth.hour.between(hour_of(steps[0].begins), now))
        .order_by(CameraHealth.hour)
    )
    first = 0
    for hour, minutes in db.execute(query):
        while first < len(steps) and steps[first].ends <= hour:
            first += 1
        _fill(steps[first:], hour, minutes)
    return steps


def _fill(steps: Sequence[HistoryStep], hour: datetime, minutes: bytes) -> None:
    """Put an hour's minutes into the steps in which they lie; of zones that are half an hour off, there are several."""
    for step in steps:
        if step.begins >= hour + _HOUR:
            return
        begins, ends = max(step.begins, hour), min(step.ends, hour + _HOUR)
        step.add(columns_of(minutes, *(-(-(moment - hour) // _MINUTE) for moment in (begins, ends))))


def _steps(span: Span, now: datetime) -> list[HistoryStep]:
    """Without anything in them; the last one ends now."""
    if span is Span.DAY:
        last = hour_of(now)
        edges = [last - timedelta(hours=hours) for hours in range(23, -1, -1)]
    else:
        today = local(now).date()
        days = [day_bounds(today - timedelta(days=ago)) for ago in range(_DAYS[span] - 1, -1, -1)]
        parts = PARTS_OF_A_DAY if span is Span.WEEK else 1
        edges = [begins + part * (ends - begins) / parts for begins, ends in days for part in range(parts)]
    edges = [edge for edge in edges if edge < now]
    return [HistoryStep(begins, ends) for begins, ends in zip(edges, [*edges[1:], now], strict=True)]
