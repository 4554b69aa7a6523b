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
class Letter:
    """How a mark is shown.

    Attributes:
        css: the class of its colour.
    """

    letter: str
    word: str
    css: str


def letters(labels: Iterable[ShownLabel] = ()) -> Mapping[str, Letter]:
    """By mark, in the language of the request; with the labels that marks have."""
    return {
        **{label.key: letter_of(label) for label in labels},
        "present": Letter(pgettext("letter of present", "P"), _("Present"), "present"),
        "late": Letter(pgettext("letter of late", "L"), _("Late"), "late"),
        "absent": Letter(pgettext("letter of absent", "A"), _("Absent"), "absent"),
        "excused": Letter(pgettext("letter of excused", "E"), _("Excused"), "excused"),
        UNRECORDED: Letter("?", _("Not recorded"), "unrecorded"),
        UNSEEN: Letter("\N{HORIZONTAL ELLIPSIS}", _("Not yet seen"), "unseen"),
        NOT_EXPECTED: Letter("", _("Not expected"), "none"),
    }


def letter_of(label: ShownLabel) -> Letter:
    """How a mark with a label is shown."""
    return Letter(label.letter, label.name, f"{label.kind} label-{label.colour}")


def cells(shown: Mapping[str, Letter]) -> Mapping[str, Markup]:
    """By mark, a table's cell; made once for all the ten thousand of a matrix."""
    return {mark: Markup('<td class="m-{}">{}</td>').format(one.css, one.letter) for mark, one in shown.items()}
