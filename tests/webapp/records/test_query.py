"""Finding records: order, paging, counting and bounds, on SQLite and on MariaDB."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from attendance.database.audiences import among
from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import Attendance, ClassSession, Status
from tests.factories import enrol, make_course, make_lecturer, make_room, make_session, make_student
from tests.webapp.lessons import LONG_AGO
from webapp.records import query as records_query
from webapp.records.query import RecordFilter, RecordQuery
from webapp.tools.names import teach_sqlite
from webapp.tools.times import init_times


@pytest.fixture
def db(engine, database_url):
    app = Flask(__name__)
    init_times(app, "Europe/Warsaw")
    taught = create_database_engine(database_url)
    teach_sqlite(taught)
    with app.app_context(), session_factory(taught)() as session:
        yield session
    taught.dispose()


@pytest.fixture
def term(db):
    """Two courses of five sessions with four students each; the second student is always late."""
    lecturer = make_lecturer(db)
    room = make_room(db)
    names = ["Ada Byron", "Łukasz Żak", "Zoe Nowak", "Émile Zola"]
    students = [make_student(db, f"s{n}", name=name) for n, name in enumerate(names)]
    courses = [make_course(db, code, lecturers=(lecturer,)) for code in ("CS", "MA")]
    for offset, course in enumerate(courses):
        enrol(db, course, *students)
        for day in range(5):
            starts_at = LONG_AGO + timedelta(days=day, hours=offset)
            session = make_session(db, course, room, starts_at=starts_at)
            for n, student in enumerate(students):
                status = Status.LATE if n == 1 else Status.PRESENT
                db.add(Attendance(session_id=session.id, student_id=student.id, status=status))
    db.commit()
    return courses


def records(db, page=None, size=7, reach=None, **wanted):
    query = RecordQuery(db, RecordFilter(**wanted), reach)
    return list(query.all()) if page is None else query.page(page, size)


def keys(found):
    return [(record.starts_at, record.course_code, record.student_name) for record in found]


def test_newest_session_first_and_names_in_order(db, term):
    found = records(db)
    assert len(found) == 40
    assert [record.student_name for record in found[:4]] == ["Ada Byron", "Émile Zola", "Łukasz Żak", "Zoe Nowak"]
    assert [record.course_code for record in found[:8]] == ["MA"] * 4 + ["CS"] * 4
    starts = [record.starts_at for record in found]
    assert starts == sorted(starts, reverse=True)


@pytest.mark.parametrize("size", [1, 3, 4, 7, 40, 50])
def test_pages_together_are_the_whole_list(db, term, size):
    pages = [records(db, page=n + 1, size=size) for n in range(-(-40 // size))]
    assert keys(record for page in pages for record in page.items) == keys(records(db))
    assert {page.total for page in pages} == {40}
    assert [page.has_next for page in pages] == [True] * (len(pages) - 1) + [False]
    assert records(db, page=len(pages) + 1, size=size).items == []


def test_parts_of_a_filter_combine(db, term):
    course = term[0]
    assert len(records(db, course_id=course.id)) == 20
    assert len(records(db, course_id=course.id, statuses=(Status.LATE,))) == 5
    assert len(records(db, statuses=(Status.LATE, Status.PRESENT), student="lukasz")) == 10
    assert len(records(db, student="s1", first_day=date(2024, 3, 5), last_day=date(2024, 3, 6))) == 4
    assert len(records(db, student="s", first_day=date(2024, 3, 8))) == 8
    assert records(db, statuses=(Status.EXCUSED,)) == []
    assert records(db, student="nobody") == []
    session_id = db.scalars(sa.select(ClassSession.id).where(ClassSession.course_id == course.id)).first()
    assert len(records(db, session_id=session_id)) == 4


def test_days_are_the_institutions(db, term):
    """A session at 23:30 UTC is on the next day in Warsaw."""
    student = db.scalar(sa.select(Attendance.student_id).limit(1))
    session = make_session(db, term[0], starts_at=LONG_AGO.replace(month=6, hour=23, minute=30))
    db.add(Attendance(session_id=session.id, student_id=student, status=Status.PRESENT))
    db.commit()
    assert len(records(db, first_day=date(2024, 6, 5), last_day=date(2024, 6, 5))) == 1
    assert records(db, first_day=date(2024, 6, 4), last_day=date(2024, 6, 4)) == []


def test_only_what_one_may_reach(db, term):
    reach = among([term[1].id])
    assert {record.course_code for record in records(db, reach=reach)} == {"MA"}
    assert records(db, reach=reach, course_id=term[0].id) == []


def test_small_chunks_and_batches_change_nothing(db, term, monkeypatch):
    whole = keys(records(db))
    few = keys(records(db, statuses=(Status.LATE,)))
    monkeypatch.setattr(records_query, "_FIRST_CHUNK", 2)
    monkeypatch.setattr(records_query, "_LAST_CHUNK", 3)
    assert keys(records(db)) == whole
    assert keys(records(db, statuses=(Status.LATE,))) == few
    assert keys(records(db, page=2, size=7).items) == whole[7:14]


@pytest.mark.parametrize("bound", ["_FEW_STUDENTS", "_MANY_STUDENTS"])
def test_many_matching_students_take_another_way(db, term, monkeypatch, bound):
    monkeypatch.setattr(records_query, bound, 1)
    assert len(records(db, student="z")) == 30
    assert len(records(db, student="Ada")) == 10


def test_counting_stops_but_paging_goes_on(db, term, monkeypatch):
    monkeypatch.setattr(records_query, "_COUNT_AT_MOST", 10)
    monkeypatch.setattr(records_query, "_FIRST_CHUNK", 1)
    first = records(db, page=1, size=4)
    assert first.more_than_total
    assert first.has_next
    last = records(db, page=10, size=4)
    assert (len(last.items), last.has_next) == (4, False)


def test_simultaneous_sessions_are_not_lost_between_chunks(db, term, monkeypatch):
    monkeypatch.setattr(records_query, "_FIRST_CHUNK", 1)
    monkeypatch.setattr(records_query, "_LAST_CHUNK", 1)
    student = db.scalar(sa.select(Attendance.student_id).limit(1))
    later = LONG_AGO + timedelta(days=30)
    for _ in range(4):
        session = make_session(db, term[0], starts_at=later)
        db.add(Attendance(session_id=session.id, student_id=student, status=Status.PRESENT))
    db.commit()
    assert len(records(db, first_day=date(2024, 4, 1))) == 4


def test_counting_uses_the_index_on_session_and_student(db, term):
    query = RecordQuery(db, RecordFilter(), None)
    statements = []
    sa.event.listen(db.get_bind(), "before_cursor_execute", lambda *call: statements.append((call[2], call[3])))
    query.page(1, 5)
    sql, parameters = next(s for s in statements if "count(*)" in s[0])
    connection = db.connection()
    plan = str(
        connection.exec_driver_sql(
            f"EXPLAIN {'QUERY PLAN ' * (connection.dialect.name == 'sqlite')}{sql}", parameters
        ).all()
    )
    assert "session_id" in plan, plan
