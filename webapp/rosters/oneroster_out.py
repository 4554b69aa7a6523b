"""What is here as a OneRoster 1.2 archive (CSV binding, bulk): courses, people, enrolments, and rates as results.

A course is a course with one class; where it has groups, each is a further class. The attendance rate is a line item of
the class of the whole course, a result for each student who has one, in percent as pages show it. What another system
has named by its own identity keeps that.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.audiences import Condition
from attendance.database.models import (
    Account,
    AccountRole,
    ClassSession,
    Course,
    CourseGroup,
    CourseGroupMember,
    Department,
    Enrolment,
    ExternalIdentity,
    ExternalKind,
    Role,
    Student,
    utc_now,
)
from webapp.exports.for_programs import program_csv
from webapp.records.tallies import tally_enrolled
from webapp.tools.archives import zip_pieces
from webapp.tools.template_tools import whole_percent
from webapp.tools.times import local

_ORG, _TERM, _CATEGORY = "org", "term", "attendance"
_COMMON = ("sourcedId", "status", "dateLastModified")
_HEADERS: Mapping[str, Sequence[str]] = {
    "academicSessions": (*_COMMON, "title", "type", "startDate", "endDate", "parentSourcedId", "schoolYear"),
    "orgs": (*_COMMON, "name", "type", "identifier", "parentSourcedId"),
    "courses": (
        *_COMMON, "schoolYearSourcedId", "title", "courseCode", "grades", "orgSourcedId", "subjects", "subjectCodes"
    ),
    "classes": (
        *_COMMON, "title", "grades", "courseSourcedId", "classCode", "classType", "location", "schoolSourcedId",
        "termSourcedIds", "subjects", "subjectCodes", "periods",
    ),
    "users": (
        *_COMMON, "enabledUser", "username", "userIds", "givenName", "familyName", "middleName", "identifier", "email",
        "sms", "phone", "agentSourcedIds", "grades", "password", "userMasterIdentifier", "resourceSourcedIds",
        "preferredGivenName", "preferredMiddleName", "preferredFamilyName", "primaryOrgSourcedId", "pronouns",
    ),
    "roles": (
        *_COMMON, "userSourcedId", "roleType", "role", "beginDate", "endDate", "orgSourcedId", "userProfileSourcedId"
    ),
    "enrollments": (
        *_COMMON, "classSourcedId", "schoolSourcedId", "userSourcedId", "role", "primary", "beginDate", "endDate"
    ),
    "categories": (*_COMMON, "title", "weight"),
    "lineItems": (
        *_COMMON, "title", "description", "assignDate", "dueDate", "classSourcedId", "categorySourcedId",
        "academicSessionSourcedId", "resultValueMin", "resultValueMax", "schoolSourcedId",
    ),
    "results": (
        *_COMMON, "lineItemSourcedId", "studentSourcedId", "scoreStatus", "score", "scoreDate", "comment", "textScore",
        "classSourcedId", "inProgress", "incomplete", "late", "missing",
    ),
}  # fmt: skip
"""Every column of the CSV binding's tables, in their order."""
_ABSENT = (
    "classResources", "courseResources", "demographics", "lineItemLearningObjectiveIds", "lineItemScoreScales",
    "resources", "resultLearningObjectiveIds", "resultScoreScales", "scoreScales", "userProfiles", "userResources",
)  # fmt: skip
_ROLES = {Role.LECTURER: "teacher", Role.ASSISTANT: "proctor"}
"""Of an enrolment, whose roles are administrator, proctor, student and teacher: an assistant takes registers."""


@dataclass(frozen=True)
class _Term:
    """From the first session of the courses to the last: what OneRoster wants every class to be in."""

    begin: date
    end: date


class _Out:
    """What is written, read with one session; each file is a generator of rows."""

    def __init__(self, db: Session, institution: str, department_id: int | None, today: date) -> None:
        self._db = db
        self._institution = institution
        of_department = sa.true() if department_id is None else Course.department_id == department_id
        self._courses = db.scalars(sa.select(Course).where(of_department).order_by(Course.code)).all()
        self._ids = [course.id for course in self._courses]
        self._chosen = sa.select(Course.id).where(of_department)
        self._identities = _identities(db)
        self._today = today
        self._term = self._find_term()

    def files(self) -> Iterator[tuple[str, Iterable[Sequence[object]]]]:
        """The name of each file and its rows."""
        yield "academicSessions", self._sessions()
        yield "orgs", self._orgs()
        yield "courses", self._course_rows()
        yield "classes", self._classes()
        yield "users", self._users()
        yield "roles", self._roles()
        yield "enrollments", self._enrollments()
        yield "categories", [(_CATEGORY, "", "", "Attendance", "")]
        yield "lineItems", self._line_items()
        yield "results", self._results()

    def _find_term(self) -> _Term:
        of_courses = sa.select(sa.func.min(ClassSession.starts_at), sa.func.max(ClassSession.ends_at))
        first, last = self._db.execute(of_courses.where(ClassSession.course_id.in_(self._chosen))).one()
        begin = local(first).date() if first else self._today
        end = local(last).date() if last else self._today
        return _Term(begin, end + timedelta(days=1))  # the first day after it

    def _sessions(self) -> Iterator[Sequence[object]]:
        title = f"{self._term.begin.year}/{self._term.end.year}"
        yield (_TERM, "", "", title, "term", self._term.begin, self._term.end, "", self._term.end.year)

    def _orgs(self) -> Iterator[Sequence[object]]:
        yield (_ORG, "", "", self._institution, "school", "", "")
        for department in self._db.scalars(sa.select(Department).order_by(Department.name)):
            yield (f"department-{department.id}", "", "", department.name, "department", "", _ORG)

    def _course_rows(self) -> Iterator[Sequence[object]]:
        for course in self._courses:
            org = f"department-{course.department_id}" if course.department_id else _ORG
            yield (self._course(course.id), "", "", "", course.name, course.code, "", org, "", "")

    def _classes(self) -> Iterator[Sequence[object]]:
        groups: dict[int, list[CourseGroup]] = {}
        of_courses = sa.select(CourseGroup).where(CourseGroup.course_id.in_(self._chosen)).order_by(CourseGroup.name)
        for group in self._db.scalars(of_courses):
            groups.setdefault(group.course_id, []).append(group)
        for course in self._courses:
            whole = (course.name, "", self._course(course.id), course.code)
            rest = ("scheduled", "", _ORG, _TERM, "", "", "")
            yield (self._class(course.id), "", "", *whole, *rest)
            for group in groups.get(course.id, ()):
                named = (f"{course.name} {group.name}", "", self._course(course.id), group.name)
                yield (self._class(course.id, group.id), "", "", *named, *rest)

    def _users(self) -> Iterator[Sequence[object]]:
        for student in self._students():
            yield self._user(self._student(student.id), student.index_number, student.name, student.email)
        for account in self._teachers():
            yield self._user(self._account(account.id), "", account.name, account.email)

    def _user(self, name: str, number: str, called: str, email: str | None) -> Sequence[object]:
        given, family = _names(called)
        login = number or email or name
        return (
            name, "", "", "true", login, "", given, family, "", number, email or "", "", "", "", "", "", "", "", "", "",
            "", _ORG, "",
        )  # fmt: skip

    def _roles(self) -> Iterator[Sequence[object]]:
        for student in self._students():
            name = self._student(student.id)
            yield (f"role-{name}", "", "", name, "primary", "student", "", "", _ORG, "")
        for account in self._teachers():
            name = self._account(account.id)
            yield (f"role-{name}", "", "", name, "primary", "teacher", "", "", _ORG, "")

    def _enrollments(self) -> Iterator[Sequence[object]]:
        taking = sa.select(Enrolment.course_id, Enrolment.student_id).where(Enrolment.course_id.in_(self._chosen))
        for course_id, student_id in self._db.execute(taking.order_by(Enrolment.course_id, Enrolment.student_id)):
            yield self._enrollment(self._class(course_id), self._student(student_id), "student")
        members = sa.select(CourseGroup.course_id, CourseGroup.id, CourseGroupMember.student_id).join(
            CourseGroupMember, CourseGroupMember.group_id == CourseGroup.id
        )
        taken = sa.exists().where(
            Enrolment.course_id == CourseGroup.course_id, Enrolment.student_id == CourseGroupMember.student_id
        )
        members = members.where(CourseGroup.course_id.in_(self._chosen), taken)
        for course_id, group_id, student_id in self._db.execute(members.order_by(*members.selected_columns)):
            yield self._enrollment(self._class(course_id, group_id), self._student(student_id), "student")
        held = sa.select(AccountRole.course_id, AccountRole.account_id, AccountRole.role).where(
            AccountRole.course_id.in_(self._chosen), AccountRole.role.in_(_ROLES)
        )
        held = held.order_by(AccountRole.course_id, AccountRole.account_id)
        for of, account_id, role in self._db.execute(held):
            yield self._enrollment(self._class(of or 0), self._account(account_id), _ROLES[role])

    def _enrollment(self, of: str, who: str, role: str) -> Sequence[object]:
        primary = "true" if role == "teacher" else "false"
        return (f"enrollment-{of}-{who}", "", "", of, _ORG, who, role, primary, "", "")

    def _line_items(self) -> Iterator[Sequence[object]]:
        for course in self._courses:
            yield (
                f"attendance-{course.id}", "", "", "Attendance", "Attendance rate in percent", self._term.begin,
                self._term.end, self._class(course.id), _CATEGORY, _TERM, 0, 100, _ORG,
            )  # fmt: skip

    def _results(self) -> Iterator[Sequence[object]]:
        now, day = utc_now(), self._today
        for course in self._courses:
            of_course: Condition = lambda column, course=course: column == course.id  # type: ignore[misc] # noqa: E731
            for (_, student_id), tally in sorted(
                tally_enrolled(self._db, of_course, (ClassSession.starts_at < now,)).items()
            ):
                if tally.rate is not None:
                    score = whole_percent(tally.rate)
                    item, who = f"attendance-{course.id}", self._student(student_id)
                    of = self._class(course.id)
                    yield (
                        f"result-{item}-{who}", "", "", item, who, "partially graded", score, day, "", "", of,
                        "", "", "", "",
                    )  # fmt: skip

    def _students(self) -> Iterator[Student]:
        taking = sa.select(Enrolment.student_id).where(Enrolment.course_id.in_(self._chosen))
        yield from self._db.scalars(sa.select(Student).where(Student.id.in_(taking)).order_by(Student.id))

    def _teachers(self) -> Iterator[Account]:
        held = sa.select(AccountRole.account_id).where(
            AccountRole.course_id.in_(self._chosen), AccountRole.role.in_(_ROLES)
        )
        yield from self._db.scalars(sa.select(Account).where(Account.id.in_(held)).order_by(Account.id))

    def _course(self, course_id: int) -> str:
        return self._identities.get((ExternalKind.COURSE, course_id, None), f"course-{course_id}")

    def _class(self, course_id: int, group_id: int | None = None) -> str:
        own = f"class-{course_id}" + (f"-{group_id}" if group_id else "")
        return self._identities.get((ExternalKind.CLASS, course_id, group_id), own)

    def _student(self, student_id: int) -> str:
        return self._identities.get((ExternalKind.STUDENT, student_id, None), f"student-{student_id}")

    def _account(self, account_id: int) -> str:
        return self._identities.get((ExternalKind.ACCOUNT, account_id, None), f"account-{account_id}")


def archive_pieces(
    sessions: sessionmaker[Session], institution: str, department_id: int | None, today: date
) -> Iterator[bytes]:
    """The archive, piece by piece, read in a database session of its own.

    Args:
        sessions: of the database.
        institution: what it is called.
        department_id: of a department, whose courses alone are written; None for all.
        today: at the institution; the day of the rates.
    """
    with sessions() as db:
        out = _Out(db, institution, department_id, today)
        manifest = [("propertyName", "value"), ("manifest.version", "1.0"), ("oneroster.version", "1.2")]
        modes = dict.fromkeys(_HEADERS, "bulk") | dict.fromkeys(_ABSENT, "absent")
        manifest += [(f"file.{name}", modes[name]) for name in sorted(modes)]
        manifest += [("source.systemName", "class-attendance"), ("source.systemCode", "class-attendance")]
        files = [("manifest.csv", program_csv(manifest))]
        tables = ((f"{name}.csv", program_csv([_HEADERS[name]], rows)) for name, rows in out.files())
        yield from zip_pieces([*files, *tables])


def _names(called: str) -> tuple[str, str]:
    """Given and family name, of a name in one: what stands before a comma is the family's, else the last word is."""
    family, comma, given = called.partition(",")
    if comma:
        return given.strip(), family.strip()
    given, _, family = called.rpartition(" ")
    return given or family, family


def _identities(db: Session) -> dict[tuple[ExternalKind, int, int | None], str]:
    """What student systems call what is here; of several the one that was noted last."""
    found: dict[tuple[ExternalKind, int, int | None], str] = {}
    query = sa.select(ExternalIdentity).where(ExternalIdentity.system.like("oneroster:%"))
    for row in db.scalars(query.order_by(ExternalIdentity.noted_at)):
        own = row.course_id or row.student_id or row.account_id
        if own is not None:
            found[row.kind, own, row.group_id] = row.external_id
    return found
