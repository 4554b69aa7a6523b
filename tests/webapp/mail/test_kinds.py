"""What each kind of mail says, to whom, and when nothing is said any more."""

import re
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask_babel import force_locale

from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.access.roles import Reach, take_role
from attendance.database.models import (
    Attendance,
    LowAttendance,
    PasswordLink,
    QueuedMail,
    QueueState,
    Role,
    SessionState,
    Status,
    utc_now,
)
from attendance.database.register import close_ended_sessions
from attendance.database.transactions import transact
from tests.factories import enrol, make_camera, make_course, make_lecturer, make_room, make_session, make_student
from webapp.mail.kinds import KINDS, cameras_away, low_attendance, weekly_summary
from webapp.mail.letters import NoLongerWantedError

BASE = "https://attendance.example.edu/room"


@pytest.fixture
def now():
    return utc_now().replace(microsecond=0)


def render(site, mail):
    """The letter, as the worker has it made."""
    kind = KINDS[mail.kind]
    with site.sessions() as db, site.app.test_request_context(base_url=BASE), force_locale("en"):
        return transact(db, lambda db: kind.render(db, mail))


def said(letter):
    return " ".join(letter.text.split())


def queued(db, kind):
    db.rollback()
    return db.scalars(sa.select(QueuedMail).where(QueuedMail.kind == kind).order_by(QueuedMail.id)).all()


def held(db, course, day, statuses):
    """A closed session so many days ago with these statuses by student; None: not recorded."""
    starts_at = utc_now() - timedelta(days=day)
    session = make_session(db, course, starts_at=starts_at, closed_at=starts_at + timedelta(hours=2))
    for student, status in statuses.items():
        db.add(Attendance(session_id=session.id, student_id=student.id, status=status))
    db.flush()
    return session


# The rows that a kind's render is given are made by hand where a page makes them.


def row(kind, to, **data):
    data["account"] = to.id
    return QueuedMail(kind=kind, recipient=to.email, language=None, data=data, queued_at=utc_now())


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_kind_has_an_example_in_both_forms(site, name):
    with site.app.test_request_context(base_url=BASE):
        letter = KINDS[name].example()
        assert str(KINDS[name].title)
        assert str(KINDS[name].occasion).endswith(".")
    assert "\n" not in letter.subject
    assert all(len(line) <= 78 or "https://" in line for line in letter.text.splitlines())
    assert "<script" not in letter.html
    assert "http" not in re.sub(r'(href="|>|, |\s)https://attendance\.example\.edu/room', "", letter.html)
    for address in re.findall(r'href="([^"]+)"', letter.html):
        assert address.startswith(BASE)
        assert address in letter.text


def test_an_invitation_brings_a_link_that_no_row_holds(site, site_db):
    ada = make_lecturer(site_db, email="ada@example.edu")
    ada.password_hash = NO_PASSWORD
    site_db.commit()
    letter = render(site, row("invitation", ada))
    (token,) = set(re.findall(rf"{BASE}/password\?link=(pw_[\w-]+)", letter.text))
    assert token in letter.html
    assert "It works once" not in letter.subject
    assert site.visitor().get(f"/password?link={token}").status_code == 200
    again = render(site, row("invitation", ada))
    assert token not in again.text
    assert site.visitor().get(f"/password?link={token}").status_code == 404, "a newer one ends it"


@pytest.mark.parametrize("change", ["deleted", "inactive", "another address"])
def test_an_invitation_of_somebody_who_is_gone_is_dropped(site, site_db, change):
    ada = make_lecturer(site_db, email="ada@example.edu")
    site_db.commit()
    mail = row("invitation", ada)
    if change == "deleted":
        site_db.delete(ada)
    elif change == "inactive":
        ada.active = False
    else:
        ada.email = "ada.lovelace@example.edu"
    site_db.commit()
    with pytest.raises(NoLongerWantedError):
        render(site, mail)
    assert site_db.scalar(sa.select(PasswordLink.id)) is None


def test_low_attendance_is_told_once_for_each_crossing(site, site_db, now):
    ada, bob = make_lecturer(site_db, email="ada@example.edu"), make_lecturer(site_db, email="bob@example.edu")
    bob.active = False
    course = make_course(site_db, "CS101", lecturers=(ada, bob))
    alan, grace, new = (make_student(site_db, name=name) for name in ("Alan", "Grace", "New"))
    enrol(site_db, course, alan, grace, new)
    for day in (5, 4, 3):
        held(site_db, course, day, {alan: Status.ABSENT, grace: Status.PRESENT, new: None})
    site_db.commit()

    def look():
        return transact(site_db, lambda db: low_attendance.note_crossings(db, course.id, fewest_sessions=3, now=now))

    assert list(low_attendance.courses_being_taught(site_db, now)) == [course.id]
    assert (look(), look()) == (1, 0)
    (mail,) = queued(site_db, "low_attendance")
    assert (mail.recipient, mail.data) == ("ada@example.edu", {"course": course.id, "students": [alan.id]})
    letter = render(site, mail)
    assert letter.subject == "Low attendance in CS101"
    assert "one student fell below 75%:" in said(letter)
    assert f"Alan ({alan.index_number}): 0%, 0 of 3 recorded sessions" in said(letter)
    assert "Grace" not in letter.text
    # Excused in all: nobody asks for more. Then absent again, from another session on.
    entries = site_db.scalars(sa.select(Attendance).where(Attendance.student_id == alan.id)).all()
    for entry in entries:
        entry.status = Status.EXCUSED
    site_db.commit()
    with pytest.raises(NoLongerWantedError):
        render(site, mail)
    assert look() == 0
    assert site_db.scalar(sa.select(LowAttendance.student_id)) is None
    for entry in entries:
        entry.status = Status.ABSENT
    site_db.commit()
    assert look() == 1
    assert len(queued(site_db, "low_attendance")) == 2


@pytest.mark.parametrize("change", ["role", "active", "email"])
def test_who_does_not_teach_the_course_any_more_is_told_no_names(site, site_db, now, change):
    ada = make_lecturer(site_db, email="ada@example.edu")
    course, alan = make_course(site_db, "CS101", lecturers=(ada,)), make_student(site_db, name="Alan")
    enrol(site_db, course, alan)
    held(site_db, course, 3, {alan: Status.ABSENT})
    site_db.commit()
    transact(site_db, lambda db: low_attendance.note_crossings(db, course.id, fewest_sessions=1, now=now))
    (mail,) = queued(site_db, "low_attendance")
    assert "Alan" in render(site, mail).text
    if change == "role":
        take_role(site_db, ada.id, Reach(course_id=course.id))
    else:
        setattr(ada, change, {"active": False, "email": "ada.byron@example.edu"}[change])
    site_db.commit()
    with pytest.raises(NoLongerWantedError, match="does not teach the course any more"):
        render(site, mail)


def test_a_student_with_an_address_is_told_in_the_own_language(site, site_db, now):
    course = make_course(site_db, "CS101")
    alan, grace = make_student(site_db, name="Alan"), make_student(site_db, name="Grace")
    alan.email, alan.language = "alan@example.edu", "fr"
    enrol(site_db, course, alan, grace)
    for day in (5, 4, 3):
        held(site_db, course, day, {alan: Status.ABSENT, grace: Status.ABSENT})
    site_db.commit()
    assert transact(site_db, lambda db: low_attendance.note_crossings(db, course.id, fewest_sessions=3, now=now)) == 2
    (mail,) = queued(site_db, "low_attendance_student")
    assert (mail.recipient, mail.language) == ("alan@example.edu", "fr")
    letter = render(site, mail)
    assert letter.subject == "Your attendance in CS101"
    assert "your attendance in CS101 Computing is 0%: 0 of 3 recorded sessions. 75% is asked for." in said(letter)
    assert f"{BASE}/me" in letter.text
    assert "Grace" not in letter.text
    alan.email = "alan.turing@example.edu"
    site_db.commit()
    with pytest.raises(NoLongerWantedError):
        render(site, mail)


def test_a_students_link_opens_the_own_page_once(site, site_db):
    alan = make_student(site_db, "s100234")
    alan.email = "alan@example.edu"
    site_db.commit()
    mail = QueuedMail(kind="student_link", recipient="alan@example.edu", data={"student": alan.id})
    letter = render(site, mail)
    (link,) = set(re.findall(rf"{BASE}(/me/link\?link=\S+)", letter.text))
    visitor = site.visitor()
    assert visitor.get(link).status_code == 200
    fields = {"link": link.partition("=")[2], "index_number": "s100234"}
    assert visitor.post("/me/link", fields).location == "/me"
    assert site.visitor().get(link).status_code == 404
    alan.email = None
    site_db.commit()
    with pytest.raises(NoLongerWantedError):
        render(site, mail)


def test_few_sessions_another_threshold_and_a_course_that_is_over(site, site_db, now):
    ada = make_lecturer(site_db)
    course = make_course(site_db, "CS101", lecturers=(ada,))
    alan = make_student(site_db, name="Alan")
    enrol(site_db, course, alan)
    held(site_db, course, 20, {alan: Status.PRESENT})
    held(site_db, course, 19, {alan: Status.PRESENT})
    held(site_db, course, 18, {alan: Status.ABSENT})  # 66 %
    site_db.commit()

    def look(fewest):
        return transact(
            site_db, lambda db: low_attendance.note_crossings(db, course.id, fewest_sessions=fewest, now=now)
        )

    assert list(low_attendance.courses_being_taught(site_db, now)) == [], "nothing for two weeks"
    assert look(4) == 0
    course.attendance_threshold = 66
    site_db.commit()
    assert look(3) == 0
    course.attendance_threshold = 67
    site_db.commit()
    assert look(3) == 1


def test_the_share_is_that_of_the_pages_to_the_last_student(site, site_db, now):
    """Three of four is 75 %, which is not below it."""
    course = make_course(site_db, "CS101", lecturers=(make_lecturer(site_db),))
    alan = make_student(site_db)
    enrol(site_db, course, alan)
    for day, status in ((5, Status.PRESENT), (4, Status.LATE), (3, Status.PRESENT), (2, Status.ABSENT)):
        held(site_db, course, day, {alan: status})
    site_db.commit()
    assert low_attendance.below_threshold(site_db, course, fewest_sessions=3) == {}
    course.attendance_threshold = 76
    assert set(low_attendance.below_threshold(site_db, course, fewest_sessions=3)) == {alan.id}


def test_a_week_begins_with_what_was_not_recorded(site, site_db, now):
    ada = make_lecturer(site_db, email="ada@example.edu", name="Ada")
    ada.language = "en"
    make_lecturer(site_db, name="Nobody's teacher")
    course = make_course(site_db, "CS101", lecturers=(ada,))
    alan, grace = make_student(site_db), make_student(site_db)
    enrol(site_db, course, alan, grace)
    good = held(site_db, course, 5, {alan: Status.PRESENT, grace: Status.ABSENT})
    unwatched = make_session(site_db, course, make_room(site_db, "Hall A"), starts_at=now - timedelta(days=4))
    cancelled = make_session(site_db, course, starts_at=now - timedelta(days=3))
    cancelled.state = SessionState.CANCELLED
    make_session(site_db, course, starts_at=now - timedelta(days=30))
    site_db.commit()
    close_ended_sessions(site.sessions, now)
    begin, end = now - timedelta(days=7), now

    def queue():
        return transact(site_db, lambda db: weekly_summary.queue_summaries(db, begin=begin, end=end))

    assert (queue(), queue()) == (1, 0)
    (mail,) = queued(site_db, "weekly_summary")
    assert (mail.recipient, mail.language) == ("ada@example.edu", "en")
    letter = render(site, mail)
    assert letter.subject == "Your week: 1 session with gaps"
    text = said(letter)
    gap = text.index("Not recorded - CS101, ")
    assert "Hall A: the room was not watched" in text
    assert f"{BASE}/sessions/{unwatched.id}" in text
    assert f"/sessions/{good.id} " not in text
    assert gap < text.index("CS101 Computing: 2 sessions, 50% attended")
    ada.active = False
    site_db.commit()
    with pytest.raises(NoLongerWantedError):
        render(site, mail)


def test_a_week_without_gaps_says_so(site, site_db, now):
    ada = make_lecturer(site_db)
    course = make_course(site_db, "CS101", lecturers=(ada,))
    alan = make_student(site_db)
    enrol(site_db, course, alan)
    held(site_db, course, 2, {alan: Status.PRESENT})
    site_db.commit()
    data = {"begin": (now - timedelta(days=7)).isoformat(), "end": now.isoformat()}
    letter = render(site, row("weekly_summary", ada, **data))
    assert letter.subject == "Your week: all recorded"
    assert "attendance was recorded in every session" in letter.text


def test_cameras_away_are_told_once_a_session_to_administrators(site, site_db, now):
    admin = make_lecturer(site_db, role=Role.ADMIN, email="admin@example.edu")
    ada = make_lecturer(site_db)
    course = make_course(site_db, "CS101", lecturers=(ada,))
    dark, bright, bare = (make_room(site_db, name) for name in ("Dark", "Bright", "Bare"))
    silent = make_camera(site_db, name="dark-1", room=dark, token="a")
    silent.last_seen_at = now - timedelta(hours=3)
    make_camera(site_db, name="bright-1", room=bright, token="b").last_seen_at = now
    for room, minutes in ((dark, 10), (dark, 300), (bright, 10), (bare, 10)):
        make_session(site_db, course, room, starts_at=now + timedelta(minutes=minutes))
    site_db.commit()

    def look():
        ahead = timedelta(minutes=15)
        return transact(site_db, lambda db: cameras_away.queue_warnings(db, ahead=ahead, now=now))

    assert (look(), look()) == (1, 0)
    (mail,) = queued(site_db, "cameras_away")
    assert mail.recipient == admin.email
    text = said(render(site, mail))
    assert "CS101, Dark: dark-1: not heard of since" in text
    assert not re.search("Bright|Bare", text)
    # Another camera breaks: the session there is told of, not the first one again.
    bright_camera = site_db.scalar(sa.text("select id from camera where name = 'bright-1'"))
    site_db.execute(sa.text("update camera set last_seen_at = NULL where id = :id"), {"id": bright_camera})
    site_db.commit()
    assert look() == 1
    assert "bright-1: never heard of" in said(render(site, queued(site_db, "cameras_away")[1]))
    # It is back before the mail goes.
    silent.last_seen_at = utc_now()
    site_db.commit()
    with pytest.raises(NoLongerWantedError):
        render(site, mail)


@pytest.mark.real
def test_a_name_with_markup_and_newlines_stays_a_name(make_site, mailbox, put):
    from webapp.mail.worker import MailWorker  # noqa: PLC0415 - beside its use
    from webapp.work.loop import run_once  # noqa: PLC0415 - beside its use

    site = make_site(port=mailbox.port)
    with site.sessions() as db:
        name = "<img src=x onerror=alert(1)>\r\nBcc: x@y.org"
        ada = make_lecturer(db, email="ada@example.edu", name=name)
        db.commit()
        put(db, kind="invitation", data={"account": ada.id})
    run_once(MailWorker(site.app, site.settings), threading.Event())
    (message,) = mailbox.messages
    assert message["Bcc"] is None
    assert "<img" not in message.get_body(("html",)).get_content()
    with site.sessions() as db:
        assert db.scalar(sa.select(QueuedMail.state)) is QueueState.SENT
