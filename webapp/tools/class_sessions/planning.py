"""From what a form asks for to slots: days that cannot be, rooms that are taken, days without teaching."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, time
from zoneinfo import ZoneInfo

from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from attendance.database.models import ClassSession
from attendance.database.teaching.breaks import load_breaks
from attendance.texts import english
from webapp.tools.class_sessions.schedule import (
    ScheduleError,
    Slot,
    checked_slot,
    is_ambiguous,
    load_calendar,
    lock_room,
    slot_on,
    slot_text,
)
from webapp.tools.languages import say, say_error
from webapp.tools.times import local


@dataclass
class Series:
    """What a form asks for.

    Attributes:
        slots: those that can be.
        problems: for each day that cannot be, why.
        notes: what should be known about the others.
    """

    slots: list[Slot] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Times:
    """The local times of the sessions that are asked for."""

    days: Sequence[date]
    start: time
    end: time


def plan_series(
    db: Session, times: Times, room_ids: Sequence[int], zone: ZoneInfo, *, moving: ClassSession | None = None
) -> Series:
    """The slots that are asked for, held against the other sessions of the rooms, which it locks.

    Args:
        db: begun with `begin_writing`.
        times: days, start and end. Of several days, those without teaching are left out.
        room_ids: where.
        zone: the institution's.
        moving: the session that is changed; it does not clash with itself, and keeps its exact moments where the form
            shows the same times (clocks may show a time twice).
    """
    series = Series()
    for room_id in sorted(set(room_ids)):
        lock_room(db, room_id)
    for day in _days_of_teaching(db, times.days, series):
        try:
            slot = slot_on(day, times.start, times.end, zone)
        except ScheduleError as error:
            series.problems.append(say_error(error))
            continue
        series.slots.append(_kept(moving, slot))
        series.notes += [
            gettext("Clocks show %(clock)s twice on %(day)s; the first is meant.", clock=f"{clock:%H:%M}", day=day)
            for clock in (times.start, times.end)
            if is_ambiguous(day, clock, zone)
        ]
    _leave_out_taken(db, series, room_ids, zone, moving)
    return series


def plan_slot(
    db: Session, slot: Slot, room_ids: Sequence[int], zone: ZoneInfo, *, moving: ClassSession | None = None
) -> Series:
    """The same for one session whose exact moments are given.

    Args:
        db: begun with `begin_writing`.
        slot: when.
        room_ids: where.
        zone: the institution's.
        moving: the session that is changed.
    """
    series = Series()
    for room_id in sorted(set(room_ids)):
        lock_room(db, room_id)
    _days_of_teaching(db, [slot.starts_at.astimezone(zone).date()], series)
    try:
        series.slots.append(checked_slot(slot, zone))
    except ScheduleError as error:
        series.problems.append(say_error(error))
    _leave_out_taken(db, series, room_ids, zone, moving)
    return series


def _days_of_teaching(db: Session, days: Sequence[date], series: Series) -> Sequence[date]:
    """The days, of several without those of breaks; a single one is meant as it is, and its break is told."""
    kept, left_out = load_breaks(db).split(days)
    if len(days) == 1:
        series.notes += [
            gettext("%(day)s is a day without teaching: %(name)s.", day=days[0], name=name) for name in left_out
        ]
        return days
    series.notes += [
        ngettext(
            "%(num)s day without teaching left out: %(name)s.",
            "%(num)s days without teaching left out: %(name)s.",
            number,
            name=name,
        )
        for name, number in left_out.items()
    ]
    if not kept:
        names = ", ".join(left_out)
        series.problems.append(gettext("No day is left: all are days without teaching (%(names)s).", names=names))
    return kept


def _leave_out_taken(
    db: Session, series: Series, room_ids: Sequence[int], zone: ZoneInfo, moving: ClassSession | None
) -> None:
    calendar = load_calendar(db, room_ids, series.slots, zone)
    ignoring = frozenset() if moving is None else frozenset({moving.id})
    free = []
    for slot in series.slots:
        clashes = (calendar.clash(room_id, slot, ignoring=ignoring) for room_id in room_ids)
        clash = next((booking for booking in clashes if booking is not None), None)
        if clash is None:
            free.append(slot)
        else:
            taken = english(
                "%(slot)s: the room is taken by %(booking)s.", slot=slot_text(slot, zone), booking=clash.label
            )
            series.problems.append(say(taken))
    series.slots = free


def _kept(moving: ClassSession | None, slot: Slot) -> Slot:
    if moving is None:
        return slot
    before = Slot(moving.starts_at, moving.ends_at)
    same = all(
        local(old).replace(tzinfo=None, second=0, microsecond=0) == local(new).replace(tzinfo=None)
        for old, new in ((before.starts_at, slot.starts_at), (before.ends_at, slot.ends_at))
    )
    return before if same else slot
