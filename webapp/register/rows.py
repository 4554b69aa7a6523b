"""The register of a session as rows: the roster, and what is known of each student."""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask import get_template_attribute
from sqlalchemy.orm import Session

from attendance.database.audiences import counts_in, expected_students
from attendance.database.conclusions import grace_end
from attendance.database.entries import NO_ENTRY
from attendance.database.excused import reason_of_excuse
from attendance.database.held.waiting import waiting_sightings
from attendance.database.models import (
    Account,
    Attendance,
    AttendanceChange,
    Camera,
    ClassSession,
    Dispute,
    HeldSighting,
    Source,
    Status,
    StatusLabel,
    Student,
    Unrecorded,
)
from webapp.account.reach import courses_seen
from webapp.held.waiting import NOTHING_WAITS, Waiting, held_in_session
from webapp.tools.class_sessions.phases import Phase, phase_of
from webapp.tools.labels import ShownLabel, offered_labels
from webapp.tools.names import by_student_name
from webapp.tools.storage import database
from webapp.tools.template_tools import UNRECORDED

UNSEEN, SCHEDULED = "unseen", "scheduled"


@dataclass(frozen=True)
class RegisterRow:
    """A student on a session's register.

    Attributes:
        state: a `Status` value; or without a status "unseen" (attendance counts or counted, the register is not
            complete), "scheduled" (not yet), or "unrecorded" (nothing is recorded, for the reason in `unrecorded`; or
            the student joined after the session was closed).
        label: what the institution or the course calls the status, if a person gave it a label.
        unrecorded: why nothing is recorded.
        watched_from: why a student who came after the grace period is present: the room was not watched before.
        camera: name of the camera of the first sighting.
        changes: how often the status was changed after it was first written.
        changed_by: who changed it last, when that was a person.
        remark: a person's note beside the status.
        excuse: the reason of an excuse that covers the session.
        entry_version: the entry's version; `NO_ENTRY` without one.
        disputed: whether the student calls the entry wrong, and nobody has answered.
        held: whether a sighting of the student is held, and a person is asked.
    """

    student_id: int
    index_number: str
    name: str
    enrolled: bool
    state: str
    source: Source | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    confidence: float | None = None
    camera: str | None = None
    changes: int = 0
    changed_by: str | None = None
    remark: str | None = None
    excuse: str | None = None
    entry_version: int = NO_ENTRY
    label: ShownLabel | None = None
    unrecorded: Unrecorded | None = None
    watched_from: datetime | None = None
    disputed: bool = False
    held: bool = False

    @property
    def status_key(self) -> str:
        """The state, with its label if there is one: what a filter asks for, and a form sends."""
        return self.label.key if self.label else self.state

    @property
    def by_hand(self) -> bool:
        """Whether the machine has concluded nothing, and a person is asked to."""
        return self.unrecorded is not None and not self.by_person

    @property
    def by_person(self) -> bool:
        """Whether a person decided the status."""
        return self.source is Source.PERSON

    @property
    def entry(self) -> str:
        """Which entry this is, for a form that changes several: the student's id and the entry's version."""
        return f"{self.student_id}.{self.entry_version}"

    @property
    def version(self) -> str:
        """Twelve hexadecimal digits that differ when anything shown differs."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Register:
    """All rows of a session, ordered by name, at one moment.

    Attributes:
        counts: by state, how many rows; and of labels, by their keys, how many of those have them.
        held: what waits for a person's word.
    """

    session: ClassSession
    phase: Phase
    rows: Sequence[RegisterRow]
    counts: Counter[str] = field(default_factory=Counter)
    held: Waiting = NOTHING_WAITS

    @property
    def labels(self) -> list[ShownLabel]:
        """Those that rows have, by kind and name."""
        found = {row.label for row in self.rows if row.label}
        order = [status.value for status in Status]
        return sorted(found, key=lambda label: (order.index(label.kind), label.name.casefold(), label.id))

    @property
    def live(self) -> bool:
        """Whether rows may still change by themselves."""
        return self.phase not in (Phase.CLOSED, Phase.SCHEDULED, Phase.CANCELLED)

    @property
    def by_hand(self) -> int:
        """Of how many the machine has concluded nothing, so that a person is asked to."""
        return sum(row.by_hand for row in self.rows)

    @property
    def disputed(self) -> int:
        """How many entries their students call wrong."""
        return sum(row.disputed for row in self.rows)

    @property
    def opens_at(self) -> datetime:
        """From when attendance counts."""
        return self.session.opens_at

    @property
    def grace_until(self) -> datetime:
        """Until when whoever is seen first is present, not late."""
        return grace_end(self.session)

    @property
    def revision(self) -> str:
        """Sixteen hexadecimal digits that differ when anything on the register differs."""
        digest = hashlib.sha256(self.phase.encode())
        digest.update(repr(self.held.revision).encode())
        for row in sorted(self.rows, key=lambda row: row.student_id):  # however a page orders them
            digest.update(row.version.encode())
        return digest.hexdigest()[:16]


def read_register(
    db: Session, session: ClassSession, now: datetime, courses: Collection[int] | None = None
) -> Register:
    """Read the register: every student on the roster, and everybody else who has a row; five statements.

    Args:
        db: any session.
        session: its course need not be loaded.
        now: aware; decides what a missing row means.
        courses: of a joint session, the courses whose students are listed; None for all.
    """
    phase = phase_of(session, now)
    found = db.execute(_rows_query(db, session, courses)).all()
    changes = _changes(db, session.id)
    held = held_in_session(db, session, courses)
    asked = held.students
    rows = [_row(line, phase, changes, held=line.id in asked) for line in found]
    counts = Counter(row.state for row in rows) + Counter(row.label.key for row in rows if row.label)
    return Register(session, phase, rows, counts, held)


def read_row(
    db: Session, session: ClassSession, student_id: int, now: datetime, courses: Collection[int] | None = None
) -> RegisterRow | None:
    """One student's row; None for a student who is neither on the roster nor on the register, or of another course."""
    query = _rows_query(db, session, courses).where(Student.id == student_id)
    line = db.execute(query).first()
    if line is None:
        return None
    held = bool(waiting_sightings(db, ClassSession.id == session.id, HeldSighting.student_id == student_id))
    return _row(line, phase_of(session, now), _changes(db, session.id, [student_id]), held=held)


def labels_of(session: ClassSession) -> list[ShownLabel]:
    """The labels that the lecturer may give in a session: the institution's, and those of the courses one may open."""
    return offered_labels(database(), courses_seen(session))


def render_row(session: ClassSession, row: RegisterRow) -> str:
    """A row of the register as HTML."""
    html: str = get_template_attribute("register/_row.html", "register_row")(session, row)
    return html


def _rows_query(db: Session, session: ClassSession, courses: Collection[int] | None) -> sa.Select[*tuple[Any, ...]]:
    expected = expected_students(session).subquery("expected")
    with_row = sa.select(Attendance.student_id).where(Attendance.session_id == session.id)
    listed = sa.union(sa.select(expected.c.student_id), with_row).subquery("listed")
    return (
        sa.select(
            Student.id,
            Student.index_number,
            Student.name,
            expected.c.student_id.is_not(None).label("enrolled"),
            Attendance.id.label("attendance_id"),
            Attendance.status,
            Attendance.unrecorded_reason,
            Attendance.watched_from,
            Attendance.source,
            Attendance.first_seen,
            Attendance.last_seen,
            Attendance.confidence,
            Attendance.remark,
            Attendance.version,
            reason_of_excuse(session, Student.id).label("excuse"),
            Camera.name.label("camera"),
            Attendance.label_id,
            StatusLabel.name.label("label_name"),
            StatusLabel.letter,
            StatusLabel.colour,
            Dispute.id.is_not(None).label("disputed"),
        )
        .join(listed, listed.c.student_id == Student.id)
        .outerjoin(expected, expected.c.student_id == Student.id)
        .outerjoin(Attendance, sa.and_(Attendance.student_id == Student.id, Attendance.session_id == session.id))
        .outerjoin(Camera, Camera.id == Attendance.camera_id)
        .outerjoin(StatusLabel, StatusLabel.id == Attendance.label_id)
        .outerjoin(
            Dispute,
            sa.and_(Dispute.student_id == Student.id, Dispute.session_id == session.id, Dispute.open.is_(True)),
        )
        .where(sa.true() if courses is None else counts_in(session, courses, Student.id))
        .order_by(*by_student_name(db))
    )


def _row(line: Any, phase: Phase, changes: dict[int, tuple[int, str | None]], *, held: bool) -> RegisterRow:
    nothing_yet = {Phase.SCHEDULED: SCHEDULED, Phase.CLOSED: UNRECORDED}.get(phase, UNSEEN)
    if line.attendance_id is None:
        row = RegisterRow(line.id, line.index_number, line.name, bool(line.enrolled), nothing_yet, excuse=line.excuse)
        return replace(row, disputed=bool(line.disputed), held=held)
    count, who = changes.get(line.attendance_id, (0, None))
    status: Status | None = line.status
    # Times of an entry about which nothing is known yet are of before the session was moved.
    known = status is not None or line.unrecorded_reason is not None
    return RegisterRow(
        student_id=line.id,
        index_number=line.index_number,
        name=line.name,
        enrolled=bool(line.enrolled),
        state=nothing_yet if status is None else status.value,
        source=line.source if known else None,
        first_seen=line.first_seen if known else None,
        last_seen=line.last_seen if known else None,
        confidence=line.confidence if known else None,
        camera=line.camera if known else None,
        changes=count,
        changed_by=who,
        remark=line.remark,
        excuse=line.excuse,
        entry_version=line.version,
        label=None if line.label_id is None or status is None else _label(line, status),
        unrecorded=line.unrecorded_reason,
        watched_from=line.watched_from,
        disputed=bool(line.disputed),
        held=held,
    )


def _label(line: Any, status: Status) -> ShownLabel:
    return ShownLabel(line.label_id, status.value, line.label_name, line.letter, line.colour.value)


def _changes(
    db: Session, session_id: int, student_ids: Collection[int] | None = None
) -> dict[int, tuple[int, str | None]]:
    """By attendance id: how many changes, and who made the last one (None: the machine)."""
    latest = (
        sa.select(
            AttendanceChange.attendance_id,
            sa.func.count().label("changes"),
            sa.func.max(AttendanceChange.id).label("last_id"),
        )
        .join(Attendance, Attendance.id == AttendanceChange.attendance_id)
        .where(Attendance.session_id == session_id, AttendanceChange.remark.is_(None))
        .group_by(AttendanceChange.attendance_id)
    )
    if student_ids is not None:
        latest = latest.where(Attendance.student_id.in_(student_ids))
    last = latest.subquery("latest")
    query = (
        sa.select(last.c.attendance_id, last.c.changes, Account.name)
        .join(AttendanceChange, AttendanceChange.id == last.c.last_id)
        .outerjoin(Account, Account.id == AttendanceChange.account_id)
    )
    return {attendance_id: (count, who) for attendance_id, count, who in db.execute(query)}
