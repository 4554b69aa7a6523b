"""Enrolments from a CSV file; students that are not there yet are added when their name is given."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Course, Enrolment, Student
from attendance.tables.columns import COURSE_CODE, INDEX_NUMBER, STUDENT_NAME
from attendance.tables.errors import LineError
from attendance.tables.reading import Column, Line
from webapp.imports.likeness import LikeNumbers
from webapp.imports.report import Outcome, Result
from webapp.imports.run import Importer, Numbered, refused
from webapp.imports.students import write_rows

_NAME = replace(
    STUDENT_NAME,
    meaning="Needed for students who are not there yet: they are added. The names of others stay as they are.",
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

    columns: tuple[Column, ...] = (COURSE_CODE, INDEX_NUMBER, _NAME)

    def __init__(self, course_code: str | None = None) -> None:
        """Take the courses from the file.

        Args:
            course_code: the only course meant; a line may leave it out, and must not name another.
        """
        self._only = course_code
        if course_code is not None:
            self.columns = (INDEX_NUMBER, _NAME, replace(COURSE_CODE, required=False))
        self._courses = CourseFinder()
        self._like = LikeNumbers()
        # Students whom an earlier line adds, which trying a file does not write.
        self._added: set[str] = set()
        self._adding: set[str] = set()

    def parse(self, line: Line, present: frozenset[str]) -> EnrolmentRecord:
        """Check the fields of a line."""
        return EnrolmentRecord(
            course_code=self._course_code(line),
            index_number=line.text(INDEX_NUMBER),
            name=line.optional_text(_NAME) or "",
        )

    def key(self, record: EnrolmentRecord) -> tuple[Hashable, str, str]:
        """Course and student."""
        words = f"Index number {record.index_number} in {record.course_code}"
        return (record.course_code, record.index_number), words, "index_number"

    def handle(self, db: Session, batch: Sequence[Numbered[EnrolmentRecord]], *, apply: bool) -> list[Outcome]:
        """At most six statements, whatever the size of the batch."""
        self._adding = set()
        self._like.begin(db)
        courses = self._courses.find(db, (item.record.course_code for item in batch))
        numbers = {item.record.index_number for item in batch}
        students = _ids(db, numbers)
        there = _enrolled(db, courses.values(), students.values())
        outcomes, names, enrol = [], dict[str, str](), list[tuple[int, str]]()
        for item in batch:
            record = item.record
            try:
                course_id = self._courses.require(courses, record.course_code)
                question = self._require_student(item, students, names)
            except LineError as error:
                outcomes.append(refused(item.line, error))
                continue
            if (course_id, students.get(record.index_number)) in there:
                outcomes.append(Outcome(item.line, Result.UNCHANGED))
                continue
            enrol.append((course_id, record.index_number))
            outcomes.append(Outcome(item.line, Result.ADDED, records=1, question=question))
        self._adding = set(names)
        if apply:
            _write(db, students, names, enrol)
        return outcomes

    def settle(self) -> None:
        """Remember the students of the last batch."""
        self._added |= self._adding
        self._like.settle()

    def _course_code(self, line: Line) -> str:
        if self._only is None:
            return line.text(COURSE_CODE)
        named = line.values.get("course_code") or self._only
        if named != self._only:
            raise LineError(f"course_code is {named}; this import is for {self._only} only.", "course_code")
        return named

    def _require_student(self, item: Numbered[EnrolmentRecord], students: dict[str, int], names: dict[str, str]) -> str:
        """Take note of a student whom the line adds; what must be asked about the index number, or ""."""
        record = item.record
        known = record.index_number in students or record.index_number in names or record.index_number in self._added
        if known:
            return ""
        if not record.name:
            raise LineError(
                f"There is no student with index number {record.index_number}.{self._like.hint(record.index_number)} "
                "Give a name to add one.",
                "index_number",
            )
        names[record.index_number] = record.name
        return self._like.question(record.index_number, item.line)


class CourseFinder:
    """Courses by their codes, with a hint for a code that differs in capitals only."""

    def __init__(self) -> None:
        self._hints: dict[str, str] = {}

    def find(self, db: Session, codes: Iterable[str]) -> dict[str, int]:
        """The ids of the courses that are there, by code."""
        wanted = set(codes)
        found = {
            row.code: row.id for row in db.execute(sa.select(Course.id, Course.code).where(Course.code.in_(wanted)))
        }
        missing = {code.lower() for code in wanted - found.keys()}
        if missing:
            similar = sa.select(Course.code).where(sa.func.lower(Course.code).in_(missing))
            self._hints.update({code.lower(): code for code in db.scalars(similar)})
        return found

    def require(self, found: dict[str, int], code: str) -> int:
        """The id of a course.

        Raises:
            LineError: there is none with that code.
        """
        if code in found:
            return found[code]
        hint = self._hints.get(code.lower())
        meant = f" Did you mean {hint}?" if hint else ""
        raise LineError(f"There is no course with the code {code}.{meant}", "course_code")


def _ids(db: Session, numbers: Iterable[str]) -> dict[str, int]:
    query = sa.select(Student.index_number, Student.id).where(Student.index_number.in_(set(numbers)))
    return {row.index_number: row.id for row in db.execute(query)}


def _enrolled(db: Session, courses: Iterable[int], students: Iterable[int]) -> set[tuple[int, int]]:
    query = sa.select(Enrolment.course_id, Enrolment.student_id).where(
        Enrolment.course_id.in_(set(courses)), Enrolment.student_id.in_(set(students))
    )
    return {(row.course_id, row.student_id) for row in db.execute(query)}


def _write(db: Session, students: dict[str, int], names: dict[str, str], enrol: Sequence[tuple[int, str]]) -> None:
    write_rows(db, Student, [{"index_number": number, "name": name} for number, name in names.items()])
    ids = {**students, **_ids(db, names)} if names else students
    write_rows(db, Enrolment, [{"course_id": course, "student_id": ids[number]} for course, number in enrol])
