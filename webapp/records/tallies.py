"""How many were present, late, absent: of sessions, of courses, of students; always one statement for a whole list."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from attendance.database.audiences import (
    TAKES_PLACE,
    Audience,
    Condition,
    among,
    audiences_of,
    belongs_to,
    counts_for,
    joint_sessions,
    sessions_of_courses,
    students_of,
)
from attendance.database.models import Attendance, ClassSession, Enrolment, SessionAudience, Status, StatusLabel
from webapp.tools.labels import read_labels

Key = TypeVar("Key")

Counts = dict[tuple[Status | None, int | None], int]
"""How many entries there are of each status (None: unrecorded) and label (by id; None without one)."""

During = Sequence[sa.ColumnElement[bool]]
"""Conditions on columns of `ClassSession`, like those of a report's period."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Tally:
    """Recorded attendance, counted by status."""

    present: int = 0
    late: int = 0
    absent: int = 0
    excused: int = 0
    unrecorded: int = 0
    """Entries that say that nothing is recorded, and why; in no rate."""
    weighed: float = 0.0
    """What labels add to those who came, or take from them: each its weight instead of 1 for present and late, 0 for
    absent."""

    @property
    def recorded(self) -> int:
        """All entries with a status."""
        return self.present + self.late + self.absent + self.excused

    @property
    def attended(self) -> int:
        """Those who came, late or not."""
        return self.present + self.late

    @property
    def credited(self) -> float:
        """How many count as attended, a label by its weight; the rate is its share of those expected."""
        return self.attended + self.weighed

    @property
    def expected(self) -> int:
        """Those who should have come; the excused were not expected."""
        return self.recorded - self.excused

    @property
    def rate(self) -> float | None:
        """Share of those expected who came, 0 to 1; None when nobody was expected.

        Present and late count 1, absent 0; with a label each counts the label's weight.
        """
        return self.credited / self.expected if self.expected else None

    @property
    def unweighed_rate(self) -> float | None:
        """The rate if labels had no weights: what the kinds alone come to."""
        return self.attended / self.expected if self.expected else None

    def meets(self, threshold: int) -> bool | None:
        """Whether the rate is at least so many percent; None without a rate."""
        return None if self.rate is None else self.rate * 100 >= threshold - _ROUNDING

    def is_below(self, threshold: int) -> bool:
        """Whether the rate is below a threshold in percent; where nobody was expected, nobody is."""
        return self.meets(threshold) is False

    @classmethod
    def of(cls, counts: Mapping[Status | None, int], weighed: float = 0.0) -> "Tally":
        """The tally of entries counted by status; those without one under None.

        Args:
            counts: labels aside.
            weighed: what their labels add (`label_weights`).
        """
        return cls(
            present=counts.get(Status.PRESENT, 0),
            late=counts.get(Status.LATE, 0),
            absent=counts.get(Status.ABSENT, 0),
            excused=counts.get(Status.EXCUSED, 0),
            unrecorded=counts.get(None, 0),
            weighed=weighed,
        )

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.present + other.present,
            self.late + other.late,
            self.absent + other.absent,
            self.excused + other.excused,
            self.unrecorded + other.unrecorded,
            self.weighed + other.weighed,
        )


def is_decided() -> sa.ColumnElement[bool]:
    """The condition that an entry says something: a status, or why there is none."""
    return sa.or_(Attendance.status.is_not(None), Attendance.unrecorded_reason.is_not(None))


def tally_sessions(db: Session, session_ids: Collection[int], reach: Condition | None = None) -> dict[int, Tally]:
    """The tally of each session; sessions without a row have an empty one, and so have cancelled ones.

    Args:
        db: any session.
        session_ids: of the sessions.
        reach: of joint sessions, the courses whose students are counted; None for all.
    """
    joint = frozenset() if reach is None else joint_sessions(db, session_ids)
    query = (
        sa.select(Attendance.session_id, Attendance.status, Attendance.label_id, sa.func.count())
        .join(ClassSession, ClassSession.id == Attendance.session_id)
        .where(TAKES_PLACE, is_decided())
        .group_by(Attendance.session_id, Attendance.status, Attendance.label_id)
    )
    tallies = _tallies(db, query.where(Attendance.session_id.in_(set(session_ids) - joint)), session_ids)
    if joint and reach is not None:
        theirs = query.where(Attendance.session_id.in_(joint), counts_for(Attendance.student_id, reach))
        tallies |= _tallies(db, theirs, joint)
    return tallies


def tally_students(
    db: Session, student_ids: Collection[int], course_id: int, *, before: datetime | None = None
) -> dict[int, Tally]:
    """The tally of each student in a course that they take.

    Args:
        db: any session.
        student_ids: whose.
        course_id: of the course.
        before: aware; sessions that start then or later do not count.
    """
    until = (TAKES_PLACE,) if before is None else (TAKES_PLACE, ClassSession.starts_at < before)
    of_course = sessions_of_courses(among([course_id]), *until)
    query = (
        sa.select(Attendance.student_id, Attendance.status, Attendance.label_id, sa.func.count())
        .join(of_course, of_course.c.session_id == Attendance.session_id)
        .where(Attendance.student_id.in_(student_ids), is_decided())
        .group_by(Attendance.student_id, Attendance.status, Attendance.label_id)
    )
    return _tallies(db, query, student_ids)


def tally_enrolled(db: Session, courses: Condition, during: During = ()) -> dict[tuple[int, int], Tally]:
    """The tally of everybody who takes a course, by course and student; those of whom nothing is recorded are left out.

    One statement reads all entries of the courses: about a millisecond a thousand.

    Args:
        db: any session.
        courses: which courses.
        during: of which of their sessions; without it, of all.
    """
    of_courses = sessions_of_courses(courses, TAKES_PLACE, *during)
    alike = (of_courses.c.course_id, Attendance.student_id, Attendance.status, Attendance.label_id)
    counted = (
        sa.select(*alike, sa.func.count().label("entries"))
        .select_from(of_courses)
        .join(Attendance, Attendance.session_id == of_courses.c.session_id)
        .where(is_decided())
        .group_by(*alike)
        .subquery("counted")
    )
    # Of a joint session an entry belongs to the courses that the student takes: enrolment alone says which.
    query = sa.select(counted).join(
        Enrolment,
        sa.and_(Enrolment.course_id == counted.c.course_id, Enrolment.student_id == counted.c.student_id),
    )
    counts: dict[tuple[int, int], Counts] = {}
    for course_id, student_id, status, label_id, entries in db.execute(query):
        counts.setdefault((course_id, student_id), {})[status, label_id] = entries
    return _weighed(db, counts)


def count_below(db: Session, thresholds: Mapping[int, int], during: During = ()) -> dict[int, int]:
    """How many students of each course attend less than it wants.

    Args:
        db: any session.
        thresholds: by course, in percent.
        during: in which of their sessions; without it, in all.
    """
    tallies = tally_enrolled(db, among(thresholds), during) if thresholds else {}
    below = Counter(course for (course, _), tally in tallies.items() if tally.is_below(thresholds[course]))
    return {course: below[course] for course in thresholds}


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    return sum(tallies, Tally())


def tally_courses_of(db: Session, student_id: int, reach: Condition, during: During = ()) -> dict[int, Tally]:
    """A student's tally in each course that the condition `reach` admits and that has a row, of sessions of a time.

    A joint session counts for each of its courses that the student takes.
    """
    further = aliased(SessionAudience)
    mine = (
        sa.select(ClassSession.id, ClassSession.course_id, Attendance.status, Attendance.label_id)
        .join(Attendance, Attendance.session_id == ClassSession.id)
        .where(Attendance.student_id == student_id, TAKES_PLACE, is_decided(), *during)
    )
    first = mine.where(reach(ClassSession.course_id), belongs_to(ClassSession.course_id, student_id))
    others = (
        mine.with_only_columns(ClassSession.id, further.course_id, Attendance.status, Attendance.label_id)
        .join(further, further.session_id == ClassSession.id)
        .where(reach(further.course_id), belongs_to(further.course_id, student_id))
    )
    either = sa.union(first, others).subquery("of_student")  # two groups of a course are the course once
    alike = (either.c.course_id, either.c.status, either.c.label_id)
    query = sa.select(*alike, sa.func.count()).group_by(*alike)
    return _tallies(db, query, ())


def tally_student(db: Session, student_id: int, reach: Condition, during: During = ()) -> Tally:
    """A student's tally over all sessions of a time that the condition `reach` admits, each counted once."""
    query = (
        sa.select(Attendance.student_id, Attendance.status, Attendance.label_id, sa.func.count())
        .join(ClassSession, ClassSession.id == Attendance.session_id)
        .where(
            Attendance.student_id == student_id,
            TAKES_PLACE,
            is_decided(),
            counts_for(Attendance.student_id, reach),
            *during,
        )
        .group_by(Attendance.student_id, Attendance.status, Attendance.label_id)
    )
    return _tallies(db, query, (student_id,))[student_id]


def expected_sizes(db: Session, sessions: Collection[ClassSession], courses: Collection[int]) -> dict[int, int]:
    """How many students are expected in each session, of certain courses.

    Args:
        db: any session.
        sessions: with their further audiences loaded; few of them joint.
        courses: whose students are counted.
    """
    of_sessions = {
        session.id: tuple(audience for audience in audiences_of(session) if audience.course_id in courses)
        for session in sessions
        if not session.cancelled
    }
    audiences = set(of_sessions.values())
    plain = {each: each[0].course_id for each in audiences if len(each) == 1 and each[0].group_id is None}
    whole = roster_sizes(db, set(plain.values()))
    sizes = {each: whole[plain[each]] if each in plain else _size(db, each) for each in audiences}
    return {session.id: sizes[of_sessions[session.id]] if session.id in of_sessions else 0 for session in sessions}


def _size(db: Session, audiences: tuple[Audience, ...]) -> int:
    if not audiences:
        return 0
    everybody = sa.union(*(students_of(audience) for audience in audiences)).subquery()
    return db.scalar(sa.select(sa.func.count()).select_from(everybody)) or 0


def roster_sizes(db: Session, course_ids: Collection[int]) -> dict[int, int]:
    """How many students take each course."""
    query = (
        sa.select(Enrolment.course_id, sa.func.count())
        .where(Enrolment.course_id.in_(course_ids))
        .group_by(Enrolment.course_id)
    )
    return dict.fromkeys(course_ids, 0) | dict(db.execute(query).all())


def label_weights(labels: Iterable[StatusLabel]) -> dict[int, float]:
    """By label, what its entries add to those who came, beside what their status counts; excused ones add nothing."""
    return {label.id: adds(label) for label in labels}


def adds(label: StatusLabel | None) -> float:
    """What an entry with a label adds to those who came, beside what its status counts; without a label nothing."""
    if label is None or label.weight is None:
        return 0.0
    return label.weight - (label.kind in (Status.PRESENT, Status.LATE))


def _tallies(db: Session, query: sa.Select[*tuple[Any, ...]], keys: Collection[int]) -> dict[int, Tally]:
    counts: dict[int, Counts] = {key: {} for key in keys}
    for key, status, label_id, count in db.execute(query):
        counts.setdefault(key, {})[status, label_id] = count
    return _weighed(db, counts)


def _weighed(db: Session, counts: Mapping[Key, Counts]) -> dict[Key, Tally]:
    label_ids = {label for of in counts.values() for _, label in of if label is not None}
    weights = label_weights(read_labels(db, label_ids))
    return {key: _tally(of, weights) for key, of in counts.items()}


def _tally(counts: Counts, weights: Mapping[int, float]) -> Tally:
    of: Counter[Status | None] = Counter()
    for (status, _), count in counts.items():
        of[status] += count
    return Tally.of(of, sum(count * weights.get(label_id or 0, 0.0) for (_, label_id), count in counts.items()))
