"""The stream of a register's changes."""

import json
import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.access.roles import Reach, give_role, take_role
from attendance.database.access.sign_ins import begin_sign_in, end_sign_ins, goes_on
from attendance.database.corrections import correct_status
from attendance.database.models import Account, AccountRole, ClassSession, Role, SignIn, Status, utc_now
from attendance.database.register import close_ended_sessions
from tests.factories import enrol, make_student
from tests.webapp.lessons import LONG_AGO, make_lesson, see
from webapp.register.live import LiveStreams, Watch, watch_register
from webapp.register.rows import read_register


class Stream:
    """A stream that is read by hand: between two looks the test changes what there is."""

    def __init__(self, site, lesson, since, **more):
        self.stopping = threading.Event()
        options = {"lifetime_s": 30.0, "interval_s": 0.01, **more}
        watch = Watch(site.sessions, lesson.session.id, since, lambda _, row: f"<{row.name}>", self.stopping, **options)
        self.events = watch_register(watch)
        assert next(self.events) == "retry: 2000\n\n"

    def next(self):
        lines = dict(line.split(": ", 1) for line in next(self.events).strip().split("\n"))
        return lines["event"], json.loads(lines["data"]), lines["id"]


@pytest.fixture
def lesson(site_db):
    return make_lesson(site_db, "Ada Byron", "Kurt Gödel")


def revision(db, lesson):
    db.rollback()  # a new look, not the snapshot of the last one
    return read_register(db, db.get(ClassSession, lesson.session.id), utc_now()).revision


def watched_in_turn(stream, change):
    """Let the stream take its first look, then change something, then give the next event."""
    looked = threading.Timer(0.15, change)
    looked.start()
    event = stream.next()
    looked.join()
    return event


def test_an_arrival_is_told_with_its_row_and_the_counts(site, site_db, lesson):
    stream = Stream(site, lesson, revision(site_db, lesson))

    def arrive():
        with site.sessions() as db:
            see(db, lesson, lesson.students[0])

    name, data, new_revision = watched_in_turn(stream, arrive)
    assert name == "rows"
    assert data["rows"] == [{"id": lesson.students[0].id, "html": "<Ada Byron>", "say": "Ada Byron: Present"}]
    assert data["counts"] == {"present": 1, "unseen": 1}
    assert new_revision == revision(site_db, lesson)


def test_a_later_sighting_changes_the_row_but_says_nothing(site, site_db, lesson):
    see(site_db, lesson, lesson.students[0])
    stream = Stream(site, lesson, revision(site_db, lesson))

    def linger():
        with site.sessions() as db:
            see(db, lesson, lesson.students[0], until=9)

    _, data, _ = watched_in_turn(stream, linger)
    assert data["rows"][0]["say"] == ""


def test_a_browser_that_shows_something_else_is_told_to_read_again(site, lesson):
    assert Stream(site, lesson, "0123456789abcdef").next()[0] == "stale"


@pytest.mark.parametrize("change", ["enrolled", "ended"])
def test_what_changes_the_whole_page_is_not_told_row_by_row(site, site_db, lesson, change):
    stream = Stream(site, lesson, revision(site_db, lesson))

    def happen():
        with site.sessions() as db:
            if change == "enrolled":
                enrol(db, lesson.course, make_student(db))
            else:
                db.get(ClassSession, lesson.session.id).ends_at = utc_now()
            db.commit()

    assert watched_in_turn(stream, happen)[0] == "stale"


@pytest.mark.parametrize("change", ["role taken", "role given", "blocked", "password set", "deleted", "signed out"])
def test_ends_when_whoever_watches_may_not_any_more(site, site_db, lesson, change):
    person = lesson.lecturer.id
    token = begin_sign_in(site_db, lesson.lecturer, now=utc_now(), lifetime=timedelta(hours=1))
    site_db.commit()
    stream = Stream(site, lesson, revision(site_db, lesson), allowed=lambda db: goes_on(db, token, utc_now()))

    def lose():
        with site.sessions() as db:
            if change == "role taken":
                take_role(db, person, Reach(course_id=lesson.course.id))
            elif change == "role given":
                give_role(db, person, Role.ADMIN)
            elif change == "signed out":
                end_sign_ins(db, SignIn.account_id == person)
            elif change == "deleted":
                db.execute(sa.delete(AccountRole).where(AccountRole.account_id == person))
                db.execute(sa.delete(Account).where(Account.id == person))
            else:
                column, value = {"blocked": (Account.active, False), "password set": (Account.password_hash, "x")}[
                    change
                ]
                db.execute(sa.update(Account).where(Account.id == person).values({column: value}))
            see(db, lesson, lesson.students[0])  # who would be told

    with pytest.raises(StopIteration):
        watched_in_turn(stream, lose)


def test_ends_within_two_seconds_of_the_sign_in_however_seldom_the_register_is_read(site, site_db, lesson):
    token = begin_sign_in(site_db, lesson.lecturer, now=utc_now(), lifetime=timedelta(hours=1))
    site_db.commit()
    allowed = {"allowed": lambda db: goes_on(db, token, utc_now())}
    stream = Stream(site, lesson, revision(site_db, lesson), interval_s=30.0, **allowed)
    ended = []

    def sign_out():
        with site.sessions.begin() as db:
            end_sign_ins(db, SignIn.account_id == lesson.lecturer.id)
        ended.append(time.monotonic())

    threading.Timer(1.2, sign_out).start()
    events = [event.split("\n")[0] for event in stream.events]
    assert time.monotonic() - ended[0] < 2
    assert set(events) <= {"event: beat"}


def test_ends_when_the_register_closes(site, site_db):
    lesson = make_lesson(site_db, starts_at=LONG_AGO)
    close_ended_sessions(site.sessions, utc_now())
    stream = Stream(site, lesson, "what the browser had")
    assert stream.next()[0] == "stale"
    assert list(stream.events) == []


def test_ends_after_its_time_and_keeps_proxies_awake_until_then(site, site_db, lesson, monkeypatch):
    monkeypatch.setattr("webapp.register.live.HEARTBEAT_S", 0.05)
    stream = Stream(site, lesson, revision(site_db, lesson), lifetime_s=0.5)
    said = [event.split("\n")[0] for event in stream.events]
    assert set(said) == {"event: beat"}


def test_ends_when_the_server_stops(site, site_db, lesson):
    stream = Stream(site, lesson, revision(site_db, lesson), interval_s=30.0)
    threading.Timer(0.1, stream.stopping.set).start()
    assert list(stream.events) == []


def test_ends_quietly_when_the_database_is_away(site, site_db, lesson):
    stream = Stream(site, lesson, revision(site_db, lesson))
    site_db.close()
    site.sessions.kw["bind"].dispose()
    (site.settings.data.directory / "attendance.db").write_bytes(b"no database any more" * 999)
    for suffix in ("-wal", "-shm"):
        (site.settings.data.directory / f"attendance.db{suffix}").unlink(missing_ok=True)
    assert list(stream.events) == []


def test_ends_when_the_session_is_deleted(site, site_db, lesson):
    site_db.delete(site_db.get(ClassSession, lesson.session.id))
    site_db.commit()
    assert list(Stream(site, lesson, "x").events) == []


def test_a_correction_reaches_those_who_watch(site, site_db, lesson):
    stream = Stream(site, lesson, revision(site_db, lesson))

    def correct():
        with site.sessions.begin() as db:
            correct_status(
                db,
                session_id=lesson.session.id,
                student_id=lesson.students[1].id,
                status=Status.EXCUSED,
                reason="ill",
                account_id=lesson.lecturer.id,
            )

    _, data, _ = watched_in_turn(stream, correct)
    assert data["rows"][0]["say"] == "Kurt Gödel: Excused"


def test_no_connection_is_held_between_two_looks(site, site_db, lesson):
    stream = Stream(site, lesson, "x")
    stream.next()
    pool = site.sessions.kw["bind"].pool
    site_db.close()
    assert pool.checkedout() == 0


def test_places_are_counted_and_nobody_has_more_than_half():
    streams = LiveStreams(4)
    assert [streams.enter(1) for _ in range(3)] == [True, True, False]
    assert [streams.enter(2) for _ in range(2)] == [True, True]
    assert not streams.enter(3)
    streams.leave(1)
    assert streams.enter(3)
    assert not streams.enter(1)
    assert LiveStreams(1).enter(1)
