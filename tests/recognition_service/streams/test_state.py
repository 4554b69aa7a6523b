"""Windows, clocks and rates by themselves, with made-up times."""

from datetime import UTC, datetime, timedelta

from recognition_service.streams.state import ClockSkew, Window

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_a_window_halves_while_the_queue_is_long_and_grows_by_one_while_it_is_short() -> None:
    window = Window(8)
    long = [window.answer(0.9) for _ in range(8 + 4 + 2 + 5)]
    assert [size for size in long if size] == [4, 2, 1]
    assert [position for position, size in enumerate(long, 1) if size] == [8, 12, 14]
    short = [window.answer(0.0) for _ in range(40)]
    assert [size for size in short if size] == [2, 3, 4, 5, 6, 7, 8]
    assert window.size == 8


def test_a_window_stays_while_the_queue_is_neither() -> None:
    window = Window(4)
    assert [window.answer(0.4) for _ in range(20)] == [0] * 20
    assert window.size == 4


def test_the_skew_is_that_of_the_frame_that_was_delayed_least() -> None:
    skew = ClockSkew(samples=4)
    assert skew.seconds is None
    for delay in (5.0, 0.1, 30.0):
        skew.add(NOW + timedelta(seconds=100 - delay), NOW)
    assert skew.seconds == 99.9
    for _ in range(4):  # the clock was set right
        skew.add(NOW - timedelta(seconds=1), NOW)
    assert skew.seconds == -1
