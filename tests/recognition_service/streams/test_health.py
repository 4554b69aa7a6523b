"""The log of cameras' health, minute by minute, with a clock of the test's."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from attendance.database.watching.health import MinuteOfHealth, PictureQuality
from recognition_service.engine.looks import measure
from recognition_service.outbox.store import Outbox, OutboxError
from recognition_service.streams.health import HealthLog
from tests.attendance.database.watching.healths import minutes_of
from tests.factories import NINE


class Clock:
    now = NINE

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def stored(outbox: Outbox) -> dict[int, list[MinuteOfHealth]]:
    found: dict[int, list[MinuteOfHealth]] = {}
    for _, hour in outbox.pending_health(99):
        found.setdefault(hour.camera_id, []).extend(minutes_of(hour.hour, hour.minutes))
    return found


def test_minutes_add_up_and_each_is_stored_as_it_grows(tmp_path: Path) -> None:
    clock, outbox = Clock(), Outbox(tmp_path / "outbox.db")
    health = HealthLog(clock=clock)
    health.connected([1, 2])
    health.frame(1, None)
    health.frame(1, -1.5)
    health.looked(1, PictureQuality(100, 10))
    health.put(outbox)
    clock.forward(30)
    health.frame(1, -1.75)
    health.looked(1, PictureQuality(110, 20))
    health.faces(1, [12, 40, 41, 500])
    health.put(outbox)
    clock.forward(30)
    health.frame(1, None)
    health.put(outbox)
    assert stored(outbox) == {
        1: [
            MinuteOfHealth(NINE, 3, True, -1750, PictureQuality(105, 15), (1, 0, 0, 2, 0, 0, 0, 1)),
            MinuteOfHealth(NINE + timedelta(minutes=1), 1),
        ],
        2: [MinuteOfHealth(NINE, 0)],
    }
    outbox.close()


def test_what_cannot_be_stored_is_stored_later_and_what_is_complete_is_forgotten(tmp_path: Path) -> None:
    clock, outbox = Clock(), Outbox(tmp_path / "outbox.db")
    health = HealthLog(clock=clock)
    health.frame(1, 0.0)
    outbox.close()
    with pytest.raises(OutboxError):
        health.put(outbox)
    clock.forward(600)
    again = Outbox(outbox.path)
    health.put(again)
    health.put(again)
    assert [minute.frames for minute in stored(again)[1]] == [1]
    assert not health._minutes
    again.close()


def test_a_picture_is_measured_once_in_a_while() -> None:
    clock = Clock()
    health = HealthLog(clock=clock)
    assert health.wants_look(1)
    health.looked(1, PictureQuality(1, 1))
    assert not health.wants_look(1)
    assert health.wants_look(2)
    clock.forward(20)
    assert health.wants_look(1)


def test_brightness_and_sharpness() -> None:
    generator = np.random.default_rng(1)
    sharp = generator.integers(60, 140, (120, 160, 3), dtype=np.uint8)
    soft = np.asarray(sharp // 8 + 90, np.uint8)
    assert measure(sharp).sharpness > 4 * measure(soft).sharpness > 0
    assert measure(np.full((90, 90, 3), 77, np.uint8)) == PictureQuality(77, 0)
