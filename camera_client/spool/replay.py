"""When frames of the spool are sent: after live ones, one at a time, and not faster than a given rate."""

import asyncio
import time
from collections.abc import Callable

import structlog

from camera_client.backoff import Backoff
from camera_client.frames import CapturedFrame
from camera_client.spool.folder import Spool
from camera_client.spool.stored import StoredFrame

_TIDY_INTERVAL_S = 60.0
# A frame that was on the way whenever connections broke may be what breaks them.
_BREAKS = 3

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Replay:
    """Hands out the frames of a spool, oldest first, and deletes them when they are dealt with."""

    def __init__(
        self,
        spool: Spool,
        rate: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        backoff: Backoff | None = None,
    ) -> None:
        """Prepare; the first frame is due at once.

        Args:
            spool: where the frames are.
            rate: most frames handed out a second.
            clock: seconds.
            backoff: waits while the service cannot deal with frames.
        """
        self.spool = spool
        self._interval = 1 / rate
        self._clock = clock
        self._backoff = Backoff(1.0, 60.0) if backoff is None else backoff
        self._next_at = clock()
        self._paused_until = clock()
        self._breaks: tuple[StoredFrame | None, int] = (None, 0)
        self._active = False
        self._disputed = False

    def due_in(self) -> float | None:
        """Seconds until a frame may be sent, 0 or more; None when there is none.

        None may be sent while nobody can say when it was captured: the service refuses live frames then, too.
        """
        if not len(self.spool):
            return None
        disputed = self.spool.clock.disputed
        if disputed and not self._disputed:
            log.error("replay_waits", frames=len(self.spool), reason="this machine's clock and the service's differ")
        self._disputed = disputed
        if disputed:
            return None
        return max(0.0, max(self._next_at, self._paused_until) - self._clock())

    def take(self) -> tuple[StoredFrame, CapturedFrame] | None:
        """The oldest frame, which stays on disk until it is `answered`; None when there is none. Reads the disk."""
        self._next_at = max(self._next_at, self._clock()) + self._interval
        found = self.spool.read_oldest()
        if found is not None and not self._active:
            self._active = True
            log.info("replay_starts", frames=len(self.spool), oldest=found[1].captured_at.isoformat())
        return found

    def answered(self, stored: StoredFrame) -> None:
        """Delete a frame that was dealt with."""
        self._backoff.reset()
        self.spool.discard(stored)
        if not len(self.spool) and self._active:
            self._active = False
            log.info("replay_ends")

    def postpone(self) -> None:
        """Wait longer, because the service cannot deal with frames now, neither live ones nor old ones."""
        if self._clock() >= self._paused_until:
            self._paused_until = self._clock() + self._backoff.next_wait()

    def broke(self, stored: StoredFrame) -> bool:
        """Note that the connection broke while the frame was on the way; whether it is given up for that."""
        last, times = self._breaks
        times = times + 1 if last == stored else 1
        self._breaks = (stored, times)
        if times < _BREAKS:
            return False
        log.error("frame_given_up", frame=stored.name, attempts=times)
        self.spool.discard(stored)
        return True

    async def tidy(self) -> None:
        """Delete frames that have grown too old, until cancelled."""
        while True:
            await asyncio.sleep(_TIDY_INTERVAL_S)
            await asyncio.to_thread(self.spool.delete_old)
