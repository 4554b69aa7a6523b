"""Labels: statuses of an institution's or a course's own, like "Online", each on one of the four kinds.

Rules and the machine know kinds only. A person gives a label with a correction, and it goes when the entry is decided
again. A label that was ever given is retired, not deleted: entries and their history go on showing it. Within what a
course sees, which is its own labels and the institution's, no two have the same name or letter.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import courses_of
from attendance.database.audit.noting import NO_DETAILS, Details, note
from attendance.database.models import (
    Attendance,
    AttendanceChange,
    AuditAction,
    ClassSession,
    Course,
    LabelColour,
    Status,
    StatusLabel,
    utc_now,
)
from attendance.database.transactions import transact
from attendance.errors import AttendanceError
from attendance.tables.fields import STATUS_LABEL_LETTER, STATUS_LABEL_NAME
from attendance.texts import Text, english

LETTERS: Mapping[Status, str] = {
    Status.PRESENT: "P",
    Status.LATE: "L",
    Status.ABSENT: "A",
    Status.EXCUSED: "E",
}
"""Of the kinds, for where a word has no place; no label has one of them."""
_ORDER = {status: place for place, status in enumerate(Status)}


class LabelFault(StrEnum):
    """What of a label is wrong."""

    NAME = "name"
    LETTER = "letter"
    KIND = "kind"
    WEIGHT = "weight"
    COURSE = "course"


class LabelError(AttendanceError, ValueError):
    """A label lacks something or cannot be what it is to be.

    Attributes:
        fault: what of it is wrong.
    """

    def __init__(self, fault: LabelFault, message: Text) -> None:
        super().__init__(message)
        self.fault = fault


class LabelGoneError(AttendanceError, LookupError):
    """A label was deleted or retired while somebody chose it, or is none of the session's."""


@dataclass(frozen=True, slots=True)
class LabelValues:
    """What a person says of a label.

    Attributes:
        kind: what rules make of it.
        name: at most 40 characters.
        letter: one or two characters.
        colour: of its chip.
        weight: for how much of a session attended it counts, 0 to 1; not looked at for excused, who are in no rate.
    """

    kind: Status
    name: str
    letter: str
    colour: LabelColour
    weight: float = 1.0


def labels_for(db: Session, course_ids: Collection[int], *, retired: bool = False) -> list[StatusLabel]:
    """The labels that courses see: the institution's and their own; by kind, then by name.

    Args:
        db: any session.
        course_ids: of the courses; none for the institution's alone.
        retired: also those that are not offered any more.
    """
    query = sa.select(StatusLabel).where(
        sa.or_(StatusLabel.course_id.is_(None), StatusLabel.course_id.in_(course_ids)),
        sa.true() if retired else StatusLabel.retired_at.is_(None),
    )
    return sorted(db.scalars(query), key=lambda label: (_ORDER[label.kind], label.name.casefold(), label.id))


def require_label(db: Session, session: ClassSession, status: Status | None, label_id: int | None) -> None:
    """Refuse a label that a session does not offer; one that is offered stays until the transaction ends.

    Args:
        db: the caller's transaction.
        session: in which an entry gets the label.
        status: that the entry gets.
        label_id: of the label; None for none, which is always right.

    Raises:
        LabelGoneError: it was deleted or retired, is another course's, or is no label of this status.
    """
    if label_id is None:
        return
    label = db.scalar(
        sa.select(StatusLabel)
        .where(StatusLabel.id == label_id)
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )
    offered = label is not None and (label.course_id is None or label.course_id in courses_of(session))
    if label is None or not offered or label.retired_at is not None or label.kind is not status:
        raise LabelGoneError(english("This status was deleted or retired meanwhile. Choose another one."))


def add_label(db: Session, values: LabelValues, *, course_id: int | None, account_id: int | None = None) -> StatusLabel:
    """Add a label, in a transaction of its own.

    Args:
        db: a session with nothing pending.
        values: of the label.
        course_id: whose it is; None for the institution.
        account_id: who adds it.

    Returns:
        The row, committed.

    Raises:
        LabelError: a value cannot be so, or the course is gone.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """

    def work(db: Session) -> StatusLabel:
        if course_id is not None and db.get(Course, course_id) is None:
            raise LabelError(LabelFault.COURSE, english("There is no such course any more."))
        label = StatusLabel(course_id=course_id)
        _write(db, label, values)
        db.add(label)
        db.flush()
        _note(db, AuditAction.STATUS_ADDED, label, account_id)
        return label

    return transact(db, work)


def change_label(
    db: Session, label_id: int, values: LabelValues, *, course_id: int | None, account_id: int | None = None
) -> StatusLabel:
    """Change a label, in a transaction of its own. Entries that have it show what it is now, and rates follow.

    Raises:
        LabelError: a value cannot be so; of a label in use the kind stays, since the entries' status is of it.
        LabelGoneError: there is no such label of this course, or of the institution, any more.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """

    def work(db: Session) -> StatusLabel:
        label = _locked(db, label_id, course_id)
        if values.kind is not label.kind and _is_used(db, label_id):
            raise LabelError(
                LabelFault.KIND,
                english("Entries have this status, so what it stands for stays. Retire it and add another."),
            )
        before = label.name
        _write(db, label, values)
        db.flush()
        _note(db, AuditAction.STATUS_CHANGED, label, account_id, {"before": before})
        return label

    return transact(db, work)


def remove_label(
    db: Session, label_id: int, *, course_id: int | None, account_id: int | None = None
) -> StatusLabel | None:
    """Delete a label that no entry has or had; retire one that is in use. In a transaction of its own.

    Returns:
        The label, if it was retired; None when it is deleted.

    Raises:
        LabelGoneError: there is no such label of this course, or of the institution, any more.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """

    def work(db: Session) -> StatusLabel | None:
        label = _locked(db, label_id, course_id)
        used = _is_used(db, label_id)
        _note(db, AuditAction.STATUS_REMOVED, label, account_id, {"retired": int(used)})
        if used:
            label.retired_at = label.retired_at or utc_now()
            return label
        db.delete(label)
        return None

    return transact(db, work)


def bring_back_label(
    db: Session, label_id: int, *, course_id: int | None, account_id: int | None = None
) -> StatusLabel:
    """Offer a retired label again, in a transaction of its own.

    Raises:
        LabelGoneError: there is no such label of this course, or of the institution, any more.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """

    def work(db: Session) -> StatusLabel:
        label = _locked(db, label_id, course_id)
        label.retired_at = None
        _note(db, AuditAction.STATUS_BROUGHT_BACK, label, account_id)
        return label

    return transact(db, work)


def used_labels(db: Session, label_ids: Collection[int]) -> frozenset[int]:
    """Those of the labels that an entry has, or had."""
    return frozenset(label_id for label_id in label_ids if _is_used(db, label_id))


def _note(
    db: Session, action: AuditAction, label: StatusLabel, account_id: int | None, details: Details = NO_DETAILS
) -> None:
    course = None if label.course_id is None else db.get_one(Course, label.course_id).code
    note(db, action, actor=account_id, subject=course, details={"status": label.name, **details})


def _is_used(db: Session, label_id: int) -> bool:
    given = (Attendance.label_id, AttendanceChange.old_label_id, AttendanceChange.new_label_id)
    return any(db.scalar(sa.select(column).where(column == label_id).limit(1)) is not None for column in given)


def _locked(db: Session, label_id: int, course_id: int | None) -> StatusLabel:
    label = db.scalar(
        sa.select(StatusLabel)
        .where(StatusLabel.id == label_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if label is None or label.course_id != course_id:
        raise LabelGoneError(english("There is no such status any more."))
    return label


def _write(db: Session, label: StatusLabel, values: LabelValues) -> None:
    name, letter = STATUS_LABEL_NAME.clean(values.name), STATUS_LABEL_LETTER.clean(values.letter)
    problem = STATUS_LABEL_NAME.problem(name)
    if problem is not None:
        raise LabelError(LabelFault.NAME, english("The name %(problem)s.", problem=problem))
    problem = STATUS_LABEL_LETTER.problem(letter)
    if problem is not None:
        raise LabelError(LabelFault.LETTER, english("The letter %(problem)s.", problem=problem))
    if values.kind is not Status.EXCUSED and not 0 <= values.weight <= 1:
        raise LabelError(LabelFault.WEIGHT, english("The weight is a number from 0 to 1."))
    _require_free(db, label, name, letter)
    label.kind, label.name, label.letter, label.colour = values.kind, name, letter, values.colour
    label.weight = None if values.kind is Status.EXCUSED else values.weight


def _require_free(db: Session, label: StatusLabel, name: str, letter: str) -> None:
    """Refuse a name or a letter that another has within what a course sees; retired ones are seen, too."""
    for status, its_letter in LETTERS.items():
        _require_other(name, letter, status.value.capitalize(), its_letter)
    seen: sa.ColumnElement[bool] = sa.true()
    if label.course_id is not None:  # every course sees one of the institution's, so that is held against all
        seen = sa.or_(StatusLabel.course_id.is_(None), StatusLabel.course_id == label.course_id)
    # Locked, and the gaps between them: who adds another at the same time is told of this one, or the other way round.
    for other in db.scalars(sa.select(StatusLabel).where(seen).order_by(StatusLabel.id).with_for_update()):
        if other.id != label.id:
            _require_other(name, letter, other.name, other.letter)


def _require_other(name: str, letter: str, its_name: str, its_letter: str) -> None:
    if its_name.casefold() == name.casefold():
        raise LabelError(LabelFault.NAME, english("%(other)s is called so already.", other=its_name))
    if its_letter.casefold() == letter.casefold():
        raise LabelError(LabelFault.LETTER, english("%(other)s has this letter already.", other=its_name))
