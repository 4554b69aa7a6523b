"""Frames between the source's thread and the stream: the one that is newest, or every one; or none, to the disk."""

import asyncio
import bisect
import contextlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from camera_client.frames import CapturedFrame


@dataclass(slots=True)
class WaitingFrame:
    """A frame that is to be sent.

    Attributes:
        order: its place in the order of capture.
        frame: the frame.
        attempts: times it was sent without being dealt with.
    """

    order: int
    frame: CapturedFrame
    attempts: int = 0


class WaitingFrames:
    """Takes frames from the source's thread and hands them to the event loop's stream.

    Either only the newest waits, as a live camera wants it, and one that it replaces is dropped; or every frame waits,
    and the source with it when there are `capacity` of them, as for a recording that is to be sent whole. While the
    service is away, a live camera's frames can be stored elsewhere (see `divert`).

    `put` and `finish` belong to the source's thread, the rest to the event loop's.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        keep_all: bool,
        capacity: int = 8,
        store: Callable[[CapturedFrame], bool] | None = None,
    ) -> None:
        """Start empty.

        Args:
            loop: the event loop of the stream.
            keep_all: every frame waits, instead of the newest only.
            capacity: frames that wait before the source has to (with keep_all).
            store: keeps a frame for later, as fast as a disk does; False when it cannot. Called by both threads.
        """
        self.keep_all = keep_all
        self.changed = asyncio.Event()
        self._loop = loop
        self._capacity = capacity
        self._store = store
        self._diverted = False
        self._frames: list[WaitingFrame] = []
        self._room = threading.Condition()
        self._source_ended = False
        self._closed = False
        self._captured = 0
        self._dropped = 0

    @property
    def captured(self) -> int:
        """Frames that the source gave so far."""
        return self._captured

    @property
    def dropped(self) -> int:
        """Frames that a newer one replaced before they were sent."""
        return self._dropped

    @property
    def depth(self) -> int:
        """Frames that wait now."""
        return len(self._frames)

    @property
    def finished(self) -> bool:
        """Whether the source has ended and no frame waits."""
        with self._room:
            return self._source_ended and not self._frames

    def put(self, frame: CapturedFrame) -> bool:
        """Add a frame, waiting for room if every frame is kept; False when nobody wants frames any more."""
        with self._room:
            if self.keep_all:
                self._room.wait_for(lambda: self._closed or len(self._frames) < self._capacity)
            if self._closed:
                return False
            newest = WaitingFrame(self._captured, frame)
            self._captured += 1
            diverted = self._diverted
            if not diverted:
                self._add(newest)
        if diverted and not self._stored(frame):  # without the lock: the event loop must not wait for a disk
            with self._room:
                self._add(newest)
        self._tell()
        return True

    def divert(self, diverted: bool) -> None:
        """Store frames instead of letting them wait, those that wait now among them, or no longer do so.

        A frame that cannot be stored waits. Nothing changes without a place to store frames in.
        """
        if self._store is None or diverted == self._diverted:
            return
        with self._room:
            self._diverted = diverted
            waiting = self._frames if diverted else []
            self._frames = [] if diverted else self._frames
        for one in waiting:
            if not self._store(one.frame):
                with self._room:
                    self._add(one)

    @property
    def diverted(self) -> bool:
        """Whether frames are stored instead of waiting."""
        return self._diverted

    def finish(self) -> None:
        """Say that the source has ended."""
        with self._room:
            self._source_ended = True
        self._tell()

    def take(self) -> WaitingFrame | None:
        """The oldest frame that waits, which waits no more."""
        with self._room:
            if not self._frames:
                return None
            self._room.notify_all()
            return self._frames.pop(0)

    def put_back(self, frames: Iterable[WaitingFrame]) -> None:
        """Let frames that were taken wait again, in their old order and before later ones."""
        with self._room:
            for frame in frames:
                bisect.insort(self._frames, frame, key=lambda waiting: waiting.order)
        self.changed.set()

    def close(self) -> None:
        """Let no source wait for room any more; what it still gives is forgotten."""
        with self._room:
            self._closed = True
            self._room.notify_all()
        self.changed.set()

    def _stored(self, frame: CapturedFrame) -> bool:
        return self._store is not None and self._store(frame)

    def _add(self, frame: WaitingFrame) -> None:
        if not self.keep_all:
            self._dropped += len(self._frames)
            self._frames.clear()
        self._frames.append(frame)

    def _tell(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the program ends, nobody waits
            self._loop.call_soon_threadsafe(self.changed.set)
