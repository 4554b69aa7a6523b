"""A person's answer to what is held, as forms send it, and what pages say of it."""

from collections.abc import Collection

from flask import flash, request
from flask_babel import gettext, ngettext
from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField
from wtforms.validators import AnyOf

from attendance.database.held.answers import Answered, HeldError, answer_held
from attendance.tables.fields import HELD_ANSWER
from webapp.tools.fields import cleaned
from webapp.tools.languages import say_error
from webapp.tools.requests import read_id
from webapp.tools.storage import database

ACCEPT, REFUSE = "accept", "refuse"


class HeldForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """Which of two buttons was pressed, for which rows, and why if the person says so."""

    answer = HiddenField(validators=[AnyOf((ACCEPT, REFUSE))])
    reason = StringField(filters=[cleaned(HELD_ANSWER)])

    @property
    def sightings(self) -> set[int]:
        """The ids of the sightings."""
        return _ids("sighting")

    @property
    def minutes(self) -> set[int]:
        """The ids of the hours that were watched."""
        return _ids("minutes")

    @property
    def well_formed(self) -> bool:
        """Whether it says what is answered, and how."""
        return bool(self.validate() and (self.sightings or self.minutes))


def answer_and_say(form: HeldForm, sightings: Collection[int], minutes: Collection[int], *, account_id: int) -> None:
    """Answer these rows as the form says, and tell the person what became of it."""
    accept = form.answer.data == ACCEPT
    try:
        done = answer_held(
            database(),
            sightings,
            minutes,
            accept=accept,
            account_id=account_id,
            answer=form.reason.data or "",
        )
    except HeldError as error:
        flash(say_error(error), "warning")
        return
    flash(_answered_words(done, accept=accept), "success")
    _say_left(done.stayed, done.nowhere)


def _answered_words(done: Answered, *, accept: bool) -> str:
    """What was accepted or refused, in a sentence."""
    number = len(done.rows)
    if not number:
        return (
            gettext("What the camera watched counts now.") if accept else gettext("What the camera watched is refused.")
        )
    if accept:
        return ngettext("%(num)s sighting is accepted.", "%(num)s sightings are accepted.", number)
    return ngettext("%(num)s sighting is refused.", "%(num)s sightings are refused.", number)


def _say_left(stayed: Collection[int], nowhere: Collection[int]) -> None:
    if stayed:
        flash(
            ngettext(
                "%(num)s entry stays what a person had decided. Correct it if it is wrong.",
                "%(num)s entries stay what a person had decided. Correct them if they are wrong.",
                len(stayed),
            ),
            "info",
        )
    if nowhere:
        flash(
            ngettext(
                "%(num)s student is not entered: gone from the roster, or the session is at another time now.",
                "%(num)s students are not entered: gone from the roster, or the session is at another time now.",
                len(nowhere),
            ),
            "warning",
        )


def _ids(name: str) -> set[int]:
    found = (read_id(text) for text in request.form.getlist(name))
    return {each for each in found if each is not None}
