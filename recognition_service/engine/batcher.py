"""A dynamic batcher: one queue bounded in all, buckets of equal work, fair between lanes.

- A batch's clock starts at its first item; it closes on size or on delay (mosec `src/protocol.rs::get_batch`).
- Fairness is start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996) with one unit an item: a lane starts at the
  virtual time, each item it is served moves it one on, and the lane that is least far on goes first. Lanes with items
  waiting are thereby served in turn, whatever bucket their items are in and however fast they send.
- When the queue is full, a lane with fewer places takes one from the lane with most (McKenney, "Stochastic fairness
  queueing", INFOCOM 1990), so that a fast lane cannot keep slow ones out.
- Priorities, the maximum queue size and the time-out action are those of Triton's dynamic batcher: a smaller number
  goes first, strictly; fairness holds among lanes of one priority.

Knows nothing of gRPC, pictures or engines.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Sequence
from types import TracebackType
from typing import Generic, Protocol, TypeAlias, TypeVar

import structlog

from recognition_service.errors import (
    ExpiredError,
    InternalServiceError,
    OverloadedError,
    ServiceError,
    UnavailableError,
)

Item = TypeVar("Item")
Result = TypeVar("Result")
Run = Callable[[Hashable, list[Item]], Awaitable[Sequence[Result | Exception]]]
"""Does the work of one bucket's items: for each, in order, its result or the error that only it gets."""

Observe = Callable[[Sequence[float], float], None]
"""Told of each batch: how long each item had waited, and how long the work took, seconds."""

_LaneKey: TypeAlias = "tuple[int, Hashable]"
"""A lane of one priority."""

log = structlog.get_logger()


class Timer(Protocol):
    """What `Clock.call_at` promises."""

    def cancel(self) -> None:
        """Forget the call, if it has not been made."""


class Clock(Protocol):
    """What the batcher needs of time; an event loop has it."""

    def time(self) -> float:
        """Seconds, never backwards."""

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        """Call once at that time, or at once if it has passed."""


class Place(Generic[Item, Result]):
    """A place in the queue, reserved before the costly preparation of its item, so that prepared items are bounded too.

    Use it as a context manager: leaving without a result gives the place back.
    """

    def __init__(self, batcher: "Batcher[Item, Result]", lane: _LaneKey, result: asyncio.Future[Result]) -> None:
        self.lane = lane
        self.deferred = False
        """Whether its deadline has passed and it goes behind all others for that."""
        self.bucket: Hashable = None
        self.in_line_since: float | None = None
        self._batcher = batcher
        self._result = result
        self._item: Item | None = None
        self._timer: Timer | None = None

    def __enter__(self) -> "Place[Item, Result]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._batcher.forget(self)
        self._result.cancel()
        self._stop_waiting()

    async def submit(self, item: Item, *, bucket: Hashable, deadline: float = math.inf) -> Result:
        """Wait for a batch with the item and for its result.

        Args:
            item: what the batch's work takes.
            bucket: items of one bucket make a batch.
            deadline: the clock's time after which the item is dropped, or deferred, unless its batch has started.

        Raises:
            ExpiredError: the deadline passed first, and the time-out action is to reject.
            OverloadedError: the place was taken by a lane with fewer.
            Exception: whatever the work raised for this item or for its batch.
        """
        if not self._result.done():
            self._item, self.bucket = item, bucket
            if deadline < math.inf:
                self._timer = self._batcher.clock.call_at(deadline, self._expire)
            self._batcher.enqueue(self)
        return await self._result

    def start(self) -> Item:
        """Hand the item over to its batch."""
        item, self._item = self._item, None
        self._stop_waiting()
        if item is None:
            raise RuntimeError("started without an item")
        return item

    def finish(self, result: Result | Exception) -> None:
        """Answer, unless nobody waits any more."""
        self._stop_waiting()
        if self._result.done():
            return
        if isinstance(result, Exception):
            self._result.set_exception(result)
        else:
            self._result.set_result(result)

    def refuse(self, error: Exception) -> None:
        """Give the place up and answer with an error; a holder who has not submitted yet is told then."""
        self._batcher.forget(self)
        if self._result.done():
            return
        self.finish(error)
        # A holder still preparing its item may never ask; asyncio would call that a forgotten exception.
        self._result.exception()

    def _expire(self) -> None:
        if self._batcher.defers:
            self.deferred = True
            return
        self.refuse(ExpiredError("the frame waited longer than its deadline for the engine"))

    def _stop_waiting(self) -> None:
        self._item = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Lane(Generic[Item, Result]):
    """The places of one lane, oldest first, and how far on its service is."""

    def __init__(self, next_tag: int) -> None:
        self.places: dict[Place[Item, Result], None] = {}
        self.next_tag = next_tag

    def tags(self) -> dict[Place[Item, Result], int]:
        in_line = (place for place in self.places if place.in_line_since is not None)
        return {place: self.next_tag + position for position, place in enumerate(in_line)}


class Batcher(Generic[Item, Result]):
    """Collects items into batches and runs one batch at a time."""

    def __init__(
        self,
        run: Run[Item, Result],
        *,
        max_batch: int,
        max_delay_s: float,
        max_queue: int,
        defers: bool = False,
        observe: Observe | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; `start` begins. Needs a running loop.

        Args:
            run: does the work of a batch.
            max_batch: most items in a batch.
            max_delay_s: longest an item waits for its batch to fill while the engine is free, seconds.
            max_queue: most places, waiting or in preparation, beside the batch at work.
            defers: the time-out action: whether an item goes behind all others at its deadline, instead of being
                refused (Triton's DELAY and REJECT).
            observe: told of each batch.
            clock: of delays and deadlines; the running loop's if None.
        """
        self._run = run
        self._max_batch = max_batch
        self._max_delay_s = max_delay_s
        self._max_queue = max_queue
        self._observe = observe
        self.clock: Clock = asyncio.get_running_loop() if clock is None else clock
        """What deadlines are told by."""
        self.defers = defers
        """Whether items are deferred at their deadline."""
        self._lanes: dict[_LaneKey, _Lane[Item, Result]] = {}
        self._buckets: dict[Hashable, dict[Place[Item, Result], None]] = {}  # places in line, oldest first
        self._virtual_times: Counter[int] = Counter()  # of each priority
        self._places = 0
        self._changed = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self.batches = 0
        """Batches run since the start."""

    @property
    def waiting(self) -> int:
        """Places taken: items waiting or in preparation."""
        return self._places

    def start(self) -> None:
        """Begin to run batches, in the running loop."""
        self._task = asyncio.create_task(self._dispatch(), name="batcher")

    async def close(self) -> None:
        """Refuse new items, run those that wait, and stop. Calling it again does nothing."""
        self._closing = True
        self._changed.set()
        if self._task is not None:
            await self._task

    @property
    def load(self) -> float:
        """Places taken over those there are."""
        return self._places / self._max_queue

    def reserve(self, lane: Hashable, priority: int = 1) -> Place[Item, Result]:
        """Take a place in the queue.

        Args:
            lane: whose item it will be; lanes share the batches fairly.
            priority: items of a smaller number go first, and take the places of those of larger ones.

        Raises:
            OverloadedError: the queue is full, nothing in it has less priority, and no lane of this priority has more
                places than this one would.
            UnavailableError: the batcher is closing.
        """
        if self._closing:
            raise UnavailableError("the service is stopping")
        key = (priority, lane)
        if self._places >= self._max_queue:
            self._make_room(key)
        place = Place(self, key, asyncio.get_running_loop().create_future())
        waiting = self._lanes.setdefault(key, _Lane(self._virtual_times[priority]))
        if not waiting.places:
            waiting.next_tag = max(waiting.next_tag, self._virtual_times[priority])
        waiting.places[place] = None
        self._places += 1
        return place

    def enqueue(self, place: Place[Item, Result]) -> None:
        """Put a place whose item is ready in line."""
        place.in_line_since = self.clock.time()
        self._buckets.setdefault(place.bucket, {})[place] = None
        self._changed.set()

    def forget(self, place: Place[Item, Result]) -> None:
        """Free a place, in line or not; nothing when it was freed already."""
        lane = self._lanes.get(place.lane)
        if lane is None or place not in lane.places:
            return
        del lane.places[place]
        self._places -= 1
        bucket = self._buckets.get(place.bucket, {})
        if place in bucket:
            del bucket[place]
            if not bucket:
                del self._buckets[place.bucket]
        self._changed.set()

    def _make_room(self, key: _LaneKey) -> None:
        """Take the newest place of the least important lanes' longest, for an item that has a better right to it."""
        last, most = max(
            ((priority, lane.places) for (priority, _), lane in self._lanes.items() if lane.places),
            key=lambda item: (item[0], len(item[1])),
        )
        own = self._lanes[key].places if key in self._lanes else ()
        if last < key[0] or (last == key[0] and len(most) <= len(own) + 1):
            raise OverloadedError("the queue is full")
        reason = "other cameras have fewer frames in it" if last == key[0] else "others' frames are more urgent"
        next(reversed(most)).refuse(OverloadedError(f"the queue is full, and {reason}"))

    def _forget_idle_lanes(self) -> None:
        """Drop the lanes without places whose next item would start at the virtual time anyway."""
        for key in [key for key, lane in self._lanes.items() if not lane.places]:
            if self._lanes[key].next_tag <= self._virtual_times[key[0]]:
                del self._lanes[key]

    async def _dispatch(self) -> None:
        while not (self._closing and self._places == 0):
            self._changed.clear()
            bucket = self._ready_bucket(self.clock.time())
            if bucket is not None:
                await self._run_batch(*bucket)
                continue
            if self._places == 0:
                self._lanes.clear()
            await self._wait_for_change()

    async def _wait_for_change(self) -> None:
        """Wait until there is something new, or the next batch may wait no longer."""
        timer = None
        if self._buckets:
            due = min(self._due(places) for places in self._buckets.values())
            timer = self.clock.call_at(due, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _ready_bucket(self, now: float) -> tuple[Hashable, list[Place[Item, Result]]] | None:
        ready = [
            (key, places)
            for key, places in self._buckets.items()
            if self._closing or len(places) >= self._max_batch or self._due(places) <= now
        ]
        if not ready:
            return None
        tags = {place: tag for lane in self._lanes.values() for place, tag in lane.tags().items()}

        def turn(place: Place[Item, Result]) -> tuple[bool, int, int, float]:
            # Of equal tags the one that came first goes first.
            return place.deferred, place.lane[0], tags[place], place.in_line_since or 0.0

        key, places = min(ready, key=lambda item: min(map(turn, item[1])))
        batch = sorted(places, key=turn)[: self._max_batch]
        for place in batch:
            priority = place.lane[0]
            self._virtual_times[priority] = max(self._virtual_times[priority], tags[place])
        return key, batch

    def _due(self, places: dict[Place[Item, Result], None]) -> float:
        """The time at which a batch of these places may wait no longer."""
        return (next(iter(places)).in_line_since or 0.0) + self._max_delay_s

    async def _run_batch(self, bucket: Hashable, batch: list[Place[Item, Result]]) -> None:
        for place in batch:
            self._lanes[place.lane].next_tag += 1
            self.forget(place)
        self._forget_idle_lanes()
        items = [place.start() for place in batch]
        self.batches += 1
        began = self.clock.time()
        waits = [began - (place.in_line_since or began) for place in batch]
        answers: Sequence[Result | Exception]
        try:
            answers = await self._run(bucket, items)
            if len(answers) != len(items):
                raise RuntimeError(f"{len(items)} items in, {len(answers)} answers out")
        except ServiceError as error:
            answers = [error] * len(items)
        except Exception:
            log.exception("batch_failed", size=len(items))
            answers = [InternalServiceError("the engine failed; the service's log says why")] * len(items)
        if self._observe is not None:
            self._observe(waits, self.clock.time() - began)
        for place, answer in zip(batch, answers, strict=True):
            place.finish(answer)
