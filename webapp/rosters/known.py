"""What a student system has named before, by its own identities: a delta may name nothing else."""

from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Account, Course, CourseGroup, ExternalIdentity, ExternalKind, Student


@dataclass(frozen=True)
class RosterClass:
    """A class that goes on: the code of its course, and its group of it ("" where it is all of the course)."""

    course_code: str
    group: str


@dataclass(frozen=True)
class RosterUser:
    """A person; each field "" where the system does not say it."""

    number: str
    name: str
    email: str


@dataclass
class KnownRoster:
    """What the system has named before, by its own identities."""

    courses: dict[str, str] = field(default_factory=dict)
    classes: dict[str, RosterClass] = field(default_factory=dict)
    users: dict[str, RosterUser] = field(default_factory=dict)


def known_of(db: Session, system: str) -> KnownRoster:
    """What the system has named before."""
    known = KnownRoster()
    query = (
        sa.select(
            ExternalIdentity.kind, ExternalIdentity.external_id, Course.code, CourseGroup.name,
            Student.index_number, Student.name, Account.email, Account.name,
        )
        .outerjoin(Course, Course.id == ExternalIdentity.course_id)
        .outerjoin(CourseGroup, CourseGroup.id == ExternalIdentity.group_id)
        .outerjoin(Student, Student.id == ExternalIdentity.student_id)
        .outerjoin(Account, Account.id == ExternalIdentity.account_id)
        .where(ExternalIdentity.system == system)
    )  # fmt: skip
    for kind, name, code, group, number, student, email, account in db.execute(query):
        if kind is ExternalKind.COURSE:
            known.courses[name] = code
        elif kind is ExternalKind.CLASS:
            known.classes[name] = RosterClass(code, group or "")
        else:
            before = known.users.get(name, RosterUser("", "", ""))
            known.users[name] = RosterUser(
                number or before.number, student or account or before.name, email or before.email
            )
    return known
