"""Rosters of another system: who takes a course, who is in which group of it, and who is not any more."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Course, CourseGroup, CourseGroupMember, Enrolment, Student
from attendance.database.teaching.enrolments import take_off
from attendance.tables import fields
from attendance.tables.columns import COURSE_CODE, STUDENT_NAME, index_number_column
from attendance.tables.errors import LineError
from attendance.tables.reading import Column, Line
from attendance.texts import english
from webapp.imports.enrolments import find_students
from webapp.imports.finders import CourseFinder, find_groups
from webapp.imports.likeness import LikeNumbers
from webapp.imports.plan import ImportPlan, MissingError, Planned, RecordKind
from webapp.imports.report import Outcome, Result
from webapp.imports.run import Importer, Lines, Numbered, refused
from webapp.imports.students import write_rows

ACTIVE, REMOVED = "active", "tobedeleted"
"""The words of OneRoster for a line that counts, and for one that does not any more."""
_ASKED_FROM = 0.5
"""A roster that takes away as large a share of a course's students, or larger, is asked about."""
_FEWEST_ASKED = 2
"""Students that are taken away; one alone is no sign of a wrong file."""

_GROUP = Column(
    "group",
    english("A group of the course that the student is in, too. One that is not there yet is made."),
    required=False,
    rule=fields.GROUP_NAME,
)
_STATUS = Column(
    "status",
    english(
        "active, or tobedeleted: the student does not take the course any more, or with a group, is not in it any "
        "more. Empty: active."
    ),
    required=False,
    rule=fields.ROLE_WORD,
)
_NAME = replace(
    STUDENT_NAME, meaning=english("Needed for students who are not there yet: they are added."), required=False
)


@dataclass(frozen=True)
class RosterRecord:
    """A line of the file; `group` is "" for the course alone."""

    course_code: str
    group: str
    index_number: str
    name: str
    removed: bool


@dataclass(frozen=True)
class _There:
    """What the database holds of the courses and students of a batch."""

    courses: dict[str, int]
    students: dict[str, Planned]
    groups: dict[tuple[int, str], int]
    enrolled: set[tuple[int, int]]
    members: set[tuple[int, int]]


@dataclass
class _Changes:
    """What a batch changes, by ids of the course and index numbers; who leaves, by ids of the group or the course."""

    enrol: dict[tuple[int, str], None] = field(default_factory=dict)
    join: dict[tuple[int, str, str], None] = field(default_factory=dict)
    leave: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    unenrol: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))


class RosterImporter(Importer[RosterRecord]):
    """Puts students on rosters and into groups, and takes them off again, as another system says."""

    def __init__(self, *, rule: fields.TextRule = fields.INDEX_NUMBER, plan: ImportPlan | None = None) -> None:
        super().__init__(plan)
        self._number = index_number_column(rule)
        self.columns = (COURSE_CODE, self._number, _NAME, _GROUP, _STATUS)
        self._courses = CourseFinder(self.plan)
        self._like = LikeNumbers(self.plan)
        self._adding: dict[str, str] = {}
        self._questions: dict[str, str] = {}
        self._asked: set[str] = set()

    def look_ahead(self, db: Session, table: Lines) -> None:
        """Find the courses that the file would take many students from: at the first such line that is asked."""
        leaving: dict[str, set[str]] = {}
        for record in self._read(table):
            if record.removed and not record.group:
                leaving.setdefault(record.course_code, set()).add(record.index_number)
        taking = sa.select(Course.code, Student.index_number).join(Enrolment, Enrolment.course_id == Course.id)
        taking = taking.join(Student, Student.id == Enrolment.student_id).where(Course.code.in_(leaving))
        there: dict[str, set[str]] = {}
        for code, number in db.execute(taking):
            there.setdefault(code, set()).add(number)
        for code, numbers in there.items():
            gone = len(numbers & leaving[code])
            if gone >= max(_FEWEST_ASKED, len(numbers) * _ASKED_FROM):
                self._questions[code] = english(
                    "This roster takes %(gone)s of the %(there)s students off %(course)s. Is it whole, and right?",
                    gone=gone,
                    there=len(numbers),
                    course=code,
                )

    def _read(self, table: Lines) -> Iterable[RosterRecord]:
        for line in table.lines():
            try:
                yield self.parse(line, table.present)
            except LineError:
                continue

    def parse(self, line: Line, present: frozenset[str]) -> RosterRecord:
        """Check the fields of a line."""
        status = line.optional_text(_STATUS) or ACTIVE
        if status not in (ACTIVE, REMOVED):
            raise LineError(english("status '%(status)s' is neither active nor tobedeleted.", status=status), "status")
        return RosterRecord(
            line.text(COURSE_CODE),
            line.optional_text(_GROUP) or "",
            line.text(self._number),
            line.optional_text(_NAME) or "",
            status == REMOVED,
        )

    def key(self, record: RosterRecord) -> tuple[Hashable, str, str]:
        """Course, group and student."""
        words = english(
            "Index number %(index_number)s in %(course_code)s",
            index_number=record.index_number,
            course_code=f"{record.course_code} {record.group}".strip(),
        )
        return (record.course_code, record.group, record.index_number), words, "index_number"

    def handle(self, db: Session, batch: Sequence[Numbered[RosterRecord]], *, apply: bool) -> list[Outcome]:
        """Some statements, whatever the size of the batch."""
        self._like.begin(db)
        there = self._there(db, batch)
        self._adding = {}
        changes = _Changes()
        self._asked = set()
        outcomes = []
        for item in batch:
            try:
                outcomes.append(self._decide(item, there, changes))
            except LineError as error:
                outcomes.append(refused(item.line, error))
        if apply:
            _write(db, there, self._adding, changes)
        return outcomes

    def settle(self) -> None:
        """Remember the students of the last batch, and what was asked in it."""
        self.plan.remember(RecordKind.STUDENTS, self._adding.items())
        self._like.settle()
        for code in self._asked:
            self._questions.pop(code, None)

    def _there(self, db: Session, batch: Sequence[Numbered[RosterRecord]]) -> _There:
        records = [item.record for item in batch]
        courses = self._courses.find(db, {record.course_code for record in records})
        students = find_students(db, self.plan, {record.index_number for record in records})
        course_ids, student_ids = set(courses.values()), {one.id for one in students.values()}
        groups = find_groups(db, course_ids)
        enrolled = sa.select(Enrolment.course_id, Enrolment.student_id).where(
            Enrolment.course_id.in_(course_ids), Enrolment.student_id.in_(student_ids)
        )
        members = sa.select(CourseGroupMember.group_id, CourseGroupMember.student_id).where(
            CourseGroupMember.group_id.in_(set(groups.values())), CourseGroupMember.student_id.in_(student_ids)
        )
        pairs = ({(first, second) for first, second in db.execute(query)} for query in (enrolled, members))
        return _There(courses, students, groups, *pairs)

    def _decide(self, item: Numbered[RosterRecord], there: _There, changes: _Changes) -> Outcome:
        record = item.record
        course_id = self._courses.require(there.courses, record.course_code)
        student = there.students.get(record.index_number)
        if record.removed:
            return (
                Outcome(item.line, Result.UNCHANGED) if student is None else self._remove(item, student, there, changes)
            )
        question = "" if student else self._require_name(item)
        enrolled = student is not None and (course_id, student.id) in there.enrolled
        in_group = (
            bool(record.group)
            and student is not None
            and ((there.groups.get((course_id, record.group), 0), student.id) in there.members)
        )
        if enrolled and (in_group or not record.group):
            return Outcome(item.line, Result.UNCHANGED)
        if not enrolled:
            changes.enrol[course_id, record.index_number] = None
        if record.group and not in_group:
            changes.join[course_id, record.group, record.index_number] = None
        return Outcome(item.line, Result.ADDED, records=1, question=question)

    def _remove(self, item: Numbered[RosterRecord], student: Planned, there: _There, changes: _Changes) -> Outcome:
        record = item.record
        course_id = there.courses[record.course_code]
        words = {"number": record.index_number, "name": student.name, "course": record.course_code}
        if record.group:
            group_id = there.groups.get((course_id, record.group), 0)
            if (group_id, student.id) not in there.members:
                return Outcome(item.line, Result.UNCHANGED)
            changes.leave[group_id].append(student.id)
            text = english("%(number)s %(name)s leaves the group %(group)s of %(course)s", group=record.group, **words)
            return Outcome(item.line, Result.UPDATED, text)
        if (course_id, student.id) not in there.enrolled:
            return Outcome(item.line, Result.UNCHANGED)
        changes.unenrol[course_id].append(student.id)
        question = "" if record.course_code in self._asked else self._questions.get(record.course_code, "")
        self._asked.add(record.course_code)
        text = english("%(number)s %(name)s does not take %(course)s any more; what is recorded stays", **words)
        return Outcome(item.line, Result.UPDATED, text, question=question)

    def _require_name(self, item: Numbered[RosterRecord]) -> str:
        """Take note of a student whom the line adds; what must be asked about the index number, or ""."""
        number, name = item.record.index_number, item.record.name
        if number in self._adding:
            return ""
        if not name:
            text = english(
                "There is no student with index number %(number)s, and the roster does not say the name.", number=number
            )
            raise MissingError(text, "index_number", RecordKind.STUDENTS, number)
        self._adding[number] = name
        return self._like.question(number, item.line)


def _write(db: Session, there: _There, names: dict[str, str], changes: _Changes) -> None:
    write_rows(db, Student, [{"index_number": number, "name": name} for number, name in names.items()])
    ids = {number: one.id for number, one in there.students.items()}
    if names:
        query = sa.select(Student.index_number, Student.id).where(Student.index_number.in_(names))
        ids |= {row.index_number: row.id for row in db.execute(query)}
    write_rows(db, Enrolment, [{"course_id": course, "student_id": ids[number]} for course, number in changes.enrol])
    groups = dict(there.groups)
    missing = dict.fromkeys((course, group) for course, group, _ in changes.join if (course, group) not in groups)
    write_rows(db, CourseGroup, [{"course_id": course, "name": name} for course, name in missing])
    if missing:
        groups |= find_groups(db, {course for course, _ in missing})
    joins = [{"group_id": groups[course, group], "student_id": ids[number]} for course, group, number in changes.join]
    write_rows(db, CourseGroupMember, joins)
    for group_id, leaving in sorted(changes.leave.items()):
        mine = (CourseGroupMember.group_id == group_id, CourseGroupMember.student_id.in_(leaving))
        db.execute(sa.delete(CourseGroupMember).where(*mine))
    for course_id, leaving in sorted(changes.unenrol.items()):
        take_off(db, course_id, leaving)
