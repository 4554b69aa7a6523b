"""Fields that the administrator's forms are made of; they check what the CSV imports check."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from email_validator import EmailNotValidError, validate_email
from flask_wtf import FlaskForm
from wtforms import DateField, Field, Form, IntegerField, StringField, TimeField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # newer than its types
from wtforms.validators import StopValidation

from attendance.tables.fields import LONGEST_EMAIL, clean, text_problem


class AdminForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """A form whose errors can be listed above it."""

    def summary(self) -> list[tuple[str, str]]:
        """The id of each wrong field and what is wrong there."""
        return [(field.id, str(message)) for field in self for message in field.errors]


class Fits:
    """The text must be there, be short enough for its column, and hold nothing invisible (a validator)."""

    def __init__(self, longest: int, *, identifier: bool = False) -> None:
        self._longest = longest
        self._identifier = identifier

    def __call__(self, _form: Form, field: Field) -> None:
        """Check the field."""
        problem = text_problem(field.data or "", longest=self._longest, identifier=self._identifier)
        if problem is not None:
            raise StopValidation(f"{field.label.text} {problem}.")


def text_field(label: str, longest: int, *, identifier: bool = False, optional: bool = False) -> Any:
    """A line of text, cleaned as `attendance.tables.fields.clean` says."""
    checks: list[Callable[[Form, Field], None]] = [Fits(longest, identifier=identifier)]
    if optional:
        checks.insert(0, skip_if_empty)
    return StringField(label, filters=[_cleaned], validators=checks)


def skip_if_empty(_form: Form, field: Field) -> None:
    """End the checks of a field that may be left empty (a validator)."""
    if not field.raw_data or not str(field.raw_data[0]).strip():
        field.errors = []
        raise StopValidation()


def check_email(_form: Form, field: Field) -> None:
    """The text must be an e-mail address (a validator); whether anybody reads it there, nobody can tell."""
    try:
        validate_email(field.data, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValidationError(f"{field.data!r} is no e-mail address, like name@university.edu.") from None


def email_field(label: str) -> Any:
    """An e-mail address, in lower case."""
    return StringField(label, filters=[_cleaned_lower], validators=[Fits(LONGEST_EMAIL, identifier=True), check_email])


class DayField(DateField):
    """A date from the browser's date control."""

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read the date, with a sentence for what is none."""
        if not _typed(valuelist):
            self.data = None
            return
        try:
            super().process_formdata(list(valuelist))
        except ValueError:
            raise ValueError(f"{self.label.text}: choose a day.") from None


class ClockField(TimeField):
    """A time of day from the browser's time control, with or without seconds."""

    def __init__(self, label: str, **arguments: Any) -> None:
        super().__init__(label, format=["%H:%M", "%H:%M:%S"], **arguments)

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read the time, with a sentence for what is none."""
        if not _typed(valuelist):
            self.data = None
            return
        try:
            super().process_formdata(list(valuelist))
        except ValueError:
            raise ValueError(f"{self.label.text}: choose a time, like 09:00.") from None


class MinutesField(IntegerField):
    """Whole minutes."""

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read the number, with a sentence for what is none."""
        if not _typed(valuelist):
            self.data = None
            return
        try:
            super().process_formdata(list(valuelist))
        except ValueError:
            raise ValueError(f"{self.label.text}: type a whole number.") from None


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


def between(least: int, most: int) -> Callable[[Form, Field], None]:
    """The number must lie between two (a validator)."""

    def check(_form: Form, field: Field) -> None:
        if field.data is not None and not least <= field.data <= most:
            raise ValidationError(f"{field.label.text}: from {least} to {most}.")

    return check


def _typed(values: Sequence[str]) -> bool:
    return any(value.strip() for value in values)


def _cleaned(text: str | None) -> str:
    return clean(text or "")


def _cleaned_lower(text: str | None) -> str:
    return clean(text or "").lower()
