from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from structlog.testing import capture_logs

from camera_client.backoff import Backoff
from camera_client.frames import CapturedFrame
from camera_client.spool.folder import Spool, SpoolLimits
from camera_client.spool.replay import Replay

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


class Clock:
    time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path, SpoolLimits(10**7, 0, 3600))
    for number in (4, 2, 0, 3, 1):
        spool.keep(CapturedFrame(START + timedelta(seconds=number), b"\xff\xd8%d" % number))
    return spool


def test_old_frames_come_in_order_at_the_rate(spool: Spool) -> None:
    clock = Clock()
    replay = Replay(spool, 0.5, clock=clock)
    sent: list[tuple[float, int]] = []
    while (due := replay.due_in()) is not None:
        clock.time += due
        found = replay.take()
        assert found is not None
        sent.append((clock.time, int(found[1].jpeg[2:])))
        clock.time += 0.3  # the service's answer
        replay.answered(found[0])
    assert sent == [(1000.0, 0), (1002.0, 1), (1004.0, 2), (1006.0, 3), (1008.0, 4)]


def test_time_without_a_connection_is_not_made_up_for(spool: Spool) -> None:
    clock = Clock()
    replay = Replay(spool, 0.5, clock=clock)
    clock.time += 3600
    for _ in range(2):
        assert replay.due_in() == 0
        assert replay.take() is not None
        assert replay.due_in() == 2
        clock.time += 2


class LongestWaits(Random):
    """Draws the upper bound each time."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


def test_a_busy_service_is_left_alone_for_longer_and_longer(spool: Spool) -> None:
    clock = Clock()
    rng = LongestWaits(1)
    replay = Replay(spool, 10, clock=clock, backoff=Backoff(1, 60, rng))
    waits = []
    for _ in range(8):
        replay.postpone()
        replay.postpone()  # many live frames fare alike in the meantime
        wait = replay.due_in()
        assert wait is not None
        waits.append(wait)
        clock.time += wait
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    found = replay.take()
    assert found is not None
    assert found[1].jpeg == b"\xff\xd80"  # still there
    replay.answered(found[0])
    replay.postpone()
    assert replay.due_in() == 1


def test_a_frame_that_breaks_connections_is_given_up(spool: Spool) -> None:
    replay = Replay(spool, 10)
    first, second = (replay.take() for _ in range(2))
    assert first is not None
    assert first == second
    assert [replay.broke(first[0]) for _ in range(2)] == [False, False]
    with capture_logs() as events:
        assert replay.broke(first[0])
    assert events[0]["event"] == "frame_given_up"
    left = replay.take()
    assert left is not None
    assert left[1].jpeg == b"\xff\xd81"
    assert not replay.broke(left[0])


def test_its_beginning_and_end_are_told_once(spool: Spool) -> None:
    replay = Replay(spool, 10)
    with capture_logs() as events:
        while (found := replay.take()) is not None:
            replay.answered(found[0])
    assert [event["event"] for event in events] == ["replay_starts", "replay_ends"]
    assert events[0]["oldest"] == "2026-03-02T08:00:00+00:00"
    assert replay.due_in() is None
