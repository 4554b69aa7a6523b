"""A OneRoster archive in the form of our own imports: files of courses, students, lecturers, rosters, and identities.

Each line stands on the number that it has in the archive's own file, so that what the report says of line 17 is found
there. What the archive says in other words:

- A *course* is a course here; its org, where that is a department or has one above it, the department.
- A *class* is a course of a term. Where a course has several, each is a group of the course here.
- A *user* who is enrolled as a student is a student; one who teaches is a lecturer, an aide or proctor an assistant.
  Nobody becomes an administrator, and no role is taken away.
- Classes whose terms have ended are passed over.
- *Bulk*: whoever takes a course here, and is in none of its classes there, is taken off. *Delta*: those that are
  marked. Students, courses and accounts are never deleted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy.orm import Session

from attendance.database.models import ExternalKind
from attendance.tables import fields
from attendance.tables.fields import TextRule
from attendance.texts import Text, english, english_count
from webapp.imports.identities import EXTERNAL_ID, SYSTEM
from webapp.imports.kinds import IDENTITIES, KINDS, ROSTER
from webapp.imports.roster import ACTIVE, REMOVED
from webapp.imports.together import ImportFile
from webapp.rosters.aligned import Aligned
from webapp.rosters.archive import Archive, Mode
from webapp.rosters.known import RosterClass, RosterUser, known_of
from webapp.rosters.leaving import gone_from, gone_with
from webapp.rosters.tables import RosterRow, Tables, read_tables

_TEACHES = {"teacher": "lecturer", "aide": "assistant", "proctor": "assistant"}
_STUDENT = "student"


class NumberFrom(StrEnum):
    """Which field of a user is the index number."""

    IDENTIFIER = "identifier"
    USERNAME = "username"
    SOURCED_ID = "sourcedId"


@dataclass(frozen=True)
class RosterConversion:
    """Files to import together, and what should be known of the archive."""

    files: Sequence[ImportFile]
    notes: Sequence[Text]


def convert(db: Session, archive: Archive, *, rule: TextRule, number_from: NumberFrom, today: date) -> RosterConversion:
    """Bring an archive into the form of our imports; reads only.

    Args:
        db: any session.
        archive: taken apart.
        rule: what may be an index number here.
        number_from: which field of a user is one.
        today: at the institution.

    Raises:
        TableError: a file cannot be read.
    """
    return _Converter(db, archive, read_tables(archive), rule=rule, number_from=number_from, today=today).converted()


class _Converter:
    """One conversion; `converted` is called once."""

    def __init__(
        self, db: Session, archive: Archive, tables: Tables, *, rule: TextRule, number_from: NumberFrom, today: date
    ) -> None:
        self._db = db
        self._archive = archive
        self._tables = tables
        self._rule = rule
        self._number_from = number_from
        self._today = today
        self._system = SYSTEM.clean(f"oneroster:{archive.system}")[: SYSTEM.longest]
        self._known = known_of(db, self._system)
        self._notes: list[Text] = []
        self._identities: list[tuple[str, ...]] = []
        self._ended: set[str] = set()

    def converted(self) -> RosterConversion:
        """The files and the notes."""
        courses = self._courses()
        classes = self._classes(courses)
        users = self._users()
        files = [
            self._course_file(courses, classes),
            self._student_file(users, classes),
            self._lecturer_file(users, classes),
            self._roster_file(users, classes),
        ]
        self._identify(courses, classes, users)
        identities = Aligned("system", "kind", "external_id", "course_code", "group", "index_number", "email")
        for line in self._identities:
            identities.append(*line)
        files.append(ImportFile(IDENTITIES, "identities.csv", identities.data()) if self._identities else None)
        return RosterConversion([file for file in files if file is not None], self._notes)

    # What there is.

    def _courses(self) -> dict[str, str]:
        """The code of each course, by what the system calls it."""
        found = dict(self._known.courses)
        for row in self._tables.good("courses"):
            found[row.id] = fields.COURSE_CODE.clean(row["courseCode"] or row.id)
        return found

    def _classes(self, courses: Mapping[str, str]) -> dict[str, RosterClass]:
        """The classes that go on, by what the system calls them."""
        ended = {row.id for row in self._tables.good("academicSessions") if self._has_ended(row)}
        going_on: dict[str, RosterRow] = {}
        for row in self._tables.good("classes"):
            terms = [term.strip() for term in row["termSourcedIds"].split(",") if term.strip()]
            if row.deleted or (terms and ended.issuperset(terms)):
                self._ended.add(row.id)
            else:
                going_on[row.id] = row
        if self._ended:
            self._notes.append(
                english_count(
                    "%(num)s class is over or deleted, and is left out.",
                    "%(num)s classes are over or deleted, and are left out.",
                    num=len(self._ended),
                )
            )
        found = {name: one for name, one in self._known.classes.items() if name not in self._ended}
        by_course: dict[str, set[str]] = {}
        for name, one in found.items():
            by_course.setdefault(one.course_code, set()).add(name)
        for row in going_on.values():
            by_course.setdefault(courses.get(row["courseSourcedId"], ""), set()).add(row.id)
        for code, names in by_course.items():
            for name in names & going_on.keys():
                known = found.get(name)
                alone = len(names) == 1 and not (known and known.group)
                found[name] = RosterClass(code, "" if alone else self._group(going_on[name], code, names, going_on))
        return {name: one for name, one in found.items() if one.course_code}

    def _group(self, row: RosterRow, code: str, beside: Iterable[str], rows: Mapping[str, RosterRow]) -> str:
        """What a class is called as a group of its course; with its identity where another is called the same.

        "" for the class that has the course's own code: that is all of the course, beside its groups.
        """

        def called(one: RosterRow) -> str:
            return fields.GROUP_NAME.clean(one["classCode"] or one["title"])

        name = called(row)
        if name == code:
            return ""
        twins = [one for one in beside if one in rows and called(rows[one]) == name]
        return name if len(twins) < 2 else f"{name} ({row.id})"[: fields.GROUP_NAME.longest]

    def _has_ended(self, row: RosterRow) -> bool:
        # The end is the first day on which the session is over (OneRoster 1.2, endDate).
        end = row.day("endDate")
        return row.deleted or (end is not None and end <= self._today)

    def _users(self) -> dict[str, RosterUser]:
        """Everybody, by what the system calls them."""
        found = dict(self._known.users)
        deleted = 0
        for row in self._tables.good("users"):
            deleted += row.deleted
            name = " ".join(
                part
                for part in (
                    row["preferredGivenName"] or row["givenName"],
                    row["preferredFamilyName"] or row["familyName"],
                )
                if part
            )
            email = fields.EMAIL.clean(row["email"])
            usable = email if email and fields.EMAIL.problem(email) is None else ""
            found[row.id] = RosterUser(
                self._rule.clean(row[self._number_from.value]), fields.PERSON_NAME.clean(name), usable
            )
        if deleted:
            self._notes.append(
                english_count(
                    "%(num)s person is marked as deleted. Nobody is deleted by a roster: see the student's page.",
                    "%(num)s people are marked as deleted. Nobody is deleted by a roster: see the students' pages.",
                    num=deleted,
                )
            )
        return found

    # The files.

    def _course_file(self, courses: Mapping[str, str], classes: Mapping[str, RosterClass]) -> ImportFile | None:
        orgs = {row.id: row for row in self._tables.good("orgs")}
        used = {one.course_code for one in classes.values()}
        file = Aligned("code", "name", "department")
        without = 0
        for row in self._tables.of("courses"):
            if row.problem is not None:
                file.leave_out(row.number, row.problem.message)
            elif row.deleted or courses[row.id] not in used:
                without += 1
            else:
                file.put(row.number, courses[row.id], row["title"], self._department(orgs, row["orgSourcedId"]))
        if without:
            self._notes.append(
                english_count(
                    "%(num)s course has no class that goes on, and is left out.",
                    "%(num)s courses have no class that goes on, and are left out.",
                    num=without,
                )
            )
        return file.as_import(KINDS["courses"], "courses.csv")

    def _department(self, orgs: Mapping[str, RosterRow], org_id: str) -> str:
        org = orgs.get(org_id)
        if org is None or org.deleted:
            return ""
        return org["name"] if org["type"].lower() == "department" or org["parentSourcedId"] else ""

    def _student_file(self, users: Mapping[str, RosterUser], classes: Mapping[str, RosterClass]) -> ImportFile | None:
        """Those who are enrolled as students now, or whom the system named as such before."""
        enrolled = {
            row["userSourcedId"] for row in self._tables.good("enrollments")
            if row["role"].lower() == _STUDENT and row["classSourcedId"] in classes and self._counts(row)
        }  # fmt: skip
        before = {name for name, one in self._known.users.items() if one.number}
        file = Aligned("index_number", "name", "email")
        for row in self._tables.of("users"):
            if row.problem is not None:
                file.leave_out(row.number, row.problem.message)
            elif row.id in enrolled or (row.id in before and not row.deleted):
                user = users[row.id]
                file.put(row.number, user.number, user.name, user.email)
        return file.as_import(KINDS["students"], "users.csv")

    def _lecturer_file(self, users: Mapping[str, RosterUser], classes: Mapping[str, RosterClass]) -> ImportFile | None:
        file = Aligned("email", "name", "course_code", "role")
        given, leaving = set[tuple[str, str]](), 0
        for row in self._tables.good("enrollments"):
            role = _TEACHES.get(row["role"].lower())
            of, user = classes.get(row["classSourcedId"]), users.get(row["userSourcedId"])
            if role is None or of is None:
                continue
            if not self._counts(row):
                leaving += 1
            elif user is None or not user.email:
                who = user.name if user and user.name else row["userSourcedId"]
                file.leave_out(row.number, english("%(who)s has no e-mail address to sign in with.", who=who))
            elif (user.email, of.course_code) not in given:
                given.add((user.email, of.course_code))
                file.put(row.number, user.email, user.name, of.course_code, role)
        if leaving:
            self._notes.append(
                english_count(
                    "%(num)s person teaches a class no more. Roles are not taken away by a roster: see the course.",
                    "%(num)s people teach a class no more. Roles are not taken away by a roster: see the courses.",
                    num=leaving,
                )
            )
        return file.as_import(KINDS["lecturers"], "enrollments.csv")

    def _roster_file(self, users: Mapping[str, RosterUser], classes: Mapping[str, RosterClass]) -> ImportFile | None:
        file = Aligned("course_code", "group", "index_number", "name", "status")
        active: dict[RosterClass, set[str]] = {}
        removed: list[tuple[RosterClass, str]] = []
        for row in self._tables.of("enrollments"):
            if row.problem is not None:
                file.leave_out(row.number, row.problem.message)
                continue
            if row["role"].lower() != _STUDENT or row["classSourcedId"] in self._ended:
                continue
            of, user = classes.get(row["classSourcedId"]), users.get(row["userSourcedId"])
            if of is None or user is None:
                file.leave_out(row.number, _unknown(row, of is None))
            elif self._counts(row):
                active.setdefault(of, set()).add(user.number)
                file.put(row.number, of.course_code, of.group, user.number, user.name, ACTIVE)
            elif self._archive.mode("enrollments") is Mode.DELTA:
                removed.append((of, user.number))
                file.put(row.number, of.course_code, of.group, user.number, "", REMOVED)
        gone = (
            gone_from(self._db, self._covered(classes), active)
            if self._archive.mode("enrollments") is Mode.BULK
            else gone_with(self._db, removed, active)
        )
        for course_code, group, number in gone:
            file.append(course_code, group, number, "", REMOVED)
        return file.as_import(ROSTER, "enrollments.csv")

    def _covered(self, classes: Mapping[str, RosterClass]) -> set[RosterClass]:
        """The classes that this archive names, and so says who is in them."""
        here = {row.id for row in self._tables.good("classes")}
        return {one for name, one in classes.items() if name in here}

    def _counts(self, row: RosterRow) -> bool:
        """Whether an enrolment is one now."""
        end = row.day("endDate")
        return not row.deleted and (end is None or end > self._today)

    def _identify(
        self, courses: Mapping[str, str], classes: Mapping[str, RosterClass], users: Mapping[str, RosterUser]
    ) -> None:
        """Keep what the archive calls what it names."""
        used = {one.course_code for one in classes.values()}
        for row in self._tables.good("courses"):
            if courses[row.id] in used and not row.deleted:
                self._keep(ExternalKind.COURSE, row.id, course_code=courses[row.id])
        for row in self._tables.good("classes"):
            if row.id in classes:
                one = classes[row.id]
                self._keep(ExternalKind.CLASS, row.id, course_code=one.course_code, group=one.group)
        parts: dict[tuple[ExternalKind, str], None] = {}
        for row in self._tables.good("enrollments"):
            if row["classSourcedId"] in classes and row["userSourcedId"] in users and self._counts(row):
                role = row["role"].lower()
                if role == _STUDENT:
                    parts[ExternalKind.STUDENT, row["userSourcedId"]] = None
                elif role in _TEACHES and users[row["userSourcedId"]].email:
                    parts[ExternalKind.ACCOUNT, row["userSourcedId"]] = None
        for kind, name in parts:
            user = users[name]
            if kind is ExternalKind.STUDENT:
                self._keep(kind, name, index_number=user.number)
            else:
                self._keep(kind, name, email=user.email)

    def _keep(
        self,
        kind: ExternalKind,
        name: str,
        *,
        course_code: str = "",
        group: str = "",
        index_number: str = "",
        email: str = "",
    ) -> None:
        if EXTERNAL_ID.problem(name) is None:
            self._identities.append((self._system, kind.value, name, course_code, group, index_number, email))


def _unknown(row: RosterRow, is_class: bool) -> Text:
    if is_class:
        return english("There is no class %(id)s in classes.csv.", id=row["classSourcedId"] or "?")
    return english("There is no user %(id)s in users.csv.", id=row["userSourcedId"] or "?")
