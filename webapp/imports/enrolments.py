"""Enrolments from a CSV file; students that are not there yet are added when their name is given."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Enrolment, Student
from attendance.tables import fields
from attendance.tables.columns import COURSE_CODE, STUDENT_NAME, index_number_column
from attendance.tables.errors import LineError
from attendance.tables.reading import Line
from attendance.texts import english, english_list
from webapp.imports.finders import CourseFinder
from webapp.imports.likeness import LikeNumbers
from webapp.imports.plan import ImportPlan, MissingError, Planned, RecordKind
from webapp.imports.report import Outcome, Result
from webapp.imports.run import Importer, Numbered, refused
from webapp.imports.students import write_rows

_NAME = replace(
    STUDENT_NAME,
    meaning=english("Needed for students who are not there yet: they are added. The names of others stay as they are."),
    required=False,
)


@dataclass(frozen=True)
class EnrolmentRecord:
    """A line of the file."""

    course_code: str
    index_number: str
    name: str


class EnrolmentImporter(Importer[EnrolmentRecord]):
    """Enrols students in courses, or in one course that the file need not name."""

    def __init__(
        self,
        course_code: str | None = None,
        *,
        rule: fields.TextRule = fields.INDEX_NUMBER,
        plan: ImportPlan | None = None,
    ) -> None:
        """Take the courses from the file.

        Args:
            course_code: the only course meant; a line may leave it out, and must not name another.
            rule: what may be an index number here.
            plan: what other files add.
        """
        super().__init__(plan)
        self._only = course_code
        self._number = index_number_column(rule)
        self.columns = (COURSE_CODE, self._number, _NAME)
        if course_code is not None:
            self.columns = (self._number, _NAME, replace(COURSE_CODE, required=False))
        self._courses = CourseFinder(self.plan)
        self._like = LikeNumbers(self.plan)
        self._adding: dict[str, str] = {}

    def parse(self, line: Line, present: frozenset[str]) -> EnrolmentRecord:
        """Check the fields of a line."""
        return EnrolmentRecord(
            course_code=self._course_code(line),
            index_number=line.text(self._number),
            name=line.optional_text(_NAME) or "",
        )

    def key(self, record: EnrolmentRecord) -> tuple[Hashable, str, str]:
        """Course and student."""
        words = english(
            "Index number %(index_number)s in %(course_code)s",
            index_number=record.index_number,
            course_code=record.course_code,
        )
        return (record.course_code, record.index_number), words, "index_number"

    def handle(self, db: Session, batch: Sequence[Numbered[EnrolmentRecord]], *, apply: bool) -> list[Outcome]:
        """At most six statements, whatever the size of the batch."""
        self._like.begin(db)
        courses = self._courses.find(db, (item.record.course_code for item in batch))
        students = find_students(db, self.plan, {item.record.index_number for item in batch})
        there = _enrolled(db, courses.values(), [student.id for student in students.values()])
        self._adding = {}
        outcomes, enrol = [], list[tuple[int, str]]()
        for item in batch:
            record = item.record
            try:
                course_id = self._courses.require(courses, record.course_code)
                question = self._require_student(item, students)
            except LineError as error:
                outcomes.append(refused(item.line, error))
                continue
            student = students.get(record.index_number)
            name = self._adding[record.index_number] if student is None else student.name
            message = other_name(record.index_number, name, record.name)
            if student is not None and (course_id, student.id) in there:
                outcomes.append(Outcome(item.line, Result.UNCHANGED, message))
                continue
            enrol.append((course_id, record.index_number))
            outcomes.append(Outcome(item.line, Result.ADDED, message, records=1, question=question))
        if apply:
            _write(db, {number: one.id for number, one in students.items()}, self._adding, enrol)
        return outcomes

    def settle(self) -> None:
        """Remember the students of the last batch."""
        self.plan.remember(RecordKind.STUDENTS, self._adding.items())
        self._like.settle()

    def _course_code(self, line: Line) -> str:
        if self._only is None:
            return line.text(COURSE_CODE)
        named = line.values.get("course_code") or self._only
        if named != self._only:
            raise LineError(
                english("course_code is %(named)s; this import is for %(only)s only.", named=named, only=self._only),
                "course_code",
            )
        return named

    def _require_student(self, item: Numbered[EnrolmentRecord], students: dict[str, Planned]) -> str:
        """Take note of a student whom the line adds; what must be asked about the index number, or ""."""
        number, name = item.record.index_number, item.record.name
        if number in students or number in self._adding:
            return ""
        if not name:
            sentence = english_list(
                " ",
                [
                    text
                    for text in (
                        english("There is no student with index number %(number)s.", number=number),
                        self._like.hint(number),
                        english("Give a name to add one."),
                    )
                    if text
                ],
            )
            raise MissingError(sentence, "index_number", RecordKind.STUDENTS, number)
        self._adding[number] = name
        return self._like.question(number, item.line)


def find_students(db: Session, plan: ImportPlan, numbers: Iterable[str]) -> dict[str, Planned]:
    """The students who are there, or whom earlier lines and files add, by index number."""
    wanted = set(numbers)
    query = sa.select(Student.index_number, Student.id, Student.name).where(Student.index_number.in_(wanted))
    planned = plan.planned(RecordKind.STUDENTS)
    found = {number: planned[number] for number in wanted & planned.keys()}
    return found | {row.index_number: Planned(row.id, row.name) for row in db.execute(query)}


def other_name(called: str, name: str, in_file: str) -> str:
    """What is said where a line has another name for somebody than is recorded, which stays; "" where it has not."""
    return (
        english("%(called)s is already there as %(name)s; that name stays.", called=called, name=name)
        if in_file and in_file != name
        else ""
    )


def _enrolled(db: Session, courses: Iterable[int], students: Iterable[int]) -> set[tuple[int, int]]:
    query = sa.select(Enrolment.course_id, Enrolment.student_id).where(
        Enrolment.course_id.in_(set(courses)), Enrolment.student_id.in_(set(students))
    )
    return {(row.course_id, row.student_id) for row in db.execute(query)}


def _write(db: Session, students: dict[str, int], names: dict[str, str], enrol: Sequence[tuple[int, str]]) -> None:
    write_rows(db, Student, [{"index_number": number, "name": name} for number, name in names.items()])
    ids = dict(students)
    if names:
        query = sa.select(Student.index_number, Student.id).where(Student.index_number.in_(names))
        ids |= {row.index_number: row.id for row in db.execute(query)}
    write_rows(db, Enrolment, [{"course_id": course, "student_id": ids[number]} for course, number in enrol])
