"""A dynamic batcher: one queue bounded in all, buckets of equal work, fair between lanes.

- A batch's clock starts at its first item; it closes on size or on delay (mosec `src/protocol.rs::get_batch`).
- Lanes with items waiting are served in turns of equal cost, whatever bucket their items are in, however fast they
  send, and however much each item costs (`lanes`).
- A batch that is at work does so in pieces. Between two of them the turn may be another's, so that nobody waits for
  more than a piece because others have larger items (`at_work`).
- Whoever does the work is handed the next batch's piece a moment before it is expected to be done with the last, and
  never asks for one. A piece is expected to take what pieces of that place in batches of that bucket took before, for
  as much as those were expected to cost.
- When the queue is full, a lane with fewer places takes one from the lane with most (McKenney, "Stochastic fairness
  queueing", INFOCOM 1990), so that a fast lane cannot keep slow ones out.
- Priorities, the maximum queue size and the time-out action are those of Triton's dynamic batcher: a smaller number
  goes first, strictly; fairness holds among lanes of one priority.

Knows nothing of gRPC, pictures or engines.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeAlias

import structlog

from recognition_service.engine.at_work import BatchAtWork, Pauses
from recognition_service.engine.lanes import Lanes
from recognition_service.engine.places import NO_WORK, Clock, Item, LaneKey, Place, Result
from recognition_service.errors import InternalServiceError, OverloadedError, ServiceError, UnavailableError

Run: TypeAlias = Callable[[Hashable, list[Item], Pauses[Result]], Awaitable[Sequence[Result | Exception]]]
"""Does the work of one bucket's items, pausing between pieces: for each, in order, its result or its own error."""

Observe: TypeAlias = Callable[[Sequence[float], float], None]
"""Told of each batch: how long each item had waited, and how long the work took, seconds."""

_MOST_LARGE = 4
"""Large batches at work at once: each keeps its pictures, and what the engine has of one, in memory."""

_MOST_EXPECTED = 4096
"""Pieces, by bucket and place in the batch, of which it is known how long they take."""
_LEARNED = 0.3
"""How much one piece changes what is expected of the next."""

log = structlog.get_logger()


class Batcher(Generic[Item, Result]):
    """Collects items into batches and runs one piece of one batch at a time."""

    def __init__(
        self,
        run: Run[Item, Result],
        *,
        max_batch: int,
        max_delay_s: float,
        max_queue: int,
        defers: bool = False,
        large: float = math.inf,
        hand_over_s: float = 0.0,
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
            large: a batch that is expected to cost so much is large: at most four of them are at work at once.
            hand_over_s: how long before a piece is expected to be done another batch's is handed over, seconds; 0: only
                then. The work must then be done in the order in which it was asked for.
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
        self._large = large
        self._lanes: Lanes[Item, Result] = Lanes()
        self._hand_over_s = hand_over_s
        self._at_work: list[BatchAtWork[Item, Result]] = []
        self._in_hand: list[BatchAtWork[Item, Result]] = []  # of those, at work on a piece, or next
        self._piece_s: OrderedDict[Hashable, float] = OrderedDict()  # for each unit of what the batch should cost
        self._buckets: dict[Hashable, dict[Place[Item, Result], None]] = {}  # places in line, oldest first
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

    def reserve(self, lane: Hashable, priority: int = 1, *, again: bool = False) -> Place[Item, Result]:
        """Take a place in the queue.

        Args:
            lane: whose item it will be; lanes share the batches fairly.
            priority: items of a smaller number go first, and take the places of those of larger ones.
            again: whether more is to be done for an item that has been at work: it is not refused, keeps its place, and
                goes before what its lane has in line, or what was done would be lost. There are never more such places
                than those that were at work, and while there are, others find the queue full sooner.

        Raises:
            OverloadedError: the queue is full, nothing in it has less priority, and no lane of this priority has more
                places than this one would.
            UnavailableError: the batcher is closing.
        """
        if self._closing:
            raise UnavailableError("the service is stopping")
        key = (priority, lane)
        if self._places >= self._max_queue and not again:
            self._make_room(key)
        place: Place[Item, Result] = Place(self, key, asyncio.get_running_loop().create_future(), keeps=again)
        self._lanes.add(place)
        self._places += 1
        return place

    def charge(self, lane: Hashable, cost: float, priority: int = 1) -> None:
        """Count what a lane has cost beside the work on its items, e.g. their preparation.

        Args:
            lane: whose.
            cost: in the unit of what items are expected to cost.
            priority: of the lane.
        """
        self._lanes.charge((priority, lane), cost)

    def enqueue(self, place: Place[Item, Result]) -> None:
        """Put a place whose item is ready in line."""
        place.in_line_since = self.clock.time()
        self._buckets.setdefault(place.bucket, {})[place] = None
        self._changed.set()

    def forget(self, place: Place[Item, Result]) -> None:
        """Free a place, in line or not; nothing when it was freed already."""
        if not self._lanes.remove(place):
            return
        self._places -= 1
        bucket = self._buckets.get(place.bucket, {})
        if place in bucket:
            del bucket[place]
            if not bucket:
                del self._buckets[place.bucket]
        self._changed.set()

    def _make_room(self, key: LaneKey) -> None:
        """Take the newest place of the least important lanes' longest, for an item that has a better right to it."""
        last, most = self._lanes.longest() or (key[0], ())
        if last < key[0] or (last == key[0] and len(most) <= self._lanes.places_of(key) + 1):
            raise OverloadedError("the queue is full")
        reason = "other cameras have fewer frames in it" if last == key[0] else "others' frames are more urgent"
        [*_, newest] = (place for place in most if not place.keeps)
        newest.refuse(OverloadedError(f"the queue is full, and {reason}"))

    async def _dispatch(self) -> None:
        try:
            while not (self._closing and self._places == 0 and not self._at_work):
                self._changed.clear()
                now = self.clock.time()
                if self._hands_over_at() > now or not self._hand_next_piece(now):
                    if self._places == 0 and not self._at_work:
                        self._lanes.forget_idle(all_of_them=True)
                    await self._wait_for_change(now)
        finally:
            for batch in self._at_work:
                batch.abandon()

    def _hands_over_at(self) -> float:
        """When the next piece may be handed over."""
        if not self._in_hand:
            return -math.inf
        piece = self._in_hand[0]
        expected = self._piece_s.get(piece.piece_key)
        if len(self._in_hand) > 1 or not self._hand_over_s or expected is None or piece.working_since is None:
            return math.inf
        return piece.working_since + expected * _weight(piece) - self._hand_over_s

    async def _wait_for_change(self, now: float) -> None:
        """Wait until there is something new, or the next piece may be handed over, or a batch may wait no longer."""
        timer = None
        due = self._hands_over_at()
        if due <= now:
            due = min((self._due(places) for places in self._buckets.values()), default=math.inf)
        if due < math.inf:
            timer = self.clock.call_at(due, self._changed.set)
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _hand_next_piece(self, now: float) -> bool:
        """Begin the batch, or go on with the one, whose turn it is, but for those at work; whether there is any."""
        tags = self._lanes.tags()

        def turn(place: Place[Item, Result]) -> tuple[bool, int, float, float]:
            # Of equal tags the one that came first goes first.
            return place.deferred, place.lane[0], tags[place], place.in_line_since or 0.0

        resting = [batch for batch in self._at_work if batch not in self._in_hand]
        begun = min(resting, key=lambda batch: batch.turn, default=None)
        first = None if begun is None else begun.turn
        chosen: tuple[Hashable, list[Place[Item, Result]]] | None = None
        for key, places in self._ready_buckets(now):
            batch = sorted(places, key=turn)[: 1 if key is NO_WORK else self._max_batch]
            if (first is None or turn(batch[0]) < first) and self._has_room_for(batch):
                chosen, first = (key, batch), turn(batch[0])
        if chosen is not None:
            # Not the tags of those who fill the batch: whoever wakes up then starts where the least far on is.
            self._lanes.serve(chosen[1][0].lane[0], tags[chosen[1][0]])
            self._begin(*chosen, tags)
        elif begun is not None:
            self._lanes.serve(*begun.turn[1:3])
            self._go_on(begun)
        return first is not None

    def _ready_buckets(self, now: float) -> list[tuple[Hashable, dict[Place[Item, Result], None]]]:
        return [
            (key, places)
            for key, places in self._buckets.items()
            if self._closing or len(places) >= self._max_batch or self._due(places) <= now
        ]

    def _has_room_for(self, batch: Sequence[Place[Item, Result]]) -> bool:
        if sum(place.expected for place in batch) < self._large:
            return True
        return sum(other.expected >= self._large for other in self._at_work) < _MOST_LARGE

    def _due(self, places: dict[Place[Item, Result], None]) -> float:
        """The time at which a batch of these places may wait no longer."""
        oldest = next(iter(places))
        waits_s = self._max_delay_s
        if oldest.prompt:
            waits_s = oldest.gathers_s if self._at_work else 0.0
        return (oldest.in_line_since or 0.0) + waits_s

    def _begin(
        self, bucket: Hashable, places: list[Place[Item, Result]], tags: dict[Place[Item, Result], float]
    ) -> None:
        if bucket is NO_WORK:
            for place in places:
                self.forget(place)
                place.pass_turn()
            return
        for place in places:
            self._lanes.begin(place)
            self.forget(place)
        began = self.clock.time()
        waits = [began - (place.in_line_since or began) for place in places]
        items = [place.start() for place in places]
        self.batches += 1
        batch = BatchAtWork(bucket, places, tags, self._lanes, clock=self.clock, piece_over=self._piece_over)
        self._at_work.append(batch)
        self._take_in_hand(batch)
        batch.begin(self._work(batch, bucket, items, waits))

    def _go_on(self, batch: BatchAtWork[Item, Result]) -> None:
        """Hand a batch's next piece over."""
        self._take_in_hand(batch)
        batch.go_on()

    def _take_in_hand(self, batch: BatchAtWork[Item, Result]) -> None:
        self._in_hand.append(batch)
        self._in_hand[0].begin_piece()

    def _piece_over(self, batch: BatchAtWork[Item, Result]) -> None:
        self._in_hand.remove(batch)
        if self._in_hand:
            self._in_hand[0].begin_piece()
        if batch.piece_s is not None:
            self._learn(batch.piece_key, batch.piece_s / _weight(batch))
        if batch.done:
            self._at_work.remove(batch)
            self._lanes.forget_idle()
        self._changed.set()

    def _learn(self, key: Hashable, took: float) -> None:
        """Take in how long a piece took, for each unit of what its batch was expected to cost."""
        before = self._piece_s.get(key, took)
        self._piece_s[key] = before + _LEARNED * (took - before)
        self._piece_s.move_to_end(key)
        if len(self._piece_s) > _MOST_EXPECTED:
            self._piece_s.popitem(last=False)

    async def _work(
        self, batch: BatchAtWork[Item, Result], bucket: Hashable, items: list[Item], waits: Sequence[float]
    ) -> None:
        answers: Sequence[Result | Exception] = [UnavailableError("the service is stopping")] * len(items)
        try:
            answers = await self._run(bucket, items, batch)
            if len(answers) != len(items):
                raise RuntimeError(f"{len(items)} items in, {len(answers)} answers out")
        except ServiceError as error:
            answers = [error] * len(items)
        except Exception:
            log.exception("batch_failed", size=len(items))
            answers = [InternalServiceError("the engine failed; the service's log says why")] * len(items)
        finally:
            if self._observe is not None:
                self._observe(waits, batch.worked_s)
            batch.finish(answers)
            answers = []  # an error knows this frame, which would keep it in memory for a while


def _weight(batch: BatchAtWork[Item, Result]) -> float:
    """What a batch is expected to cost; 1 where nobody can say."""
    return batch.expected or 1.0
