"""Statuses as pages show and offer them: the four kinds, and the labels that an institution or a course gave them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.labels import labels_for
from attendance.database.models import Status, StatusLabel
from webapp.tools.languages import say
from webapp.tools.requests import read_id
from webapp.tools.template_tools import STATE_WORDS, STATUS_VALUES


@dataclass(frozen=True, slots=True)
class ShownLabel:
    """A label as pages show it, apart from its row: comparable, and readable after the database is closed.

    Attributes:
        kind: a `Status` value.
        colour: a `LabelColour` value.
    """

    id: int
    kind: str
    name: str
    letter: str
    colour: str

    @property
    def key(self) -> str:
        """By which forms, addresses and counts name the label: "late.12"."""
        return status_key(Status(self.kind), self.id)


def shown_label(label: StatusLabel | None) -> ShownLabel | None:
    """A row as pages show it; None for none."""
    if label is None:
        return None
    return ShownLabel(label.id, label.kind.value, label.name, label.letter, label.colour.value)


def offered_labels(db: Session, course_ids: Collection[int]) -> list[ShownLabel]:
    """The labels that may be given in sessions of these courses, by kind and name."""
    return [shown for label in labels_for(db, course_ids) if (shown := shown_label(label))]


def status_key(status: Status, label_id: int | None) -> str:
    """By which forms and addresses name a status, with its label if it has one."""
    return status.value if label_id is None else f"{status.value}.{label_id}"


def kind_of(key: str) -> str:
    """The status of a key, without the label: of "late.12" it is "late"."""
    return key.partition(".")[0]


def label_of(key: str) -> int | None:
    """The id of the label of a key that the database gave; None without one."""
    number = key.partition(".")[2]
    return int(number) if number else None


def read_labels(db: Session, label_ids: Collection[int]) -> Sequence[StatusLabel]:
    """The labels with these ids, retired ones too; without any, the database is not asked."""
    if not label_ids:
        return ()
    return db.scalars(sa.select(StatusLabel).where(StatusLabel.id.in_(label_ids)).order_by(StatusLabel.id)).all()


def read_status(key: str | None) -> tuple[Status, int | None] | None:
    """The status and the id of its label that a key names; None for what cannot be one."""
    kind, dot, number = (key or "").partition(".")
    label_id = read_id(number) if dot else None
    if kind not in STATUS_VALUES or (dot and label_id is None):
        return None
    return Status(kind), label_id


def status_word(key: str, labels: Sequence[ShownLabel]) -> str:
    """What a key is called in the middle of a sentence: the label's name as it is, or the word of the kind."""
    named = next((label.name for label in labels if label.key == key), None)
    return named or say(STATE_WORDS[kind_of(key)]).lower()
