"""The health of cameras: rows that are the same in whatever order and however often they are reported."""

import itertools
import random
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.engine import LossyDowngradeError, begin_writing, downgrade, upgrade
from attendance.database.models import Camera, CameraHealth
from attendance.database.upkeep.retention import Retention, purge
from attendance.database.watching.health import (
    HEIGHTS,
    HealthHour,
    MinuteOfHealth,
    PictureQuality,
    health_hours,
    height_class,
    record_health,
)
from tests.attendance.database.watching.healths import minutes_of
from tests.factories import NINE, make_camera

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def minute(number: int, frames: int, **values: object) -> MinuteOfHealth:
    return MinuteOfHealth(NINE + number * MINUTE, frames, **values)  # type: ignore[arg-type]


def record(sessions: sessionmaker[Session], reported: HealthHour) -> bool:
    with sessions.begin() as db:
        begin_writing(db)
        return record_health(db, reported)


def test_what_is_packed_is_read_again() -> None:
    full = minute(
        3, 120, clock_offset_ms=-86_400_000, picture=PictureQuality(127.4, 12.344), heights=(1, 2, 3, 4, 5, 6, 7, 8)
    )
    silent = minute(4, 0)
    (hour,) = health_hours(1, [full, silent])
    read = list(minutes_of(hour.hour, hour.minutes))
    assert read == [full._replace(picture=PictureQuality(127, 12.34)), silent]
    assert [len(part) for part in (read[0].heights, read[1].heights)] == [len(HEIGHTS) + 1] * 2


def test_what_is_too_large_is_the_largest() -> None:
    (hour,) = health_hours(
        1, [minute(0, 10**6, clock_offset_ms=10**12, picture=PictureQuality(300, 10**6), heights=(10**6,) * 8)]
    )
    (read,) = minutes_of(hour.hour, hour.minutes)
    assert (read.frames, read.clock_offset_ms, read.heights) == (0xFFFF, 2**31 - 1, (0xFFFF,) * 8)
    assert read.picture == PictureQuality(255, 655.35)


def test_minutes_go_to_their_hours() -> None:
    hours = health_hours(1, [minute(59, 1), minute(60, 2), minute(61, 3)])
    assert [(hour.hour, [one.frames for one in minutes_of(hour.hour, hour.minutes)]) for hour in hours] == [
        (NINE, [1]),
        (NINE + HOUR, [2, 3]),
    ]


@pytest.mark.parametrize(("pixels", "expected"), [(1, 0), (15.9, 0), (16, 1), (63, 4), (64, 5), (159.9, 6), (400, 7)])
def test_classes_of_heights(pixels: float, expected: int) -> None:
    assert height_class(pixels) == expected


def test_no_hour_that_is_none() -> None:
    (hour,) = health_hours(1, [minute(0, 1)])
    for wrong in ({"hour": NINE + MINUTE}, {"hour": NINE.replace(tzinfo=None)}, {"minutes": b"\0"}):
        with pytest.raises(ValueError, match=r"hour"):
            replace(hour, **wrong)


def test_any_order_and_any_repetition_leave_the_same_row(sessions: sessionmaker[Session]) -> None:
    """Of a minute in which a camera went from one service to another, the report with more frames stays."""
    generator = random.Random(15)
    grown = [minute(number, frames, clock_offset_ms=number) for number in range(3) for frames in (1, 5, 9)]
    elsewhere = [minute(1, 9, clock_offset_ms=7), minute(2, 3), minute(8, 0)]
    reports = [health_hours(0, [one])[0] for one in grown + elsewhere]
    expected = None
    for turn in range(4):
        with sessions.begin() as db:
            camera_id = make_camera(db, name=f"camera {turn}").id
        shuffled = generator.sample(reports, len(reports)) + generator.choices(reports, k=5)
        for one in shuffled:
            record(sessions, replace(one, camera_id=camera_id))
        with sessions() as db:
            row = db.scalars(sa.select(CameraHealth).where(CameraHealth.camera_id == camera_id)).one()
        expected = expected or row.minutes
        assert row.minutes == expected
    assert [(one.at, one.frames) for one in minutes_of(NINE, expected or b"")] == [
        (NINE + number * MINUTE, frames) for number, frames in ((0, 9), (1, 9), (2, 9), (8, 0))
    ]


def test_merging_is_the_same_in_any_grouping() -> None:
    hours = [
        health_hours(1, [minute(0, frames, clock_offset_ms=offset)])[0] for frames, offset in ((1, 5), (1, 6), (0, 9))
    ]
    results = {one.merged(two).merged(three).minutes for one, two, three in itertools.permutations(hours)}
    results |= {one.merged(two.merged(three)).minutes for one, two, three in itertools.permutations(hours)}
    assert len(results) == 1


def test_of_a_camera_that_is_gone_nothing_is_kept(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as db:
        camera_id = make_camera(db).id
    (hour,) = health_hours(camera_id, [minute(0, 1)])
    assert record(sessions, hour)
    assert not record(sessions, hour)
    with sessions.begin() as db:
        db.execute(sa.delete(Camera))
        assert db.scalars(sa.select(CameraHealth.id)).all() == []
    assert not record(sessions, hour)


def test_it_goes_with_what_was_watched(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as db:
        camera_id = make_camera(db).id
    for hour in health_hours(camera_id, [minute(0, 1), minute(60, 1)]):
        record(sessions, hour)
    counts = purge(sessions, Retention(evidence=None, jobs=None, sessions=NINE + HOUR))
    assert counts["hours of cameras' health"] == 1
    with sessions() as db:
        assert db.scalars(sa.select(CameraHealth.hour)).all() == [NINE + HOUR]


def test_the_way_back_says_what_is_lost(db: Session, engine: sa.Engine) -> None:
    camera_id = make_camera(db).id
    db.add(CameraHealth(camera_id=camera_id, hour=NINE, minutes=bytes(1560)))
    db.commit()
    db.close()
    with pytest.raises(LossyDowngradeError, match="the health history of cameras: 1 hours"):
        downgrade(engine, "0019")
    downgrade(engine, "0019", lossy=True)
    upgrade(engine)
    assert db.scalars(sa.select(Camera.id)).all() == [camera_id]
    assert db.scalars(sa.select(CameraHealth.id)).all() == []
