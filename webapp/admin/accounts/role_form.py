"""The form that gives a role, and the words that say which somebody has."""

from collections.abc import Sequence

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from wtforms import Field, RadioField, SelectField, StringField

from attendance.database.access.roles import Reach, give_role, role_details
from attendance.database.models import Account, AccountRole, AuditAction, Course, Department, Role
from attendance.tables.fields import COURSE_CODE
from webapp.account.noting import noted
from webapp.admin.forms import AdminForm, options
from webapp.tools.fields import cleaned
from webapp.tools.storage import database

_SHOWN = 4
"""Courses of one role in a line."""


class RoleForm(AdminForm):
    """A role in a department or a course. `offer_departments` must fill the departments first."""

    role = RadioField(
        lazy_gettext("Role"),
        choices=options(
            [
                (Role.DEPARTMENT.value, lazy_gettext("Head of a department")),
                (Role.LECTURER.value, lazy_gettext("Lecturer of a course")),
                (Role.ASSISTANT.value, lazy_gettext("Assistant of a course")),
            ]
        ),
        default=Role.LECTURER.value,
    )
    department = SelectField(lazy_gettext("Department"), validate_choice=False)
    course = StringField(lazy_gettext("Code of the course"), filters=[cleaned(COURSE_CODE)])

    def offer_departments(self) -> "RoleForm":
        """Fill the list; returns the form."""
        found = database().scalars(sa.select(Department).order_by(Department.name)).all()
        self.offered = frozenset(str(each.id) for each in found)
        self.department.choices = options([("", "\u2013"), *((str(each.id), each.name) for each in found)])
        return self

    def reach(self) -> Reach | None:
        """Where the role is to be held; None, with the sentence at its field, where there is no such place."""
        if self.role.data == Role.DEPARTMENT.value:
            if self.department.data in self.offered:
                return Reach(department_id=int(self.department.data))
            self.department.errors = [_("Choose the department.")]
            return None
        code = self.course.data or ""
        found = database().scalar(sa.select(Course.id).where(Course.code == code))
        if found is None:
            self.course.errors = [
                _("There is no course with the code %(code)s.", code=code) if code else _("Type the course's code.")
            ]
            return None
        return Reach(course_id=found)


def give(db: Session, field: Field, account: Account, role: Role, reach: Reach) -> bool:
    """Give a role and commit; False, with the sentence at the field, when what it is about was changed meanwhile."""
    try:
        if give_role(db, account.id, role, reach):
            noted(AuditAction.ROLE_GIVEN, subject=account.email, details=role_details(db, role, reach))
        db.commit()
    except IntegrityError:
        db.rollback()
        field.errors = [*field.errors, _("The account, the course or the department was changed meanwhile. Try again.")]
        return False
    return True


def role_words(roles: Sequence[AccountRole]) -> list[str]:
    """The roles as lines of text: everywhere, of departments, of courses; loaded with what they are of."""
    words = [_("Administrator")] if any(each.everywhere for each in roles) else []
    departments = sorted(each.department.name for each in roles if each.department)
    words += [_("Head of %(department)s", department=name) for name in departments]
    teaches, assists = _codes(roles, Role.LECTURER), _codes(roles, Role.ASSISTANT)
    if teaches:
        words.append(_("Lecturer of %(courses)s", courses=_listed(teaches)))
    if assists:
        words.append(_("Assistant of %(courses)s", courses=_listed(assists)))
    return words


def _codes(roles: Sequence[AccountRole], role: Role) -> list[str]:
    return sorted(each.course.code for each in roles if each.course and each.role is role)


def _listed(codes: Sequence[str]) -> str:
    shown = ", ".join(codes[:_SHOWN])
    more = len(codes) - _SHOWN
    return _("%(courses)s and %(number)s more", courses=shown, number=more) if more > 0 else shown
