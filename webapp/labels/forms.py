"""The form of a label."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import IntegerField, RadioField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # newer than its types
from wtforms.validators import AnyOf, DataRequired, NumberRange, Optional

from attendance.database.labels import LabelError, LabelFault, LabelValues
from attendance.database.models import LabelColour, Status, StatusLabel
from attendance.tables.fields import STATUS_LABEL_LETTER, STATUS_LABEL_NAME
from webapp.tools.fields import Fits, cleaned
from webapp.tools.languages import say_error, say_later
from webapp.tools.template_tools import STATE_WORDS, STATUS_VALUES

COLOUR_WORDS: Mapping[LabelColour, Any] = {
    LabelColour.GREEN: lazy_gettext("Green"),
    LabelColour.AMBER: lazy_gettext("Amber"),
    LabelColour.RED: lazy_gettext("Red"),
    LabelColour.VIOLET: lazy_gettext("Violet"),
    LabelColour.BLUE: lazy_gettext("Blue"),
    LabelColour.TEAL: lazy_gettext("Teal"),
    LabelColour.PINK: lazy_gettext("Pink"),
    LabelColour.GREY: lazy_gettext("Grey"),
}
_WHOLE = 100


class LabelForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """What a label is called, what it stands for, how it looks, and for how much it counts."""

    name = StringField(
        lazy_gettext("Name"),
        filters=[cleaned(STATUS_LABEL_NAME)],
        validators=[DataRequired(lazy_gettext("Type a name.")), Fits(STATUS_LABEL_NAME)],
    )
    letter = StringField(
        lazy_gettext("Letter"),
        filters=[cleaned(STATUS_LABEL_LETTER)],
        validators=[DataRequired(lazy_gettext("Type a letter, or two.")), Fits(STATUS_LABEL_LETTER)],
    )
    kind = RadioField(
        lazy_gettext("Stands for"),
        choices=[SelectChoice(status.value, say_later(STATE_WORDS[status.value])) for status in Status],
        validate_choice=False,
        validators=[AnyOf(STATUS_VALUES, lazy_gettext("Choose what it stands for."))],
    )
    colour = RadioField(
        lazy_gettext("Colour"),
        choices=[SelectChoice(colour.value, words) for colour, words in COLOUR_WORDS.items()],
        default=LabelColour.BLUE.value,
        validate_choice=False,
        validators=[AnyOf([colour.value for colour in LabelColour], lazy_gettext("Choose a colour."))],
    )
    percent = IntegerField(
        lazy_gettext("Counts in the rate, in percent"),
        default=_WHOLE,
        validators=[
            Optional(),
            NumberRange(0, _WHOLE, lazy_gettext("Type a whole number from 0 to 100.")),
        ],
    )

    def values(self) -> LabelValues:
        """What was typed; of a form that is valid."""
        percent = _WHOLE if self.percent.data is None else self.percent.data
        return LabelValues(
            kind=Status(self.kind.data),
            name=self.name.data or "",
            letter=self.letter.data or "",
            colour=LabelColour(self.colour.data),
            weight=percent / _WHOLE,
        )

    def blame(self, error: LabelError) -> None:
        """Say at its field what is wrong."""
        field = {
            LabelFault.LETTER: self.letter,
            LabelFault.KIND: self.kind,
            LabelFault.WEIGHT: self.percent,
        }.get(error.fault, self.name)
        field.errors = [*field.errors, say_error(error)]


def form_of(label: StatusLabel) -> LabelForm:
    """The form of a label as it is; what was sent counts before it."""
    weight = 1.0 if label.weight is None else label.weight
    given = {
        "name": label.name,
        "letter": label.letter,
        "kind": label.kind.value,
        "colour": label.colour.value,
        "percent": round(weight * _WHOLE),
    }
    return LabelForm(data=given)
