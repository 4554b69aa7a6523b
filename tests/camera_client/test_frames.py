import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from camera_client.frames import Playback, SampleGrid


@pytest.mark.parametrize(("fps", "rate", "expected"), [(30, 2, 20), (29.97, 2, 20), (25, 10, 100), (10, 60, 100)])
def test_grid_takes_the_rate_or_every_frame(fps: float, rate: float, expected: int) -> None:
    grid = SampleGrid(rate)
    taken = sum(grid.takes(number / fps) for number in range(int(fps * 10)))
    assert taken == pytest.approx(expected, abs=1)


def test_grid_does_not_make_up_for_a_gap() -> None:
    grid = SampleGrid(2)
    assert [grid.takes(position) for position in (0.0, 0.2, 60.0, 60.1, 60.5)] == [True, False, True, False, True]


def test_unpaced_playback_spaces_frames_from_the_start_time() -> None:
    start = datetime(2026, 3, 2, 8, tzinfo=timezone(timedelta(hours=1)))
    playback = Playback(paced=False, start=start)
    stop = threading.Event()
    readings = [playback.time_of(position, stop) for position in (0.0, 0.5, 3600.0)]
    times = [reading.at for reading in readings]
    assert times == [start, start + timedelta(seconds=0.5), start + timedelta(hours=1)]
    assert all(time.tzinfo is UTC for time in times)
    assert all(reading.moment is None for reading in readings)  # no setting of this machine's clock moves them


def test_unpaced_playback_starts_now_by_default() -> None:
    before = datetime.now(UTC)
    first = Playback(paced=False).time_of(0.0, threading.Event())
    assert first is not None
    assert before <= first.at <= datetime.now(UTC)
    assert first.moment is None


def test_paced_playback_gives_the_wall_clock() -> None:
    playback = Playback(paced=True)
    stop = threading.Event()
    first, second = playback.time_of(0.0, stop), playback.time_of(0.2, stop)
    assert first is not None
    assert second is not None
    assert second.at - first.at >= timedelta(seconds=0.19)
    assert second.at <= datetime.now(UTC)
    assert second.moment.uptime_us - first.moment.uptime_us >= 190_000


def test_paced_playback_stops_while_it_waits() -> None:
    playback = Playback(paced=True)
    stop = threading.Event()
    playback.time_of(0.0, stop)
    threading.Timer(0.1, stop.set).start()
    assert playback.time_of(3600.0, stop) is None
