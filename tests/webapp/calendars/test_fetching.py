"""Calendars that are fetched from a real server, when they are due; and the page of what they changed."""

import threading
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import undefer

from attendance.database.models import AuditEntry, ClassSession, SessionState, TimetableCalendar, utc_now
from attendance.database.transactions import transact
from tests.factories import enrol, make_course, make_room, make_student
from tests.webapp.outside.receiving import Answer, receiving
from tests.webapp.visiting import make_settings, plain
from webapp.calendars.fetching import CalendarFetcher, claim_calendar

GO_ON = threading.Event()


def ics(*days, more=""):
    blocks = [
        f"BEGIN:VEVENT\nUID:{day}\nDTSTART:{day}T090000Z\nDURATION:PT90M\nSUMMARY:MAT101\nLOCATION:Hall A\nEND:VEVENT"
        for day in days
    ]
    return "\n".join(["BEGIN:VCALENDAR", *blocks, more, "END:VCALENDAR"]).encode()


DAYS = ["20301007", "20301014", "20301021"]


@pytest.fixture
def site_settings(tmp_path, migrated_file):
    return make_settings(tmp_path / "site", migrated_file, web={"private_addresses": "127.0.0.0/8"})


@pytest.fixture
def server():
    with receiving() as made:
        made.answering = lambda _asked: Answer(200, {"ETag": '"one"'}, ics(*DAYS))
        yield made


@pytest.fixture
def calendar(site_db, server):
    """A calendar at the server, which is due."""
    enrol(site_db, make_course(site_db, "MAT101"), make_student(site_db))
    make_room(site_db, "Hall A")
    term = {"first_day": date(2030, 10, 1), "last_day": date(2031, 1, 31)}
    made = TimetableCalendar(name="Term", url=f"{server.address}/term.ics?key=s3cret", next_fetch_at=utc_now(), **term)
    site_db.add(made)
    site_db.commit()
    return made


@pytest.fixture
def fetch(site, site_db, calendar):
    """`fetch()`: fetch what is due, after which it is due again; the calendar."""
    fetcher = CalendarFetcher(site.app, site.settings)

    def fetch_():
        site_db.execute(sa.update(TimetableCalendar).values(next_fetch_at=utc_now()))
        site_db.commit()
        assert fetcher.step(GO_ON)
        site_db.expire_all()
        site_db.rollback()
        query = sa.select(TimetableCalendar).options(
            undefer(TimetableCalendar.report), undefer(TimetableCalendar.waiting)
        )
        return site_db.scalars(query.execution_options(populate_existing=True)).one()

    return fetch_


def held(db):
    db.rollback()
    query = sa.select(sa.func.count()).select_from(ClassSession).where(ClassSession.state == SessionState.SCHEDULED)
    return db.scalar(query)


def test_it_is_fetched_written_and_due_again(site_db, fetch, server):
    found = fetch()
    assert (held(site_db), found.problem, found.waiting) == (3, None, None)
    assert timedelta(minutes=59) < found.next_fetch_at - utc_now() <= timedelta(minutes=60)
    assert found.report["counts"]["added"] == 3
    actions = [(entry.action, entry.actor, entry.subject) for entry in site_db.scalars(sa.select(AuditEntry))]
    assert actions == [("calendar.applied", "worker", "Term")]
    server.answering = lambda asked: Answer(304) if asked.headers.get("if-none-match") == '"one"' else Answer(500)
    first, found = found.fetched_at, fetch()
    assert found.problem is None
    assert found.fetched_at > first, "it was read, and nothing in it is new"
    assert len(site_db.scalars(sa.select(AuditEntry)).all()) == 1, "nothing changed, nothing noted"


def test_what_was_left_out_goes_in_when_its_room_is_there(site_db, fetch, server):
    elsewhere = ics("20301008").replace(b"Hall A", b"Hall B").split(b"\n")[1:-1]
    whole = ics(*DAYS, more=b"\n".join(elsewhere).decode())

    def answer(asked):
        known = asked.headers.get("if-none-match") == '"two"'
        return Answer(304) if known else Answer(200, {"ETag": '"two"'}, whole)

    server.answering = answer
    assert fetch().report["counts"] == {"added": 3, "updated": 0, "unchanged": 0, "refused": 1}
    make_room(site_db, "Hall B")
    site_db.commit()
    assert fetch().report["counts"] == {"added": 1, "updated": 0, "unchanged": 3, "refused": 0}
    assert held(site_db) == 4
    assert fetch().entity_tag == '"two"'


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(503), "answered 503"),
        (Answer(200, {}, b"<html>Sign in</html>"), "does not begin with BEGIN:VCALENDAR"),
        (Answer(200, {"Content-Length": "52428800"}), "too long"),
        (Answer(302, {"Location": "http://169.254.169.254/latest"}), "may not be called"),
        (Answer(200, {}, b"BEGIN:VCALENDAR\nBEGIN:VEVENT\n"), "breaks off"),
    ],
)
def test_what_cannot_be_read_changes_nothing_and_is_said(site_db, fetch, server, *, answer, says):
    fetch()
    server.answering = lambda _asked: answer
    found = fetch()
    assert says in found.problem
    assert held(site_db) == 3
    server.answering = lambda _asked: Answer(200, {}, ics(*DAYS))
    assert fetch().problem is None


def test_failures_are_tried_more_and_more_rarely(fetch, server):
    server.answering = lambda _asked: Answer(500)
    pauses = [round((fetch().next_fetch_at - utc_now()) / timedelta(minutes=5)) for _ in range(8)]
    assert pauses == [12, 12, 12, 12, 16, 32, 64, 72]


def test_a_person_is_asked_before_most_of_the_sessions_go(admin, site_db, fetch, server):
    days = [f"203010{day:02}" for day in range(7, 20)]
    server.answering = lambda _asked: Answer(200, {}, ics(*days))
    fetch()
    server.answering = lambda _asked: Answer(200, {}, ics(days[0]))
    found = fetch()
    assert (held(site_db), found.waiting is None) == (13, False)
    page = f"/admin/calendars/{found.id}"
    assert "12 of 13 sessions to come would be cancelled." in admin.text(page)
    assert "Waits for you" in admin.text("/admin/calendars")
    refused = admin.post(f"{page}/apply")
    assert (refused.status_code, held(site_db)) == (422, 13)
    assert admin.post(f"{page}/apply", {"checked": "y"}).status_code == 302
    assert held(site_db) == 1
    assert "Nothing waits any more." in plain(admin.post(f"{page}/apply", follow_redirects=True).text)


def test_one_that_asks_each_time_changes_nothing_by_itself(admin, site_db, fetch, server, calendar):
    calendar.by_itself = False
    site_db.commit()
    assert fetch().waiting is not None
    assert held(site_db) == 0
    admin.post(f"/admin/calendars/{calendar.id}/apply")
    assert held(site_db) == 3
    assert fetch().waiting is None


def test_one_worker_at_a_time(site_db, calendar):
    now = utc_now()
    first = transact(site_db, lambda db: claim_calendar(db, now=now))
    assert first is not None
    assert transact(site_db, lambda db: claim_calendar(db, now=now)) is None
    assert transact(site_db, lambda db: claim_calendar(db, now=now + timedelta(minutes=11))) is not None


def test_the_secret_of_its_address_is_shown_nowhere(admin, fetch, capsys, caplog):
    page = f"/admin/calendars/{fetch().id}"
    for path in ("/admin/calendars", page, f"{page}/edit"):
        text = admin.get(path).text
        assert "127.0.0.1" in text
        assert "s3cret" not in text
    said = capsys.readouterr()
    assert "s3cret" not in said.out + said.err + caplog.text


def test_a_file_is_tried_and_written(admin, site_db, calendar):
    from io import BytesIO  # noqa: PLC0415 - beside its use

    calendar.url = calendar.next_fetch_at = None
    site_db.commit()
    page = f"/admin/calendars/{calendar.id}"
    strange = "BEGIN:VEVENT\nUID:x\nDTSTART;TZID=Mars/Phobos:20301007T090000\nSUMMARY:MAT101\nEND:VEVENT"
    for data, status in ((ics(*DAYS, more=strange), 302), (b"nonsense", 422)):
        file = {"file": (BytesIO(data), "term.ics")}
        assert admin.post(f"{page}/file", file, content_type="multipart/form-data").status_code == status
    text = admin.text(page)
    assert "What would change" in text
    assert "MAT101 line 2 1 session added: Mon 7 Oct 2030, 11:00 to 12:30, Hall A" in text
    assert "The time zone Mars/Phobos is not known" in text
    assert held(site_db) == 0
    assert admin.post(f"{page}/apply").status_code == 302
    assert held(site_db) == 3
    assert admin.post(f"{page}/delete").status_code == 302
    assert held(site_db) == 3, "its sessions stay"


def test_errors_that_read_alike_name_their_fields(admin):
    text = plain(admin.post("/admin/calendars/new", {"name": ""}).text)
    wrong = "Name is empty. First day of the term: Choose a day. Last day of the term: Choose a day."
    assert f"Some fields need a correction {wrong}" in text


def test_a_form_that_is_wrong_says_so(admin, site_db):
    form = {
        "name": "T",
        "first_day": "2030-10-01",
        "last_day": "2031-01-31",
        "course": "",
        "room": "",
        "every_minutes": "60",
    }
    for wrong, says in (
        ({"last_day": "2030-09-01"}, "ends before it begins"),
        ({"last_day": "2039-09-01"}, "400 days at most"),
        ({"url": "https://10.1.1.1/"}, "no public address"),
        ({"every_minutes": "1"}, "from 10 to 1440"),
        ({"name": ""}, "Name"),
        ({"course": "99"}, "Choose a course"),
    ):
        answer = admin.post("/admin/calendars/new", form | wrong)
        assert answer.status_code == 422
        assert says in plain(answer.text), wrong
    assert admin.post("/admin/calendars/new", form | {"url": "webcal://calendar.example.edu/x.ics"}).status_code == 302
    assert site_db.scalar(sa.select(TimetableCalendar.url)) == "https://calendar.example.edu/x.ics"
