import threading
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.audiences import Audience, audiences_of, set_audiences, set_rooms
from attendance.database.engine import create_database_engine
from attendance.database.models import ClassSession, SessionState
from attendance.database.timetable import SessionPlan, room_plans
from recognition_service.evidence.timetable import NAME, Timetable, TimetableUnavailable
from tests.factories import NINE, enrol, make_course, make_room, make_session, make_student


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timetable(sessions: sessionmaker[Session], clock: Clock) -> Iterator[Timetable]:
    table = Timetable(sessions, 5.0, clock=clock)
    yield table
    table.close()


@pytest.fixture
def room_id(sessions: sessionmaker[Session]) -> int:
    """A room where a course of two students meets from nine to half past ten."""
    with sessions.begin() as db:
        room, course = make_room(db), make_course(db, "C1")
        enrol(db, course, make_student(db, "s1"), make_student(db, "s2"))
        make_session(db, course, room)
        return room.id


@pytest.fixture
def nowhere(tmp_path: Path) -> Iterator[sa.Engine]:
    """A database that cannot be reached."""
    engine = create_database_engine("mysql+pymysql://nobody:none@127.0.0.1:1/none")
    yield engine
    engine.dispose()


def test_the_system_knows_its_threads(timetable: Timetable, room_id: int) -> None:
    timetable.plans(room_id, NINE)
    assert NAME in [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]


def test_gives_the_sessions_around_a_time(timetable: Timetable, room_id: int) -> None:
    [plan] = timetable.plans(room_id, NINE + timedelta(minutes=5))
    assert plan.roster == {"s1", "s2"}
    assert plan.starts_at == NINE
    assert timetable.plans(room_id, NINE - timedelta(minutes=1)) == (plan,)  # in the hour before: early entry
    assert timetable.plans(room_id, NINE + timedelta(hours=3)) == ()
    assert timetable.plans(room_id + 1, NINE) == ()


def test_old_frames_find_the_session_of_their_time(timetable: Timetable, room_id: int) -> None:
    assert timetable.plans(room_id, NINE + timedelta(days=30)) == ()
    assert len(timetable.plans(room_id, NINE)) == 1


def test_changes_are_seen_when_what_was_read_is_too_old(
    timetable: Timetable, room_id: int, clock: Clock, sessions: sessionmaker[Session]
) -> None:
    assert len(timetable.plans(room_id, NINE)) == 1
    with sessions.begin() as db:
        course = make_course(db, "C2")
        make_session(db, course, db.get_one(ClassSession, 1).room, starts_at=NINE + timedelta(minutes=30))
        enrol(db, db.get_one(ClassSession, 1).course, make_student(db, "s3"))
    clock.now += 4.9
    assert len(timetable.plans(room_id, NINE)) == 1
    clock.now += 0.2
    first, second = timetable.plans(room_id, NINE)
    assert first.roster == {"s1", "s2", "s3"}
    assert second.roster == frozenset()


def test_what_was_read_serves_while_the_database_is_away(
    timetable: Timetable, room_id: int, clock: Clock, sessions: sessionmaker[Session], nowhere: sa.Engine
) -> None:
    before = timetable.plans(room_id, NINE)
    engine = sessions.kw["bind"]
    sessions.configure(bind=nowhere)
    clock.now += 3600
    assert timetable.plans(room_id, NINE) == before
    with pytest.raises(TimetableUnavailable, match="the timetable cannot be read"):
        timetable.plans(room_id, NINE + timedelta(days=1))
    sessions.configure(bind=engine)
    with sessions.begin() as db:
        enrol(db, db.get_one(ClassSession, 1).course, make_student(db, "s3"))
    assert timetable.plans(room_id, NINE) == before  # it is not asked again at once
    clock.now += 5.1
    assert timetable.plans(room_id, NINE)[0].roster == {"s1", "s2", "s3"}
    assert timetable.plans(room_id, NINE + timedelta(days=1)) == ()


def test_many_cameras_of_a_room_read_once(
    timetable: Timetable, room_id: int, sessions: sessionmaker[Session], clock: Clock
) -> None:
    reads: list[str] = []
    entered, gate = threading.Event(), threading.Event()

    @sa.event.listens_for(sessions.kw["bind"], "before_cursor_execute")
    def _count(*arguments: object) -> None:
        statement = str(arguments[2])
        if "class_session" in statement:
            reads.append(statement)
            entered.set()
            gate.wait(30)

    found: list[int] = []
    cameras = [threading.Thread(target=lambda: found.append(len(timetable.plans(room_id, NINE)))) for _ in range(8)]
    for camera in cameras:
        camera.start()
    assert entered.wait(30)
    gate.set()
    for camera in cameras:
        camera.join()
    assert found == [1] * 8
    assert len(reads) == 1


@pytest.fixture
def readings(sessions: sessionmaker[Session]) -> list[str]:
    """The statements that read sessions."""
    statements: list[str] = []

    @sa.event.listens_for(sessions.kw["bind"], "before_cursor_execute")
    def _note(*arguments: object) -> None:
        if "FROM class_session" in str(arguments[2]):
            statements.append(str(arguments[2]))

    return statements


@pytest.fixture
def more_rooms(sessions: sessionmaker[Session], room_id: int) -> list[int]:
    """Rooms of which each has a course of one student at nine."""
    with sessions.begin() as db:
        rooms = [make_room(db) for _ in range(3)]
        for number, room in enumerate(rooms):
            course = make_course(db)
            enrol(db, course, make_student(db, f"of {number}"))
            make_session(db, course, room)
        return [room.id for room in rooms]


def test_rooms_in_use_are_read_together(
    timetable: Timetable,
    room_id: int,
    more_rooms: list[int],
    clock: Clock,
    readings: list[str],
) -> None:
    *in_use, unused = more_rooms
    assert len(timetable.plans(unused, NINE)) == 1
    clock.now += 8
    for room in (room_id, *in_use):
        assert len(timetable.plans(room, NINE)) == 1
    assert len(readings) == 4
    readings.clear()
    clock.now += 5
    assert [len(timetable.plans(room, NINE)[0].roster) for room in (room_id, *in_use)] == [2, 1, 1]
    assert len(readings) == 1
    assert len(timetable.plans(unused, NINE)) == 1  # nobody had asked for it for a while
    assert len(readings) == 2


def test_a_room_that_cannot_be_read_leaves_others_as_they_are(
    timetable: Timetable, room_id: int, more_rooms: list[int], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, *others = more_rooms
    for room in (room_id, *more_rooms):
        timetable.plans(room, NINE)
    asked: list[set[int]] = []

    def read(db: Session, room_ids: Collection[int], *hours: datetime) -> dict[int, list[SessionPlan]]:
        asked.append(set(room_ids))
        if broken in room_ids:
            raise ValueError("a session like no other")
        return room_plans(db, room_ids, *hours)

    monkeypatch.setattr("recognition_service.evidence.timetable.room_plans", read)
    rooms = {room_id, *more_rooms}
    clock.now += 5
    for _ in range(3):
        for room in sorted(rooms):
            assert len(timetable.plans(room, NINE)) == 1  # what was read before
        clock.now += 5
    assert asked[0] == rooms
    assert all(len(each) == 1 for each in asked[1:] if broken in each)
    assert {room_id, *others} in asked[2:]


def test_a_database_that_hangs_delays_frames_once(room_id: int, sessions: sessionmaker[Session], clock: Clock) -> None:
    timetable = Timetable(sessions, 5.0, patience_s=0.05, first_patience_s=30, clock=clock)
    before = timetable.plans(room_id, NINE)
    gate = threading.Event()
    reads: list[None] = []

    @sa.event.listens_for(sessions.kw["bind"], "before_cursor_execute")
    def _hang(*_: object) -> None:
        reads.append(None)
        gate.wait(30)

    clock.now += 10
    assert timetable.plans(room_id, NINE) == before
    clock.now += 10
    assert timetable.plans(room_id, NINE) == before
    assert len(reads) == 1
    gate.set()
    timetable.close()


def test_says_when_it_is_closed(sessions: sessionmaker[Session]) -> None:
    timetable = Timetable(sessions, 5.0)
    timetable.close()
    timetable.close()
    with pytest.raises(TimetableUnavailable, match="stopping"):
        timetable.plans(1, NINE)


def test_rooms_audiences_and_cancelling_are_seen_within_the_refresh(
    timetable: Timetable, room_id: int, sessions: sessionmaker[Session], clock: Clock
) -> None:
    with sessions.begin() as db:
        other, joined = make_room(db), make_course(db, "C2")
        enrol(db, joined, make_student(db, "s3"))
        overflow = other.id
    assert timetable.plans(overflow, NINE) == ()
    assert len(timetable.plans(room_id, NINE)) == 1
    with sessions.begin() as db:
        session = db.scalars(sa.select(ClassSession)).one()
        set_rooms(session, [room_id, overflow])
        set_audiences(session, [*audiences_of(session), Audience(joined.id)])
    clock.now += 6
    for room in (room_id, overflow):
        [plan] = timetable.plans(room, NINE)
        assert plan.roster == {"s1", "s2", "s3"}
    with sessions.begin() as db:
        db.scalars(sa.select(ClassSession)).one().state = SessionState.CANCELLED
    clock.now += 6
    assert timetable.plans(room_id, NINE) == timetable.plans(overflow, NINE) == ()
