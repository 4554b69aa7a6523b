"""The form of a session: whom it is for, where and when."""

import sqlalchemy as sa
from flask_babel import gettext, lazy_gettext
from wtforms import BooleanField, ValidationError
from wtforms.validators import Optional

from attendance.database.audiences import Audience, each_once
from attendance.database.models import Course, CourseGroup, Room
from attendance.tables.dates import MOST_MINUTES
from webapp.admin.forms import (
    AdminForm,
    DayField,
    MinutesField,
    between,
    given,
    options,
)
from webapp.admin.placement_form import PlacementForm, choose, choose_further, offer_further
from webapp.changes.sessions import SessionValues
from webapp.tools.class_sessions.planning import Times
from webapp.tools.class_sessions.schedule import ScheduleError, Slot, weekly_days
from webapp.tools.languages import say_error
from webapp.tools.requests import read_id
from webapp.tools.storage import database

_FURTHER = 2
"""Lists for further courses and rooms that a new form has; a session with more gets one more than it has."""


class SessionForm(AdminForm, PlacementForm):
    """A session. `offer_choices` must fill the lists first."""

    course = choose(lazy_gettext("Course"), lazy_gettext("Choose a course."))
    also_for = choose_further(
        lazy_gettext("Also for"), lazy_gettext("Choose a course or group of the list."), lists=_FURTHER
    )
    room = choose(lazy_gettext("Room"), lazy_gettext("Choose a room."))
    also_in = choose_further(lazy_gettext("Also in"), lazy_gettext("Choose a room of the list."), lists=_FURTHER)
    until = DayField(lazy_gettext("Repeat every week until"), validators=[Optional()])
    early_minutes = MinutesField(
        lazy_gettext("Minutes of early entry"),
        validators=[given(lazy_gettext("Type a number, 0 for none.")), between(0, MOST_MINUTES)],
    )
    grace_minutes = MinutesField(
        lazy_gettext("Minutes of grace"),
        validators=[given(lazy_gettext("Type a number, 0 for none.")), between(0, MOST_MINUTES)],
    )
    leave_out = BooleanField(lazy_gettext("Leave these days out and add the others"))

    def offer_choices(self) -> "SessionForm":
        """Fill the lists; returns the form."""
        db = database()
        courses = db.execute(sa.select(Course.id, Course.code, Course.name).order_by(Course.code))
        rooms = db.execute(sa.select(Room.id, Room.name).order_by(Room.name))
        groups = database().execute(
            sa.select(CourseGroup.id, CourseGroup.course_id, CourseGroup.name).order_by(CourseGroup.name)
        )
        of_course: dict[int, list[tuple[str, str]]] = {}
        for group_id, course_id, name in groups:
            of_course.setdefault(course_id, []).append((f"{course_id}.{group_id}", name))
        course_words = []
        for course_id, code, name in courses:
            course_words.append((str(course_id), f"{code} {name}"))
            course_words += [
                (value, gettext("%(code)s %(name)s, group %(group)s", code=code, name=name, group=group))
                for value, group in of_course.get(course_id, [])
            ]
        room_words = [(str(room_id), name) for room_id, name in rooms]
        self.course.choices = options([("", gettext("Choose a course")), *course_words])
        self.room.choices = options([("", gettext("Choose a room")), *room_words])
        offer_further(self.also_for, course_words, nothing=gettext("Nobody else"), label=gettext("Course or group"))
        offer_further(self.also_in, room_words, nothing=gettext("No other room"), label=gettext("Room"))
        return self

    def audiences(self) -> list[Audience]:
        """Whom a valid form wants the session to be for."""
        chosen = [self.course.data, *(choice.data for choice in self.also_for)]
        return [_audience(value) for value in chosen if value]

    def minutes(self) -> tuple[int, int]:
        """The minutes of early entry and of grace that a valid form wants."""
        if self.early_minutes.data is None or self.grace_minutes.data is None:
            raise ValueError("the form is not valid")
        return self.early_minutes.data, self.grace_minutes.data

    def values(self, slot: Slot) -> SessionValues:
        """What a valid form wants a session to be that takes place then."""
        early, grace = self.minutes()
        return SessionValues(slot, tuple(self.room_ids()), each_once(self.audiences()), early, grace)

    def times(self, *, weekly: bool = True) -> Times:
        """When a valid form wants sessions; not weekly: on the day alone."""
        return self.times_until(self.until.data if weekly else None)

    def validate_until(self, until: DayField) -> None:
        """Not before the first day, and not years later."""
        if until.data and self.day.data:
            try:
                weekly_days(self.day.data, until.data)
            except ScheduleError as error:
                raise ValidationError(say_error(error)) from None


def audience_value(audience: Audience) -> str:
    """An audience as a choice of the form: "12", or "12.3" for group 3 of course 12."""
    return str(audience.course_id) if audience.group_id is None else f"{audience.course_id}.{audience.group_id}"


def _audience(value: str) -> Audience:
    course, _, group = value.partition(".")
    course_id, group_id = read_id(course), read_id(group)
    if course_id is None:
        raise ValueError(f"{value!r} is no choice of the form")
    return Audience(course_id, group_id)
