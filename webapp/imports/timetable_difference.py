"""What a line of a timetable makes of the sessions that are there: told in a sentence, and written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import Audience, parts, set_audiences, set_rooms
from attendance.database.models import ClassSession, SeriesOrigin, SessionSeries, SessionState
from attendance.database.register import apply_session_times
from attendance.database.teaching.series import new_series
from attendance.texts import Text, english, english_count, english_list
from webapp.imports.occurrences import Found, There, WantedOccurrence
from webapp.imports.report import Outcome, Result
from webapp.tools.class_sessions.schedule import DEFAULT_MINUTES, Slot

NOT_IN_TIMETABLE = english("Not in the timetable any more.")


@dataclass
class Change:
    """A session that becomes another.

    Attributes:
        there: as it is.
        slot: when it will be.
        moved: whether room or time change.
        restored: whether an earlier import had cancelled it.
        changed: whether its end, its minutes or its audiences change.
    """

    there: There
    slot: Slot
    moved: bool
    restored: bool
    changed: bool


@dataclass
class Difference:
    """A line held against what is there."""

    line: int
    codes: tuple[str, ...]
    uid: str | None
    wanted: WantedOccurrence
    audiences: tuple[Audience, ...]
    room_ids: tuple[int, ...]
    early_minutes: int | None
    grace_minutes: int | None
    found: Found
    left_out: dict[str, int]
    now: datetime
    calendar_id: int | None = None
    """Of the calendar that the line stands in."""
    question: str = ""
    """What a person should look at before it is written."""
    added: list[Slot] = field(init=False)
    changes: list[Change] = field(init=False)
    kept: int = field(init=False, default=0)
    """Sessions that differ, and stay as a person made them."""

    def __post_init__(self) -> None:
        """Compare."""
        self.added, self.changes = [], []
        for slot in self.wanted.slots:
            there = self.found.sessions.get(slot)
            if there is None:
                if slot not in self.found.dropped:
                    self.added.append(slot)
                continue
            change = self._change(there, slot)
            if there.by_person:
                self.kept += change is not None
            elif change is not None:
                self.changes.append(change)

    def places(self) -> Iterator[tuple[Slot, Sequence[int]]]:
        """When and where the line's sessions will be; past ones and those of persons where they are."""
        for slot in self.added:
            yield slot, self.room_ids
        changed = {change.there.id: change for change in self.changes}
        for there in self.found.sessions.values():
            change = changed.get(there.id)
            if change is not None and not self._is_past(there):
                yield change.slot, self.room_ids
            elif change is not None:
                yield change.slot, sorted(there.room_ids)
            elif not there.cancelled:
                yield there.slot, sorted(there.room_ids)

    def outcome(self, zone: ZoneInfo) -> Outcome:
        """What becomes of the line, in words."""
        slots = len(self.wanted.slots)
        moved = [change for change in self.changes if change.moved]
        restored = sum(change.restored for change in self.changes)
        changed = sum(change.changed and not (change.moved or change.restored) for change in self.changes)
        said = list(self._said(moved, changed, restored, zone))
        message = english("%(changes)s.", changes=english_list(", ", said)) if said else ""
        if self.added and not said and len(self.added) < slots:
            message = english(
                "%(added)s of %(sessions)s sessions added; the others were there.",
                added=len(self.added),
                sessions=slots,
            )
        updated = bool(self.changes or self.found.ended or self.found.doubles)
        result = Result.UPDATED if updated else Result.ADDED if self.added else Result.UNCHANGED
        sentences = [message, *self._left_alone()]
        return Outcome(
            self.line,
            result,
            english_list(" ", [text for text in sentences if text]),
            records=len(self.added),
            question=self.question,
        )

    def _said(self, moved: Sequence[Change], changed: int, restored: int, zone: ZoneInfo) -> Iterator[str]:
        sessions = len(self.wanted.slots)
        if moved:
            yield self._moved(moved, sessions, zone)
        if changed:
            yield english("%(changed)s of %(sessions)s sessions changed", changed=changed, sessions=sessions)
        if restored:
            yield english("%(restored)s no longer cancelled", restored=restored)
        if self.added and (moved or changed or restored):
            yield english("%(added)s added", added=len(self.added))
        if self.found.ended:
            yield english("%(ended)s cancelled, not in the file any more", ended=len(self.found.ended))
        if self.found.doubles:
            yield english(
                "%(doubles)s that stood beside them in the other room made one with them",
                doubles=len(self.found.doubles),
            )

    def _left_alone(self) -> Iterator[str]:
        if self.kept:
            yield english_count(
                "%(num)s left as a person changed it.", "%(num)s left as a person changed them.", self.kept
            )
        if self.found.dropped:
            dropped = len(self.found.dropped)
            yield english_count("%(num)s stays deleted.", "%(num)s stay deleted.", dropped)
        for name, number in self.left_out.items():
            yield english_count(
                "%(num)s day without teaching left out (%(name)s).",
                "%(num)s days without teaching left out (%(name)s).",
                number,
                name=name,
            )

    def _moved(self, moved: Sequence[Change], sessions: int, zone: ZoneInfo) -> Text:
        starts = {change.slot.starts_at.astimezone(zone).time() for change in moved}
        later = any(change.slot.starts_at != change.there.slot.starts_at for change in moved) and len(starts) == 1
        elsewhere = any(change.there.room_ids != frozenset(self.room_ids) for change in moved)
        known = {"moved": len(moved), "sessions": sessions, "time": f"{next(iter(starts)):%H:%M}"}
        rooms = len(self.room_ids)
        if later and elsewhere:
            return english_count(
                "%(moved)s of %(sessions)s sessions moved to %(time)s and to another room",
                "%(moved)s of %(sessions)s sessions moved to %(time)s and to %(num)s rooms",
                rooms,
                **known,
            )
        if elsewhere:
            return english_count(
                "%(moved)s of %(sessions)s sessions moved to another room",
                "%(moved)s of %(sessions)s sessions moved to %(num)s rooms",
                rooms,
                **known,
            )
        if later:
            return english("%(moved)s of %(sessions)s sessions moved to %(time)s", **known)
        return english("%(moved)s of %(sessions)s sessions moved", **known)

    def _is_past(self, there: There) -> bool:
        return there.slot.ends_at <= self.now

    def _change(self, there: There, slot: Slot) -> Change | None:
        past = self._is_past(there)
        if past and slot.starts_at != there.slot.starts_at:
            return None
        moved = not past and (slot.starts_at != there.slot.starts_at or there.room_ids != frozenset(self.room_ids))
        wanted = {"early_minutes": self.early_minutes, "grace_minutes": self.grace_minutes}
        changed = slot.ends_at != there.slot.ends_at and not moved
        changed |= any(value is not None and value != getattr(there, name) for name, value in wanted.items())
        changed |= not past and there.audiences != frozenset(self.audiences)
        if not (moved or there.cancelled or changed):
            return None
        return Change(there, slot, moved, there.cancelled, bool(changed))


def write_difference(db: Session, difference: Difference) -> None:
    """Let the sessions be what the line says, in the caller's transaction; the rooms are locked and free."""
    found = difference.found
    series = _series(db, difference)
    # Of most lines of a calendar, which is read every hour, there is nothing to write.
    if doubles := [each.id for each in found.doubles]:
        db.execute(sa.delete(ClassSession).where(ClassSession.id.in_(doubles)))
    if series is not None and (ids := [each.id for each in found.sessions.values() if each.series_id != series.id]):
        db.execute(sa.update(ClassSession).where(ClassSession.id.in_(ids)).values(series_id=series.id))
    _plan(db, difference)
    sessions = _loaded(db, [change.there.id for change in difference.changes])
    for change in difference.changes:
        _apply(db, sessions[change.there.id], change, difference)
    for slot in difference.added:
        session = ClassSession(
            starts_at=slot.starts_at,
            ends_at=slot.ends_at,
            planned_at=difference.wanted.planned_at(slot),
            series_id=None if series is None else series.id,
            early_minutes=_or_default(difference.early_minutes),
            grace_minutes=_or_default(difference.grace_minutes),
        )
        set_audiences(session, difference.audiences)
        set_rooms(session, difference.room_ids)
        db.add(session)
    if found.ended:
        cancel_ended(db, [each.id for each in found.ended])
    db.flush()


def _plan(db: Session, difference: Difference) -> None:
    """Let sessions know when their series has them start, where the file says that of itself."""
    for slot, planned_at in difference.wanted.planned.items():
        there = difference.found.sessions.get(slot)
        if there is not None and there.planned_at != planned_at:
            db.execute(sa.update(ClassSession).where(ClassSession.id == there.id).values(planned_at=planned_at))


def cancel_ended(db: Session, session_ids: Sequence[int]) -> None:
    """Cancel sessions that a timetable has not any more, in the caller's transaction; it may bring them back."""
    db.execute(
        sa.update(ClassSession)
        .where(ClassSession.id.in_(session_ids), ClassSession.changed_at.is_(None))
        .values(state=SessionState.CANCELLED, cancelled_reason=NOT_IN_TIMETABLE)
        .execution_options(synchronize_session=False)
    )


def _series(db: Session, difference: Difference) -> SessionSeries | None:
    """The series of the line's sessions, made if there is none; None where nothing is to be of one."""
    if not (difference.added or difference.found.sessions):
        return None
    series = None if difference.found.series_id is None else db.get(SessionSeries, difference.found.series_id)
    if difference.uid is not None and (series is None or series.uid != difference.uid):
        with_uid = db.scalar(sa.select(SessionSeries).where(SessionSeries.uid == difference.uid))
        series = with_uid or series
    if series is None:
        series = new_series(db, SeriesOrigin.FILE, difference.audiences[0], uid=difference.uid)
        series.calendar_id = difference.calendar_id
        return series
    series.calendar_id = series.calendar_id or difference.calendar_id
    if difference.uid is not None and series.uid != difference.uid:
        series.uid, series.external = difference.uid, True
    series.origin = SeriesOrigin.FILE
    series.course_id, series.group_id = difference.audiences[0]
    db.flush()
    return series


def _loaded(db: Session, ids: Sequence[int]) -> dict[int, ClassSession]:
    if not ids:
        return {}
    query = sa.select(ClassSession).options(*parts()).where(ClassSession.id.in_(ids))
    return {session.id: session for session in db.scalars(query.execution_options(populate_existing=True))}


def _apply(db: Session, session: ClassSession, change: Change, difference: Difference) -> None:
    past = change.there.slot.ends_at <= difference.now
    session.ends_at = change.slot.ends_at
    if not past:
        session.starts_at, session.planned_at = change.slot.starts_at, difference.wanted.planned_at(change.slot)
        set_rooms(session, difference.room_ids)
        set_audiences(session, difference.audiences)
    if difference.early_minutes is not None:
        session.early_minutes = difference.early_minutes
    if difference.grace_minutes is not None:
        session.grace_minutes = difference.grace_minutes
    if session.cancelled:
        session.state, session.cancelled_reason = SessionState.SCHEDULED, None
    db.flush()
    apply_session_times(db, session)


def _or_default(minutes: int | None) -> int:
    return DEFAULT_MINUTES if minutes is None else minutes
