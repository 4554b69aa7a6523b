"""What is recorded of a course: a mark for each student in each of its sessions so far."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import TAKES_PLACE, among, audiences_of, parts, sessions_of_courses
from attendance.database.models import (
    Attendance,
    ClassSession,
    CourseGroup,
    CourseGroupMember,
    Enrolment,
    Status,
    Student,
)
from webapp.records.tallies import During, Tally, is_decided, label_weights
from webapp.tools.labels import ShownLabel, kind_of, label_of, read_labels, shown_label
from webapp.tools.names import by_student_name, contains_text
from webapp.tools.template_tools import UNRECORDED

NOT_EXPECTED, UNSEEN = "", "unseen"
_EARLIEST = timedelta(days=1)
"""No session counts so long before its start."""
_FEW = 100
"""Of so many students the entries are asked for one by one; of more, all of the course are read."""
_STATUSES = {status.value: status for status in Status}


@dataclass(frozen=True, slots=True)
class StudentName:
    """Who a row is about."""

    id: int
    index_number: str
    name: str


@dataclass(frozen=True, slots=True)
class StudentMarks:
    """A student's row.

    Attributes:
        marks: for each session, in order: a `Status` value, with its label if it has one ("late.12"), "unrecorded",
            "unseen" (the register is not complete), or empty for a student who was not expected and has no entry.
        weights: by the id of a label, what it adds to those who came (`tallies.label_weights`).
        unrecorded: how many entries say that nothing is recorded. Whoever joined after a session was closed has no
            entry in it: the mark is the same, but no count holds it, here as everywhere.
    """

    student: StudentName
    marks: Sequence[str]
    weights: Mapping[int, float] = field(default_factory=dict)
    unrecorded: int = 0

    @property
    def tally(self) -> Tally:
        """The marks, counted: those that are entries."""
        of: Counter[Status | None] = Counter({None: self.unrecorded})
        weighed = 0.0
        for mark, number in Counter(self.marks).items():
            kind = kind_of(mark)
            if kind in _STATUSES:
                of[_STATUSES[kind]] += number
                weighed += number * self.weights.get(label_of(mark) or 0, 0.0)
        return Tally.of(of, weighed)


@dataclass(frozen=True, slots=True)
class CourseMarks:
    """A course as a table: its sessions so far in order of time, its students by name, and their marks.

    Attributes:
        labels: those that marks have.
    """

    sessions: Sequence[ClassSession]
    students: Sequence[StudentMarks]
    labels: Sequence[ShownLabel]


def read_marks(
    db: Session, course_id: int, students: Sequence[StudentName], now: datetime, during: During = ()
) -> CourseMarks:
    """Read the marks of students of a course; a few statements, whatever their number.

    Args:
        db: any session.
        course_id: of the course.
        students: who take it, as `students_of_course` gives them.
        now: aware; sessions in which attendance does not count yet are left out, and so are cancelled ones.
        during: which of its sessions.
    """
    sessions = sessions_so_far(db, course_id, now, during)
    usual = _Expected(db, course_id, sessions)
    rows = {student.id: usual.marks_of(student.id) for student in students}
    place = {session.id: number for number, session in enumerate(sessions)}
    label_ids = set()
    unrecorded: Counter[int] = Counter()
    for session_id, student_id, mark, label_id in db.execute(_entries(place, rows if len(rows) <= _FEW else None)):
        row = rows.get(student_id)
        if row is None:
            continue
        row[place[session_id]] = mark if label_id is None else f"{mark}.{label_id}"
        if mark == UNRECORDED:
            unrecorded[student_id] += 1
        if label_id is not None:
            label_ids.add(label_id)
    labels = read_labels(db, label_ids)
    weights = label_weights(labels)
    return CourseMarks(
        sessions,
        [StudentMarks(student, rows[student.id], weights, unrecorded[student.id]) for student in students],
        [shown for label in labels if (shown := shown_label(label))],
    )


def sessions_so_far(db: Session, course_id: int, now: datetime, during: During = ()) -> Sequence[ClassSession]:
    """The sessions of a course, in a time, that take place and in which attendance counts by now, the first one first.

    They are loaded with `audiences.parts`.
    """
    theirs = sessions_of_courses(among([course_id]), TAKES_PLACE, ClassSession.starts_at < now + _EARLIEST, *during)
    query = sa.select(ClassSession).join(theirs, theirs.c.session_id == ClassSession.id).options(*parts())
    found = db.scalars(query.order_by(ClassSession.starts_at, ClassSession.id))
    return [session for session in found if session.opens_at <= now]


def students_of_course(
    db: Session, course_id: int, *, search: str = "", group_id: int | None = None
) -> list[StudentName]:
    """Those who take a course, by name.

    Args:
        db: any session.
        course_id: of the course.
        search: part of a name or an index number; empty for all.
        group_id: of a group of the course: its members only; None for all.
    """
    query = (
        sa.select(Student.id, Student.index_number, Student.name)
        .join(Enrolment, Enrolment.student_id == Student.id)
        .where(Enrolment.course_id == course_id)
        .order_by(*by_student_name(db))
    )
    if search:
        query = query.where(sa.or_(contains_text(Student.name, search), contains_text(Student.index_number, search)))
    if group_id is not None:
        query = query.join(CourseGroupMember, CourseGroupMember.student_id == Student.id)
        query = query.where(CourseGroupMember.group_id == group_id)
    return [StudentName(*row) for row in db.execute(query)]


def groups_of_course(db: Session, course_id: int) -> Sequence[CourseGroup]:
    """The groups of a course, by name."""
    query = sa.select(CourseGroup).where(CourseGroup.course_id == course_id).order_by(CourseGroup.name)
    return db.scalars(query).all()


class _Expected:
    """What a student's marks are before any entry is looked at: who is expected where, of one course."""

    def __init__(self, db: Session, course_id: int, sessions: Sequence[ClassSession]) -> None:
        self._groups: dict[int, frozenset[int]] = {}
        for number, session in enumerate(sessions):
            groups = [audience.group_id for audience in audiences_of(session) if audience.course_id == course_id]
            if None not in groups:
                self._groups[number] = frozenset(group for group in groups if group is not None)
        self._without_entry = [UNSEEN if session.closed_at is None else UNRECORDED for session in sessions]
        self._members = _members(db, {group for groups in self._groups.values() for group in groups})

    def marks_of(self, student_id: int) -> list[str]:
        marks = list(self._without_entry)
        for number, groups in self._groups.items():
            if not any(student_id in self._members.get(group, ()) for group in groups):
                marks[number] = NOT_EXPECTED
        return marks


def _members(db: Session, groups: Iterable[int]) -> Mapping[int, set[int]]:
    found: dict[int, set[int]] = {group: set() for group in groups}
    if found:
        query = sa.select(CourseGroupMember.group_id, CourseGroupMember.student_id)
        for group_id, student_id in db.execute(query.where(CourseGroupMember.group_id.in_(found))):
            found[group_id].add(student_id)
    return found


def _entries(session_ids: Iterable[int], student_ids: Iterable[int] | None) -> sa.Select[int, int, str, int | None]:
    """The query for (session, student, mark, label) of what says something; of certain students, or of all."""
    # As text: of ten thousand rows, making members of `Status` takes as long as reading them.
    mark = sa.func.coalesce(sa.type_coerce(Attendance.status, sa.String), UNRECORDED)
    query = sa.select(Attendance.session_id, Attendance.student_id, mark, Attendance.label_id)
    query = query.where(Attendance.session_id.in_(list(session_ids)), is_decided())
    return query if student_ids is None else query.where(Attendance.student_id.in_(list(student_ids)))
