"""The health of cameras, collected while their streams are open, minute by minute of the service's clock.

Frames only add to numbers in memory. Once in a while all cameras' minutes go into the outbox together, in one
transaction; a service that is killed loses those of less than a minute.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from attendance.database.watching.health import (
    HEIGHTS,
    HealthHour,
    MinuteOfHealth,
    PictureQuality,
    health_hours,
    height_class,
)
from attendance.database.watching.observation import minute_of
from recognition_service.outbox.store import Outbox, OutboxError

LOOK_EVERY = timedelta(seconds=20)
"""So often a camera's picture is measured: a few milliseconds each time, which is nothing a frame."""
_EVERY_S = 20.0
_KEPT = timedelta(minutes=3)
"""Minutes longer ago than this are complete."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Minute:
    frames: int = 0
    clock_offset_s: float | None = None
    brightness: float = 0.0
    sharpness: float = 0.0
    looks: int = 0
    heights: list[int] = field(default_factory=lambda: [0] * (len(HEIGHTS) + 1))
    to_put: bool = True

    def report(self, at: datetime) -> MinuteOfHealth:
        offset = None if self.clock_offset_s is None else round(1000 * self.clock_offset_s)
        picture = PictureQuality(self.brightness / self.looks, self.sharpness / self.looks) if self.looks else None
        return MinuteOfHealth(at, self.frames, True, offset, picture, tuple(self.heights))


class HealthLog:
    """The minutes of all cameras of a service, however often they connect anew. For any thread."""

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Begin with none.

        Args:
            clock: the moment now, aware.
        """
        self._clock = clock
        self._lock = threading.Lock()
        self._minutes: dict[int, dict[datetime, _Minute]] = {}
        self._looked: dict[int, datetime] = {}

    def connected(self, camera_ids: Iterable[int]) -> None:
        """Note that the streams of these cameras are open."""
        with self._lock:
            for camera_id in camera_ids:
                self._minute(camera_id)

    def frame(self, camera_id: int, clock_offset_s: float | None) -> None:
        """Note that a frame came.

        Args:
            camera_id: whose.
            clock_offset_s: by how much the camera's clock is ahead, as far as is known by now, seconds.
        """
        with self._lock:
            minute = self._minute(camera_id)
            minute.frames += 1
            if clock_offset_s is not None:
                minute.clock_offset_s = clock_offset_s

    def wants_look(self, camera_id: int) -> bool:
        """Whether the camera's next picture is to be measured."""
        return self._clock() - self._looked.get(camera_id, datetime.min.replace(tzinfo=UTC)) >= LOOK_EVERY

    def looked(self, camera_id: int, picture: PictureQuality) -> None:
        """Note how a picture looked."""
        with self._lock:
            minute = self._minute(camera_id)
            minute.brightness += picture.brightness
            minute.sharpness += picture.sharpness
            minute.looks += 1
            self._looked[camera_id] = self._clock()

    def faces(self, camera_id: int, heights: Sequence[float]) -> None:
        """Note the faces of a frame by their heights, pixels."""
        with self._lock:
            own = self._minute(camera_id).heights
            for height in heights:
                own[height_class(height)] += 1

    def put(self, outbox: Outbox) -> None:
        """Store what is new, and forget what is complete.

        Raises:
            OutboxError: it could not be stored; it is kept.
        """
        with self._lock:
            due = {
                camera_id: [(at, minute) for at, minute in minutes.items() if minute.to_put]
                for camera_id, minutes in self._minutes.items()
            }
            reported: list[HealthHour] = []
            for camera_id, own in due.items():
                reported += health_hours(camera_id, (minute.report(at) for at, minute in own))
                for _, minute in own:
                    minute.to_put = False
        try:
            outbox.put_health(reported)
        except OutboxError:
            with self._lock:
                for own in due.values():
                    for _, minute in own:
                        minute.to_put = True
            raise
        self._forget_complete()

    def _forget_complete(self) -> None:
        before = self._clock() - _KEPT
        with self._lock:
            for camera_id in list(self._minutes):
                left = {at: one for at, one in self._minutes[camera_id].items() if one.to_put or at > before}
                if left:
                    self._minutes[camera_id] = left
                else:
                    del self._minutes[camera_id]
                    self._looked.pop(camera_id, None)

    def _minute(self, camera_id: int) -> _Minute:
        minute = self._minutes.setdefault(camera_id, {}).setdefault(minute_of(self._clock()), _Minute())
        minute.to_put = True
        return minute


async def watch_health(
    health: HealthLog,
    open_cameras: Callable[[], Iterable[int]],
    outbox: Outbox,
    executor: Executor,
    *,
    interval_s: float = _EVERY_S,
) -> None:
    """Note for ever which streams are open, and have the minutes stored; once more when it is cancelled.

    Args:
        health: of all cameras.
        open_cameras: the numbers of those whose streams are open.
        outbox: takes the minutes.
        executor: where it is written.
        interval_s: from one time to the next, seconds.
    """
    loop = asyncio.get_running_loop()
    try:
        while True:
            health.connected(open_cameras())
            await loop.run_in_executor(executor, _put, health, outbox)
            await asyncio.sleep(interval_s)
    finally:
        _put(health, outbox)  # a moment's work, and the executor is about to go


def _put(health: HealthLog, outbox: Outbox) -> None:
    try:
        health.put(outbox)
    except OutboxError as error:
        log.error("health_not_stored", reason=str(error))
