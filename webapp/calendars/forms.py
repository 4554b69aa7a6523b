"""The forms of a calendar that the timetable is read from."""

from datetime import date
from typing import Any

import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext, lazy_gettext
from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, Field, Form, SelectField, StringField, ValidationError
from wtforms.validators import StopValidation

from attendance.database.models import Course, Room, TimetableCalendar
from attendance.tables.fields import CALENDAR_NAME
from webapp.admin.forms import (
    AdminForm,
    DayField,
    MinutesField,
    between,
    given,
    one_of_the_list,
    options,
    sensible_year,
    text_field,
)
from webapp.outside import OutsideAddressError, check_address
from webapp.tools.languages import say_error
from webapp.tools.storage import database

LONGEST_DAYS = 400
"""Of a term; a year and a little."""
_EVERY = (10, 1440)


def may_be_fetched(_form: Form, field: Field) -> None:
    """The text must be an address that the settings let us call, or empty (a validator)."""
    field.data = (field.data or "").strip()
    if not field.data:
        return
    if field.data.lower().startswith("webcal://"):
        field.data = "https://" + field.data[len("webcal://") :]
    try:
        check_address(field.data, current_app.config["ATTENDANCE"].web.private_networks)
    except OutsideAddressError as error:
        raise StopValidation(say_error(error)) from None


class CalendarForm(AdminForm):
    """A calendar. `offer_choices` must fill the lists first."""

    name = text_field(lazy_gettext("Name"), CALENDAR_NAME)
    url = StringField(lazy_gettext("Address"), validators=[may_be_fetched])
    first_day = DayField(
        lazy_gettext("First day of the term"), validators=[given(lazy_gettext("Choose a day.")), sensible_year]
    )
    last_day = DayField(
        lazy_gettext("Last day of the term"), validators=[given(lazy_gettext("Choose a day.")), sensible_year]
    )
    course = SelectField(
        lazy_gettext("Course"),
        validate_choice=False,
        validators=[one_of_the_list(lazy_gettext("Choose a course of the list."))],
    )
    room = SelectField(
        lazy_gettext("Room of events that name none"),
        validate_choice=False,
        validators=[one_of_the_list(lazy_gettext("Choose a room of the list."))],
    )
    every_minutes = MinutesField(
        lazy_gettext("Fetch every so many minutes"),
        validators=[given(lazy_gettext("Type a number of minutes.")), between(*_EVERY)],
    )
    by_itself = BooleanField(lazy_gettext("Write changes by itself, where nothing is to be asked"))

    def offer_choices(self) -> "CalendarForm":
        """Fill the lists; returns the form."""
        db = database()
        courses = db.execute(sa.select(Course.id, Course.code).order_by(Course.code))
        rooms = db.execute(sa.select(Room.id, Room.name).order_by(Room.name))
        by_title = ("", gettext("As the events' titles say"))
        self.course.choices = options([by_title, *((str(course_id), code) for course_id, code in courses)])
        self.room.choices = options([("", gettext("No room")), *((str(room_id), name) for room_id, name in rooms)])
        return self

    def validate_last_day(self, field: DayField) -> None:
        """The term must not end before it begins, nor last for years."""
        first, last = self.first_day.data, field.data
        if not isinstance(first, date) or not isinstance(last, date):
            return
        if last < first:
            raise ValidationError(gettext("The term ends before it begins."))
        if (last - first).days > LONGEST_DAYS:
            raise ValidationError(gettext("A term lasts %(days)s days at most.", days=LONGEST_DAYS))

    def values(self, former_url: str | None) -> dict[str, Any]:
        """What the calendar's columns become; an address that is left empty stays, since it is not shown."""
        return {
            "name": self.name.data,
            "url": self.url.data or former_url,
            "first_day": self.first_day.data,
            "last_day": self.last_day.data,
            "course_id": int(self.course.data) if self.course.data else None,
            "room_id": int(self.room.data) if self.room.data else None,
            "every_minutes": self.every_minutes.data,
            "by_itself": bool(self.by_itself.data),
        }


class FileForm(AdminForm):
    """A calendar's file."""

    file = FileField(lazy_gettext("Calendar file"), validators=[FileRequired(lazy_gettext("Choose a file first."))])


def form_of(calendar: TimetableCalendar | None) -> CalendarForm:
    """The form of a calendar as it is, or of a new one; what was sent counts before it."""
    if calendar is None:
        return CalendarForm(data={"every_minutes": 60, "by_itself": True, "course": "", "room": ""}).offer_choices()
    places = {"course": str(calendar.course_id or ""), "room": str(calendar.room_id or "")}
    names = ("name", "first_day", "last_day", "every_minutes", "by_itself")
    return CalendarForm(data={name: getattr(calendar, name) for name in names} | places).offer_choices()
