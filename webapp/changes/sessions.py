"""Class sessions: adding them, moving and changing, cancelling, restoring and deleting them.

Where a session is moved to or added, `plan_series` or `plan_slot` has found its slot and locked its rooms, in the same
transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from flask import abort
from flask_babel import gettext
from sqlalchemy.orm import Session

from attendance.database.audiences import Audience, audiences_of, courses_of, rooms_of, set_audiences, set_rooms
from attendance.database.audit.noting import words_of_session
from attendance.database.models import (
    Attendance,
    AuditAction,
    ClassSession,
    Course,
    CourseGroup,
    Room,
    SeriesOrigin,
    SessionSeries,
)
from attendance.database.teaching.changes import Placement, cancel, move, restore
from attendance.database.teaching.series import delete_sessions as drop_sessions
from attendance.database.teaching.series import new_series
from webapp.account.identity import current_account
from webapp.account.noting import noted
from webapp.changes.errors import ChangeError
from webapp.tools.class_sessions.planning import Series, plan_slot
from webapp.tools.class_sessions.schedule import Slot
from webapp.tools.storage import count_rows
from webapp.tools.times import zone


@dataclass(frozen=True)
class SessionValues:
    """What a session is to be.

    Attributes:
        slot: when, as it was planned.
        room_ids: at least one, each once, the first one first.
        audiences: as `each_once` gives them, at least one, the first one first.
        early_minutes: from 0 to `MOST_MINUTES`.
        grace_minutes: the same.
        note: for those who open the register; None for none.
    """

    slot: Slot
    room_ids: tuple[int, ...]
    audiences: tuple[Audience, ...]
    early_minutes: int
    grace_minutes: int
    note: str | None = None


def values_of(session: ClassSession) -> SessionValues:
    """What a session is, loaded with its parts."""
    return SessionValues(
        slot=Slot(session.starts_at, session.ends_at),
        room_ids=rooms_of(session),
        audiences=audiences_of(session),
        early_minutes=session.early_minutes,
        grace_minutes=session.grace_minutes,
        note=session.note,
    )


def add_sessions(
    db: Session, slots: Sequence[Slot], wanted: SessionValues, *, uid: str | None = None
) -> tuple[SessionSeries, list[ClassSession]]:
    """Add a series of sessions that differ in their times alone, at least one.

    Args:
        db: in which the slots were planned.
        slots: when.
        wanted: everything else.
        uid: of the series in the system that it comes from; None makes one.

    Raises:
        ChangeError: a course, a group or a room is not there.
    """
    refuse_missing_parts(db, wanted.audiences, wanted.room_ids)
    series = new_series(db, SeriesOrigin.FORM, wanted.audiences[0], uid=uid)
    added: list[ClassSession] = []
    for slot in slots:
        session = ClassSession(
            early_minutes=wanted.early_minutes,
            grace_minutes=wanted.grace_minutes,
            starts_at=slot.starts_at,
            ends_at=slot.ends_at,
            note=wanted.note,
            series_id=series.id,
            planned_at=slot.starts_at,
        )
        set_audiences(session, wanted.audiences)
        set_rooms(session, wanted.room_ids)
        db.add(session)
        added.append(session)
    db.flush()
    noted(AuditAction.SESSION_ADDED, subject=words_of_session(added[0]), details={"sessions": len(added)})
    return series, added


def refuse_other_courses(db: Session, session: ClassSession, audiences: Sequence[Audience]) -> None:
    """Refuse to take a course from a session whose register has entries.

    Raises:
        ChangeError: it has some, and one of its courses is not among the audiences.
    """
    if set(courses_of(session)) <= {audience.course_id for audience in audiences} or not entries_of(db, [session.id]):
        return
    words = gettext("The register has entries already, so the course stays. Delete the session instead.")
    raise ChangeError("audiences", words, conflict=True)


def change_session(db: Session, session: ClassSession, wanted: SessionValues) -> None:
    """Change a session, whose register follows its new times; imports leave alone what a person moved.

    Raises:
        ChangeError: a course, a group or a room is not there; or the register has entries of a course that would go.
    """
    before, words = values_of(session), words_of_session(session)
    if wanted == before:
        return
    refuse_other_courses(db, session, wanted.audiences)
    refuse_missing_parts(db, wanted.audiences, wanted.room_ids)
    set_audiences(session, wanted.audiences)
    session.early_minutes, session.grace_minutes = wanted.early_minutes, wanted.grace_minutes
    session.note = wanted.note
    if _counts_otherwise(before, wanted):
        placement = Placement(wanted.slot.starts_at, wanted.slot.ends_at, wanted.room_ids)
        move(db, session, placement, account_id=current_account().id)
    db.flush()
    noted(AuditAction.SESSION_CHANGED, subject=words_of_session(session), details={"before": words})


def cancel_session(db: Session, session: ClassSession, reason: str) -> None:
    """Let a session not take place; one that is cancelled already keeps its state, and its reason unless one is given.

    Args:
        db: of the change.
        session: locked.
        reason: "" for none.
    """
    if session.cancelled and reason in ("", session.cancelled_reason):
        return
    cancel(db, session, reason=reason, account_id=current_account().id)
    noted(AuditAction.SESSION_CANCELLED, subject=words_of_session(session))


def restore_session(db: Session, session: ClassSession) -> Series:
    """Let a cancelled session take place, if its rooms are still free; its slot, or why it cannot."""
    slot = Slot(session.starts_at, session.ends_at)
    if not session.cancelled:
        return Series([slot])
    series = plan_slot(db, slot, rooms_of(session), zone(), moving=session)
    if series.slots and not series.problems:
        restore(db, session, account_id=current_account().id)
        noted(AuditAction.SESSION_RESTORED, subject=words_of_session(session))
    return series


def delete_sessions(db: Session, sessions: Sequence[ClassSession]) -> None:
    """Delete sessions, at least one, with their registers; a timetable that is imported again leaves them away."""
    entries = entries_of(db, [session.id for session in sessions])
    details = {"sessions": len(sessions), "entries": entries}
    noted(AuditAction.SESSION_DELETED, subject=words_of_session(sessions[0]), details=details)
    drop_sessions(db, sessions)


def entries_of(db: Session, session_ids: Sequence[int]) -> int:
    """How many entries the registers of sessions have."""
    return count_rows(db, Attendance, Attendance.session_id.in_(session_ids))


def locked_session(db: Session, session: ClassSession) -> ClassSession:
    """The session as it is now; one that was deleted meanwhile answers as any that is not there (404)."""
    try:
        db.refresh(session, with_for_update=True)
    except sa.exc.InvalidRequestError:
        abort(404)
    return session


def refuse_missing_parts(db: Session, audiences: Sequence[Audience], room_ids: Sequence[int]) -> None:
    """Refuse courses, groups and rooms that are not there; until the transaction ends nobody can delete them.

    Raises:
        ChangeError: one is not there, or a group is another course's.
    """
    pairs = {(audience.group_id, audience.course_id) for audience in audiences if audience.group_id is not None}
    courses = sa.select(Course.id).where(Course.id.in_({audience.course_id for audience in audiences}))
    groups = sa.select(CourseGroup.id, CourseGroup.course_id).where(
        CourseGroup.id.in_({group_id for group_id, _ in pairs})
    )
    rooms = sa.select(Room.id).where(Room.id.in_(set(room_ids)))
    found = len(db.scalars(courses.with_for_update(read=True)).all())
    known = {(group_id, course_id) for group_id, course_id in db.execute(groups.with_for_update(read=True))}
    if found < len({audience.course_id for audience in audiences}) or known != pairs:
        raise ChangeError("audiences", _deleted(gettext("Course")))
    if len(db.scalars(rooms.with_for_update(read=True)).all()) < len(set(room_ids)):
        raise ChangeError("room_ids", _deleted(gettext("Room")))


def _deleted(label: str) -> str:
    return gettext("%(label)s: this one was deleted meanwhile.", label=label)


def _counts_otherwise(before: SessionValues, wanted: SessionValues) -> bool:
    """Whether anything but the note is to be another."""
    return replace(before, note=wanted.note) != wanted
