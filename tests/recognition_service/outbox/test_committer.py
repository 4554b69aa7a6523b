import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker
from structlog.testing import capture_logs

from attendance.backoff import full_jitter
from attendance.database.engine import create_database_engine
from attendance.database.models import Attendance, ClassSession, Enrolment, Guest, Status, Student
from attendance.database.register import Sighting, record_sighting
from recognition_service.outbox.committer import NAME, Committer
from recognition_service.outbox.store import Outbox, OutboxError
from tests.factories import NINE, enrol, make_camera, make_course, make_group, make_session, make_student

STUDENTS = [f"s{number}" for number in range(6)]


@pytest.fixture
def class_sighting(sessions: sessionmaker[Session]) -> Sighting:
    """A sighting of the first of a class of students, to be changed into others."""
    with sessions.begin() as db:
        course, camera = make_course(db), make_camera(db)
        enrol(db, course, *[make_student(db, student) for student in STUDENTS])
        session = make_session(db, course)
        return Sighting(session.id, STUDENTS[0], NINE, NINE + timedelta(minutes=1), 0.9, camera.id)


@pytest.fixture
def nowhere() -> Iterator[sa.Engine]:
    """A database that cannot be reached."""
    engine = create_database_engine("mysql+pymysql://nobody:none@127.0.0.1:1/none")
    yield engine
    engine.dispose()


@contextmanager
def running(outbox: Outbox, sessions: sessionmaker[Session], **values: Any) -> Iterator[Committer]:
    committer = Committer(outbox, sessions, **{"poll_s": 0.05, "base_s": 0.01, "cap_s": 0.05, **values})
    committer.start()
    try:
        yield committer
    finally:
        stopped = committer.stop(timeout=30)
    assert stopped


def wait_until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.02)
    pytest.fail("it did not come about within a minute")


def register(sessions: sessionmaker[Session]) -> dict[str, Attendance]:
    with sessions() as db:
        rows = db.execute(sa.select(Student.index_number, Attendance).join(Student)).all()
        found = {row[0]: row[1] for row in rows}
        assert len(found) == len(rows)  # nobody twice
        return found


def of_class(sighting: Sighting) -> list[Sighting]:
    return [replace(sighting, index_number=student) for student in STUDENTS]


def test_commits_what_is_put(outbox: Outbox, sessions: sessionmaker[Session], class_sighting: Sighting) -> None:
    with running(outbox, sessions, poll_s=3600):
        outbox.put(of_class(class_sighting)[:3])
        wait_until(lambda: outbox.depth() == 0)
        outbox.put(of_class(class_sighting))
        wait_until(lambda: outbox.depth() == 0)
    rows = register(sessions)
    assert sorted(rows) == STUDENTS
    assert {row.status for row in rows.values()} == {Status.PRESENT}
    assert rows["s0"].camera_id == class_sighting.camera_id


def test_what_many_cameras_put_is_committed_together(
    outbox: Outbox, sessions: sessionmaker[Session], class_sighting: Sighting
) -> None:
    commits: list[None] = []
    sa.event.listen(sessions.kw["bind"], "commit", lambda _: commits.append(None))
    with running(outbox, sessions, poll_s=3600, gather_s=3600):
        for sighting in of_class(class_sighting):
            outbox.put([sighting])
    assert sorted(register(sessions)) == STUDENTS  # stopping waits for nobody
    assert len(commits) < len(STUDENTS) / 2


def test_commits_what_an_earlier_process_left(
    outbox: Outbox, sessions: sessionmaker[Session], class_sighting: Sighting
) -> None:
    outbox.put(of_class(class_sighting))
    with sessions.begin() as db:  # it was killed between the commit and the discard of this one
        record_sighting(db, class_sighting)
    with running(outbox, sessions):
        wait_until(lambda: outbox.depth() == 0)
    assert sorted(register(sessions)) == STUDENTS


def test_stopping_commits_the_rest_first(
    outbox: Outbox, sessions: sessionmaker[Session], class_sighting: Sighting
) -> None:
    committer = Committer(outbox, sessions, poll_s=3600)
    committer.start()
    outbox.put(of_class(class_sighting))
    assert committer.stop(timeout=60)
    assert outbox.depth() == 0
    assert sorted(register(sessions)) == STUDENTS


def test_the_system_knows_its_thread(outbox: Outbox, sessions: sessionmaker[Session]) -> None:
    def names() -> list[str]:
        return [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]

    with running(outbox, sessions):
        wait_until(lambda: NAME in names())


def test_one_that_never_started_stops(outbox: Outbox, sessions: sessionmaker[Session]) -> None:
    assert Committer(outbox, sessions).stop()


def test_waits_out_a_database_that_is_away(
    outbox: Outbox, sessions: sessionmaker[Session], class_sighting: Sighting, nowhere: sa.Engine
) -> None:
    engine = sessions.kw["bind"]
    sessions.configure(bind=nowhere)
    with capture_logs() as logs, running(outbox, sessions):
        outbox.put(of_class(class_sighting))
        wait_until(lambda: sum(entry["event"] == "sightings_not_committed" for entry in logs) >= 6)
        outbox.put([replace(class_sighting, last_seen=NINE + timedelta(minutes=5))])
        assert outbox.depth() == len(STUDENTS)
        sessions.configure(bind=engine)
        wait_until(lambda: outbox.depth() == 0)
    rows = register(sessions)
    assert sorted(rows) == STUDENTS
    assert rows["s0"].last_seen == NINE + timedelta(minutes=5)
    assert "sightings_committed_again" in [entry["event"] for entry in logs]
    assert not any(entry["event"] == "sighting_refused" for entry in logs)


def test_gives_up_flushing_in_time_and_keeps_everything(
    outbox: Outbox, sessions: sessionmaker[Session], class_sighting: Sighting, nowhere: sa.Engine
) -> None:
    sessions.configure(bind=nowhere)
    outbox.put(of_class(class_sighting))
    for flush in (True, False):
        committer = Committer(outbox, sessions)
        committer.start()
        assert committer.stop(flush=flush, timeout=0.5)
    assert outbox.depth() == len(STUDENTS)


def test_drops_what_has_no_place_and_goes_on(
    outbox: Outbox, sessions: sessionmaker[Session], class_sighting: Sighting
) -> None:
    with sessions.begin() as db:
        gone = db.scalars(sa.select(Student).where(Student.index_number == "s5")).one()
        db.execute(sa.delete(Enrolment).where(Enrolment.student_id == gone.id))
    homeless = [replace(class_sighting, session_id=999_999), replace(class_sighting, index_number="nobody")]
    with capture_logs() as logs, running(outbox, sessions):
        outbox.put([*homeless, *of_class(class_sighting)])
        wait_until(lambda: outbox.depth() == 0)
    assert sorted(register(sessions)) == STUDENTS[:5]
    assert [entry["event"] for entry in logs].count("sighting_without_place") == 3


def test_guests_are_noted_apart_and_leave_the_outbox(
    outbox: Outbox, sessions: sessionmaker[Session], class_sighting: Sighting
) -> None:
    with sessions.begin() as db:
        session = db.get_one(ClassSession, class_sighting.session_id)
        members = db.scalars(sa.select(Student).where(Student.index_number.in_(STUDENTS[:2]))).all()
        session.group_id = make_group(db, session.course, members=tuple(members)).id
    with capture_logs() as logs, running(outbox, sessions):
        outbox.put(of_class(class_sighting))
        outbox.put([replace(class_sighting, index_number="s5", last_seen=NINE + timedelta(minutes=9))])
        wait_until(lambda: outbox.depth() == 0)
    assert sorted(register(sessions)) == STUDENTS[:2]
    assert "sighting_without_place" not in [entry["event"] for entry in logs]
    with sessions() as db:
        guests = {guest.student.index_number: guest for guest in db.scalars(sa.select(Guest))}
    assert sorted(guests) == STUDENTS[2:]
    assert (guests["s5"].first_seen, guests["s5"].last_seen) == (NINE, NINE + timedelta(minutes=9))


def test_a_camera_that_was_removed_loses_no_sighting(
    outbox: Outbox, sessions: sessionmaker[Session], class_sighting: Sighting
) -> None:
    with running(outbox, sessions):
        outbox.put([replace(class_sighting, camera_id=424_242), replace(class_sighting, index_number="s1")])
        wait_until(lambda: outbox.depth() == 0)
    rows = register(sessions)
    assert (rows["s0"].camera_id, rows["s0"].status) == (None, Status.PRESENT)
    assert rows["s1"].camera_id == class_sighting.camera_id


def _fail_inserts(
    sessions: sessionmaker[Session], error: Exception, *, student_id: int | None = None, times: float
) -> list[None]:
    """Have the database refuse to insert attendances (of one student), as `error` says. The list grows with each."""
    failures: list[None] = []

    @sa.event.listens_for(sessions.kw["bind"], "before_cursor_execute")
    def _fail(*arguments: object) -> None:
        statement, parameters = str(arguments[2]), arguments[3]
        if "INSERT INTO attendance " not in statement or len(failures) >= times:
            return
        inserted = parameters["student_id"] if isinstance(parameters, dict) else parameters[1]  # type: ignore[index]
        if student_id in (None, inserted):
            failures.append(None)
            raise error

    return failures


def test_retries_a_deadlock(outbox: Outbox, sessions: sessionmaker[Session], class_sighting: Sighting) -> None:
    deadlock = sa.exc.OperationalError("INSERT", {}, pymysql.err.OperationalError(1213, "Deadlock found"))
    failures = _fail_inserts(sessions, deadlock, times=2)
    with running(outbox, sessions):
        outbox.put(of_class(class_sighting))
        wait_until(lambda: outbox.depth() == 0)
    assert len(failures) == 2
    assert sorted(register(sessions)) == STUDENTS


def _was_last_seen(sessions: sessionmaker[Session], when: datetime) -> bool:
    return register(sessions)["s0"].last_seen == when


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a value that nobody foresaw"),
        sa.exc.DataError("INSERT", {}, pymysql.err.DataError(1406, "Data too long")),
        sa.exc.OperationalError("INSERT", {}, pymysql.err.OperationalError(1030, "Got error from storage engine")),
    ],
    ids=["value", "data", "operational"],
)
def test_a_sighting_that_the_database_refuses_blocks_no_other(
    outbox: Outbox, sessions: sessionmaker[Session], class_sighting: Sighting, error: Exception
) -> None:
    with sessions() as db:
        poisoned = db.scalars(sa.select(Student.id).where(Student.index_number == "s2")).one()
    failures = _fail_inserts(sessions, error, student_id=poisoned, times=math.inf)
    with capture_logs() as logs, running(outbox, sessions, cap_s=0.02) as committer:
        outbox.put(of_class(class_sighting))
        wait_until(lambda: outbox.depth() == 1)
        # What failed as if the database did is known for the row's own fault once another goes through after it.
        for minute in range(5, 30):
            seen = NINE + timedelta(minutes=minute)
            outbox.put([replace(class_sighting, last_seen=seen)])
            wait_until(partial(_was_last_seen, sessions, seen))
            if any(entry["event"] == "sighting_refused" for entry in logs):
                break
        assert failures
        assert committer.stop(flush=False)
    [(_, kept)] = outbox.pending(10)
    assert kept.index_number == "s2"
    assert sorted(register(sessions)) == ["s0", "s1", "s3", "s4", "s5"]
    refused = [entry for entry in logs if entry["event"] == "sighting_refused"]
    assert len({entry["row"] for entry in refused}) == 1
    assert "s2" not in str(logs), "logs outlive students who are deleted"


def test_an_outbox_that_fails_does_not_end_it(
    outbox: Outbox, sessions: sessionmaker[Session], class_sighting: Sighting
) -> None:
    outbox.put(of_class(class_sighting))
    hidden = outbox.path.with_name("hidden")
    outbox.path.rename(hidden)
    with capture_logs() as logs, running(outbox, sessions):
        wait_until(lambda: any("removed or replaced" in str(entry.get("error")) for entry in logs))
        hidden.rename(outbox.path)
        wait_until(lambda: outbox.depth() == 0)
    assert sorted(register(sessions)) == STUDENTS


def test_two_services_on_one_outbox_and_database_make_one_register(
    outbox: Outbox, sessions: sessionmaker[Session], class_sighting: Sighting
) -> None:
    other = Outbox(outbox.path)
    with running(outbox, sessions), running(other, sessions):
        for minute in range(10):
            seen = replace(class_sighting, last_seen=NINE + timedelta(minutes=minute + 1))
            outbox.put(of_class(seen))
            other.put(of_class(seen))
        wait_until(lambda: outbox.depth() == 0)
    other.close()
    rows = register(sessions)
    assert sorted(rows) == STUDENTS
    assert {row.last_seen for row in rows.values()} == {NINE + timedelta(minutes=10)}


def test_a_closed_outbox_is_an_error_it_survives(outbox: Outbox, sessions: sessionmaker[Session]) -> None:
    with running(outbox, sessions) as committer, capture_logs() as logs:
        outbox.close()
        wait_until(lambda: any("closed" in str(entry.get("error")) for entry in logs))
        assert committer.stop(flush=False)
    with pytest.raises(OutboxError):
        outbox.depth()


def test_waits_grow_to_a_cap_and_are_spread() -> None:
    assert all(0 <= full_jitter(1, base_s=0.1, cap_s=30) <= 0.1 for _ in range(50))
    waits = [full_jitter(1000, base_s=0.1, cap_s=30) for _ in range(200)]
    assert max(waits) <= 30
    assert max(waits) - min(waits) > 10
