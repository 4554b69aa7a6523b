"""A clock that jumps to what is due next."""

import asyncio
import time

import pytest

from benchmarks.scaling.virtual_time import run


def test_an_hour_of_waiting_takes_no_time_and_things_come_in_their_order() -> None:
    async def work() -> tuple[list[str], float]:
        came: list[str] = []

        async def come(name: str, after: float) -> None:
            await asyncio.sleep(after)
            came.append(name)

        await asyncio.gather(come("late", 3600), come("soon", 1), come("at once", 0))
        return came, asyncio.get_running_loop().time()

    began = time.monotonic()
    came, clock = run(work())
    assert time.monotonic() - began < 5
    assert came == ["at once", "soon", "late"]
    assert clock == pytest.approx(3600)


def test_a_deadline_passes_in_virtual_time() -> None:
    async def work() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(600):
                await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert run(work()) == pytest.approx(600)


def test_waiting_for_what_never_comes_is_told() -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="nothing is due"):
        run(work())
