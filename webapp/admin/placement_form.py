"""What the forms of a session share: when and where it is."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import FieldList, SelectField
from wtforms.validators import Optional

from webapp.admin.forms import ClockField, DayField, given, one_of_the_list, options, sensible_year
from webapp.tools.class_sessions.planning import Times
from webapp.tools.class_sessions.schedule import weekly_days


def choose(label: str, message: str) -> SelectField:
    """A list of which one must be chosen."""
    return SelectField(label, validate_choice=False, validators=[given(message), one_of_the_list(message)])


def choose_further(label: str, message: str, *, lists: int) -> Any:
    """Lists of each of which one may be chosen."""
    choice = SelectField(label, validate_choice=False, validators=[Optional(), one_of_the_list(message)])
    return FieldList(choice, label, min_entries=lists)


def offer_further(
    further: "FieldList[SelectField]", words: Sequence[tuple[str, str]], *, nothing: str, label: str
) -> None:
    """Fill further lists, of which one is always left to choose from; they are numbered from 2."""
    if all(choice.data for choice in further):
        further.append_entry()
    for number, choice in enumerate(further, start=2):
        choice.choices, choice.label.text = options([("", nothing), *words]), f"{label} {number}"


class PlacementForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """When and where a session is; a form of it has the lists `room` and `also_in`, of rooms' ids, besides."""

    day = DayField(lazy_gettext("Day"), validators=[given(lazy_gettext("Choose a day.")), sensible_year])
    start = ClockField(lazy_gettext("Starts at"), validators=[given(lazy_gettext("Choose when it starts."))])
    end = ClockField(lazy_gettext("Ends at"), validators=[given(lazy_gettext("Choose when it ends."))])

    def room_ids(self) -> list[int]:
        """Where a valid form wants it to be, each room once."""
        return list(dict.fromkeys(int(value) for value in (self.room.data, *self.also_in.data) if value))

    def times_until(self, until: date | None = None) -> Times:
        """When a valid form wants it to be: on its day, and on the same day of each week until then."""
        if self.day.data is None or self.start.data is None or self.end.data is None:
            raise ValueError("the form is not valid")
        return Times(weekly_days(self.day.data, until), self.start.data, self.end.data)
