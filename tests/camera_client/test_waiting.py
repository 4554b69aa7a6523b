import asyncio
import threading
from datetime import UTC, datetime

from camera_client.frames import CapturedFrame
from camera_client.waiting import WaitingFrames


def frame(label: str) -> CapturedFrame:
    return CapturedFrame(datetime.now(UTC), b"", label)


def labels(waiting: WaitingFrames) -> list[str]:
    taken = []
    while (one := waiting.take()) is not None:
        taken.append(one.frame.label)
    return taken


async def test_only_the_newest_waits_for_a_live_camera() -> None:
    waiting = WaitingFrames(asyncio.get_running_loop(), keep_all=False)
    for label in "abc":
        assert waiting.put(frame(label))
    assert labels(waiting) == ["c"]
    assert (waiting.captured, waiting.dropped) == (3, 2)


async def test_every_frame_waits_and_the_source_with_it() -> None:
    waiting = WaitingFrames(asyncio.get_running_loop(), keep_all=True, capacity=2)
    thread = threading.Thread(target=lambda: [waiting.put(frame(label)) for label in "abcde"])
    thread.start()
    await asyncio.wait_for(waiting.changed.wait(), 5)
    await asyncio.sleep(0.05)
    assert waiting.depth == 2
    seen: list[str] = []
    while len(seen) < 5:
        await asyncio.sleep(0.01)
        seen += labels(waiting)
    thread.join()
    assert seen == list("abcde")
    assert waiting.dropped == 0


async def test_frames_put_back_come_before_later_ones_in_their_old_order() -> None:
    waiting = WaitingFrames(asyncio.get_running_loop(), keep_all=True)
    for label in "abcd":
        waiting.put(frame(label))
    taken = [waiting.take() for _ in range(3)]
    waiting.put_back([one for one in reversed(taken) if one is not None])
    assert labels(waiting) == list("abcd")


async def test_it_is_finished_when_the_source_ended_and_nothing_waits() -> None:
    waiting = WaitingFrames(asyncio.get_running_loop(), keep_all=True)
    waiting.put(frame("a"))
    waiting.finish()
    assert not waiting.finished
    taken = waiting.take()
    assert waiting.finished
    assert taken is not None
    waiting.put_back([taken])
    assert not waiting.finished


async def test_closing_frees_a_source_that_waits_for_room() -> None:
    waiting = WaitingFrames(asyncio.get_running_loop(), keep_all=True, capacity=1)
    waiting.put(frame("a"))
    refused = asyncio.create_task(asyncio.to_thread(waiting.put, frame("b")))
    await asyncio.sleep(0.05)
    assert not refused.done()
    waiting.close()
    assert await asyncio.wait_for(refused, 5) is False


def test_a_source_may_outlive_the_event_loop() -> None:
    async def make() -> WaitingFrames:
        return WaitingFrames(asyncio.get_running_loop(), keep_all=False)

    waiting = asyncio.run(make())
    waiting.put(frame("late"))
    waiting.finish()
