"""Finding attendance records, newest session first, in lists of any length.

Ordering millions of rows by session and name would take seconds, so nothing here does: the sessions are walked in
order, some hundred at a time, their matching rows are counted by the index on (session, student), and only the sessions
whose rows are on the page are read and ordered.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import (
    TAKES_PLACE,
    Condition,
    counts_for,
    joint_sessions,
    parts,
    session_ids_of_courses,
)
from attendance.database.models import (
    Attendance,
    ClassSession,
    Course,
    Source,
    Status,
    StatusLabel,
    Student,
    Unrecorded,
)
from webapp.records.tallies import is_decided
from webapp.tools.class_sessions.words import audience_codes, audience_names
from webapp.tools.names import by_student_name, contains_text
from webapp.tools.paging import Page
from webapp.tools.times import day_bounds, start_of_day

_COUNT_AT_MOST = 10_000
_FIRST_CHUNK, _LAST_CHUNK = 100, 2_000
_FEW_STUDENTS = 500
_MANY_STUDENTS = 20_000  # with the sessions of a chunk below SQLite's 32,766 parameters of a statement


@dataclass(frozen=True)
class RecordFilter:
    """Which records; every part that is given must hold.

    Attributes:
        course_id: of this course.
        session_id: of this class session.
        first_day: of sessions that start on this day or later, at the institution.
        last_day: of sessions that start on this day or earlier.
        student: whose name or index number contains this.
        statuses: with one of these, whatever their label; with `labels` and `unrecorded` empty, too: any.
        labels: those with one of these labels, by id, alone or beside `statuses`.
        unrecorded: those of which nothing is recorded, alone or beside `statuses`.
    """

    course_id: int | None = None
    session_id: int | None = None
    first_day: date | None = None
    last_day: date | None = None
    student: str = ""
    statuses: tuple[Status, ...] = ()
    labels: tuple[int, ...] = ()
    unrecorded: bool = False


@dataclass(frozen=True)
class Record:
    """One student's attendance of one session."""

    session_id: int
    starts_at: datetime
    ends_at: datetime
    course_code: str
    course_name: str
    student_id: int
    index_number: str
    student_name: str
    status: Status | None
    unrecorded: Unrecorded | None
    watched_from: datetime | None
    source: Source
    first_seen: datetime | None
    last_seen: datetime | None
    confidence: float | None
    remark: str | None
    label: StatusLabel | None


class RecordQuery:
    """The records that a filter admits among those one may see.

    Args:
        db: the session to read with.
        wanted: the filter.
        reach: the condition on a course that says what one may see; None for everything.
    """

    def __init__(self, db: Session, wanted: RecordFilter, reach: Condition | None) -> None:
        self._db = db
        self._row_conditions: list[sa.ColumnElement[bool]] = []
        self._session_conditions = [TAKES_PLACE, *_session_conditions(wanted)]
        self._course_id = wanted.course_id
        self._courses = _both(reach, wanted.course_id)
        kinds = [Attendance.status.in_(wanted.statuses)] if wanted.statuses else []
        if wanted.labels:
            kinds.append(Attendance.label_id.in_(wanted.labels))
        if wanted.unrecorded:
            kinds.append(Attendance.unrecorded_reason.is_not(None))
        self._row_conditions.append(sa.or_(*kinds) if kinds else is_decided())
        if wanted.student:
            self._narrow_to_students(wanted.student)

    def page(self, number: int, size: int) -> Page[Record]:
        """The page `number` (from 1) of `size` records. Counting stops at some ten thousand."""
        skip = (number - 1) * size
        total = inner_skip = 0
        sessions: list[int] = []
        complete = True
        for session_id, count in self._sessions():
            if total < skip + size and total + count > skip:
                inner_skip = inner_skip if sessions else skip - total
                sessions.append(session_id)
            total += count
            if total > max(_COUNT_AT_MOST, skip + size):
                complete = False
                break
        items = self._read(sessions, limit=size, offset=inner_skip) if sessions else []
        return Page(items, number, size, total, more_than_total=not complete)

    def all(self) -> Iterator[Record]:
        """Every record, in the order of the pages, read some thousand at a time."""
        batch: list[int] = []
        rows = 0
        for session_id, count in self._sessions():
            batch.append(session_id)
            rows += count
            if rows >= _LAST_CHUNK:
                yield from self._read(batch)
                batch, rows = [], 0
        if batch:
            yield from self._read(batch)

    def _narrow_to_students(self, text: str) -> None:
        found = sa.select(Student.id).where(
            sa.or_(contains_text(Student.name, text), contains_text(Student.index_number, text))
        )
        # Reading every name takes a while, so it is done once, not in each statement that follows.
        ids = self._db.scalars(found.limit(_MANY_STUDENTS + 1)).all()
        if len(ids) > _MANY_STUDENTS:
            self._row_conditions.append(Attendance.student_id.in_(found))
            return
        if len(ids) > _FEW_STUDENTS:
            # As an expression, lest the database look up each student in each session instead of reading the sessions.
            self._row_conditions.append((Attendance.student_id + 0).in_(ids))
            return
        self._row_conditions.append(Attendance.student_id.in_(ids))
        theirs = sa.select(Attendance.session_id).where(Attendance.student_id.in_(ids))
        self._session_conditions.append(ClassSession.id.in_(theirs))

    def _sessions(self) -> Iterator[tuple[int, int]]:
        """Sessions that have matching records and how many, newest first."""
        size = _FIRST_CHUNK
        last: tuple[datetime, int] | None = None
        while True:
            chunk = self._chunk(last, size)
            counts = self._counts([session_id for session_id, _ in chunk])
            yield from ((session_id, counts[session_id]) for session_id, _ in chunk if session_id in counts)
            if len(chunk) < size:
                return
            last = (chunk[-1][1], chunk[-1][0])
            size = min(size * 2, _LAST_CHUNK)

    def _chunk(self, last: tuple[datetime, int] | None, size: int) -> Sequence[tuple[int, datetime]]:
        query = sa.select(ClassSession.id, ClassSession.starts_at)
        if self._courses is None:
            query = query.where(*self._session_conditions)
        else:
            theirs = session_ids_of_courses(self._courses, *self._session_conditions)
            query = query.join(theirs, theirs.c.session_id == ClassSession.id)
        if last is not None:
            starts_at, session_id = last
            same_start = sa.and_(ClassSession.starts_at == starts_at, ClassSession.id < session_id)
            query = query.where(sa.or_(ClassSession.starts_at < starts_at, same_start))
        query = query.order_by(ClassSession.starts_at.desc(), ClassSession.id.desc()).limit(size)
        return self._db.execute(query).all()

    def _counts(self, session_ids: Sequence[int]) -> dict[int, int]:
        query = (
            sa.select(Attendance.session_id, sa.func.count())
            .where(Attendance.session_id.in_(session_ids), self._of_own_students(session_ids), *self._row_conditions)
            .group_by(Attendance.session_id)
        )
        return dict(self._db.execute(query).all())

    def _of_own_students(self, session_ids: Sequence[int]) -> sa.ColumnElement[bool]:
        """The condition on rows of these sessions that leaves out, of joint ones, students of courses not meant."""
        joint = joint_sessions(self._db, session_ids) if self._courses is not None else ()
        if self._courses is None or not joint:
            return sa.true()
        mine = sa.exists().where(
            ClassSession.id == Attendance.session_id, counts_for(Attendance.student_id, self._courses)
        )
        return sa.or_(Attendance.session_id.not_in(joint), mine.correlate(Attendance))

    def _read(self, session_ids: Sequence[int], *, limit: int | None = None, offset: int = 0) -> list[Record]:
        query = self._records_of(session_ids).where(self._of_own_students(session_ids))
        if limit is not None:
            query = query.limit(limit).offset(offset)
        records = [Record(*row) for row in self._db.execute(query).all()]
        joint = joint_sessions(self._db, {record.session_id for record in records})
        words = _course_words(self._db, joint, self._course_id) if joint else {}
        return [
            replace(record, course_code=words[record.session_id][0], course_name=words[record.session_id][1])
            if record.session_id in words
            else record
            for record in records
        ]

    def _records_of(self, session_ids: Sequence[int]) -> sa.Select[*tuple[Any, ...]]:
        return (
            sa.select(
                ClassSession.id,
                ClassSession.starts_at,
                ClassSession.ends_at,
                Course.code,
                Course.name,
                Student.id,
                Student.index_number,
                Student.name,
                Attendance.status,
                Attendance.unrecorded_reason,
                Attendance.watched_from,
                Attendance.source,
                Attendance.first_seen,
                Attendance.last_seen,
                Attendance.confidence,
                Attendance.remark,
                StatusLabel,
            )
            .select_from(Attendance)
            .join(ClassSession, ClassSession.id == Attendance.session_id)
            .join(Course, Course.id == ClassSession.course_id)
            .join(Student, Student.id == Attendance.student_id)
            .outerjoin(StatusLabel, StatusLabel.id == Attendance.label_id)
            .where(Attendance.session_id.in_(session_ids), *self._row_conditions)
            .order_by(ClassSession.starts_at.desc(), ClassSession.id.desc(), *by_student_name(self._db))
        )


def _both(reach: Condition | None, course_id: int | None) -> Condition | None:
    if course_id is None:
        return reach
    return lambda column: sa.and_(column == course_id, sa.true() if reach is None else reach(column))


def _course_words(db: Session, session_ids: Collection[int], course_id: int | None) -> dict[int, tuple[str, str]]:
    """By joint session, the code and the name of the course that is asked for, or of all its courses."""
    course = None if course_id is None else db.get(Course, course_id)
    if course is not None:
        return dict.fromkeys(session_ids, (course.code, course.name))
    sessions = db.scalars(sa.select(ClassSession).options(*parts()).where(ClassSession.id.in_(session_ids))).all()
    return {session.id: (audience_codes(session, with_groups=False), audience_names(session)) for session in sessions}


def _session_conditions(wanted: RecordFilter) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.session_id is not None:
        yield ClassSession.id == wanted.session_id
    if wanted.first_day is not None:
        yield ClassSession.starts_at >= start_of_day(wanted.first_day)
    if wanted.last_day is not None:
        yield ClassSession.starts_at < day_bounds(wanted.last_day)[1]
