"""The form with which a student calls an entry wrong."""

from typing import Any

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import RadioField, TextAreaField
from wtforms.validators import InputRequired

from attendance.database.models import Status
from attendance.tables.fields import DISPUTE_TEXT
from webapp.tools.fields import Fits, cleaned
from webapp.tools.languages import say
from webapp.tools.template_tools import STATE_WORDS

# Nobody is asked to say that an absence is missing: it is what follows where nothing else is right.
_CLAIMED = (Status.PRESENT, Status.LATE, Status.EXCUSED)


class DisputeForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """What would be right, and why."""

    claimed = RadioField(
        lazy_gettext("What would be right?"), validators=[InputRequired(lazy_gettext("Choose what would be right."))]
    )
    text = TextAreaField(
        lazy_gettext("Why?"),
        filters=[cleaned(DISPUTE_TEXT)],
        validators=[Fits(DISPUTE_TEXT)],
    )

    def __init__(self, *arguments: Any, now: Status | None, **keywords: Any) -> None:
        """Offer every status that the entry does not have `now`."""
        super().__init__(*arguments, **keywords)
        self.claimed.choices = [
            (status.value, say(STATE_WORDS[status.value])) for status in _CLAIMED if status is not now
        ]
