"""Ended sessions are closed whether or not anyone looks."""

import threading
import time

import sqlalchemy as sa

from attendance.database.closer import Closer
from attendance.database.models import Attendance, ClassSession, Status
from attendance.database.register import close_ended_sessions
from tests.webapp.lessons import LONG_AGO, make_lesson, see


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def closed(site, lesson):
    with site.sessions() as db:
        return db.get(ClassSession, lesson.session.id).closed_at is not None


def test_absences_are_written_by_themselves_once(site, site_db):
    lesson = make_lesson(site_db, starts_at=LONG_AGO)
    see(site_db, lesson, lesson.students[0])
    running = make_lesson(site_db)
    closers = [Closer(site.sessions, 0.05) for _ in range(3)]
    for each in closers:
        each.start()
    wait_for(lambda: closed(site, lesson))
    for each in closers:
        each.stop()
    assert not closed(site, running)
    with site.sessions() as db:
        statuses = sorted(db.scalars(sa.select(Attendance.status)))
    assert statuses == [Status.ABSENT, Status.ABSENT, Status.PRESENT]


def test_a_failure_does_not_end_the_looking(site, site_db, monkeypatch):
    lesson = make_lesson(site_db, starts_at=LONG_AGO)
    errors = [sa.exc.OperationalError("x", {}, Exception("gone")), RuntimeError("odd")]

    def sometimes(*arguments):
        if errors:
            raise errors.pop()
        return close_ended_sessions(*arguments)

    monkeypatch.setattr("attendance.database.closer.close_ended_sessions", sometimes)
    closer = Closer(site.sessions, 0.05)
    closer.start()
    wait_for(lambda: closed(site, lesson))
    closer.stop()


def test_stops_at_once_and_even_unstarted(site):
    Closer(site.sessions, 3600).stop()
    closer = Closer(site.sessions, 3600)
    closer.start()
    closer.stop()
    assert "closer" not in {thread.name for thread in threading.enumerate()}
