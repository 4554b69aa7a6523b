"""Who is in which group of a course, from a CSV file."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import CourseGroup, CourseGroupMember, Enrolment, Student
from attendance.tables import fields
from attendance.tables.columns import COURSE_CODE, index_number_column
from attendance.tables.errors import LineError
from attendance.tables.reading import Column, Line
from attendance.texts import english
from webapp.imports.finders import CourseFinder
from webapp.imports.plan import ImportPlan, RecordKind
from webapp.imports.report import Outcome, Result
from webapp.imports.run import Importer, Numbered, refused
from webapp.imports.students import write_rows

_COURSE = replace(COURSE_CODE, aliases=("course", *COURSE_CODE.aliases))
_GROUP = Column(
    "group",
    english(
        "What the group is called, up to %(longest)s characters. One that is not there yet is made.",
        longest=fields.GROUP_NAME.longest,
    ),
    aliases=("group_name", "course_group"),
    rule=fields.GROUP_NAME,
)


@dataclass(frozen=True)
class MemberRecord:
    """A line of the file."""

    course_code: str
    group: str
    index_number: str


class GroupImporter(Importer[MemberRecord]):
    """Puts students into groups, and onto the course's roster where they are not on it. Nobody leaves a group."""

    def __init__(self, *, rule: fields.TextRule = fields.INDEX_NUMBER, plan: ImportPlan | None = None) -> None:
        super().__init__(plan)
        self._number = index_number_column(rule)
        self.columns = (_COURSE, _GROUP, self._number)
        self._courses = CourseFinder(self.plan)

    def parse(self, line: Line, present: frozenset[str]) -> MemberRecord:
        """Check the fields of a line."""
        return MemberRecord(line.text(_COURSE), line.text(_GROUP), line.text(self._number))

    def key(self, record: MemberRecord) -> tuple[Hashable, str, str]:
        """Course, group and student."""
        words = english(
            "Index number %(index_number)s in group %(group)s of %(course_code)s",
            index_number=record.index_number,
            group=record.group,
            course_code=record.course_code,
        )
        return record, words, "index_number"

    def handle(self, db: Session, batch: Sequence[Numbered[MemberRecord]], *, apply: bool) -> list[Outcome]:
        """Some statements, whatever the size of the batch."""
        courses = self._courses.find(db, (item.record.course_code for item in batch))
        students = self._students(db, {item.record.index_number for item in batch})
        groups = _groups(db, courses.values())
        members = _members(db, groups.values(), students.values())
        enrolled = _enrolled(db, courses.values(), students.values())
        outcomes, joins, enrols = [], list[tuple[tuple[int, str], int]](), set[tuple[int, int]]()
        for item in batch:
            record = item.record
            try:
                course_id = self._courses.require(courses, record.course_code)
                student_id = students.get(record.index_number)
                if student_id is None:
                    text = english(
                        "There is no student with index number %(index_number)s.", index_number=record.index_number
                    )
                    raise LineError(text, "index_number")
            except LineError as error:
                outcomes.append(refused(item.line, error))
                continue
            group = (course_id, record.group)
            is_enrolled = (course_id, student_id) in enrolled
            if is_enrolled and (groups.get(group), student_id) in members:
                outcomes.append(Outcome(item.line, Result.UNCHANGED))
                continue
            joins.append((group, student_id))
            if not is_enrolled:
                enrols.add((course_id, student_id))
            message = "" if is_enrolled else english("Also put on the course's roster.")
            outcomes.append(Outcome(item.line, Result.ADDED, message, records=1))
        if apply:
            _write(db, groups, members, joins, enrols)
        return outcomes

    def _students(self, db: Session, numbers: set[str]) -> dict[str, int]:
        found = db.execute(sa.select(Student.index_number, Student.id).where(Student.index_number.in_(numbers)))
        planned = self.plan.planned(RecordKind.STUDENTS)
        return {number: planned[number].id for number in numbers & planned.keys()} | dict(found.all())


def _groups(db: Session, course_ids: Iterable[int]) -> dict[tuple[int, str], int]:
    query = sa.select(CourseGroup.course_id, CourseGroup.name, CourseGroup.id)
    found = db.execute(query.where(CourseGroup.course_id.in_(set(course_ids))))
    return {(course_id, name): group_id for course_id, name, group_id in found}


def _members(db: Session, group_ids: Iterable[int], student_ids: Iterable[int]) -> set[tuple[int, int]]:
    query = sa.select(CourseGroupMember.group_id, CourseGroupMember.student_id).where(
        CourseGroupMember.group_id.in_(set(group_ids)), CourseGroupMember.student_id.in_(set(student_ids))
    )
    return {(row.group_id, row.student_id) for row in db.execute(query)}


def _enrolled(db: Session, course_ids: Iterable[int], student_ids: Iterable[int]) -> set[tuple[int, int]]:
    query = sa.select(Enrolment.course_id, Enrolment.student_id).where(
        Enrolment.course_id.in_(set(course_ids)), Enrolment.student_id.in_(set(student_ids))
    )
    return {(row.course_id, row.student_id) for row in db.execute(query)}


def _write(
    db: Session,
    groups: dict[tuple[int, str], int],
    members: set[tuple[int, int]],
    joins: Sequence[tuple[tuple[int, str], int]],
    enrols: set[tuple[int, int]],
) -> None:
    missing = dict.fromkeys(group for group, _ in joins if group not in groups)
    write_rows(db, CourseGroup, [{"course_id": course_id, "name": name} for course_id, name in missing])
    if missing:
        groups = _groups(db, {course_id for course_id, _ in [*missing, *groups]})
    write_rows(db, Enrolment, [{"course_id": course, "student_id": student} for course, student in sorted(enrols)])
    new = {(groups[group], student) for group, student in joins} - members
    write_rows(db, CourseGroupMember, [{"group_id": group, "student_id": student} for group, student in sorted(new)])
