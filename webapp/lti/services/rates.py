"""Sending the attendance rate to a platform as a column of grades, by Assignment and Grade Services 2.0.

The column is made once, and found again by its `resourceId` should that be forgotten here. A rate is sent as pages show
it, in whole percent rounded down, and only when it is another than was sent last.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from flask import Flask, current_app
from sqlalchemy.orm import Session

from attendance.database.models import (
    Course,
    Enrolment,
    ExternalIdentity,
    ExternalKind,
    LtiCourse,
    LtiDeployment,
    LtiPlatform,
    LtiRate,
    utc_now,
)
from attendance.database.transactions import transact
from attendance.texts import english
from webapp.lti.errors import PlatformError
from webapp.lti.people import system_of
from webapp.lti.services.calling import (
    LINE_ITEM,
    PATIENCE_S,
    SCORE,
    PlatformService,
    Registration,
    below,
    this_tools_key,
)
from webapp.records.tallies import tally_students
from webapp.tools.sealing import SealError
from webapp.tools.storage import sessions_of
from webapp.tools.template_tools import whole_percent

log = structlog.get_logger()

_LINE_ITEM_KIND = "application/vnd.ims.lis.v2.lineitem+json"
_LINE_ITEMS_KIND = "application/vnd.ims.lis.v2.lineitemcontainer+json"
_SCORE_KIND = "application/vnd.ims.lis.v1.score+json"
_MOST = 100
_TAG = "attendance"
_AGAIN = timedelta(minutes=20)
"""So often a course's rates are looked at; until then they are the worker's that took them."""
_WORKERS_PATIENCE_S = 900.0
"""For one course: less than that, so that no other worker begins with it meanwhile."""
_NOT_OF_ONE = frozenset({401, 403, 429})
"""Refusals that the next student's rate would meet, too."""


@dataclass(frozen=True)
class Sent:
    """What became of a course's rates.

    Attributes:
        sent: rates that the platform took.
        unknown: students whom it is not known as whom the platform knows: their rates wait for a roster.
        refused: rates that the platform did not take.
    """

    sent: int = 0
    unknown: int = 0
    refused: int = 0


@dataclass(frozen=True)
class _Work:
    """What is to be sent for one course: read at once, so that no session is open while the platform is called."""

    linked_id: int
    course_id: int
    label: str
    registration: Registration
    line_items_url: str
    line_item_url: str | None
    rates: Mapping[int, tuple[str, int | None]]
    """By student: the platform's identity, and the rate in percent; None: nothing is recorded any more."""
    unknown: int


class RatesWork:
    """Sending what changed, a course at a time, as a kind of work of `attendance web work`."""

    pause_s = 60.0
    refusals = 0

    def __init__(self, app: Flask) -> None:
        self._app = app

    def step(self, _stopping: threading.Event) -> bool:
        """Look at the next course whose turn it is; whether there was one."""
        with self._app.app_context():
            return send_next_rates(utc_now())

    def rest(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""


def send_next_rates(now: datetime) -> bool:
    """Send what changed in the next linked course whose turn it is, within the application; False: it is nobody's.

    Any number of workers may do so: each course is one worker's for a while. A platform that is down keeps no other.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is away.
    """
    with sessions_of(current_app)() as db:
        linked_id = transact(db, lambda db: _claim(db, now))
        if linked_id is None:
            return False
        try:
            sent = send_rates(db, linked_id, patience_s=_WORKERS_PATIENCE_S)
            log.info("lti_rates_sent", course=linked_id, sent=sent.sent, unknown=sent.unknown, refused=sent.refused)
        except (PlatformError, SealError) as error:
            log.warning("lti_rates_not_sent", course=linked_id, error=str(error))
    return True


def send_rates(db: Session, linked_id: int, *, patience_s: float = PATIENCE_S) -> Sent:
    """Send a course's rates that changed, and note how that went.

    Args:
        db: a session with nothing pending.
        linked_id: of a course that is linked.
        patience_s: seconds for all of it; what is not sent by then is due still.

    Raises:
        PlatformError: the platform does not take them; the message is kept with the course, too.
        SealError: this tool's key cannot be opened.
    """
    try:
        work = _read(db, linked_id)
        sent = _send(db, work, patience_s)
    except (PlatformError, SealError) as error:
        _note(db, linked_id, problem=error.args[0])
        raise
    problem = None
    if sent.refused:
        problem = english("%(refused)s rates were not taken.", refused=sent.refused)
    _note(db, linked_id, problem=problem, sent_at=utc_now())
    return sent


def _claim(db: Session, now: datetime) -> int | None:
    """The next course whose rates are to be looked at, claimed for a while; None: none is due."""
    waiting = sa.or_(LtiCourse.leased_until.is_(None), LtiCourse.leased_until < now)
    query = sa.select(LtiCourse).join(LtiCourse.deployment).join(LtiDeployment.platform)
    query = query.where(LtiCourse.sends_rates, LtiCourse.course_id.is_not(None), LtiPlatform.active, waiting)
    found = db.scalar(query.order_by(LtiCourse.leased_until, LtiCourse.id).limit(1).with_for_update(of=LtiCourse))
    if found is None:
        return None
    found.leased_until = now + _AGAIN
    return found.id


def _read(db: Session, linked_id: int) -> _Work:
    db.commit()
    linked = db.get_one(LtiCourse, linked_id)
    platform = linked.deployment.platform
    if linked.course_id is None or linked.line_items_url is None:
        raise PlatformError(
            english(
                "%(platform)s does not let this tool write grades. Allow Assignment and Grade Services there, and "
                "open the link in the course again.",
                platform=platform.name,
            )
        )
    course = db.get_one(Course, linked.course_id)
    taking = db.scalars(sa.select(Enrolment.student_id).where(Enrolment.course_id == course.id)).all()
    subjects = _subjects(db, platform.id, taking)
    last = sa.select(LtiRate.student_id, LtiRate.percent).where(LtiRate.lti_course_id == linked_id)
    told: dict[int, int | None] = dict(db.execute(last).all())
    rates: dict[int, tuple[str, int | None]] = {}
    for student_id, tally in tally_students(db, taking, course.id, before=utc_now()).items():
        percent = None if tally.rate is None else whole_percent(tally.rate)
        if student_id in subjects and percent != told.get(student_id):
            rates[student_id] = (subjects[student_id], percent)
    work = _Work(
        linked_id, course.id, course.code, Registration.of(platform), linked.line_items_url, linked.line_item_url,
        rates, len(set(taking) - subjects.keys()),
    )  # fmt: skip
    db.commit()
    return work


def _subjects(db: Session, platform_id: int, student_ids: Any) -> dict[int, str]:
    """As whom the platform knows each student."""
    query = sa.select(ExternalIdentity.student_id, ExternalIdentity.external_id).where(
        ExternalIdentity.system == system_of(platform_id),
        ExternalIdentity.kind == ExternalKind.STUDENT,
        ExternalIdentity.student_id.in_(student_ids),
    )
    return {student: subject for student, subject in db.execute(query.order_by(ExternalIdentity.noted_at)) if student}


def _send(db: Session, work: _Work, patience_s: float) -> Sent:
    if not work.rates:
        return Sent(unknown=work.unknown)
    key = this_tools_key(db)
    # Both before the first call: the time of each runs from here.
    items, scores = (
        PlatformService(work.registration, scope, key, patience_s=patience_s) for scope in (LINE_ITEM, SCORE)
    )
    column = work.line_item_url or _column(db, work, items)
    sent = refused = 0
    for student_id, (subject, percent) in work.rates.items():
        try:
            scores.post(below(column, "scores"), _score(subject, percent), kind=_SCORE_KIND)
        except PlatformError as error:
            if not 400 <= error.status < 500 or error.status in _NOT_OF_ONE:
                raise
            refused += 1  # of this student: who has left the course there is no concern of the others
            continue
        sent += 1
        _remember(db, work.linked_id, student_id, percent)
    if refused and not sent:
        _note(db, work.linked_id, forget_column=True)  # it may be gone: next time it is looked for, or made anew
    return Sent(sent, work.unknown, refused)


def _column(db: Session, work: _Work, service: PlatformService) -> str:
    """The address of our column of grades: that which is there, else a new one."""
    ours = f"attendance-{work.course_id}"
    mark = "&" if "?" in work.line_items_url else "?"
    there, _ = service.get(f"{work.line_items_url}{mark}resource_id={ours}", accept=_LINE_ITEMS_KIND)
    found = there[0] if isinstance(there, list) and there else None
    if found is None:
        label = str(english("Attendance (%)"))
        wanted = {"label": label, "scoreMaximum": _MOST, "resourceId": ours, "tag": _TAG}
        found = service.post(work.line_items_url, wanted, kind=_LINE_ITEM_KIND)
    url = found.get("id") if isinstance(found, dict) else None
    if not isinstance(url, str) or len(url) > 1_000:
        raise PlatformError(english("%(platform)s does not answer as LTI says.", platform=work.registration.name))
    _note(db, work.linked_id, column=url)
    return url


def _score(subject: str, percent: int | None) -> dict[str, Any]:
    """A score; without a rate one that clears what was sent (AGS 2.0, section 3.4.4)."""
    score: dict[str, Any] = {"userId": subject, "timestamp": utc_now().isoformat(timespec="microseconds")}
    if percent is None:
        return {**score, "activityProgress": "Initialized", "gradingProgress": "NotReady"}
    given = {"scoreGiven": percent, "scoreMaximum": _MOST}
    return {**score, **given, "activityProgress": "Completed", "gradingProgress": "FullyGraded"}


def _remember(db: Session, linked_id: int, student_id: int, percent: int | None) -> None:
    def write(db: Session) -> None:
        row = db.get(LtiRate, (linked_id, student_id))
        if row is None:
            row = LtiRate(lti_course_id=linked_id, student_id=student_id)
            db.add(row)
        row.percent, row.sent_at = percent, utc_now()

    transact(db, write)


def _note(
    db: Session,
    linked_id: int,
    *,
    problem: str | None = None,
    sent_at: datetime | None = None,
    column: str | None = None,
    forget_column: bool = False,
) -> None:
    def write(db: Session) -> None:
        row = db.get(LtiCourse, linked_id)
        if row is None:
            return
        if column is not None or forget_column:
            row.line_item_url = column
            return
        row.problem = problem
        row.rates_sent_at = sent_at or row.rates_sent_at

    transact(db, write)
