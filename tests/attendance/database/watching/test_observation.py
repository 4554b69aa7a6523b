import functools
import random
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import Camera, ClassSession, Observation, Room
from attendance.database.transactions import transact
from attendance.database.watching.observation import (
    NOBODY,
    Learnt,
    MinuteCounts,
    MinuteOfCamera,
    Observed,
    SessionMinute,
    counts_of,
    observed_hours,
    observed_minutes,
    record_observation,
)
from tests.factories import NINE, make_camera, make_course, make_room, make_session, watch

MINUTE = timedelta(minutes=1)
FIVE_SEEN = MinuteCounts(5, 3, 1, 1, 2)


def minutes(*numbers: int, counts: MinuteCounts = NOBODY, live: bool = True) -> list[MinuteOfCamera]:
    return [MinuteOfCamera(NINE + number * MINUTE, True, live, False, counts) for number in numbers]


def report(camera: Camera, room: Room, *numbers: int, counts: MinuteCounts = NOBODY, live: bool = True) -> Observed:
    (observed,) = observed_hours(camera.id, room.id, minutes(*numbers, counts=counts, live=live))
    return observed


def record(sessions: sessionmaker[Session], *reports: Observed) -> list[Learnt]:
    with sessions() as db:
        return [transact(db, functools.partial(record_observation, observed=one)) for one in reports]


def rows(sessions: sessionmaker[Session]) -> list[Observed]:
    with sessions() as db:
        return [
            Observed(row.camera_id, row.room_id, row.hour, row.watched, row.watched_live, row.blind, row.counts)
            for row in db.scalars(sa.select(Observation).order_by(Observation.room_id, Observation.hour))
        ]


def watched(found: list[SessionMinute]) -> list[int]:
    return [int((minute.at - NINE) / MINUTE) for minute in found if minute.watched]


@pytest.fixture
def room(db: Session) -> Room:
    room = make_room(db, "Hall A")
    db.commit()
    return room


@pytest.fixture
def camera(db: Session, room: Room) -> Camera:
    camera = make_camera(db, room=room)
    db.commit()
    return camera


@pytest.fixture
def session(db: Session, room: Room) -> ClassSession:
    """Ten minutes from nine, and none before."""
    session = make_session(db, make_course(db), room, ends_at=NINE + 10 * MINUTE, early_minutes=0)
    db.commit()
    return session


def test_merges_reports_in_any_order_and_any_number(
    sessions: sessionmaker[Session], camera: Camera, room: Room
) -> None:
    reports = [
        report(camera, room, 0, 1, 59, counts=MinuteCounts(7, 1, 0, 0, 6)),
        report(camera, room, 1, 2, counts=FIVE_SEEN, live=False),
        report(camera, room, 59, counts=MinuteCounts(1, 1, 9, 0, 0)),
    ]
    left = []
    for order in permutations(reports):
        record(sessions, *order, *random.Random(7).choices(order, k=3))
        left += rows(sessions)
        with sessions.begin() as db:
            db.execute(sa.delete(Observation))
    assert len(left) == 6
    assert all(one == left[0] for one in left)
    assert left[0].watched == 0b111 | 1 << 59
    assert left[0].watched_live == 0b11 | 1 << 59
    assert counts_of(left[0].counts, 1) == (7, 3, 1, 1, 6)
    assert counts_of(left[0].counts, 59) == (7, 1, 9, 0, 6)
    assert counts_of(left[0].counts, 3) == NOBODY


def test_says_what_changed(sessions: sessionmaker[Session], camera: Camera, room: Room) -> None:
    first, more = report(camera, room, 3, live=False), report(camera, room, 3, counts=FIVE_SEEN, live=False)
    learnt = record(sessions, first, first, more, first, more)
    assert learnt == [Learnt.MINUTES, Learnt.NOTHING, Learnt.COUNTS, Learnt.NOTHING, Learnt.NOTHING]
    others = [report(camera, room, 3), report(camera, room, 3, 4), replace(first, watched=0, blind=1 << 5)]
    assert record(sessions, *others) == [Learnt.MINUTES] * 3


def test_two_writers_at_once_lose_nothing(sessions: sessionmaker[Session], camera: Camera, room: Room) -> None:
    begin = threading.Barrier(2)
    failures: list[BaseException] = []

    def write(numbers: range) -> None:
        begin.wait()
        try:
            for number in numbers:
                record(sessions, report(camera, room, number, counts=MinuteCounts(number, 0, 0, 0, 0)))
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(range(first, 60, 2),)) for first in (0, 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failures
    (row,) = rows(sessions)
    assert row.watched == (1 << 60) - 1
    assert [counts_of(row.counts, number).seen for number in range(60)] == list(range(60))


def test_keeps_what_a_camera_watched_that_was_removed(
    sessions: sessionmaker[Session], db: Session, camera: Camera, room: Room, session: ClassSession
) -> None:
    late = report(camera, room, 4, 5)
    record(sessions, report(camera, room, 0, 1, 2))
    db.delete(camera)
    db.commit()
    assert record(sessions, late, late) == [Learnt.MINUTES, Learnt.NOTHING]
    assert [one.camera_id for one in rows(sessions)] == [None]
    assert watched(observed_minutes(db, session)) == [0, 1, 2, 4, 5]


def test_drops_what_was_observed_in_a_room_that_is_gone(
    sessions: sessionmaker[Session], db: Session, camera: Camera, room: Room
) -> None:
    late = report(camera, room, 4)
    db.delete(room)
    db.commit()
    assert record(sessions, late) == [Learnt.NOTHING]
    assert not rows(sessions)


def test_a_session_has_the_minutes_that_overlap_it(db: Session, camera: Camera, room: Room) -> None:
    session = make_session(
        db,
        make_course(db),
        room,
        starts_at=NINE + timedelta(minutes=58, seconds=30),
        ends_at=NINE + timedelta(minutes=61, seconds=10),
        early_minutes=2,
    )
    watch(db, session, counts=FIVE_SEEN)
    found = observed_minutes(db, session)
    assert [minute.at for minute in found] == [NINE + number * MINUTE for number in range(56, 62)]
    assert all(minute.watched and minute.watched_live and not minute.away for minute in found)
    assert all(minute.counts == FIVE_SEEN for minute in found)
    since = session.starts_at + timedelta(minutes=1)
    later = observed_minutes(db, session, since=since)
    assert [minute.at for minute in later] == [NINE + number * MINUTE for number in (59, 60, 61)]


def test_what_was_watched_stays_with_its_time_when_a_session_moves(
    db: Session, camera: Camera, session: ClassSession
) -> None:
    watch(db, session)
    session.starts_at, session.ends_at = NINE + 5 * MINUTE, NINE + 15 * MINUTE
    db.commit()
    assert watched(observed_minutes(db, session)) == [5, 6, 7, 8, 9]
    session.starts_at, session.ends_at = NINE, NINE + 10 * MINUTE
    assert watched(observed_minutes(db, session)) == list(range(10))


def test_each_camera_of_the_room_must_watch_unless_it_is_extra(
    sessions: sessionmaker[Session], db: Session, camera: Camera, room: Room, session: ClassSession
) -> None:
    other = make_camera(db, room=room)
    db.commit()
    record(sessions, report(camera, room, *range(10)))
    assert watched(observed_minutes(db, session)) == []
    assert all(minute.away for minute in observed_minutes(db, session))
    db.commit()
    record(sessions, report(other, room, 2, 3, counts=FIVE_SEEN))
    db.expire_all()
    assert watched(observed_minutes(db, session)) == [2, 3]
    assert [minute.counts for minute in observed_minutes(db, session)][2:5] == [FIVE_SEEN, FIVE_SEEN, NOBODY]
    other.extra = True
    db.commit()
    assert watched(observed_minutes(db, session)) == list(range(10))
    assert observed_minutes(db, session)[2].counts == FIVE_SEEN


def test_a_room_without_a_camera_is_not_watched(db: Session, session: ClassSession) -> None:
    found = observed_minutes(db, session)
    assert len(found) == 10
    assert all(minute.away and not minute.watched and not minute.blind and minute.counts is None for minute in found)


def test_a_camera_counts_from_when_it_was_added_and_where_it_stood(
    sessions: sessionmaker[Session], db: Session, camera: Camera, room: Room, session: ClassSession
) -> None:
    record(sessions, report(camera, room, *range(10)))
    make_camera(db, room=room, created_at=NINE + timedelta(minutes=4, seconds=30))
    assert watched(observed_minutes(db, session)) == [0, 1, 2, 3]
    elsewhere = make_room(db)
    moved = make_camera(db, room=room)
    db.commit()
    record(sessions, report(moved, elsewhere, 0, 1))  # it stood there then
    assert watched(observed_minutes(db, session)) == [0, 1, 2, 3]


def test_a_session_in_two_rooms_is_watched_when_both_are(
    sessions: sessionmaker[Session],
    db: Session,
    camera: Camera,
    session: ClassSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room, other = session.room, make_room(db, "Hall B")
    second = make_camera(db, room=other)
    third = make_camera(db, room=other)
    db.commit()
    monkeypatch.setattr("attendance.database.watching.observation.rooms_of", lambda _: (room.id, other.id))
    record(sessions, report(camera, room, *range(6), counts=FIVE_SEEN))
    assert watched(observed_minutes(db, session)) == []  # the other is dark
    record(sessions, report(second, other, *range(3, 10), counts=MinuteCounts(2, 1, 0, 1, 1)))
    record(sessions, report(third, other, *range(3, 10), counts=MinuteCounts(1, 1, 0, 0, 0)))
    db.commit()
    found = observed_minutes(db, session)
    assert watched(found) == [3, 4, 5]
    # The largest number of a room's cameras, who see the same people; the sum over the rooms, who hold others.
    assert [minute.counts for minute in found][2:7:2] == [FIVE_SEEN, (7, 4, 1, 2, 3), (2, 1, 0, 1, 1)]


def test_tells_live_frames_and_blind_cameras(
    sessions: sessionmaker[Session], db: Session, camera: Camera, room: Room, session: ClassSession
) -> None:
    record(sessions, report(camera, room, 0, 1), report(camera, room, 2, live=False))
    watch(db, session, since=NINE + 3 * MINUTE, until=NINE + 5 * MINUTE, blind=True)
    found = observed_minutes(db, session)
    assert [minute.watched for minute in found] == [True] * 3 + [False] * 7
    assert [minute.watched_live for minute in found] == [True] * 2 + [False] * 8
    assert [minute.blind for minute in found] == [False] * 3 + [True] * 2 + [False] * 5
    assert [minute.away for minute in found] == [False] * 5 + [True] * 5


@pytest.mark.parametrize(
    ("hour", "watched_bits", "counts", "message"),
    [
        (NINE + MINUTE, 0, bytes(600), "not the beginning of an hour"),
        (datetime(2026, 11, 23, 9), 0, bytes(600), "not the beginning of an hour"),
        (NINE, 1 << 60, bytes(600), "beyond its sixty minutes"),
        (NINE, -1, bytes(600), "beyond its sixty minutes"),
        (NINE, 0, bytes(599), "599 bytes of counts"),
    ],
)
def test_refuses_what_is_no_hour(hour: datetime, watched_bits: int, counts: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Observed(1, 1, hour, watched_bits, 0, 0, counts)


def test_counts_beyond_sixteen_bits_are_the_largest() -> None:
    (observed,) = observed_hours(1, 1, minutes(0, counts=MinuteCounts(70_000, 1, 0, 0, 0)))
    assert counts_of(observed.counts, 0) == (65_535, 1, 0, 0, 0)
    assert observed.hour == NINE.astimezone(UTC)
