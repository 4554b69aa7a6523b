"""Every form that changes something leaves an entry of the log, or stands in a short list that says why not."""

import re
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.access_tokens import NewToken, make_access_token
from attendance.database.access.identities import Subject, bind
from attendance.database.access.links import make_links
from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.access.second_factors import begin_set_up, confirm
from attendance.database.access.student_links import make_student_link
from attendance.database.models import (
    DELETED_STUDENT,
    Account,
    AuditAction,
    AuditEntry,
    Course,
    Enrolment,
    ExternalIdentity,
    ExternalKind,
    QueuedMail,
    QueueState,
    Role,
    Room,
    SignIn,
    Student,
    TimetableCalendar,
    WebhookDelivery,
    utc_now,
)
from attendance.settings import Settings
from tests.factories import PASSWORD, make_lecturer, make_student
from tests.webapp.addresses import addresses, furnish
from tests.webapp.audit.changes import CHANGES, STUDENTS, UNNOTED, Change
from tests.webapp.me.students import StudentVisitor, enter
from tests.webapp.visiting import WITH_MAIL, Site, Visitor, make_settings, plain
from webapp.calendars.feeds import make_feed
from webapp.lti.registration.offers import make_offer
from webapp.lti.services.keys import make_key

DAY = timedelta(days=1)


@pytest.fixture
def site_settings(tmp_path: Path, migrated_file: Path) -> Settings:
    """Of a site with everything on."""
    return make_settings(tmp_path / "site", migrated_file, **WITH_MAIL, students={"photos": True})


@pytest.fixture
def values(site_db: Session) -> dict[str, Any]:
    """What addresses and forms name."""
    found = furnish(site_db, 1)
    site_db.get_one(Account, found["account_id"]).name = "Grace"
    found["email"] = site_db.get_one(Account, found["account_id"]).email
    found["number"] = site_db.get_one(Student, found["student_id"]).index_number
    new = make_student(site_db)
    found["new_number"], found["new_student_id"] = new.index_number, new.id
    found["new_email"] = make_lecturer(site_db).email
    site_db.commit()
    return found


@pytest.fixture
def admin(site_db: Session) -> Account:
    """Who sends the forms."""
    account = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    return account


@pytest.fixture
def as_it_was(site_settings: Settings) -> Callable[[], None]:
    """Call it to have the database as it was when it was first called."""
    file = Path(site_settings.data.directory) / "attendance.db"
    kept = sqlite3.connect(":memory:")

    def restore() -> None:
        with closing(sqlite3.connect(file)) as live:
            if not kept.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                live.backup(kept)
            else:
                kept.backup(live)

    return restore


def test_each_form_is_in_one_of_the_two_lists(site: Site, values: dict[str, Any]) -> None:
    forms = {address.endpoint for address in addresses(site, values) if address.method not in ("GET", "HEAD")}
    assert forms == CHANGES.keys() | UNNOTED.keys()
    assert not CHANGES.keys() & UNNOTED.keys()
    assert all(UNNOTED.values())


@pytest.mark.long("every form of the dashboard, sent once")
def test_each_form_that_changes_something_is_noted(
    site: Site, values: dict[str, Any], admin: Account, as_it_was: Callable[[], None]
) -> None:
    as_it_was()
    for endpoint in sorted(CHANGES):
        with site.sessions() as db:
            _try(site, db, dict(values), admin, endpoint)
        as_it_was()


def _try(site: Site, db: Session, values: dict[str, Any], admin: Account, endpoint: str) -> None:
    """Send a form as it should be, and look at what the log says then."""
    change = CHANGES[endpoint]
    for earlier in change.after:
        _send(site, db, values, admin, earlier)
    visitor = _prepared(site, db, values, admin, change)
    if change.first is not None:
        _post(site, visitor, values, change.first, CHANGES[change.first])
    newest = db.scalar(sa.select(sa.func.max(AuditEntry.id))) or 0
    db.commit()
    answer = _post(site, visitor, values, endpoint, change)
    said = db.scalars(sa.select(AuditEntry).where(AuditEntry.id > newest).order_by(AuditEntry.id)).all()
    got = [AuditAction(entry.action) for entry in said]
    assert sorted(got) == sorted(change.actions), (endpoint, answer.status, plain(answer.text)[:2_000])
    who = (admin.id, admin.email) if change.by == "admin" else (None, None)
    if endpoint in ("account.sign_in_now", "code.check", "links.set_password_now"):
        who = (values["account_id"], values["email"])
    for entry in said:
        assert (entry.account_id, entry.actor) == who, endpoint
        assert entry.address == "127.0.0.1", endpoint
        assert not {"Alan Turing", "Grace Hopper", "Other"} & set(map(str, (entry.details or {}).values())), endpoint
        if change.by == "student":
            assert entry.student == values["number"], endpoint
        if endpoint == "admin.delete_student":
            assert entry.student == DELETED_STUDENT


def test_a_refused_form_leaves_nothing(site: Site, site_db: Session, values: dict[str, Any], admin: Account) -> None:
    visitor = site.visitor(admin)
    for endpoint, form in (
        ("admin.new_department", {"name": ""}),
        ("admin.new_course", {"code": "MA1", "name": "taken"}),
        ("admin.save_student", {"index_number": values["new_number"], "name": "taken"}),
        ("admin.delete_student", {"typed": "another"}),
    ):
        answer = visitor.post(_path(site, values, endpoint), form)
        assert answer.status_code == 422, endpoint
    assert site_db.scalars(sa.select(AuditEntry)).all() == []


def test_refusals_are_noted_too_and_never_what_was_typed(site: Site, site_db: Session, values: dict[str, Any]) -> None:
    visitor = site.visitor()
    visitor.post("/signin", {"email": values["email"], "password": "not the password"})
    visitor.post("/signin", {"email": "my secret password", "password": "x"})
    visitor.post("/password", {"link": "pw_unknown", "new_password": "x", "again": "x"})
    StudentVisitor(site.app).post("/me/link", {"link": "me_unknown"})
    said = site_db.scalars(sa.select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(entry.action, entry.subject) for entry in said] == [
        ("sign_in.failed", values["email"]),
        ("sign_in.failed", None),
        ("password.link_refused", None),
        ("own_page.link_refused", None),
    ]
    kept = " ".join(str(vars(entry)) for entry in said)
    assert "secret" not in kept
    assert "unknown" not in kept


def test_who_has_to_wait_fills_the_log_no_further(site: Site, site_db: Session, values: dict[str, Any]) -> None:
    _factor(values["account_id"], site_db)
    site_db.commit()
    visitor, student = site.visitor(), StudentVisitor(site.app)
    visitor.post("/signin", {"email": values["email"], "password": PASSWORD})
    answers = {
        "sign_in.failed": [visitor.post("/signin/code", {"code": "000000"}) for _ in range(8)],
        "password.link_refused": [site.visitor().post("/password", {"link": "pw_unknown"}) for _ in range(8)],
        "own_page.link_refused": [student.post("/me/link", {"link": "me_unknown"}) for _ in range(8)],
    }
    for action, given in answers.items():
        assert [answer.status_code for answer in given[5:]] == [429] * 3, action
    said = site_db.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert said == [action for action in answers for _ in range(5)]


def _send(site: Site, db: Session, values: dict[str, Any], admin: Account, endpoint: str) -> None:
    change = CHANGES[endpoint]
    visitor = _prepared(site, db, values, admin, change)
    assert _post(site, visitor, values, endpoint, change).status_code == 302, endpoint


def _prepared(site: Site, db: Session, values: dict[str, Any], admin: Account, change: Change) -> Visitor:
    """Whoever sends the form, once what comes before is done."""
    if change.before is not None:
        _BEFORE[change.before](site, db, values, admin)
        db.commit()
    if change.by == "student":
        return enter(site, db, db.get_one(Student, values["student_id"]))
    return site.visitor(admin) if change.by == "admin" else StudentVisitor(site.app)


def _post(site: Site, visitor: Visitor, values: dict[str, Any], endpoint: str, change: Change) -> Any:
    return visitor.post(_path(site, values, endpoint), change.form(values))


def _path(site: Site, values: dict[str, Any], endpoint: str) -> str:
    return next(one.path for one in addresses(site, values) if one.endpoint == endpoint and one.method == "POST")


def _consenting(_site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    student = db.get_one(Student, values["student_id"])
    student.consent_given_at, student.consent_means = utc_now() - DAY, "form"


def _enrolled(_site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    db.add(Enrolment(course_id=values["course_id"], student_id=values["new_student_id"]))


def _reachable(_site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    db.get_one(Student, values["student_id"]).email = "student@example.edu"


def _somebody(_site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    db.get_one(Account, values["account_id"]).password_hash = NO_PASSWORD


def _bound_account(_site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    whom = Subject("https://login.example.edu", "somebody")
    bind(db, whom, db.get_one(Account, values["account_id"]), now=utc_now(), keep_password=True)


def _bound_student(_site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    whom = Subject("https://login.example.edu", "somebody")
    bind(db, whom, db.get_one(Student, values["student_id"]), now=utc_now(), keep_password=True)


def _failed_mail(_site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    mail = db.get_one(QueuedMail, values["mail_id"])
    mail.state, mail.ended_at = QueueState.FAILED, utc_now()


def _waiting_calendar(_site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    calendar = db.get_one(TimetableCalendar, values["calendar_id"])
    room, course = db.get_one(Room, values["room_id"]), db.get_one(Course, values["course_id"])
    day = f"{calendar.first_day + DAY:%Y%m%d}"  # the first is a holiday
    lines = ["UID:a", f"DTSTART:{day}T040000Z", "DURATION:PT1H", f"SUMMARY:{course.code}", f"LOCATION:{room.name}"]
    text = "\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR"])
    calendar.waiting, calendar.waiting_digest = zlib.compress(text.encode()), "d" * 64


def _students_feed(_site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    make_feed(db, db.get_one(Student, values["student_id"]))


def _accounts_feed(_site: Site, db: Session, _values: dict[str, Any], admin: Account) -> None:
    make_feed(db, db.get_one(Account, admin.id))


def _rooms_feed(_site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    make_feed(db, db.get_one(Room, values["room_id"]))


def _failed_webhook(_site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    delivery = db.get_one(WebhookDelivery, values["delivery_id"])
    delivery.state, delivery.ended_at = QueueState.FAILED, utc_now()


def _tried(site: Site, _db: Session, values: dict[str, Any], admin: Account) -> None:
    values["token"] = _token_of(site, admin, "/admin/import/students", "file")


def _tried_together(site: Site, _db: Session, values: dict[str, Any], admin: Account) -> None:
    values["token"] = _token_of(site, admin, "/admin/import/together", "files")


def _token_of(site: Site, admin: Account, path: str, field: str) -> str:
    answer = site.visitor(admin).post(path, {field: (BytesIO(STUDENTS), "students.csv")})
    return re.findall(r"/runs/([^/?]+)", answer.headers["Location"])[0]


def _password_link(_site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    links = make_links(db, [values["account_id"]], now=utc_now(), lifetime=DAY)
    values["password_link"] = links[values["account_id"]]


def _student_link(_site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    values["student_link"] = make_student_link(db, values["student_id"], now=utc_now(), lifetime=DAY)


SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def _app(_site: Site, db: Session, values: dict[str, Any], admin: Account) -> None:
    values["secret"] = SECRET
    begin_set_up(db, db.get_one(Account, admin.id), SECRET, now=utc_now())


def _factor(account_id: int, db: Session) -> str:
    """Give an account a second factor; a code that is good for once."""
    account = db.get_one(Account, account_id)
    begin_set_up(db, account, SECRET, now=utc_now())
    codes = confirm(db, account, SECRET, 1, now=utc_now())
    assert codes
    return codes[0]


def _own_factor(_site: Site, db: Session, values: dict[str, Any], admin: Account) -> None:
    values["code"] = _factor(admin.id, db)


def _others_factor(_site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    values["code"] = _factor(values["account_id"], db)


def _elsewhere(site: Site, db: Session, values: dict[str, Any], admin: Account) -> None:
    site.visitor(admin)
    values["sign_in_id"] = db.scalars(sa.select(sa.func.max(SignIn.id))).one()


def _own_token(_site: Site, db: Session, values: dict[str, Any], admin: Account) -> None:
    new = NewToken("Mine", ("read",), None, DAY)
    values["token_id"] = make_access_token(db, db.get_one(Account, admin.id), new, now=utc_now())[0].id


def _connected(_site: Site, db: Session, values: dict[str, Any], admin: Account) -> None:
    row = ExternalIdentity(system=f"lti:{values['platform_id']}", kind=ExternalKind.ACCOUNT, external_id="u1")
    row.account_id = admin.id
    db.add(row)


def _offer(_site: Site, db: Session, _values: dict[str, Any], admin: Account) -> None:
    make_offer(db, admin.id, now=utc_now())


def _key(site: Site, db: Session, values: dict[str, Any], _admin: Account) -> None:
    values["kid"] = make_key(db, str(site.app.secret_key), now=utc_now()).kid


_BEFORE: dict[str, Callable[[Site, Session, dict[str, Any], Account], None]] = {
    "a file that was tried": _tried,
    "files that were tried": _tried_together,
    "connected": _connected,
    "consenting": _consenting,
    "a key": _key,
    "an address for registering": _offer,
    "a second factor of one's own": _own_factor,
    "an account with a second factor": _others_factor,
    "an app to be confirmed": _app,
    "signed in elsewhere": _elsewhere,
    "enrolled": _enrolled,
    "reachable": _reachable,
    "somebody without a password": _somebody,
    "an account that is bound": _bound_account,
    "a student who is bound": _bound_student,
    "a mail that failed": _failed_mail,
    "a webhook that failed": _failed_webhook,
    "a calendar that waits": _waiting_calendar,
    "a student's feed": _students_feed,
    "an account's feed": _accounts_feed,
    "a room's feed": _rooms_feed,
    "a link to set a password": _password_link,
    "a link to the own page": _student_link,
    "a token of one's own": _own_token,
}
