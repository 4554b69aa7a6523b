"""The batcher alone: no server, no pictures, no waiting. Items are strings; the work answers them in capitals."""

import asyncio
import gc
import heapq
import math
import random
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable, Sequence

import pytest

from recognition_service.engine.at_work import Pauses
from recognition_service.engine.batcher import Batcher, Observe
from recognition_service.errors import ExpiredError, InternalServiceError, OverloadedError, UnavailableError

LONG = 30.0


class ManualTimer:
    """A call at some time of a `ManualClock`."""

    def __init__(self, when: float, callback: Callable[[], object]) -> None:
        self.when = when
        self.callback: Callable[[], object] | None = callback

    def __lt__(self, other: "ManualTimer") -> bool:
        return self.when < other.when

    def cancel(self) -> None:
        self.callback = None


class ManualClock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.timers: list[ManualTimer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> ManualTimer:
        timer = ManualTimer(when, callback)
        heapq.heappush(self.timers, timer)
        if when <= self.now:
            asyncio.get_running_loop().call_soon(self._call_due)
        return timer

    async def advance(self, seconds: float) -> None:
        """Let time pass, and all that is due by then happen."""
        await settle()
        self.now += seconds
        self._call_due()
        await settle()

    def _call_due(self) -> None:
        while self.timers and self.timers[0].when <= self.now:
            due = heapq.heappop(self.timers).callback
            if due is not None:
                due()


class Work:
    """Answers a batch when told to; keeps what it was given."""

    def __init__(self) -> None:
        self.batches: list[tuple[Hashable, list[str]]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.answers: list[str | Exception] | None = None

    async def __call__(self, bucket: Hashable, items: list[str], pauses: Pauses[str]) -> list[str | Exception]:
        self.batches.append((bucket, list(items)))
        await settle()  # work takes time: those answered before come back meanwhile
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return [item.upper() for item in items] if self.answers is None else self.answers

    @property
    def sizes(self) -> list[int]:
        return [len(items) for _, items in self.batches]


@pytest.fixture
async def work() -> Work:
    return Work()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class Bench:
    """Batchers that are closed when the test ends, whatever the work's state."""

    def __init__(self, work: Work, clock: ManualClock) -> None:
        self.work = work
        self.clock = clock
        self.batchers: list[Batcher[str, str]] = []

    def __call__(
        self,
        *,
        max_batch: int = 4,
        max_delay_s: float = 0.0,
        max_queue: int = 64,
        defers: bool = False,
        hand_over_s: float = 0.0,
        observe: Observe | None = None,
    ) -> Batcher[str, str]:
        batcher = Batcher(
            self.work,
            max_batch=max_batch,
            max_delay_s=max_delay_s,
            max_queue=max_queue,
            defers=defers,
            hand_over_s=hand_over_s,
            observe=observe,
            clock=self.clock,
        )
        batcher.start()
        self.batchers.append(batcher)
        return batcher


@pytest.fixture
async def bench(work: Work, clock: ManualClock) -> AsyncIterator[Bench]:
    bench = Bench(work, clock)
    yield bench
    work.gate.set()
    for batcher in bench.batchers:
        await batcher.close()


async def submit(
    batcher: Batcher[str, str],
    item: str,
    *,
    lane: str = "a",
    bucket: Hashable = 1,
    within: float = LONG,
    expected: float = 1.0,
) -> str:
    with batcher.reserve(lane) as place:
        return await place.submit(item, bucket=bucket, deadline=batcher.clock.time() + within, expected=expected)


def send(
    batcher: Batcher[str, str], item: str, *, lane: str = "a", bucket: Hashable = 1, expected: float = 1.0
) -> asyncio.Task[str]:
    return asyncio.create_task(submit(batcher, item, lane=lane, bucket=bucket, expected=expected))


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_each_item_gets_its_own_result(bench: Bench) -> None:
    batcher = bench()
    assert await asyncio.gather(*(submit(batcher, item) for item in "abc")) == ["A", "B", "C"]
    assert batcher.waiting == 0


async def test_a_full_batch_goes_before_its_delay(bench: Bench, work: Work) -> None:
    batcher = bench(max_batch=3, max_delay_s=LONG)
    await asyncio.gather(*(submit(batcher, str(n)) for n in range(3)))
    assert work.sizes == [3]
    assert batcher.batches == 1


async def test_a_batch_that_does_not_fill_goes_after_its_delay(bench: Bench, work: Work, clock: ManualClock) -> None:
    batcher = bench(max_batch=3, max_delay_s=0.05)
    first = send(batcher, "x")
    await clock.advance(0.03)
    second = send(batcher, "y")
    await clock.advance(0.019)
    assert work.batches == []
    await clock.advance(0.002)  # the delay is the first item's
    assert await asyncio.gather(first, second) == ["X", "Y"]
    assert work.sizes == [2]


async def test_what_is_prompt_waits_for_nothing_while_the_engine_is_free(bench: Bench, work: Work) -> None:
    batcher = bench(max_batch=3, max_delay_s=LONG)
    with batcher.reserve("a") as place:
        assert await place.submit("now", bucket=1, prompt=True) == "NOW"
    work.gate.clear()
    blocker = asyncio.create_task(_prompt(batcher, "first"))
    await settle()
    others = [asyncio.create_task(_prompt(batcher, item)) for item in "xyz"]
    await settle()
    work.gate.set()
    await asyncio.gather(blocker, *others)
    assert work.sizes == [1, 1, 3], "those that come while it is at work share a batch"


@pytest.mark.parametrize(("gathers_s", "after"), [(0.0, 1), (0.15, 2), (9.0, 3)])
async def test_what_is_prompt_gathers_for_a_while_beside_a_batch_at_work(
    clock: ManualClock, gathers_s: float, after: int
) -> None:
    work = TimedPieces(clock, piece_s=0.1)
    batcher: Batcher[str, str] = Batcher(work, max_batch=4, max_delay_s=0, max_queue=16, clock=clock)
    batcher.start()
    first = send(batcher, "a", lane="a")
    await clock.advance(0.01)
    faces = [asyncio.create_task(_prompt(batcher, item, "b", 2, gathers_s)) for item in ("face", "other")]
    while not all(one.done() for one in (first, *faces)):
        await clock.advance(0.01)
    assert work.asked.index("face") == after, "pieces of the batch at work"
    assert work.asked.count("face") == 3, "the two share a batch"
    await batcher.close()


async def _prompt(
    batcher: Batcher[str, str], item: str, lane: str = "a", bucket: int = 1, gathers_s: float = 0.0
) -> str:
    with batcher.reserve(lane) as place:
        return await place.submit(item, bucket=bucket, prompt=True, gathers_s=gathers_s)


async def test_no_batch_is_larger_than_the_maximum(bench: Bench, work: Work) -> None:
    batcher = bench(max_batch=4)
    await asyncio.gather(*(submit(batcher, str(n)) for n in range(10)))
    assert work.sizes == [4, 4, 2]


async def test_a_batch_holds_one_bucket(bench: Bench, work: Work, clock: ManualClock) -> None:
    batcher = bench(max_batch=4, max_delay_s=0.02)
    sent = [send(batcher, str(n), bucket=(n % 2, 480)) for n in range(6)]
    await clock.advance(0.02)
    await asyncio.gather(*sent)
    assert sorted(work.batches, key=str) == [((0, 480), ["0", "2", "4"]), ((1, 480), ["1", "3", "5"])]


async def test_lanes_take_turns_within_a_bucket(bench: Bench, work: Work) -> None:
    work.gate.clear()
    batcher = bench(max_batch=2)
    blocker = send(batcher, "first", lane="z")
    await settle()
    sent = [send(batcher, f"fast{n}", lane="fast") for n in range(4)]
    sent += [send(batcher, f"slow{n}", lane="slow") for n in range(2)]
    await settle()
    work.gate.set()
    await asyncio.gather(blocker, *sent)
    assert [items for _, items in work.batches[1:]] == [["fast0", "slow0"], ["fast1", "slow1"], ["fast2", "fast3"]]


async def test_lanes_take_turns_across_buckets(bench: Bench, work: Work) -> None:
    work.gate.clear()
    batcher = bench(max_batch=1)
    blocker = send(batcher, "first", lane="z")
    await settle()
    sent = [send(batcher, f"fast{n}", lane="fast", bucket="large") for n in range(3)]
    sent += [send(batcher, "slow0", lane="slow", bucket="small")]
    await settle()
    work.gate.set()
    await asyncio.gather(blocker, *sent)
    assert [items for _, items in work.batches[1:]] == [["fast0"], ["slow0"], ["fast1"], ["fast2"]]


async def test_a_camera_sending_ten_times_as_much_gets_no_more_than_its_share(bench: Bench, work: Work) -> None:
    """Under overload: each lane keeps as many items waiting as it may; counted are the items served."""
    batcher = bench(max_batch=4, max_queue=16)
    served: Counter[str] = Counter()

    async def camera(lane: str, in_flight: int) -> None:
        async def one() -> None:
            while len(work.batches) < 200:
                try:
                    await submit(batcher, lane, lane=lane)
                    served[lane] += 1
                except OverloadedError:
                    await asyncio.sleep(0)

        await asyncio.gather(*(one() for _ in range(in_flight)))

    await asyncio.gather(camera("fast", 20), *(camera(f"slow{n}", 2) for n in range(4)))
    mean = sum(served.values()) / len(served)
    assert min(served.values()) >= 0.9 * mean, served


async def fill(batcher: Batcher[str, str], work: Work, items: Sequence[str], *, lane: str) -> list[asyncio.Task[str]]:
    """Have one item at work, of lane z, until the gate opens, and others of a lane in line; gives them all."""
    work.gate.clear()
    sent = [send(batcher, "running", lane="z")]
    await settle()
    sent += [send(batcher, item, lane=lane) for item in items]
    await settle()
    return sent


async def test_a_full_queue_refuses(bench: Bench, work: Work) -> None:
    batcher = bench(max_batch=1, max_queue=2)
    sent = await fill(batcher, work, ["0", "1"], lane="a")
    with pytest.raises(OverloadedError, match="full"):
        batcher.reserve("a")
    work.gate.set()
    assert await asyncio.gather(*sent) == ["RUNNING", "0", "1"]


async def test_places_in_preparation_count(bench: Bench) -> None:
    batcher = bench(max_queue=2)
    with batcher.reserve("a"), batcher.reserve("a"):
        assert batcher.waiting == 2
        with pytest.raises(OverloadedError):
            batcher.reserve("a")
    assert batcher.waiting == 0


async def test_a_lane_with_fewer_places_takes_one_from_the_lane_with_most(bench: Bench, work: Work) -> None:
    batcher = bench(max_batch=1, max_queue=3)
    running, *fast = await fill(batcher, work, ["fast0", "fast1", "fast2"], lane="fast")
    slow = send(batcher, "slow", lane="slow")
    await settle()
    assert batcher.waiting == 3
    with pytest.raises(OverloadedError, match="fewer frames"):
        await fast[2]
    work.gate.set()
    assert await asyncio.gather(running, *fast[:2], slow) == ["RUNNING", "FAST0", "FAST1", "SLOW"]


async def test_what_was_at_work_keeps_its_place_in_a_full_queue(bench: Bench, work: Work) -> None:
    batcher = bench(max_batch=1, max_queue=2)
    sent = await fill(batcher, work, ["a0", "a1"], lane="a")
    with batcher.reserve("a", again=True) as again:
        with pytest.raises(OverloadedError):
            await submit(batcher, "c", lane="a")
        taken = send(batcher, "b", lane="b")  # of what lane a has, it takes the newest that is new
        await settle()
        answer = asyncio.ensure_future(again.submit("more", bucket=2))
        await settle()
        work.gate.set()
        assert await answer == "MORE"
    assert [str(one) for one in await asyncio.gather(*sent, taken, return_exceptions=True)] == [
        *("RUNNING", "A0", "the queue is full, and other cameras have fewer frames in it", "B")
    ]
    assert [items for _, items in work.batches[1:3]] in ([["more"], ["b"]], [["b"], ["more"]]), "before its lane's own"


async def test_places_that_are_kept_are_not_taken(bench: Bench) -> None:
    batcher = bench(max_queue=2)
    with batcher.reserve("a", again=True), batcher.reserve("a", again=True), pytest.raises(OverloadedError):
        batcher.reserve("b")
    assert batcher.waiting == 0


async def test_a_place_taken_during_preparation_is_told_at_submission(bench: Bench) -> None:
    batcher = bench(max_queue=2)
    with batcher.reserve("fast"), batcher.reserve("fast") as taken, batcher.reserve("slow"):
        with pytest.raises(OverloadedError):
            await taken.submit("x", bucket=1)
        assert batcher.waiting == 2


class Picture(str):
    """An item that is large."""

    __slots__ = ("__weakref__",)


async def test_nothing_of_a_refused_item_stays_in_memory(bench: Bench, work: Work, clock: ManualClock) -> None:
    work.gate.clear()
    batcher = bench(max_batch=1)
    running = send(batcher, "running")
    await settle()
    gc.disable()  # only what nobody refers to goes
    try:
        picture = Picture("large")
        known = weakref.ref(picture)
        late = asyncio.create_task(submit(batcher, picture, within=0.02))
        del picture
        await clock.advance(0.03)
        await asyncio.wait([late])
        assert isinstance(late.exception(), ExpiredError)
        del late
        await settle()
        assert known() is None
    finally:
        gc.enable()
    work.gate.set()
    assert await running == "RUNNING"


async def test_an_item_past_its_deadline_is_dropped_before_work(bench: Bench, work: Work, clock: ManualClock) -> None:
    work.gate.clear()
    batcher = bench(max_batch=1)
    running = send(batcher, "running")
    await settle()
    late = asyncio.create_task(submit(batcher, "late", within=0.02))
    await clock.advance(0.01)
    assert not late.done()
    await clock.advance(0.02)
    with pytest.raises(ExpiredError):
        await late
    assert batcher.waiting == 0
    work.gate.set()
    assert await running == "RUNNING"
    assert work.batches == [(1, ["running"])]


async def test_a_deadline_does_not_end_work_that_has_begun(bench: Bench, work: Work, clock: ManualClock) -> None:
    work.gate.clear()
    batcher = bench()
    running = asyncio.create_task(submit(batcher, "running", within=0.02))
    await clock.advance(0.05)
    work.gate.set()
    assert await running == "RUNNING"


async def test_a_caller_that_goes_away_frees_its_place(bench: Bench, work: Work) -> None:
    work.gate.clear()
    batcher = bench(max_batch=1, max_queue=1)
    running = send(batcher, "running")
    await settle()
    gone = send(batcher, "gone")
    await settle()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert batcher.waiting == 0
    work.gate.set()
    assert await asyncio.gather(running, submit(batcher, "next")) == ["RUNNING", "NEXT"]
    assert [items for _, items in work.batches] == [["running"], ["next"]]


async def test_an_error_of_one_item_is_its_own(bench: Bench, work: Work) -> None:
    work.answers = ["fine", InternalServiceError("broken"), "fine"]
    batcher = bench(max_batch=3, max_delay_s=LONG)
    results = await asyncio.gather(*(submit(batcher, item) for item in "abc"), return_exceptions=True)
    assert results[0] == results[2] == "fine"
    assert isinstance(results[1], InternalServiceError)


@pytest.mark.parametrize(
    ("failure", "expected"), [(ZeroDivisionError("secret"), InternalServiceError), (UnavailableError("away"),) * 2]
)
async def test_failed_work_fails_its_batch_and_the_next_goes_on(
    bench: Bench, work: Work, failure: Exception, expected: type[Exception] | Exception
) -> None:
    batcher = bench()
    work.failure = failure
    with pytest.raises(expected if isinstance(expected, type) else type(expected)) as caught:
        await submit(batcher, "x")
    assert "secret" not in str(caught.value)
    work.failure = None
    assert await submit(batcher, "y") == "Y"


async def test_fewer_results_than_items_is_an_error_for_all(bench: Bench, work: Work) -> None:
    work.answers = ["one"]
    batcher = bench(max_batch=2, max_delay_s=LONG)
    results = await asyncio.gather(submit(batcher, "a"), submit(batcher, "b"), return_exceptions=True)
    assert all(isinstance(result, InternalServiceError) for result in results)


async def test_closing_runs_what_waits_without_delay_and_refuses_the_rest(bench: Bench, work: Work) -> None:
    batcher = bench(max_delay_s=LONG)
    waiting = send(batcher, "x")
    with batcher.reserve("b") as prepared:
        await settle()
        closing = asyncio.create_task(batcher.close())
        await settle()
        with pytest.raises(UnavailableError):
            batcher.reserve("a")
        assert await prepared.submit("y", bucket=1) == "Y"
    assert await waiting == "X"
    await closing
    await batcher.close()


async def test_it_keeps_nothing_of_lanes_that_have_gone(bench: Bench) -> None:
    batcher = bench()
    await asyncio.gather(*(submit(batcher, "x", lane=f"lane{n}", bucket=n) for n in range(20)))
    await settle()
    assert not any((batcher._lanes, batcher._buckets))


async def test_urgent_items_go_first_and_lanes_share_within_a_priority(bench: Bench, work: Work) -> None:
    batcher = bench(max_batch=1)
    work.gate.clear()

    async def ask(name: str, lane: str, priority: int) -> str:
        with batcher.reserve(lane, priority) as place:
            return await place.submit(name, bucket="b")

    asked = [asyncio.create_task(ask("first", "x", 1))]
    await settle()
    for name, lane, priority in (("c1", "a", 3), ("c2", "a", 3), ("d1", "b", 3), ("b1", "a", 2), ("a1", "c", 1)):
        asked.append(asyncio.create_task(ask(name, lane, priority)))
        await settle()
    work.gate.set()
    await asyncio.gather(*asked)
    assert [items for _, items in work.batches] == [["first"], ["a1"], ["b1"], ["c1"], ["d1"], ["c2"]]


async def test_an_urgent_item_takes_a_place_of_the_least_urgent_and_never_the_other_way(
    bench: Bench, work: Work
) -> None:
    batcher = bench(max_queue=3)
    old, older = batcher.reserve("a", 3), batcher.reserve("a", 3)
    early = batcher.reserve("b", 2)
    assert batcher.load == 1
    urgent = batcher.reserve("c", 1)  # takes the newer of the two
    with pytest.raises(OverloadedError, match="more urgent"):
        await older.submit("older", bucket="b")
    with pytest.raises(OverloadedError, match="the queue is full"):
        batcher.reserve("d", 3)
    assert await asyncio.gather(*(place.submit("x", bucket="b") for place in (old, early, urgent))) == ["X"] * 3


async def test_with_the_action_defer_an_item_past_its_deadline_goes_behind_all_others(
    bench: Bench, work: Work, clock: ManualClock
) -> None:
    batcher = bench(max_batch=1, max_queue=8, defers=True)
    work.gate.clear()

    async def ask(name: str, priority: int, deadline: float) -> str:
        with batcher.reserve(name, priority) as place:
            return await place.submit(name, bucket="b", deadline=deadline)

    asked = [asyncio.create_task(ask("first", 1, clock.now + LONG))]
    await settle()
    asked += [asyncio.create_task(ask("late", 1, clock.now + 0.05)), asyncio.create_task(ask("old", 3, math.inf))]
    await clock.advance(0.2)
    work.gate.set()
    assert await asyncio.gather(*asked) == ["FIRST", "LATE", "OLD"]
    assert [items for _, items in work.batches] == [["first"], ["old"], ["late"]]


async def test_each_batch_is_told_with_its_waits_and_its_time(bench: Bench, work: Work, clock: ManualClock) -> None:
    told: list[tuple[list[float], float]] = []
    batcher = bench(max_batch=2, max_delay_s=0.05, observe=lambda waits, took: told.append((list(waits), took)))
    work.gate.clear()
    first = send(batcher, "x", lane="a")
    await clock.advance(0.03)
    second = send(batcher, "x", lane="b")
    await clock.advance(2)  # the batch is full and at work
    work.gate.set()
    await asyncio.gather(first, second)
    assert told == [(pytest.approx([0.03, 0]), pytest.approx(2))]


class Timed:
    """Does one batch after the other, each in a second of the manual clock, as an engine's thread does."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.asked: list[tuple[str, float]] = []
        """First items of batches, and when each batch was handed over, seconds from the start."""
        self._thread = asyncio.Lock()
        self._began = clock.time()

    async def __call__(self, bucket: Hashable, items: list[str], pauses: Pauses[str]) -> list[str | Exception]:
        self.asked.append((items[0], round(self.clock.time() - self._began, 2)))
        async with self._thread:
            done = asyncio.Event()
            self.clock.call_at(self.clock.time() + 1.0, done.set)
            await done.wait()
        return [item.upper() for item in items]


async def test_the_next_batch_is_handed_over_before_the_last_is_done(clock: ManualClock) -> None:
    work, spent = Timed(clock), []
    batcher: Batcher[str, str] = Batcher(
        work,
        max_batch=1,
        max_delay_s=0,
        max_queue=16,
        hand_over_s=0.15,
        observe=lambda waits, seconds: spent.append((len(waits), round(seconds, 2))),
        clock=clock,
    )
    batcher.start()
    sent = [send(batcher, item) for item in "abcde"]
    for _ in range(60):
        await clock.advance(0.1)
    assert await asyncio.gather(*sent) == list("ABCDE")
    # How long the first takes is not known before; from then on each comes before the last is done, and only one.
    assert work.asked == [("a", 0.0), ("b", 1.0), ("c", 1.9), ("d", 2.9), ("e", 3.9)]
    assert spent == [(1, 1.0)] * 5, "waiting in hand is no work"
    await batcher.close()


async def test_who_comes_before_the_hand_over_has_the_turn_that_is_theirs(clock: ManualClock) -> None:
    work = Timed(clock)
    batcher: Batcher[str, str] = Batcher(work, max_batch=1, max_delay_s=0, max_queue=16, hand_over_s=0.15, clock=clock)
    batcher.start()
    sent = [send(batcher, item, lane="often") for item in "abc"]
    for _ in range(17):
        await clock.advance(0.1)
    sent.append(send(batcher, "urgent", lane="seldom"))
    for _ in range(40):
        await clock.advance(0.1)
    await asyncio.gather(*sent)
    assert [item for item, _ in work.asked] == ["a", "b", "urgent", "c"]
    await batcher.close()


class TimedPieces:
    """Does batches in three pieces, one after the other, in the order in which it is asked; says when it is done."""

    def __init__(self, clock: ManualClock, piece_s: float) -> None:
        self.clock = clock
        self.piece_s = piece_s
        self.asked: list[str] = []
        """First items of batches, one for each piece."""
        self._free_at = clock.time()

    async def __call__(self, bucket: Hashable, items: list[str], pauses: Pauses[str]) -> list[str | Exception]:
        for left in (2, 1, 0):
            self.asked.append(items[0])
            self._free_at = max(self.clock.time(), self._free_at) + self.piece_s
            done = asyncio.Event()
            self.clock.call_at(self._free_at, done.set)
            await done.wait()
            if left:
                await pauses.after_piece(dict.fromkeys(range(len(items)), self.piece_s / len(items)), {})
        return [item.upper() for item in items]


@pytest.mark.parametrize("seed", range(4))
async def test_pieces_that_are_handed_over_are_counted_as_they_are_done(clock: ManualClock, seed: int) -> None:
    """Now and then the loop hears of several ends at once, as behind other work."""
    chance = random.Random(seed)
    work, spent = TimedPieces(clock, piece_s=0.1), []
    batcher: Batcher[str, str] = Batcher(
        work,
        max_batch=1,
        max_delay_s=0,
        max_queue=16,
        hand_over_s=0.15,  # longer than a piece: the next two are handed over together
        observe=lambda waits, seconds: spent.append(seconds),
        clock=clock,
    )
    batcher.start()
    sent = [send(batcher, item, lane=item) for item in "abcdef"]
    began = clock.time()
    while not all(one.done() for one in sent):
        await clock.advance(chance.choice([0.01, 0.02, 0.05, 0.3]))
    assert await asyncio.gather(*sent) == list("ABCDEF")
    assert work.asked[:6] == list("abcdef"), "each has a turn before one has two"
    assert sorted(work.asked[-6:]) == list("abcdef")
    assert sum(spent) <= clock.time() - began + 1e-9, "nobody works while another does"
    await batcher.close()


async def test_a_piece_of_more_is_expected_to_take_as_much_longer(clock: ManualClock) -> None:
    work = Timed(clock)
    batcher: Batcher[str, str] = Batcher(work, max_batch=1, max_delay_s=0, max_queue=16, hand_over_s=0.15, clock=clock)
    batcher.start()
    sent = [send(batcher, item, expected=expected) for item, expected in (("a", 1.0), ("b", 2.0), ("c", 2.0))]
    for _ in range(50):
        await clock.advance(0.1)
    await asyncio.gather(*sent)
    # The second should take two seconds, so that the third is handed over when it has ended, not after 0.85 s.
    assert work.asked == [("a", 0.0), ("b", 1.0), ("c", 2.0)]
    await batcher.close()
