"""Departments, which courses belong to."""

import sqlalchemy as sa
from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from attendance.database.models import AuditAction, Course, Department
from webapp.account.noting import noted
from webapp.changes.errors import ChangeError, refuse_taken, unless_meanwhile
from webapp.tools.storage import count_rows


def add_department(db: Session, name: str) -> Department:
    """Add a department.

    Raises:
        ChangeError: another has the name.
    """
    refuse_taken(db, "name", Department.name, name, _taken())
    department = Department(name=name)
    with unless_meanwhile(db, "name", _taken()):
        db.add(department)
        noted(AuditAction.DEPARTMENT_ADDED, subject=name)
    return department


def change_department(db: Session, department: Department, name: str) -> Department:
    """Give a department another name.

    Raises:
        ChangeError: another has it.
    """
    before = department.name
    if name == before:
        return department
    refuse_taken(db, "name", Department.name, name, _taken(), but=department.id)
    with unless_meanwhile(db, "name", _taken()):
        department.name = name
        noted(AuditAction.DEPARTMENT_CHANGED, subject=name, details={"before": before})
    return department


def why_department_stays(db: Session, department: Department) -> str | None:
    """Why a department cannot be deleted; None: it can."""
    courses = count_rows(db, Course, Course.department_id == department.id)
    words = ngettext(
        "%(num)s course belongs to it. A department can be deleted once no course does.",
        "%(num)s courses belong to it. A department can be deleted once no course does.",
        courses,
    )
    return words if courses else None


def delete_department(db: Session, department: Department) -> None:
    """Delete a department without courses; its heads lose the role.

    Raises:
        ChangeError: a course belongs to it.
    """
    name, department_id = department.name, department.id
    words = gettext("%(name)s is not deleted: a course belongs to it.", name=name)
    if why_department_stays(db, department) is not None:
        raise ChangeError("", words, conflict=True)
    with unless_meanwhile(db, "", words):
        db.execute(sa.delete(Department).where(Department.id == department_id))
        noted(AuditAction.DEPARTMENT_DELETED, subject=name)


def _taken() -> str:
    return gettext("Another department has this name.")
