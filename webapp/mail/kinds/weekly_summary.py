"""A lecturer's week: what was not recorded first, then each course. Data: `account`, and the week's `begin` and `end`.

The moments are in ISO 8601, UTC. Who had no session in the week gets none.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask import url_for
from flask_babel import gettext, lazy_gettext, ngettext
from sqlalchemy.orm import Session, selectinload

from attendance.database.audiences import TAKES_PLACE, among, parts, sessions_of_courses
from attendance.database.mail import queue_mail
from attendance.database.models import (
    AccountRole,
    Attendance,
    ClassSession,
    Course,
    LowAttendance,
    QueuedMail,
    Role,
    Unrecorded,
)
from attendance.database.thresholds import threshold_of
from attendance.texts import english
from webapp.mail.kinds.kind import MailKind
from webapp.mail.kinds.recipients import account_of
from webapp.mail.letters import Button, Item, Letter, Listing, NoLongerWantedError, Paragraph, Part, write_letter
from webapp.records.tallies import Tally, tally_sessions
from webapp.tools.class_sessions.words import audience_codes, room_names
from webapp.tools.languages import percent_text, say
from webapp.tools.template_tools import UNRECORDED_WORDS, percent
from webapp.tools.times import day_text, moment_text, start_of_day, today

NAME = "weekly_summary"
_SHOWN = 30
"""Sessions that are named; of more, how many."""


@dataclass(frozen=True)
class _Week:
    """What a letter is made of: sessions with gaps and courses, each as an item of a list."""

    begin: datetime
    end: datetime
    gaps: Sequence[Item]
    courses: Sequence[Item]


def queue_summaries(db: Session, *, begin: datetime, end: datetime) -> int:
    """Queue the summary of a week for each lecturer who had a session in it, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        begin: the week's first moment, aware.
        end: the moment after it.

    Returns:
        How many were queued that were not before.
    """
    held = sessions_of_courses(lambda _: sa.true(), *_in_week(begin, end))
    courses = db.scalars(
        sa.select(Course).where(Course.id.in_(sa.select(held.c.course_id))).options(selectinload(Course.lecturers))
    )
    lecturers = {each.id: each for course in courses for each in course.lecturers if each.active}
    queued = 0
    for account in sorted(lecturers.values(), key=lambda each: each.id):
        data = {"account": account.id, "begin": begin.isoformat(), "end": end.isoformat()}
        key = f"{NAME}:{account.id}:{end:%Y-%m-%d}"
        queued += queue_mail(db, kind=NAME, to=account.email, language=account.language, key=key, data=data)
    return queued


def _in_week(begin: datetime, end: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return TAKES_PLACE, ClassSession.ends_at >= begin, ClassSession.ends_at < end


def _render(db: Session, mail: QueuedMail) -> Letter:
    account = account_of(db, mail)
    begin, end = datetime.fromisoformat(mail.data["begin"]), datetime.fromisoformat(mail.data["end"])
    query = sa.select(Course).join(AccountRole, AccountRole.course_id == Course.id)
    teaches = query.where(AccountRole.account_id == account.id, AccountRole.role == Role.LECTURER)
    taught = {course.id: course for course in db.scalars(teaches)}
    held = sessions_of_courses(among(taught), *_in_week(begin, end))
    pairs = db.execute(sa.select(held.c.session_id, held.c.course_id)).all()
    if not pairs:
        raise NoLongerWantedError(english("There was no session in this week."))
    session_ids = {session_id for session_id, _ in pairs}
    tallies = tally_sessions(db, session_ids, among(taught))
    sessions = db.scalars(
        sa.select(ClassSession)
        .options(*parts())
        .where(ClassSession.id.in_(session_ids))
        .order_by(ClassSession.starts_at, ClassSession.id)
    ).all()
    week = _Week(
        begin,
        end,
        _gaps(sessions, tallies, _reasons(db, session_ids)),
        [_course_item(db, taught[number], pairs, tallies) for number in _by_code(taught, {each for _, each in pairs})],
    )
    return _letter(account.name, week)


def _reasons(db: Session, session_ids: Collection[int]) -> dict[int, Unrecorded]:
    """By session, the commonest reason why nothing is recorded."""
    query = (
        sa.select(Attendance.session_id, Attendance.unrecorded_reason, sa.func.count())
        .where(Attendance.session_id.in_(session_ids), Attendance.unrecorded_reason.is_not(None))
        .group_by(Attendance.session_id, Attendance.unrecorded_reason)
    )
    counted: dict[int, Counter[Unrecorded]] = {}
    for session_id, reason, number in db.execute(query):
        if reason is not None:  # as the query has it; for the type checker
            counted.setdefault(session_id, Counter())[reason] = number
    return {session_id: of.most_common(1)[0][0] for session_id, of in counted.items()}


def _gaps(sessions: Sequence[ClassSession], tallies: dict[int, Tally], reasons: dict[int, Unrecorded]) -> list[Item]:
    """The sessions in which nothing is recorded of anybody, and then those in which it is not of some."""
    whole: list[Item] = []
    partly: list[Item] = []
    for session in sessions:
        tally, reason = tallies[session.id], reasons.get(session.id)
        if tally.recorded and not tally.unrecorded:
            continue
        why = say(UNRECORDED_WORDS[reason]) if reason else gettext("nothing was entered")
        if tally.recorded:
            missing = ngettext(
                "%(num)s of %(all)s student not recorded",
                "%(num)s of %(all)s students not recorded",
                tally.unrecorded,
                all=tally.recorded + tally.unrecorded,
            )
            why = gettext("%(missing)s: %(why)s", missing=missing, why=why)
        text = gettext(
            "%(course)s, %(moment)s, %(room)s",
            course=audience_codes(session),
            moment=moment_text(session.starts_at),
            room=room_names(session),
        )
        address = url_for("register.page", session_id=session.id, _external=True)
        (partly if tally.recorded else whole).append(Item(text, why, address))
    return [*whole, *partly]


def _course_item(db: Session, course: Course, pairs: Sequence[sa.Row[int, int]], tallies: dict[int, Tally]) -> Item:
    of_course = [tallies[session_id] for session_id, course_id in pairs if course_id == course.id]
    low = db.scalar(sa.select(sa.func.count()).select_from(LowAttendance).where(LowAttendance.course_id == course.id))
    return _course_words(course, of_course, low or 0, threshold_of(db, course))


def _course_words(course: Course, of_course: Sequence[Tally], low: int, threshold: int) -> Item:
    total = sum(of_course, Tally())
    held = ngettext("%(num)s session", "%(num)s sessions", len(of_course))
    detail = (
        gettext("%(sessions)s, %(rate)s attended", sessions=held, rate=percent(total.rate))
        if total.rate is not None
        else gettext("%(sessions)s, nothing recorded", sessions=held)
    )
    if low:
        few = ngettext(
            "%(num)s student is below %(threshold)s",
            "%(num)s students are below %(threshold)s",
            low,
            threshold=percent_text(threshold),
        )
        detail = gettext("%(sentence)s; %(further)s", sentence=detail, further=few)
    address = url_for("courses.course", course_id=course.id, _external=True) if course.id else ""
    return Item(f"{course.code} {course.name}", detail, address)


def _by_code(courses: dict[int, Course], ids: set[int]) -> list[int]:
    return sorted(ids, key=lambda number: courses[number].code)


def _letter(name: str, week: _Week) -> Letter:
    first, last = day_text(week.begin), day_text(week.end - timedelta(seconds=1))
    parts: list[Part] = [Paragraph(gettext("Hello %(name)s,", name=name))]
    if week.gaps:
        parts.append(Listing(gettext("Not recorded"), week.gaps[:_SHOWN], warns=True))
        more = len(week.gaps) - _SHOWN
        if more > 0:
            parts.append(Paragraph(ngettext("And one more session.", "And %(num)s more sessions.", more)))
        parts.append(Paragraph(gettext("Open a session to enter by hand who was there.")))
    else:
        parts.append(Paragraph(gettext("attendance was recorded in every session of last week.")))
    parts.append(Listing(gettext("Your courses, %(first)s to %(last)s", first=first, last=last), week.courses))
    parts.append(Button(gettext("Open your courses"), url_for("courses.home", _external=True)))
    subject = (
        ngettext("Your week: %(num)s session with gaps", "Your week: %(num)s sessions with gaps", len(week.gaps))
        if week.gaps
        else gettext("Your week: all recorded")
    )
    return write_letter(subject, *parts, reason=gettext("You get this mail each week because you teach courses."))


def _example() -> Letter:
    end = start_of_day(today())
    home = url_for("courses.home", _external=True)
    gaps = [
        Item(
            gettext(
                "%(course)s, %(moment)s, %(room)s",
                course="CS101",
                moment=moment_text(end - timedelta(days=4, hours=-9)),
                room="Hall A",
            ),
            say(UNRECORDED_WORDS[Unrecorded.UNWATCHED]),
            home,
        )
    ]
    courses = [
        _course_words(Course(code="CS101", name="Computing"), [Tally(present=41, late=3, absent=7)], 2, 75),
        _course_words(Course(code="CS210", name="Logic"), [Tally(present=24, absent=4), Tally(present=26)], 0, 75),
    ]
    return _letter("Ada Lovelace", _Week(end - timedelta(days=7), end, gaps, courses))


KIND = MailKind(
    name=NAME,
    title=lazy_gettext("A lecturer\u2019s week"),
    occasion=lazy_gettext("To each lecturer who had a session in the week before, on Mondays."),
    render=_render,
    example=_example,
)
