"""Batches in pieces: who goes first between two of them, who pays, and who is answered when. No engine, no waiting.

An item is its lane and the number of pieces that it takes; each costs one.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import suppress

import pytest

from recognition_service.engine.at_work import Pauses
from recognition_service.engine.batcher import Batcher
from recognition_service.errors import InternalServiceError

Item = tuple[str, int]


class Work:
    """Does items piece by piece and writes down whose each piece was; a batch takes turns through its items."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.ended = 0
        self.fails_after: int | None = None
        self.in_order = False

    async def __call__(self, bucket: Hashable, items: list[Item], pauses: Pauses[str]) -> list[str | Exception]:
        left = {place: pieces for place, (_, pieces) in enumerate(items)}
        try:
            while left:
                for place in list(left)[: 1 if self.in_order else None]:
                    if self.fails_after is not None and len(self.pieces) >= self.fails_after:
                        raise InternalServiceError("the engine ended")
                    self.pieces.append(items[place][0])
                    left[place] -= 1
                    done = {place: items[place][0].upper()} if left[place] == 0 else {}
                    if done:
                        del left[place]
                    await pauses.after_piece({place: 1.0}, done)
        finally:
            self.ended += 1
        return [lane.upper() for lane, _ in items]


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
async def batcher(work: Work) -> AsyncIterator[Batcher[Item, str]]:
    batcher: Batcher[Item, str] = Batcher(work, max_batch=8, max_delay_s=0, max_queue=1_000, large=5)
    batcher.start()
    yield batcher
    await batcher.close()


async def ask(
    batcher: Batcher[Item, str], lane: str, pieces: int = 1, *, expected: float | None = None, priority: int = 1
) -> str:
    with batcher.reserve(lane, priority) as place:
        # A bucket each, so that none shares a batch.
        cost = pieces if expected is None else expected
        return await place.submit((lane, pieces), bucket=object(), expected=cost)


async def until(condition: object) -> None:
    async with asyncio.timeout(5):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0)


async def send_for_ever(batcher: Batcher[Item, str], lane: str, pieces: int, expected: float | None = None) -> None:
    while True:
        await ask(batcher, lane, pieces, expected=expected)


@pytest.mark.parametrize("expected", [30.0, 1.0, 300.0], ids=["known", "thought small", "thought huge"])
async def test_lanes_share_the_work_and_not_the_items(batcher: Batcher[Item, str], work: Work, expected: float) -> None:
    """One lane's items cost thirty times what the others' do, whatever was expected of them."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(send_for_ever(batcher, lane, 1)) for lane in ("a", "b", "c") for _ in range(4)] + [
            group.create_task(send_for_ever(batcher, "large", 30, expected)) for _ in range(4)
        ]
        await until(lambda: len(work.pieces) > 4_000)
        for task in tasks:
            task.cancel()
    shares = Counter(work.pieces[400:])
    assert min(shares[lane] for lane in "abc") > 0.22 * sum(shares.values()), shares
    assert shares["large"] < 0.3 * sum(shares.values())
    assert shares["large"] > 0.15 * sum(shares.values()), "and gets its share"


async def test_nobody_waits_longer_than_a_piece_for_larger_items(batcher: Batcher[Item, str], work: Work) -> None:
    large = asyncio.create_task(ask(batcher, "large", 50))
    await until(lambda: len(work.pieces) >= 10)
    assert await ask(batcher, "small") == "SMALL"
    assert work.pieces.index("small") <= 12
    assert not large.done()
    assert await large == "LARGE"
    assert work.pieces.count("large") == 50


async def test_of_two_large_items_each_gets_its_turns(batcher: Batcher[Item, str], work: Work) -> None:
    await asyncio.gather(ask(batcher, "a", 20), ask(batcher, "b", 20))
    assert max(len(list(run)) for run in _runs(work.pieces[1:30])) <= 2


async def test_what_is_urgent_goes_between_the_pieces_of_what_is_not(batcher: Batcher[Item, str], work: Work) -> None:
    kept = asyncio.create_task(ask(batcher, "kept", 20, priority=3))
    await until(lambda: len(work.pieces) >= 3)
    await asyncio.gather(*(ask(batcher, "live", 4) for _ in range(3)))
    between = work.pieces[work.pieces.index("live") :][:12]
    assert between == ["live"] * 12
    await kept


async def test_an_item_is_answered_before_its_batch_is_done(batcher: Batcher[Item, str], work: Work) -> None:
    async def together(lane: str, pieces: int) -> str:
        with batcher.reserve(lane) as place:
            return await place.submit((lane, pieces), bucket="one")

    long, short = asyncio.create_task(together("long", 400)), asyncio.create_task(together("short", 1))
    assert await short == "SHORT"
    assert not long.done()
    assert await long == "LONG"
    assert batcher.batches == 1


async def test_work_that_nobody_waits_for_is_ended(batcher: Batcher[Item, str], work: Work) -> None:
    gone = asyncio.create_task(ask(batcher, "gone", 10_000))
    await until(lambda: len(work.pieces) >= 5)
    gone.cancel()
    with suppress(asyncio.CancelledError):
        await gone
    assert await ask(batcher, "next") == "NEXT"
    await until(lambda: work.ended == 2)
    assert len(work.pieces) < 20
    await until(lambda: len(batcher._lanes) == 0)


async def test_a_failure_between_pieces_is_told_to_those_without_an_answer(
    batcher: Batcher[Item, str], work: Work
) -> None:
    work.fails_after = 3

    async def together(lane: str, pieces: int) -> str:
        with batcher.reserve(lane) as place:
            return await place.submit((lane, pieces), bucket="one")

    results = await asyncio.gather(together("long", 9), together("short", 1), return_exceptions=True)
    assert isinstance(results[0], InternalServiceError)
    assert results[1] == "SHORT"
    work.fails_after = None
    assert await ask(batcher, "next") == "NEXT"


async def test_few_large_items_are_at_work_at_once(batcher: Batcher[Item, str], work: Work) -> None:
    every = [asyncio.create_task(ask(batcher, f"large-{number}", 40)) for number in range(9)]
    await until(lambda: len(work.pieces) >= 100)
    assert len(set(work.pieces)) <= 5, "four, and the one that took the place of a finished one"
    assert await ask(batcher, "small", 1) == "SMALL"
    assert not all(task.done() for task in every)
    await asyncio.gather(*every)


async def test_what_was_spent_in_vain_is_paid_for(batcher: Batcher[Item, str], work: Work) -> None:
    """A lane that costs something before its frames turn out to be useless waits for its turn like others."""

    async def useless() -> None:
        while True:
            with batcher.reserve("useless") as place:
                batcher.charge("useless", 5.0)
                tried.append(len(work.pieces))
                await place.wait_turn()

    tried: list[int] = []
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(useless()) for _ in range(4)]
        tasks += [group.create_task(send_for_ever(batcher, lane, 1)) for lane in ("a", "b") for _ in range(4)]
        await until(lambda: len(work.pieces) > 2_000)
        for task in tasks:
            task.cancel()
    assert len(tried) == pytest.approx(2_000 / 2 / 5, rel=0.2), "its third of what the others have two of"


async def test_who_had_nothing_to_do_saves_nothing_up(batcher: Batcher[Item, str], work: Work) -> None:
    busy = [asyncio.create_task(send_for_ever(batcher, "busy", 1)) for _ in range(4)]
    await until(lambda: len(work.pieces) > 200)
    late = [asyncio.create_task(ask(batcher, "late")) for _ in range(50)]
    begins = len(work.pieces)
    await asyncio.gather(*late)
    assert work.pieces[begins:].count("busy") >= 40
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)


def _runs(pieces: list[str]) -> list[list[str]]:
    runs: list[list[str]] = []
    for piece in pieces:
        if not runs or runs[-1][0] != piece:
            runs.append([])
        runs[-1].append(piece)
    return runs


@pytest.mark.parametrize("expected", [50.0, 1.0, 500.0], ids=["known", "thought small", "thought huge"])
async def test_who_comes_and_goes_is_not_overtaken_by_many_large_items(
    batcher: Batcher[Item, str], work: Work, expected: float
) -> None:
    """Four large items of one lane are one batch; lanes that have nothing to do now and then keep their turns."""

    work.in_order = True

    async def sometimes(lane: str) -> None:
        while True:
            await ask(batcher, lane)
            for _ in range(3):
                await asyncio.sleep(0)

    async def large() -> None:
        while True:
            with batcher.reserve("large") as place:
                await place.submit(("large", 50), bucket="large", expected=expected)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(large()) for _ in range(4)]
        tasks += [group.create_task(sometimes(lane)) for lane in ("a", "b", "c", "d")]
        await until(lambda: len(work.pieces) > 3_000)
        for task in tasks:
            task.cancel()
    shares = Counter(work.pieces[300:])
    assert min(shares[lane] for lane in "abcd") > 0.15 * sum(shares.values()), shares
    assert max(len(run) for run in _runs(work.pieces[300:]) if run[0] == "large") <= 10, "and not all of it at once"
