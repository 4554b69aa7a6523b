"""Fields that the administrator's forms are made of; they check what the CSV imports check."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import DateField, Field, Form, IntegerField, StringField, TimeField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # newer than its types
from wtforms.validators import StopValidation

from attendance.tables.dates import year_can_be_meant
from attendance.tables.fields import INDEX_NUMBER, TextRule
from webapp.tools.fields import ErrorSummary, Fits, FitsIndexNumbers, cleaned


class AdminForm(ErrorSummary, FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """A form whose errors can be listed above it."""


def text_field(label: str, rule: TextRule, *, optional: bool = False) -> Any:
    """A line of text, cleaned and checked by its rule."""
    checks: list[Callable[[Form, Field], None]] = [Fits(rule)]
    if optional:
        checks.insert(0, skip_if_empty)
    return StringField(label, filters=[cleaned(rule)], validators=checks)


def index_number_field() -> Any:
    """The index number of a student who is added or renumbered, checked by the institution's rule."""
    return StringField(lazy_gettext("Index number"), filters=[cleaned(INDEX_NUMBER)], validators=[FitsIndexNumbers()])


def skip_if_empty(_form: Form, field: Field) -> None:
    """End the checks of a field that may be left empty (a validator)."""
    if not field.raw_data or not str(field.raw_data[0]).strip():
        field.errors = []
        raise StopValidation()


class _TypedField(Field):
    """What a person types or chooses; left empty it is None, and what cannot be read is said in a sentence."""

    wanted = ""
    """What to do, after the field's name."""

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read the value."""
        if not any(value.strip() for value in valuelist):
            self.data = None
            return
        try:
            super().process_formdata(list(valuelist))
        except ValueError:
            raise ValueError(gettext("%(label)s: %(wanted)s.", label=self.label.text, wanted=self.wanted)) from None


class DayField(_TypedField, DateField):
    """A date from the browser's date control."""

    wanted = lazy_gettext("choose a day")


class ClockField(_TypedField, TimeField):
    """A time of day from the browser's time control, with or without seconds."""

    wanted = lazy_gettext("choose a time, like 09:00")

    def __init__(self, label: str, **arguments: Any) -> None:
        super().__init__(label, format=["%H:%M", "%H:%M:%S"], **arguments)


class MinutesField(_TypedField, IntegerField):
    """Whole minutes."""

    wanted = lazy_gettext("type a whole number")


class PixelsField(_TypedField, IntegerField):
    """A whole number of pixels."""

    wanted = lazy_gettext("type a whole number of pixels")


class PercentField(_TypedField, IntegerField):
    """A whole number of percent."""

    wanted = lazy_gettext("type a whole number of percent")


def options(pairs: Iterable[tuple[str, str]]) -> Any:
    """The choices of a list, from values and words."""
    return [SelectChoice(value, words) for value, words in pairs]


def one_of_the_list(message: str) -> Callable[[Form, Field], None]:
    """The value must be one of a list's choices (a validator)."""

    def check(_form: Form, field: Field) -> None:
        choices = {choice.value for choice in field.choices or []}  # type: ignore[attr-defined]
        if field.data not in choices:
            raise StopValidation(message)

    return check


def given(message: str) -> Callable[[Form, Field], None]:
    """The field must be filled in (a validator)."""

    def check(_form: Form, field: Field) -> None:
        if field.data is None or field.data == "":
            raise StopValidation("" if field.errors else message)

    return check


def sensible_year(_form: Form, field: Field) -> None:
    """The day must lie in years that can be meant (a validator)."""
    if field.data and not year_can_be_meant(field.data):
        raise ValidationError(gettext("This year cannot be meant."))


def between(least: int, most: int) -> Callable[[Form, Field], None]:
    """The number must lie between two (a validator)."""

    def check(_form: Form, field: Field) -> None:
        if field.data is not None and not least <= field.data <= most:
            raise ValidationError(
                gettext(
                    "%(label)s: from %(least)s to %(most)s.", label=field.label.text, least=str(least), most=str(most)
                )
            )

    return check
