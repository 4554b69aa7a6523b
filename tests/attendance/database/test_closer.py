import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker
from structlog.testing import capture_logs

from attendance.database.closer import Closer
from attendance.database.engine import create_database_engine
from attendance.database.models import Attendance, ClassSession, Status
from tests.factories import NINE, enrol, make_course, make_session, make_student, watch_whole

END = NINE + timedelta(minutes=90)


@pytest.fixture
def session_id(sessions: sessionmaker[Session]) -> int:
    """A session of three students, who were not seen."""
    with sessions.begin() as db:
        course = make_course(db)
        enrol(db, course, *[make_student(db) for _ in range(3)])
        session = make_session(db, course)
        watch_whole(db, session)
        return session.id


@pytest.fixture
def nowhere() -> Iterator[sa.Engine]:
    """A database that cannot be reached."""
    engine = create_database_engine("mysql+pymysql://nobody:none@127.0.0.1:1/none")
    yield engine
    engine.dispose()


def absences(sessions: sessionmaker[Session]) -> int:
    with sessions() as db:
        return db.scalar(sa.select(sa.func.count()).where(Attendance.status == Status.ABSENT)) or 0


class Looks:
    """A clock for a closer, which tells how often it has looked."""

    def __init__(self) -> None:
        self.now = END
        self._count = 0
        self._changed = threading.Condition()

    def __call__(self) -> object:
        with self._changed:
            self._count += 1
            self._changed.notify_all()
        return self.now

    def wait_for_more(self, more: int = 2) -> None:
        """Wait until it has looked, and come back from looking, once more."""
        with self._changed:
            goal = self._count + more
            assert self._changed.wait_for(lambda: self._count >= goal, timeout=60)


@pytest.mark.usefixtures("session_id")
def test_writes_absences_when_a_session_has_ended(sessions: sessionmaker[Session]) -> None:
    looks = Looks()
    looks.now = END - timedelta(seconds=1)
    closer = Closer(sessions, 0.01, now=looks)  # type: ignore[arg-type]
    closer.start()
    looks.wait_for_more()
    assert absences(sessions) == 0
    looks.now = END
    looks.wait_for_more()
    assert closer.stop()
    assert absences(sessions) == 3


def test_several_processes_may_close_at_once(sessions: sessionmaker[Session], session_id: int) -> None:
    looks = [Looks() for _ in range(4)]
    closers = [Closer(sessions, 0.01, now=look) for look in looks]  # type: ignore[arg-type]
    for closer in closers:
        closer.start()
    for look in looks:
        look.wait_for_more(3)
    assert all(closer.stop() for closer in closers)
    assert absences(sessions) == 3
    with sessions() as db:
        assert db.get_one(ClassSession, session_id).closed_at == END


@pytest.mark.usefixtures("session_id")
def test_goes_on_after_the_database_was_away(sessions: sessionmaker[Session], nowhere: sa.Engine) -> None:
    engine = sessions.kw["bind"]
    sessions.configure(bind=nowhere)
    looks = Looks()
    closer = Closer(sessions, 0.01, now=looks)  # type: ignore[arg-type]
    with capture_logs() as logs:
        closer.start()
        looks.wait_for_more(3)
        sessions.configure(bind=engine)
        looks.wait_for_more(3)
        assert closer.stop()
    assert absences(sessions) == 3
    assert [entry["event"] for entry in logs].count("sessions_not_closed") == 1
    assert "nobody" not in str(logs).replace("'nobody'@", "")


def test_survives_what_nobody_foresaw(sessions: sessionmaker[Session]) -> None:
    looks = Looks()
    looks.now = "no time"  # type: ignore[assignment]
    closer = Closer(sessions, 0.01, now=looks)  # type: ignore[arg-type]
    with capture_logs() as logs:
        closer.start()
        looks.wait_for_more(3)
        assert closer.stop()
    assert logs[0]["event"] in {"closer_failed", "sessions_not_closed"}


def test_stopping_one_that_never_started_is_nothing(sessions: sessionmaker[Session]) -> None:
    assert Closer(sessions, 1).stop()


@pytest.mark.usefixtures("session_id")
def test_one_of_several_that_start_at_once_waits_first(sessions: sessionmaker[Session]) -> None:
    closer = Closer(sessions, 3600, waits_first=True, now=lambda: END)
    closer.start()
    assert closer.stop()
    assert absences(sessions) == 0
