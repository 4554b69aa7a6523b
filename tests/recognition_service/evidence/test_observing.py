import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from attendance.database.models import Origin
from attendance.database.watching.observation import NOBODY, MinuteCounts, Observed, counts_of
from recognition_service.engine.looks import Look
from recognition_service.evidence.observing import MinuteKind, Observer, Observers, Sight
from recognition_service.outbox.store import Outbox, OutboxError
from tests.factories import NINE
from tests.recognition_service.scenes import Clock

MINUTE = timedelta(minutes=1)
BLANK = Look(b"", True)
TWO = MinuteCounts(2, 1, 1, 0, 1)


class Desk:
    """An observer, its outbox and its clock."""

    def __init__(self, folder: Path) -> None:
        self.outbox = Outbox(folder / "outbox.db")
        self.clock = Clock()
        self.told: list[MinuteKind] = []
        self.observer = Observer(7, 3, self.outbox, 3, tell=self.told.append, clock=self.clock)
        self.pictures = 0

    def frames(
        self,
        since: datetime,
        number: int = 3,
        *,
        every_s: float = 1.0,
        origin: Origin = Origin.LIVE,
        look: Look | None = None,
        counts: MinuteCounts = NOBODY,
    ) -> None:
        for frame in range(number):
            self.pictures += 1
            own = look or Look(b"picture %d" % self.pictures)
            self.observer.saw(since + timedelta(seconds=every_s * frame), origin, own, counts)

    def hour(self) -> Observed:
        ((_, observed),) = self.outbox.pending_observed(9)
        return observed

    def bits(self) -> tuple[int, int, int]:
        hour = self.hour()
        return hour.watched, hour.watched_live, hour.blind


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.outbox.close()


def test_a_minute_is_watched_once_it_had_frames_enough(desk: Desk) -> None:
    desk.frames(NINE, 2)
    assert desk.outbox.pending_observed(9) == []
    desk.frames(NINE + timedelta(seconds=2), 1)
    assert desk.bits() == (1, 1, 0)
    hour = desk.hour()
    assert (hour.camera_id, hour.room_id, hour.hour) == (7, 3, NINE)
    assert desk.told == [MinuteKind.WATCHED]
    assert desk.observer.sight == Sight(None)


def test_a_frame_that_comes_twice_is_one(desk: Desk) -> None:
    for _ in range(5):
        desk.frames(NINE, 2)
    desk.observer.put()
    assert desk.outbox.pending_observed(9) == []


def test_kept_frames_watch_but_not_live(desk: Desk) -> None:
    desk.frames(NINE, 2)
    desk.frames(NINE + timedelta(seconds=10), 1, origin=Origin.KEPT)
    desk.frames(NINE + 3 * MINUTE, 3, origin=Origin.RECORDING)
    assert desk.bits() == (0b1001, 0, 0)
    assert desk.observer.sight is None  # what was kept says nothing of now


def test_counts_are_the_largest_of_the_minute_and_stored_after_some_seconds(desk: Desk) -> None:
    desk.frames(NINE, 3)
    desk.frames(NINE + timedelta(seconds=5), 1, counts=TWO)
    assert counts_of(desk.hour().counts, 0) == NOBODY
    desk.clock.now += 5
    desk.frames(NINE + timedelta(seconds=9), 1, counts=MinuteCounts(1, 0, 0, 1, 1))
    assert counts_of(desk.hour().counts, 0) == (2, 1, 1, 1, 1)
    desk.frames(NINE + timedelta(seconds=12), 1, counts=MinuteCounts(9, 0, 0, 0, 0))
    desk.observer.put()  # the stream ends
    assert counts_of(desk.hour().counts, 0) == (9, 1, 1, 1, 1)


def test_what_does_not_change_is_not_written_again(desk: Desk) -> None:
    desk.frames(NINE, 3, counts=TWO)
    ((row_id, _),) = desk.outbox.pending_observed(9)
    desk.clock.now += 60
    desk.frames(NINE + timedelta(seconds=10), 20, counts=TWO)
    assert [found for found, _ in desk.outbox.pending_observed(9)] == [row_id]


def test_pictures_that_show_nothing_make_a_minute_blind(desk: Desk) -> None:
    desk.frames(NINE, 3)
    desk.frames(NINE + timedelta(seconds=40), 20, look=BLANK, counts=TWO)
    desk.frames(NINE + MINUTE, 60, look=BLANK)
    assert desk.bits() == (1, 1, 0b11)
    assert desk.observer.sight == Sight(NINE + timedelta(seconds=40))
    assert desk.told == [MinuteKind.WATCHED, MinuteKind.BLIND, MinuteKind.BLIND]
    desk.frames(NINE + 2 * MINUTE, 3)
    assert desk.bits() == (0b101, 0b101, 0b11)
    assert desk.observer.sight == Sight(None)
    assert counts_of(desk.hour().counts, 0) == NOBODY  # nobody was seen by a camera that sees nothing


def test_a_picture_that_does_not_change_for_over_a_minute_is_frozen(desk: Desk) -> None:
    desk.frames(NINE, 240, look=Look(b"still"))  # four minutes
    assert desk.bits() == (0b0001, 0b0001, 0b1110)
    assert desk.observer.sight == Sight(NINE + timedelta(seconds=61))
    desk.frames(NINE + 4 * MINUTE, 3)
    assert desk.bits() == (0b10001, 0b10001, 0b1110)


def test_an_empty_room_that_is_still_is_not_frozen(desk: Desk) -> None:
    # The sensor's noise makes every picture another, however little happens.
    desk.frames(NINE, 240)
    assert desk.bits() == (0b1111, 0b1111, 0)


def test_kept_frames_in_between_do_not_hide_a_frozen_camera(desk: Desk) -> None:
    for second in range(180):
        desk.frames(NINE + timedelta(seconds=second), 1, look=Look(b"still"))
        desk.frames(NINE - timedelta(hours=1) + timedelta(seconds=second), 1, origin=Origin.KEPT)
    hours = [observed for _, observed in sorted(desk.outbox.pending_observed(9), key=lambda row: row[1].hour)]
    assert [(hour.watched, hour.watched_live, hour.blind) for hour in hours] == [(0b111, 0, 0), (0b1, 0b1, 0b110)]


def test_a_camera_that_connects_again_goes_on_with_its_minute(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    observers = Observers(outbox, 3)
    for second in range(3):  # a stream each
        observer = observers.of(7, 3)
        observer.saw(NINE + timedelta(seconds=second), Origin.LIVE, Look(b"%d" % second), NOBODY)
        observer.put()
    ((_, hour),) = outbox.pending_observed(9)
    assert hour.watched == 1
    assert observers.of(7, 4) is not observers.of(7, 3)
    outbox.close()


def test_what_could_not_be_stored_is_stored_later(desk: Desk) -> None:
    other = sqlite3.connect(desk.outbox.path)
    other.execute("CREATE TRIGGER full BEFORE INSERT ON observation BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    desk.frames(NINE, 2)
    with pytest.raises(OutboxError, match="disk full"):
        desk.frames(NINE + timedelta(seconds=2), 1)
    other.execute("DROP TRIGGER full")
    other.close()
    desk.clock.now += 5
    desk.frames(NINE + timedelta(seconds=2), 1)  # sent again
    assert desk.bits() == (1, 1, 0)


def test_old_frames_in_any_number_take_no_more_memory(desk: Desk) -> None:
    for minute in range(300):
        desk.frames(NINE + minute * MINUTE, 3, origin=Origin.KEPT)
    desk.observer.put()
    hours = [observed for _, observed in desk.outbox.pending_observed(9)]
    assert [hour.watched for hour in hours] == [(1 << 60) - 1] * 5
