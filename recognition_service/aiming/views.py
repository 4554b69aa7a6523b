"""Which cameras somebody looks through now, and the last pictures of these.

Nothing is looked at, and nothing is kept, of a camera that nobody looks through. What is kept is in memory, at most
two pictures a camera, and goes a few seconds after the last look. Used by the event loop's thread only.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from attendance.aiming import AimingProblem
from attendance.settings.matching import MatchingRules
from recognition_service.access.auth import CameraIdentity
from recognition_service.aiming.errors import AimingError
from recognition_service.aiming.shots import Shot, drawn, shot_of
from recognition_service.engine.pipeline import Pipeline
from recognition_service.errors import RequestError, ServiceError
from recognition_service.evidence.timetable import TimetableUnavailable
from recognition_service.streams.requests import Priority

_KEPT = 2
"""Pictures of a camera: the page asks for the picture after its numbers, while the next is being looked at."""
_FRESH_S = 2.0
"""For so long a picture serves whoever does not know it yet."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Watched:
    until: float
    """The loop's time at which all of it is forgotten."""
    shots: deque[Shot] = field(default_factory=lambda: deque(maxlen=_KEPT))
    made: float = float("-inf")
    """The loop's time of the newest."""
    waiting: int = 0
    """How many wait for the next."""
    problem: AimingProblem | None = None
    """Why the last frame gave no picture."""
    work: "asyncio.Task[None] | None" = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        """Wake whoever waits."""
        self.news.set()
        self.news = asyncio.Event()


class AimingViews:
    """Hands frames of open streams to whoever looks; see the module."""

    def __init__(
        self,
        pipeline: Pipeline,
        executor: Executor,
        rules: MatchingRules,
        *,
        session_counts: Callable[[int, datetime], bool],
        connected: Callable[[int], bool],
        max_pixels: int,
        deadline_s: float = 10.0,
        kept_s: float = 10.0,
    ) -> None:
        """Prepare.

        Args:
            pipeline: finds faces.
            executor: where pictures are drawn and the timetable is asked, which block.
            rules: which faces are too small.
            session_counts: whether a class session counts in a room at a moment; may raise `TimetableUnavailable`.
            connected: whether a camera has an open stream here.
            max_pixels: of a picture.
            deadline_s: how long a picture may wait for the engine, seconds.
            kept_s: how long after the last look pictures are kept, seconds.
        """
        self._pipeline = pipeline
        self._executor = executor
        self._rules = rules
        self._session_counts = session_counts
        self._connected = connected
        self._max_pixels = max_pixels
        self._deadline_s = deadline_s
        self._kept_s = kept_s
        self._watched: dict[int, _Watched] = {}
        self._number = 0

    def wants(self, camera_id: int) -> bool:
        """Whether somebody waits for a picture of the camera, and no frame of it is being looked at."""
        watched = self._watched.get(camera_id)
        return watched is not None and watched.waiting > 0 and watched.work is None

    def offer(self, camera: CameraIdentity, jpeg: bytes, captured_at: datetime | None) -> None:
        """Take a live frame of a camera that is wanted; see `wants`.

        Args:
            camera: whose frame it is.
            jpeg: the frame.
            captured_at: aware; None where it says no time that can be.
        """
        watched = self._watched.get(camera.id)
        if watched is not None and watched.work is None:
            arrived_at = datetime.now(UTC)
            work = self._look(watched, camera, jpeg, captured_at or arrived_at, arrived_at)
            watched.work = asyncio.create_task(work, name="aiming")

    async def shot(self, camera_id: int, *, after: int | None, wait_s: float) -> Shot:
        """The newest picture of a camera, or the next; a frame is looked at only while somebody waits for it.

        Args:
            camera_id: the camera.
            after: number of the picture that is known; None: none is.
            wait_s: how long to wait for another, seconds.

        Raises:
            AimingError: there is none.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        watched = self._watch(camera_id, deadline)
        watched.waiting += 1
        try:
            while self._connected(camera_id):
                fresh = loop.time() - watched.made < _FRESH_S
                if fresh and watched.shots[-1].said.number != after:
                    return watched.shots[-1]
                async with asyncio.timeout_at(deadline):
                    await watched.news.wait()
                if watched.problem is not None:
                    raise AimingError(watched.problem)
        except TimeoutError:
            raise AimingError(AimingProblem.NO_FRAME) from None
        finally:
            watched.waiting -= 1
        raise AimingError(AimingProblem.NOT_CONNECTED)

    async def picture(self, camera_id: int, number: int, *, clear: bool) -> bytes:
        """The file of a picture that is kept, drawn for whoever may see this much; see `shots.drawn`.

        Raises:
            AimingError: it is not kept any more.
        """
        watched = self._watched.get(camera_id)
        shots = () if watched is None else tuple(watched.shots)
        shot = next((one for one in shots if one.said.number == number), None)
        if shot is None:
            raise AimingError(AimingProblem.GONE)
        draw = functools.partial(drawn, shot, clear=clear, max_pixels=self._max_pixels)
        return await asyncio.get_running_loop().run_in_executor(self._executor, draw)

    async def close(self) -> None:
        """Forget everything."""
        work = [watched.work for watched in self._watched.values() if watched.work is not None]
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        self._watched.clear()

    def _watch(self, camera_id: int, since: float) -> _Watched:
        """Keep what there is of a camera for a while from a moment on."""
        watched = self._watched.get(camera_id)
        until = since + self._kept_s
        if watched is None:
            watched = self._watched[camera_id] = _Watched(until)
            self._forget_later(camera_id, watched)
        watched.until = max(watched.until, until)
        return watched

    def _forget_later(self, camera_id: int, watched: _Watched) -> None:
        loop = asyncio.get_running_loop()

        def forget() -> None:
            if self._watched.get(camera_id) is not watched:
                return
            if watched.until > loop.time():
                loop.call_at(watched.until, forget)
            else:
                del self._watched[camera_id]

        loop.call_at(watched.until, forget)

    async def _look(
        self, watched: _Watched, camera: CameraIdentity, jpeg: bytes, captured_at: datetime, arrived_at: datetime
    ) -> None:
        try:
            shot = await self._shot(camera, jpeg, captured_at, arrived_at)
        except RequestError:
            watched.problem = AimingProblem.UNREADABLE
        except (ServiceError, TimetableUnavailable) as error:
            log.info("aiming_put_off", camera=camera.name, reason=str(error))
            watched.problem = AimingProblem.BUSY
        except Exception:
            log.exception("aiming_failed", camera=camera.name)
            watched.problem = AimingProblem.BUSY
        else:
            watched.problem = None
            watched.shots.append(shot)
            watched.made = asyncio.get_running_loop().time()
        finally:
            watched.work = None
            watched.tell()

    async def _shot(self, camera: CameraIdentity, jpeg: bytes, captured_at: datetime, arrived_at: datetime) -> Shot:
        loop = asyncio.get_running_loop()
        moments = (captured_at, arrived_at)
        session = await loop.run_in_executor(self._executor, self._counts, camera.room_id, moments)
        # Faces count as the service looks for them by default, in the whole picture: whoever is pixelated here does not
        # depend on what this camera is set to skip.
        sought = self._rules.smallest_sought
        found = await self._pipeline.find(
            jpeg,
            lane=("aiming", camera.id),
            priority=Priority.EARLY,
            deadline=loop.time() + self._deadline_s,
            upsample=camera.upsample or None,
            smallest_face=min(camera.smallest_face or sought, sought),
            reducible=True,
            formats=("JPEG",),
            measured=True,
        )
        self._number += 1
        return shot_of(
            self._number,
            jpeg,
            found,
            captured_at=captured_at,
            arrived_at=arrived_at,
            session=session,
            rules=self._rules,
        )

    def _counts(self, room_id: int | None, moments: tuple[datetime, ...]) -> bool:
        """Whether a session counts by either clock: a camera's may be wrong."""
        return room_id is None or any(self._session_counts(room_id, moment) for moment in moments)
