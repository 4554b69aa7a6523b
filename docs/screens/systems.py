"""The other systems of the university that does not exist: programs, receivers, calendars, learning platforms."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from attendance.database.access.access_tokens import NewToken, make_access_token
from attendance.database.audit.noting import by_program
from attendance.database.engine import begin_writing
from attendance.database.models import (
    Account,
    ClassSession,
    Course,
    Department,
    Enrolment,
    EventKind,
    ExternalIdentity,
    ExternalKind,
    IdentityKind,
    LtiCourse,
    LtiDeployment,
    LtiPlatform,
    LtiRate,
    ProviderIdentity,
    QueueState,
    TimetableCalendar,
    WebhookDelivery,
    WebhookEndpoint,
)
from attendance.database.outgoing.closing import tell_of_closing
from attendance.database.outgoing.events import add_event
from webapp.calendars.running import keep, read_calendar, run_calendar, write_calendar
from webapp.lti.services.keys import make_key

_NOT_A_SECRET = "whsec_bm90IGEgc2VjcmV0"  # noqa: S105 - of a receiver that does not exist
_Event = tuple[str, str, int, int, int, str]
"""Code, kind, days from today, hour, minute, room."""


@dataclass(frozen=True, slots=True)
class Systems:
    """Ids of what pictures are made of.

    Attributes:
        receiver: of webhooks, one that takes most of what it is told.
        calendar: one that waits for a person's word.
        platform: a learning platform, with courses.
        linked_course: one of them, linked with a course here.
    """

    receiver: int
    calendar: int
    platform: int
    linked_course: int


def connect_systems(db: Session, *, now: datetime, zone: ZoneInfo) -> Systems:
    """Add them to a database that `make_term` filled, and commit."""
    calendar = _calendars(db, now, zone)
    begin_writing(db)
    _tokens(db, now)
    receiver = _receivers(db, now)
    platform, linked = _platforms(db, now)
    bound = ProviderIdentity(kind=IdentityKind.ACCOUNT, issuer="https://sso.example.edu", subject="jl", used_at=now)
    bound.account_id = _account(db, "Jonas Lindqvist").id
    db.add(bound)
    db.commit()
    return Systems(receiver, calendar, platform, linked)


def _account(db: Session, name: str) -> Account:
    return db.scalars(sa.select(Account).where(Account.name == name)).one()


def _course(db: Session, code: str) -> Course:
    return db.scalars(sa.select(Course).where(Course.code == code)).one()


def _tokens(db: Session, now: datetime) -> None:
    campus = NewToken("Campus system", ("read", "administer"), None, timedelta(days=90))
    marks = NewToken("Mark list of CS 101", ("read", "term"), [_course(db, "CS 101")], timedelta(days=30))
    clickers = NewToken("Clickers in lecture hall A", ("read", "correct"), None, timedelta(days=60))
    for name, new, age, used, address in (
        ("Helena Marsh", campus, 30, 3, "10.20.4.17"),
        ("Helena Marsh", marks, 12, 0, ""),
        ("Marta Nowak", clickers, 50, 2900, "10.30.1.7"),
    ):
        token, _ = make_access_token(db, _account(db, name), new, now=now - timedelta(days=age))
        if used:
            token.last_used_at, token.last_address = now - timedelta(minutes=used), address


def _receivers(db: Session, now: datetime) -> int:
    """Three receivers, of which the first took most of what it was told."""
    everything = [kind.value for kind in EventKind if kind is not EventKind.PING]
    records = WebhookEndpoint(name="Student information system", url="https://sis.example.edu/in", events=everything)
    boards = WebhookEndpoint(name="Boards at the doors", url="https://boards.example.edu/hook")
    boards.events = [EventKind.CAMERA_AWAY.value, EventKind.SESSION_CLOSED.value]
    boards.department_id = db.scalars(sa.select(Department.id).where(Department.name == "Computer Science")).one()
    boards.failing_since, boards.failures = now - timedelta(hours=5, minutes=12), 7
    boards.succeeded_at = now - timedelta(hours=6)
    former = WebhookEndpoint(name="Former data warehouse", url="https://dwh.example.edu/in", events=everything)
    former.off_at, former.off_reason = now - timedelta(days=3), "The receiver answered that it is gone for good (410)."
    for each in (records, boards, former):
        each.secret, each.created_at = _NOT_A_SECRET, now - timedelta(days=60)
        db.add(each)
    db.flush()
    closed = sa.select(ClassSession).where(ClassSession.closed_at.is_not(None)).order_by(ClassSession.ends_at.desc())
    for session in reversed(db.scalars(closed.limit(24)).all()):
        tell_of_closing(db, session)
    rate = {"rate": 66.7, "threshold": 75, "attended": 4, "expected": 6}
    at_risk = {"student": 3, "course": _course(db, "CS 101").id, **rate}
    add_event(db, EventKind.AT_RISK, at_risk, [records.id], now=now - timedelta(hours=3))
    sent = {"sent_at": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
    add_event(db, EventKind.PING, sent, [records.id], now=now - timedelta(minutes=4))
    _deliver(db, records, now)
    return records.id


def _deliver(db: Session, records: WebhookEndpoint, now: datetime) -> None:
    """Let deliveries have gone as in life: most were taken at once, one is tried again, one was never taken."""
    query = sa.select(WebhookDelivery).options(selectinload(WebhookDelivery.event)).order_by(WebhookDelivery.id)
    everything = db.scalars(query).all()
    rows = db.execute(sa.select(ClassSession.id, ClassSession.ends_at)).all()
    ends: dict[Any, datetime] = dict(rows)
    for delivery in everything:
        ended_at = ends.get(delivery.event.data.get("session"))
        happened_at = delivery.event.happened_at if ended_at is None else ended_at + timedelta(minutes=3)
        delivery.event.happened_at = delivery.queued_at = happened_at
        if delivery.endpoint_id != records.id:
            delivery.attempts, delivery.last_error = 5, "The receiver did not answer within 15 seconds."
            delivery.not_before = now + timedelta(minutes=41)
            continue
        delivery.state, delivery.attempts, delivery.answer = QueueState.SENT, 1, 204
        delivery.ended_at = happened_at + timedelta(seconds=2)
    mine = [one for one in everything if one.endpoint_id == records.id]
    records.succeeded_at = mine[-1].ended_at
    mine[-4].state, mine[-4].attempts, mine[-4].answer = QueueState.FAILED, 10, 500
    mine[-4].last_error = "The receiver answered 500."
    mine[-2].state, mine[-2].attempts, mine[-2].answer, mine[-2].ended_at = QueueState.WAITING, 3, 503, None
    mine[-2].last_error, mine[-2].not_before = "The receiver answered 503.", now + timedelta(minutes=26)
    db.flush()


def _calendars(db: Session, now: datetime, zone: ZoneInfo) -> int:
    """One that the timetable follows, and which has changed so that it waits for a person's word; and two more."""
    today = now.astimezone(zone).date()
    term: dict[str, Any] = {"first_day": today - timedelta(weeks=12), "last_day": today + timedelta(weeks=12)}
    calendar = TimetableCalendar(name="Timetable of computer science", by_itself=False, **term)
    calendar.url = "https://timetable.example.edu/cs/term.ics"
    calendar.fetched_at, calendar.next_fetch_at = now - timedelta(minutes=22), now + timedelta(minutes=38)
    files = TimetableCalendar(name="Mathematics, uploaded", applied_at=now - timedelta(days=8), **term)
    broken = TimetableCalendar(name="Room 2.20", url="https://rooms.example.edu/2-20.ics", **term)
    broken.failing_since, broken.failures = now - timedelta(days=2), 12
    broken.problem = "The address was answered with 404."
    db.add_all([calendar, files, broken])
    db.commit()
    lab, tutorial = ("CS 140", "Lab", 3, 18, 0, "Room 2.20"), ("CS 410", "Tutorial", 2, 18, 0, "Room 2.14")
    first = _text(today, zone, (("CS 101", "Lecture", 1, 18, 0, "Lecture hall A"), lab, tutorial))
    read = read_calendar(calendar, first, zone)
    write_calendar(db, calendar, read, zone, actor=by_program("work"), now=now - timedelta(weeks=1))
    moved, added = ("CS 101", "Lecture", 1, 18, 30, "Lecture hall B"), ("CS 305", "Lab", 4, 18, 0, "Room 2.20")
    unknown = (("Chess club", "", 4, 20, 0, "Lecture hall A"), ("CS 210", "Exam", 5, 18, 0, "Aula magna"))
    second = _text(today, zone, (moved, lab, added, *unknown))
    tried = run_calendar(db, calendar, read_calendar(calendar, second, zone), zone, apply=False, now=now)
    keep(db, calendar, second, tried, now=now)
    return calendar.id


def _text(today: date, zone: ZoneInfo, events: Sequence[_Event]) -> bytes:
    """A calendar of events that are held eight times, a week apart."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//timetable//EN"]
    for code, kind, days, hour, minute, room in events:
        lines += [
            "BEGIN:VEVENT",
            f"UID:{code.replace(' ', '').lower()}@timetable.example.edu",
            f"DTSTART;TZID={zone.key}:{today + timedelta(days=days):%Y%m%d}T{hour:02d}{minute:02d}00",
            "DURATION:PT90M",
            "RRULE:FREQ=WEEKLY;COUNT=8",
            f"SUMMARY:{code} {kind}".rstrip(),
            f"LOCATION:{room}",
            "END:VEVENT",
        ]
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


def _platforms(db: Session, now: datetime) -> tuple[int, int]:
    """Moodle with courses, and Canvas, which is off."""
    there = "https://moodle.example.edu"
    moodle = LtiPlatform(name="Moodle", issuer=there, client_id="xJ5gYc0dTq7mVwB", frame_origins="")
    moodle.keys_url, moodle.token_url = f"{there}/mod/lti/certs.php", f"{there}/mod/lti/token.php"
    moodle.authorisation_url, moodle.deployments = f"{there}/mod/lti/auth.php", [LtiDeployment(external_id="4")]
    issuer, there = "https://canvas.instructure.com", "https://sso.canvaslms.com"
    canvas = LtiPlatform(name="Canvas of the summer school", issuer=issuer, client_id="10000000000042", active=False)
    canvas.frame_origins, canvas.keys_url = "https://summer.instructure.com", f"{there}/api/lti/security/jwks"
    canvas.token_url, canvas.authorisation_url = f"{there}/login/oauth2/token", f"{there}/api/lti/authorize_redirect"
    db.add_all([moodle, canvas])
    make_key(db, "of a dashboard that does not exist", now=now - timedelta(days=40))
    db.flush()
    known = ExternalIdentity(system=f"lti:{moodle.id}", kind=ExternalKind.ACCOUNT, external_id="u7")
    known.account_id = _account(db, "Marta Nowak").id
    deployment = moodle.deployments[0].id
    linked = LtiCourse(deployment_id=deployment, external_id="17", label="CS101-W26", title="Programming 1")
    linked.course_id, linked.gives_roles, linked.sends_rates = _course(db, "CS 101").id, True, True
    linked.seen_at, linked.rates_sent_at = now - timedelta(hours=2), now - timedelta(minutes=12)
    troubled = LtiCourse(deployment_id=deployment, external_id="21", label="CS305-W26", title="Operating Systems")
    troubled.course_id, troubled.sends_rates = _course(db, "CS 305").id, True
    troubled.problem = "Moodle answered with 503."
    unlinked = LtiCourse(deployment_id=deployment, external_id="33", label="CS 410", title="Computer Vision")
    db.add_all([known, linked, troubled, unlinked])
    db.flush()
    takes = sa.select(Enrolment.student_id).where(Enrolment.course_id == linked.course_id).limit(280)
    db.add_all(LtiRate(lti_course_id=linked.id, student_id=each, percent=80) for each in db.scalars(takes))
    return moodle.id, linked.id
