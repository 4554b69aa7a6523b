"""The marks of a matrix and of a calendar: a letter, a word and a class for its colour."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import pgettext
from markupsafe import Markup

from webapp.reports.course_marks import NOT_EXPECTED, UNSEEN
from webapp.tools.labels import ShownLabel
from webapp.tools.template_tools import UNRECORDED


@dataclass(frozen=True, slots=True)
class StatusLetter:
    """How a mark is shown.

    Attributes:
        css: the class of its colour.
    """

    letter: str
    word: str
    css: str


def letters(labels: Iterable[ShownLabel] = ()) -> Mapping[str, StatusLetter]:
    """By mark, in the language of the request; with the labels that marks have."""
    return {
        **{label.key: letter_of(label) for label in labels},
        "present": StatusLetter(pgettext("letter of present", "P"), _("Present"), "present"),
        "late": StatusLetter(pgettext("letter of late", "L"), _("Late"), "late"),
        "absent": StatusLetter(pgettext("letter of absent", "A"), _("Absent"), "absent"),
        "excused": StatusLetter(pgettext("letter of excused", "E"), _("Excused"), "excused"),
        UNRECORDED: StatusLetter("?", _("Not recorded"), "unrecorded"),
        UNSEEN: StatusLetter("\N{HORIZONTAL ELLIPSIS}", _("Not yet seen"), "unseen"),
        NOT_EXPECTED: StatusLetter("", _("Not expected"), "none"),
    }


def letter_of(label: ShownLabel) -> StatusLetter:
    """How a mark with a label is shown."""
    return StatusLetter(label.letter, label.name, f"{label.kind} label-{label.colour}")


def cells(shown: Mapping[str, StatusLetter]) -> Mapping[str, Markup]:
    """By mark, a table's cell; made once for all the ten thousand of a matrix."""
    return {mark: Markup('<td class="m-{}">{}</td>').format(one.css, one.letter) for mark, one in shown.items()}
