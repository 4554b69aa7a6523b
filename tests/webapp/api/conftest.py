"""A course with a register, and programs of those who teach and administer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from attendance.database.models import Account, ClassSession, Course, Role, Student, utc_now
from tests.factories import enrol, make_course, make_lecturer, make_room, make_session, make_student
from tests.webapp.api.programs import Program, make_program
from tests.webapp.visiting import Site


@dataclass(frozen=True)
class Class:
    """A course with three students, and a session of it that ended an hour ago."""

    lecturer: Account
    course: Course
    session: ClassSession
    students: tuple[Student, ...]


@pytest.fixture
def lesson(site_db: Session) -> Class:
    """A course of a lecturer's own."""
    lecturer = make_lecturer(site_db, email="ada@example.edu")
    course = make_course(site_db, "MAT101", "Algebra", lecturers=(lecturer,))
    students = tuple(make_student(site_db, f"s{number}", name) for number, name in enumerate(("Alan", "Kurt", "Emmy")))
    enrol(site_db, course, *students)
    starts = utc_now().replace(microsecond=0, second=0) - timedelta(hours=2, minutes=30)
    session = make_session(site_db, course, make_room(site_db, "Hall A"), starts_at=starts)
    site_db.commit()
    return Class(lecturer, course, session, students)


@pytest.fixture
def program(site: Site, site_db: Session, lesson: Class) -> Program:
    """Of the lecturer."""
    return make_program(site, site_db, lesson.lecturer)


@pytest.fixture
def administrator(site_db: Session) -> Account:
    """Who administers."""
    account = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    return account


@pytest.fixture
def of_admin(site: Site, site_db: Session, administrator: Account) -> Program:
    """Of the administrator."""
    return make_program(site, site_db, administrator)


@pytest.fixture
def made(site: Site, site_db: Session) -> Callable[..., Program]:
    """`made(account, scopes=..., courses=...)`: another program."""
    names = iter(f"Script {number}" for number in range(2, 100))

    def make(account: Account, **more: Any) -> Program:
        return make_program(site, site_db, account, name=next(names), **more)

    return make
