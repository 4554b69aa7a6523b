"""Feeds: what they hold and what not, and how their addresses begin and end."""

import html
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from icalendar import Calendar

from attendance.database.engine import begin_writing
from attendance.database.models import (
    Attendance,
    AuditEntry,
    CalendarFeed,
    SessionState,
    Status,
    utc_now,
)
from tests.factories import enrol, make_course, make_group, make_lecturer, make_room, make_session, make_student
from tests.webapp.me.students import enter
from webapp.calendars.feeds import MOST_READS


@pytest.fixture
def campus(site_db):
    """A lecturer, a student of one of two groups, and sessions: the course's, each group's, another course's."""
    ada = make_lecturer(site_db, name="Ada Lovelace")
    course, other = (
        make_course(site_db, "MAT101", "Algebra", lecturers=(ada,)),
        make_course(site_db, "PHY200", "Optics"),
    )
    alan, grace = make_student(site_db, name="Alan Turing"), make_student(site_db, name="Grace Hopper")
    enrol(site_db, course, alan, grace)
    groups = make_group(site_db, course, "A", members=(alan,)), make_group(site_db, course, "B", members=(grace,))
    hall = make_room(site_db, "Hall A")
    now = utc_now().replace(microsecond=0)
    times = [now + timedelta(days=day) for day in range(1, 6)]
    whole = make_session(site_db, course, hall, starts_at=times[0])
    make_session(site_db, course, hall, starts_at=times[1], group=groups[0])
    make_session(site_db, course, hall, starts_at=times[2], group=groups[1])
    make_session(site_db, other, hall, starts_at=times[3])
    cancelled = make_session(site_db, course, make_room(site_db, "Hall B"), starts_at=times[4])
    cancelled.state, cancelled.cancelled_reason = SessionState.CANCELLED, "Ada is ill"
    site_db.add(Attendance(session_id=whole.id, student_id=alan.id, status=Status.ABSENT, remark="overslept"))
    site_db.commit()
    return ada, alan, hall, times


def address_in(answer):
    (found,) = re.findall(r'<code id="address"[^>]*>([^<]+)</code>', answer.text)
    return html.unescape(found).removeprefix("http://localhost")


def events(answer):
    assert answer.status_code == 200
    assert answer.content_type == "text/calendar; charset=utf-8"
    found = Calendar.from_ical(answer.data)
    assert not found.errors
    return [(str(each["SUMMARY"]), each["DTSTART"].dt, str(each["STATUS"])) for each in found.walk("VEVENT")]


def test_a_lecturers_feed(site, campus):
    ada, _, _, times = campus
    visitor = site.visitor(ada)
    address = address_in(visitor.post("/profile/calendar"))
    found = events(site.visitor().get(address))
    assert [start for _, start, _ in found] == [*times[:3], times[4]]
    assert found[0][0].startswith("MAT101")
    assert [status for _, _, status in found] == ["CONFIRMED"] * 3 + ["CANCELLED"]
    assert address not in visitor.get("/profile/calendar").text, "it is shown once"


def test_a_students_feed_holds_what_the_student_is_expected_in(site, site_db, campus):
    _, alan, _, times = campus
    visitor = enter(site, site_db, alan)
    found = events(site.visitor().get(address_in(visitor.post("/me/calendar"))))
    assert [start for _, start, _ in found] == [*times[:2], times[4]]


def test_a_rooms_feed(site, admin, campus):
    _, _, hall, times = campus
    found = events(site.visitor().get(address_in(admin.post(f"/admin/rooms/{hall.id}/calendar"))))
    assert [start for _, start, _ in found] == times[:4]


def test_a_feed_holds_times_rooms_and_courses_and_nothing_else(site, site_db, campus):
    ada, alan, _, _ = campus
    for answer in (site.visitor(ada).post("/profile/calendar"), enter(site, site_db, alan).post("/me/calendar")):
        text = site.visitor().get(address_in(answer)).text
        for secret in ("Ada", "Alan", "Grace", "absent", "overslept", "ill", alan.index_number, "@example.edu"):
            assert secret.lower() not in text.lower().replace("@localhost", ""), secret
        names = {line.partition(":")[0].partition(";")[0] for line in text.splitlines()}
        assert names == {
            "BEGIN", "END", "VERSION", "PRODID", "METHOD", "X-WR-CALNAME", "REFRESH-INTERVAL", "X-PUBLISHED-TTL",
            "UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "LOCATION", "STATUS",
        }  # fmt: skip


def test_a_new_address_ends_the_one_before(site, site_db, campus):
    visitor = site.visitor(campus[0])
    first = address_in(visitor.post("/profile/calendar"))
    second = address_in(visitor.post("/profile/calendar"))
    assert first != second
    assert site.visitor().get(first).status_code == 404
    assert site.visitor().get(second).status_code == 200
    assert visitor.post("/profile/calendar/end").status_code == 302
    assert site.visitor().get(second).status_code == 404
    actions = [entry.action for entry in site_db.scalars(sa.select(AuditEntry).order_by(AuditEntry.id))]
    assert actions == ["feed.made", "feed.made", "feed.ended"]


def test_only_a_hash_is_kept(site, site_db, campus):
    address = address_in(site.visitor(campus[0]).post("/profile/calendar"))
    key = address.partition("key=")[2]
    assert key.startswith("cal_")
    (feed,) = site_db.scalars(sa.select(CalendarFeed))
    assert key not in str(vars(feed))


@pytest.mark.parametrize("key", ["", "cal_unknown", "x" * 500, "%00", "%ff"])
def test_an_address_that_was_never_made(site, key):
    assert site.visitor().get(f"/feeds/calendar.ics?key={key}").status_code == 404


def test_who_guesses_addresses_locks_nothing(site):
    with site.sessions() as other:
        begin_writing(other)
        other.execute(sa.text("UPDATE account SET name = name"))
        assert site.app.test_client().get("/feeds/calendar.ics?key=cal_guessed").status_code == 404
        other.rollback()


def test_somebody_who_may_not_sign_in_any_more_has_no_feed(site, site_db, campus):
    ada = campus[0]
    address = address_in(site.visitor(ada).post("/profile/calendar"))
    ada.active = False
    site_db.commit()
    assert site.visitor().get(address).status_code == 404


def test_who_reads_too_often_is_asked_to_wait(site, site_db, campus):
    address = address_in(site.visitor(campus[0]).post("/profile/calendar"))
    reader = site.visitor()
    reader.get(address)
    site_db.execute(sa.update(CalendarFeed).values(reads=MOST_READS))
    site_db.commit()
    answer = reader.get(address)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 3600
    site_db.execute(sa.update(CalendarFeed).values(hour_began_at=utc_now() - timedelta(hours=1)))
    site_db.commit()
    assert reader.get(address).status_code == 200


def test_a_calendar_that_has_not_changed_is_not_sent_again(site, campus):
    address = address_in(site.visitor(campus[0]).post("/profile/calendar"))
    reader = site.visitor()
    tag = reader.get(address).headers["ETag"]
    again = reader.get(address, headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")


def test_the_secret_is_not_logged(site, campus, capsys, caplog):
    address = address_in(site.visitor(campus[0]).post("/profile/calendar"))
    site.visitor().get(address)
    said = capsys.readouterr()
    assert address.partition("key=")[2] not in said.out + said.err + caplog.text
