"""The form of a session, and what it asks for: slots, and the days that cannot be."""

from dataclasses import dataclass, field
from datetime import date, time
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session
from wtforms import BooleanField, SelectField, ValidationError
from wtforms.validators import Optional

from attendance.database.models import ClassSession, Course, Room
from attendance.tables.dates import MOST_MINUTES
from webapp.admin.forms import (
    AdminForm,
    ClockField,
    DayField,
    MinutesField,
    between,
    given,
    one_of_the_list,
    options,
    sensible_year,
)
from webapp.tools.schedule import (
    ScheduleError,
    Slot,
    is_ambiguous,
    load_calendar,
    slot_on,
    slot_text,
    weekly_days,
)
from webapp.tools.storage import database
from webapp.tools.times import day_text, local


def _choose(label: str, message: str) -> SelectField:
    return SelectField(label, validate_choice=False, validators=[given(message), one_of_the_list(message)])


class SessionForm(AdminForm):
    """A session. `offer_choices` must fill the lists first."""

    course = _choose("Course", "Choose a course.")
    room = _choose("Room", "Choose a room.")
    day = DayField("Day", validators=[given("Choose a day."), sensible_year])
    start = ClockField("Starts at", validators=[given("Choose when it starts.")])
    end = ClockField("Ends at", validators=[given("Choose when it ends.")])
    until = DayField("Repeat every week until", validators=[Optional()])
    early_minutes = MinutesField(
        "Minutes of early entry", validators=[given("Type a number, 0 for none."), between(0, MOST_MINUTES)]
    )
    grace_minutes = MinutesField(
        "Minutes of grace", validators=[given("Type a number, 0 for none."), between(0, MOST_MINUTES)]
    )
    leave_out = BooleanField("Leave these days out and add the others")

    def offer_choices(self) -> "SessionForm":
        """Fill the lists; returns the form."""
        db = database()
        courses = db.execute(sa.select(Course.id, Course.code, Course.name).order_by(Course.code))
        rooms = db.execute(sa.select(Room.id, Room.name).order_by(Room.name))
        course_words = [(str(course_id), f"{code} {name}") for course_id, code, name in courses]
        room_words = [(str(room_id), name) for room_id, name in rooms]
        self.course.choices = options([("", "Choose a course"), *course_words])
        self.room.choices = options([("", "Choose a room"), *room_words])
        return self

    def times(self) -> tuple[date, time, time]:
        """Day, start and end of a valid form."""
        if self.day.data is None or self.start.data is None or self.end.data is None:
            raise ValueError("the form is not valid")
        return self.day.data, self.start.data, self.end.data

    def validate_until(self, until: DayField) -> None:
        """Not before the first day, and not years later."""
        if until.data and self.day.data:
            try:
                weekly_days(self.day.data, until.data)
            except ScheduleError as error:
                raise ValidationError(str(error)) from None


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


def plan_series(db: Session, form: SessionForm, zone: ZoneInfo, *, moving: ClassSession | None = None) -> Series:
    """The slots of a valid form, held against the room's other sessions.

    Args:
        db: the session; the room should be locked.
        form: valid.
        zone: the institution's.
        moving: the session that is changed; it does not clash with itself, and keeps its exact moments where the form
            shows the same times (clocks may show a time twice).
    """
    series = Series()
    first, start, end = form.times()
    days = weekly_days(first, None if moving else form.until.data)
    for day in days:
        try:
            slot = slot_on(day, start, end, zone)
        except ScheduleError as error:
            series.problems.append(str(error))
            continue
        series.slots.append(_kept(moving, slot))
        series.notes += [
            f"Clocks show {clock:%H:%M} twice on {day_text(day)}; the first is meant."
            for clock in (start, end)
            if is_ambiguous(day, clock, zone)
        ]
    room_id = int(form.room.data)
    calendar = load_calendar(db, [room_id], series.slots, zone)
    ignoring = frozenset() if moving is None else frozenset({moving.id})
    free = []
    for slot in series.slots:
        clash = calendar.clash(room_id, slot, ignoring=ignoring)
        if clash is None:
            free.append(slot)
        else:
            series.problems.append(f"{slot_text(slot, zone)}: the room is taken by {clash.label}.")
    series.slots = free
    return series


def _kept(moving: ClassSession | None, slot: Slot) -> Slot:
    if moving is None:
        return slot
    before = Slot(moving.starts_at, moving.ends_at)
    same = all(
        local(old).replace(tzinfo=None, second=0, microsecond=0) == local(new).replace(tzinfo=None)
        for old, new in ((before.starts_at, slot.starts_at), (before.ends_at, slot.ends_at))
    )
    return before if same else slot
