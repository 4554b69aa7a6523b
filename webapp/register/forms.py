"""The forms of a register: about one entry, and about several."""

import re
from collections.abc import Sequence
from typing import Any

from flask import request
from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import Form, HiddenField, RadioField, SelectField, TextAreaField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # newer than its types
from wtforms.validators import AnyOf, DataRequired, Length, Optional, Regexp

from attendance.database.models import Status
from attendance.tables.fields import CORRECTION_REASON, DISPUTE_ANSWER, REMARK
from webapp.tools.fields import Fits, cleaned
from webapp.tools.labels import ShownLabel, read_status, status_word
from webapp.tools.languages import say
from webapp.tools.requests import LARGEST_ID
from webapp.tools.template_tools import STATE_WORDS, STATUS_VALUES

CHOSEN, SHOWN = "chosen", "shown"
PRESENT_BUT, ALL_ABSENT, LEAVE = "present_but", "all_absent", "leave"
LABEL_GONE = lazy_gettext("This status was deleted or retired meanwhile. Choose another one.")
_ENTRY = re.compile(r"([0-9]{1,10})\.([0-9]{1,9})\Z")


class EntryForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """What every form about one entry carries: which version of it the person looked at, and where to go back to."""

    version = HiddenField(
        validators=[Optional(), Regexp(r"[0-9]{1,9}\Z", message=lazy_gettext("Open this entry again."))]
    )
    next = HiddenField()

    @property
    def known_version(self) -> int | None:
        """The version that the person looked at; None from a page that did not say."""
        return int(self.version.data) if self.version.data else None


def status_choices(labels: Sequence[ShownLabel]) -> list[SelectChoice]:
    """The four kinds, then the labels that are offered, each with its kind."""
    choices = [SelectChoice(status.value, say(STATE_WORDS[status.value])) for status in Status]
    for label in labels:
        words = gettext("%(label)s (%(kind)s)", label=label.name, kind=say(STATE_WORDS[label.kind]))
        choices.append(SelectChoice(label.key, words))
    return choices


def is_offered(_form: Form, field: RadioField | SelectField) -> None:
    """The status must be one that is offered (a validator)."""
    offered: Any = field.choices
    if any(choice.value == field.data for choice in offered):
        return
    wanted = read_status(field.data)
    gone = wanted is not None and wanted[1] is not None
    raise ValidationError(LABEL_GONE if gone else gettext("Choose a status."))


class DecisionForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """A status and why.

    Args:
        labels: those that are offered beside the four kinds.
        **arguments: of the form.
    """

    status = RadioField(lazy_gettext("Status"), validate_choice=False, validators=[is_offered])

    def __init__(self, *, labels: Sequence[ShownLabel] = (), **arguments: Any) -> None:
        super().__init__(**arguments)
        self.labels = labels
        self.status.choices = status_choices(labels)

    @property
    def decided(self) -> tuple[Status, int | None]:
        """The status, and the id of its label; of a form that is valid."""
        return read_status(self.status.data) or (Status(self.status.data), None)

    @property
    def word(self) -> str:
        """What the status is called, in the middle of a sentence."""
        return status_word(self.status.data, self.labels)

    def label_is_gone(self) -> None:
        """Say that the chosen label was deleted or retired after the form had been checked."""
        self.status.errors = [LABEL_GONE]

    reason = TextAreaField(
        lazy_gettext("Reason"),
        filters=[cleaned(CORRECTION_REASON)],
        validators=[
            DataRequired(lazy_gettext("Say why, so that it can be understood later.")),
            Length(
                max=CORRECTION_REASON.longest,
                message=lazy_gettext("At most %(longest)s characters.", longest=CORRECTION_REASON.longest),
            ),
            Fits(CORRECTION_REASON, lazy_gettext("This has characters that cannot be shown. Type it again.")),
        ],
    )


class CorrectionForm(DecisionForm, EntryForm):
    """What a person decides about one entry."""


class RemarkForm(EntryForm):
    """A note beside a status, empty for none."""

    remark = TextAreaField(
        lazy_gettext("Remark"),
        filters=[cleaned(REMARK)],
        validators=[
            Optional(),
            Fits(REMARK, lazy_gettext("This has characters that cannot be shown, or is too long.")),
        ],
    )


class AnswerForm(EntryForm):
    """What becomes of an entry that its student calls wrong, and why."""

    decision = RadioField(
        lazy_gettext("Decision"),
        validate_choice=False,
        validators=[AnyOf((*STATUS_VALUES, LEAVE), lazy_gettext("Choose what becomes of the entry."))],
    )
    answer = TextAreaField(
        lazy_gettext("Answer"),
        filters=[cleaned(DISPUTE_ANSWER)],
        validators=[DataRequired(lazy_gettext("Say why: the student reads it.")), Fits(DISPUTE_ANSWER)],
    )

    def offer(self, now: str, claimed: Status) -> "AnswerForm":
        """Offer what is claimed first, then to leave what is there `now`, then the rest; returns the form."""
        others = [status for status in Status if status.value not in (now, claimed.value)]
        self.decision.choices = [
            (claimed.value, gettext("%(status)s, as the student says", status=say(STATE_WORDS[claimed.value]))),
            (LEAVE, gettext("Leave it as it is")),
            *((status.value, say(STATE_WORDS[status.value])) for status in others),
        ]
        for field in (self.decision, self.answer):  # the form that corrects is on the same page
            field.id = field.label.field_id = f"dispute-{field.name}"
        return self


class BulkForm(DecisionForm):
    """Which rows, which status, and why."""

    scope = RadioField(
        lazy_gettext("Which entries"),
        choices=[
            SelectChoice(CHOSEN, lazy_gettext("The chosen rows")),
            SelectChoice(SHOWN, lazy_gettext("All that are shown")),
        ],
        default=CHOSEN,
        validate_choice=False,
        validators=[AnyOf((CHOSEN, SHOWN), lazy_gettext("Choose which entries."))],
    )
    shown = HiddenField()

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        for field in self:  # the form about one entry may be open on the same page
            field.id = field.label.field_id = f"bulk-{field.id}"

    def versions(self) -> dict[int, int] | None:
        """By the student's id, the version of each entry to be changed; None when the form was tampered with."""
        return _versions(
            (self.shown.data or "").split() if self.scope.data == SHOWN else request.form.getlist("chosen")
        )


class ByHandForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """What a person makes of those of whom the machine concluded nothing."""

    choice = HiddenField(validators=[AnyOf((PRESENT_BUT, ALL_ABSENT, LEAVE), lazy_gettext("Choose what they are."))])
    ticked = SelectField(
        lazy_gettext("The ticked were"), default=Status.ABSENT.value, validate_choice=False, validators=[is_offered]
    )
    shown = HiddenField()

    def __init__(self, *, labels: Sequence[ShownLabel] = (), **arguments: Any) -> None:
        super().__init__(**arguments)
        self.ticked.choices = status_choices(labels)

    @property
    def ticked_are(self) -> tuple[Status, int | None]:
        """The status of those who are ticked, and the id of its label; of a form that is valid."""
        return read_status(self.ticked.data) or (Status.ABSENT, None)

    def entries(self) -> dict[int, int] | None:
        """By the student's id, the version of each entry on the page; None when the form was tampered with."""
        return _versions((self.shown.data or "").split())

    def absent(self) -> dict[int, int] | None:
        """The same of those who are ticked."""
        return _versions(request.form.getlist("absent"))


def _versions(texts: Sequence[str]) -> dict[int, int] | None:
    found = [_ENTRY.match(text) for text in texts]
    if any(match is None or int(match[1]) > LARGEST_ID for match in found):
        return None
    return {int(match[1]): int(match[2]) for match in found if match}
