"""What webhooks are told, and that it is written with what it tells of, or not at all; on SQLite and on MariaDB."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.bulk import correct_many
from attendance.database.corrections import correct_status
from attendance.database.models import (
    EventKind,
    Status,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from attendance.database.outgoing import events
from attendance.database.outgoing.events import is_wanted, tell
from attendance.database.register import Sighting, close_ended_sessions, record_sighting
from attendance.database.transactions import transact
from tests.factories import NINE, enrol, make_course, make_department, make_lecturer, make_session, make_student

ALL = [kind.value for kind in EventKind]


def endpoint(db, name="all", *, kinds=ALL, department=None, **more):
    made = WebhookEndpoint(name=name, url="https://example.edu/", events=list(kinds), secret="whsec_c2VjcmV0", **more)
    made.department = department
    db.add(made)
    db.flush()
    return made


@pytest.fixture
def lesson(db):
    """A session of a department's course with three students, and somebody who teaches it."""
    lecturer = make_lecturer(db)
    course = make_course(db, lecturers=(lecturer,), department=make_department(db))
    students = [make_student(db) for _ in range(3)]
    enrol(db, course, *students)
    session = make_session(db, course, starts_at=NINE, ends_at=NINE + timedelta(hours=1))
    db.commit()
    return session, students, lecturer


def told(db, kind=None):
    db.rollback()
    query = sa.select(WebhookEvent).order_by(WebhookEvent.id)
    return [event for event in db.scalars(query) if kind in (None, event.kind)]


def correct(db, lesson, student=0, status=Status.EXCUSED):
    session, students, lecturer = lesson
    correct_status(
        db,
        session_id=session.id,
        student_id=students[student].id,
        status=status,
        reason="said so",
        account_id=lecturer.id,
    )
    db.commit()


def test_a_change_is_told_with_its_commit(db, lesson):
    endpoint(db)
    db.commit()
    correct(db, lesson)
    correct(db, lesson, status=Status.PRESENT)

    first, second = told(db, EventKind.STATUS_CHANGED)
    session, students, _ = lesson
    assert first.data == {
        "session": session.id,
        "entries": [
            {
                "student": students[0].id,
                "from": None,
                "to": "excused",
                "unrecorded": None,
                "label": None,
                "by": "person",
            }
        ],
    }
    assert [(entry["from"], entry["to"]) for entry in second.data["entries"]] == [("excused", "present")]
    assert first.uid != second.uid
    assert len(db.scalars(sa.select(WebhookDelivery)).all()) == 2


def test_what_is_rolled_back_is_not_told(db, lesson):
    endpoint(db)
    db.commit()
    session, students, _ = lesson

    class StopError(Exception):
        pass

    def work(db):
        record_sighting(db, Sighting(session.id, students[0].index_number, NINE, NINE, 0.9, None))
        raise StopError

    with pytest.raises(StopError):
        transact(db, work)
    assert told(db) == []
    correct(db, lesson, 1)  # the session goes on to be used
    (event,) = told(db)
    assert [entry["student"] for entry in event.data["entries"]] == [students[1].id]


def test_a_sighting_is_told_and_one_more_is_not(db, lesson):
    endpoint(db)
    db.commit()
    session, students, _ = lesson
    for minutes in (0, 5):
        seen = NINE + timedelta(minutes=minutes)
        sighting = Sighting(session.id, students[0].index_number, seen, seen, 0.9, None)
        transact(db, lambda db, sighting=sighting: record_sighting(db, sighting))  # type: ignore[misc]

    (event,) = told(db)
    assert [(entry["from"], entry["to"], entry["by"]) for entry in event.data["entries"]] == [
        (None, "present", "machine")
    ]


def test_the_changes_of_one_transaction_are_one_event_and_many_are_several(db, lesson, monkeypatch):
    endpoint(db)
    db.commit()
    monkeypatch.setattr(events, "MOST_ENTRIES", 2)
    session, students, lecturer = lesson
    correct_many(
        db,
        session_id=session.id,
        versions={student.id: 0 for student in students},
        status=Status.PRESENT,
        reason="by hand",
        account_id=lecturer.id,
    )
    assert [len(event.data["entries"]) for event in told(db)] == [2, 1]


def test_the_end_of_a_session_is_told_once_with_the_whole_register(db, sessions, lesson):
    endpoint(db)
    db.commit()
    _, students, _ = lesson
    correct(db, lesson)
    assert close_ended_sessions(sessions, NINE + timedelta(hours=2)) == 1
    assert close_ended_sessions(sessions, NINE + timedelta(hours=2)) == 0

    (closed,) = told(db, EventKind.SESSION_CLOSED)
    entries = {entry["student"]: (entry["to"], entry["unrecorded"]) for entry in closed.data["entries"]}
    unseen = (None, "unwatched")
    assert entries == {students[0].id: ("excused", None), students[1].id: unseen, students[2].id: unseen}
    assert told(db, EventKind.NOT_RECORDED) == [], "somebody has an entry"


def test_a_register_in_which_nothing_is_recorded_is_told_too(db, sessions, lesson):
    endpoint(db)
    db.commit()
    close_ended_sessions(sessions, NINE + timedelta(hours=2))
    (event,) = told(db, EventKind.NOT_RECORDED)
    assert event.data == {"session": lesson[0].id, "students": 3, "unrecorded": "unwatched"}


def test_nothing_is_written_where_nobody_wants_to_know(db, sessions, lesson):
    endpoint(db, kinds=["student.at_risk"])
    endpoint(db, "off", off_at=NINE)
    db.commit()
    correct(db, lesson)
    close_ended_sessions(sessions, NINE + timedelta(hours=2))
    assert told(db) == []
    assert is_wanted(db, EventKind.AT_RISK)
    assert not is_wanted(db, EventKind.SESSION_CLOSED)


def test_an_endpoint_of_another_department_is_not_told(db, lesson):
    session, _, _ = lesson
    own = endpoint(db, "own", department=session.course.department)
    endpoint(db, "other", department=make_department(db))
    everything = endpoint(db)
    db.commit()
    correct(db, lesson)
    assert {row.endpoint_id for row in db.scalars(sa.select(WebhookDelivery))} == {own.id, everything.id}


def test_what_has_a_key_is_told_once(db, lesson):
    endpoint(db)
    db.commit()
    course_ids = [lesson[0].course_id]

    def work(db):
        return tell(db, EventKind.CAMERA_AWAY, lambda: {"a": 1}, course_ids=course_ids, key="k")

    assert [transact(db, work), transact(db, work)] == [True, False]
    assert len(told(db)) == 1


def test_a_department_that_goes_takes_its_endpoints_along(db, lesson):
    department = make_department(db)
    endpoint(db, department=department)
    db.commit()
    db.delete(department)
    db.commit()
    assert db.scalars(sa.select(WebhookEndpoint)).all() == [], "rather than be told of everybody"
