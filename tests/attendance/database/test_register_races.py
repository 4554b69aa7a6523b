"""Any order, any repetition, several processes at once: the register comes out the same."""

import multiprocessing
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.corrections import correct_status
from attendance.database.engine import begin_writing, create_database_engine, session_factory, upgrade
from attendance.database.models import Attendance, ClassSession, Source, Status, Student
from attendance.database.register import Sighting, apply_session_times, close_ended_sessions, record_sighting
from attendance.database.transactions import is_transient
from attendance.settings.attendance import AttendanceSettings
from tests.factories import (
    NINE,
    enrol,
    make_camera,
    make_course,
    make_lecturer,
    make_session,
    make_student,
    watch_whole,
)

END = NINE + timedelta(minutes=90)

_CLOSE, _CORRECT = "close", "correct"
Event = tuple[int, int, float, int | None]
"""A sighting: its start and length in seconds, confidence and camera."""
_sightings = st.builds(
    lambda start, length, confidence, camera: (start, length, confidence, camera),
    st.integers(-10 * 60, 89 * 60),
    st.integers(0, 3600),
    st.sampled_from([0.5, 0.75, 1.0]),
    st.sampled_from([None, 0, 1]),
)


@pytest.fixture(scope="module")
def memory() -> sessionmaker[Session]:
    """A database in memory with one session and one student; examples roll back what they do."""
    engine = create_database_engine("sqlite:///:memory:")
    upgrade(engine)
    sessions = session_factory(engine, AttendanceSettings(settle_minutes=0))
    with sessions.begin() as db:
        course = make_course(db)
        enrol(db, course, make_student(db, "s1"))
        watch_whole(db, make_session(db, course))
        make_lecturer(db)
        make_camera(db)
        make_camera(db)
    return sessions


@given(
    events=st.lists(_sightings, min_size=1, max_size=6),
    close=st.booleans(),
    correct=st.booleans(),
    seed=st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_order_and_repetition_change_nothing(
    memory: sessionmaker[Session],
    events: list[Event],
    close: bool,
    correct: bool,
    seed: random.Random,
) -> None:
    extra = [_CLOSE] * close + [_CORRECT] * correct
    in_order = _run(memory, [*events, *extra])
    # A correction made twice is two corrections; sightings and closings may come any number of times.
    shuffled: list[Event | str] = [*events, *seed.choices(events, k=3), *[_CLOSE] * close * 2, *[_CORRECT] * correct]
    seed.shuffle(shuffled)
    assert _run(memory, shuffled) == in_order


def _run(sessions: sessionmaker[Session], events: Sequence[Event | str]) -> tuple[object, ...]:
    try:
        for event in events:
            if event == _CLOSE:
                close_ended_sessions(sessions, END)
                continue
            with sessions.begin() as db:
                begin_writing(db)
                session = db.scalars(sa.select(ClassSession)).one()
                if isinstance(event, str):
                    _correct(db, session)
                else:
                    start, length, confidence, camera = event
                    first = NINE + timedelta(seconds=int(start))
                    last = first + timedelta(seconds=int(length))
                    camera_id = None if camera is None else int(camera) + 1
                    record_sighting(db, Sighting(session.id, "s1", first, last, float(confidence), camera_id))
        with sessions() as db:
            row = db.scalars(sa.select(Attendance)).one()
            return row.status, row.source, row.first_seen, row.last_seen, row.confidence, row.camera_id
    finally:
        with sessions.begin() as db:
            db.execute(sa.delete(Attendance))
            db.execute(sa.update(ClassSession).values(closed_at=None))


def _correct(db: Session, session: ClassSession) -> None:
    student_id = db.scalars(sa.select(Student.id)).one()
    correct_status(db, session_id=session.id, student_id=student_id, status=Status.EXCUSED, reason="ill", account_id=1)


STUDENTS = 12
PROCESSES = 4


def _work(url: str, session_id: int, seed: int) -> None:
    """One process: every sighting of every student, shuffled, with closings in between."""
    engine = create_database_engine(url)
    sessions = session_factory(engine, AttendanceSettings(settle_minutes=0))
    chance = random.Random(seed)
    sightings = [
        Sighting(session_id, f"s{student}", NINE + timedelta(minutes=minute), NINE + timedelta(minutes=80), 0.9, None)
        for student in range(STUDENTS)
        for minute in (3, 30)
    ]
    chance.shuffle(sightings)
    for number, sighting in enumerate(sightings):
        _committed(sessions, sighting)
        if number % 6 == 0:
            close_ended_sessions(sessions, END)
    engine.dispose()


def _committed(sessions: sessionmaker[Session], sighting: Sighting) -> None:
    for _ in range(20):
        try:
            with sessions.begin() as db:
                begin_writing(db)
                record_sighting(db, sighting)
        except sa.exc.DBAPIError as error:
            if not is_transient(error):
                raise
        else:
            return
    raise AssertionError("twenty attempts were not enough")


def test_processes_at_once_make_one_row_a_student(
    db: Session, sessions: sessionmaker[Session], database_url: str
) -> None:
    course = make_course(db)
    enrol(db, course, *[make_student(db, f"s{number}") for number in range(STUDENTS)], make_student(db, "never"))
    session = make_session(db, course)
    watch_whole(db, session)
    session_id = session.id
    db.commit()
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in [pool.submit(_work, database_url, session_id, seed) for seed in range(PROCESSES)]:
            done.result(timeout=120)
    rows = db.execute(
        sa.select(Student.index_number, Attendance.status, Attendance.source, Attendance.first_seen).join(
            Attendance, Attendance.student_id == Student.id
        )
    ).all()
    expected = {(f"s{n}", Status.PRESENT, Source.MACHINE, NINE + timedelta(minutes=3)) for n in range(STUDENTS)}
    assert sorted(rows) == sorted([*expected, ("never", Status.ABSENT, Source.MACHINE, None)])


def test_readers_do_not_wait_for_a_writer(sessions: sessionmaker[Session]) -> None:
    with sessions() as writer, sessions() as reader:
        begin_writing(writer)
        writer.add(Student(index_number="s1", name="x"))
        writer.flush()
        assert reader.scalars(sa.select(Student)).all() == []
        writer.commit()
        reader.rollback()
        assert len(reader.scalars(sa.select(Student)).all()) == 1


def test_a_sighting_waits_for_new_times_and_follows_them(
    db: Session, sessions: sessionmaker[Session], database_url: str
) -> None:
    """A timetable edit under way decides about a sighting that arrives meanwhile, not the times before it."""
    course = make_course(db)
    enrol(db, course, make_student(db, "s1"))
    session = make_session(db, course, grace_minutes=10)
    db.commit()
    sighting = Sighting(session.id, "s1", NINE + timedelta(minutes=20), NINE + timedelta(minutes=21), 0.9, None)
    db.rollback()
    with ThreadPoolExecutor(1) as pool, sessions() as editor:
        begin_writing(editor)
        edited = editor.get_one(ClassSession, session.id)
        edited.grace_minutes = 30
        apply_session_times(editor, edited)
        arriving = pool.submit(_committed, sessions, sighting)
        # Time for it to read the old times, were it not made to wait.
        assert not wait([arriving], timeout=0.5).done
        editor.commit()
        arriving.result(timeout=60)
    assert db.scalars(sa.select(Attendance.status)).all() == [Status.PRESENT]


def test_a_correction_and_a_sighting_at_once_leave_the_persons_status(
    db: Session, sessions: sessionmaker[Session]
) -> None:
    course, account_id = make_course(db), make_lecturer(db).id
    numbers = [f"s{number}" for number in range(10)]
    enrol(db, course, *[make_student(db, number) for number in numbers])
    session_id = make_session(db, course).id
    db.commit()
    students = dict(db.execute(sa.select(Student.index_number, Student.id)).all())
    db.rollback()
    together = threading.Barrier(2)

    def see() -> None:
        for number in numbers:
            together.wait(60)
            _committed(sessions, Sighting(session_id, number, NINE, NINE + timedelta(minutes=1), 0.9, None))

    def correct() -> None:
        for number in numbers:
            together.wait(60)
            with sessions.begin() as own:
                begin_writing(own)
                correct_status(
                    own,
                    session_id=session_id,
                    student_id=students[number],
                    status=Status.EXCUSED,
                    reason="ill",
                    account_id=account_id,
                )

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(see), pool.submit(correct)]:
            done.result(timeout=120)
    rows = db.execute(sa.select(Attendance.status, Attendance.source, Attendance.first_seen)).all()
    assert [tuple(row) for row in rows] == [(Status.EXCUSED, Source.PERSON, NINE)] * len(numbers)
