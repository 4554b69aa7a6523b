"""A place in the batcher's queue, and the time by which it is told when it has waited too long."""

import asyncio
import math
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Generic, Protocol, TypeAlias, TypeVar

from recognition_service.errors import ExpiredError

Item = TypeVar("Item")
Result = TypeVar("Result")

LaneKey: TypeAlias = "tuple[int, Hashable]"
"""A lane of one priority."""

NO_WORK = object()
"""The bucket of those who wait for a turn, and no more."""


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


class Queue(Protocol[Item, Result]):
    """What a place needs of the batcher."""

    clock: Clock
    defers: bool

    def enqueue(self, place: "Place[Item, Result]") -> None:
        """Put a place whose item is ready in line."""

    def forget(self, place: "Place[Item, Result]") -> None:
        """Free a place."""


class Place(Generic[Item, Result]):
    """A place in the queue, reserved before the costly preparation of its item, so that prepared items are bounded too.

    Use it as a context manager: leaving without a result gives the place back.
    """

    def __init__(
        self, queue: "Queue[Item, Result]", lane: LaneKey, result: asyncio.Future[Result], *, keeps: bool = False
    ) -> None:
        self.lane = lane
        self.keeps = keeps
        """Whether work has been done for it before: nobody takes it, and it goes before others of its lane."""
        self.deferred = False
        """Whether its deadline has passed and it goes behind all others for that."""
        self.bucket: Hashable = None
        self.in_line_since: float | None = None
        self.prompt = False
        """Whether its batch does not wait to fill while the engine is free."""
        self.gathers_s = 0.0
        """How long such a batch waits to fill while the engine is at work, seconds."""
        self.expected = 0.0
        """What its item is expected to cost."""
        self.spent: float | None = None
        """What it has cost so far; None: nobody has said."""
        self._queue = queue
        self._result: asyncio.Future[Result] | None = result
        """None: it was left. An error in it knows the frames that it passed, with pictures, and those know this place:
        together they would stay in memory until Python looks for garbage."""
        self._item: Item | None = None
        self._timer: Timer | None = None

    def __enter__(self) -> "Place[Item, Result]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.forget(self)
        if self._result is not None:
            self._result.cancel()
            self._result = None
        self._stop_waiting()

    @property
    def answered(self) -> bool:
        """Whether its holder has an answer, or does not wait for one any more."""
        return self._result is None or self._result.done()

    async def submit(
        self,
        item: Item,
        *,
        bucket: Hashable,
        deadline: float = math.inf,
        expected: float = 1.0,
        prompt: bool = False,
        gathers_s: float = 0.0,
    ) -> Result:
        """Wait for a batch with the item and for its result.

        Args:
            item: what the batch's work takes.
            bucket: items of one bucket make a batch.
            deadline: the clock's time after which the item is dropped, or deferred, unless its batch has started.
            expected: what its work will cost, about; what it did cost counts as soon as it is known.
            prompt: whether its batch does not wait to fill while the engine is free.
            gathers_s: how long a prompt one waits to fill while the engine is at work, seconds.

        Raises:
            ExpiredError: the deadline passed first, and the time-out action is to reject.
            OverloadedError: the place was taken by a lane with fewer.
            Exception: whatever the work raised for this item or for its batch.
        """
        if not self.answered:
            self._item, self.expected, self.prompt, self.gathers_s = item, expected, prompt, gathers_s
            self._stand_in_line(bucket, deadline)
        return await self._answer()

    async def wait_turn(self, *, deadline: float = math.inf) -> None:
        """Wait for the lane's turn without an item: whoever has cost something in vain is not served again sooner.

        Raises:
            OverloadedError, ExpiredError: as for `submit`.
        """
        if not self.answered:
            self._stand_in_line(NO_WORK, deadline)
        await self._answer()

    def pass_turn(self) -> None:
        """End `wait_turn`."""
        self.finish(None)  # type: ignore[arg-type]  # whoever waits for a turn looks at no result

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
        if self._result is None or self._result.done():
            return
        if isinstance(result, Exception):
            self._result.set_exception(result)
        else:
            self._result.set_result(result)

    def refuse(self, error: Exception) -> None:
        """Give the place up and answer with an error; a holder who has not submitted yet is told then."""
        self._queue.forget(self)
        if self._result is None or self._result.done():
            return
        self.finish(error)
        # A holder still preparing its item may never ask; asyncio would call that a forgotten exception.
        self._result.exception()

    def _answer(self) -> asyncio.Future[Result]:
        if self._result is None:
            raise RuntimeError("a place that was left")
        return self._result

    def _stand_in_line(self, bucket: Hashable, deadline: float) -> None:
        self.bucket = bucket
        if deadline < math.inf:
            self._timer = self._queue.clock.call_at(deadline, self._expire)
        self._queue.enqueue(self)

    def _expire(self) -> None:
        if self._queue.defers:
            self.deferred = True
            return
        self.refuse(ExpiredError("the frame waited longer than its deadline for the engine"))

    def _stop_waiting(self) -> None:
        self._item = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
