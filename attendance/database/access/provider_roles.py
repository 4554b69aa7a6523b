"""Roles by groups: what rules make of an account by what the institution's provider says of its owner."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.access_tokens import end_tokens_without_roles
from attendance.database.access.roles import EVERYWHERE, Reach, role_details
from attendance.database.audit.noting import Actor, note
from attendance.database.models import Account, AccountRole, AuditAction, Course, Department, Role

_STRONGER = (Role.LECTURER, Role.ASSISTANT)
"""Of two rules about one course, the first of these counts."""


def places_of(db: Session, wanted: Iterable[tuple[str, str]]) -> dict[Reach, Role]:
    """Where roles by rules reach; what names a department or a course that is not there gives nothing.

    Args:
        db: a session.
        wanted: a role's value, and the name of a department or the code of a course.
    """
    found: dict[Reach, Role] = {}
    for value, place in wanted:
        role = Role(value)
        reach = EVERYWHERE if role is Role.ADMIN else _place(db, role, place)
        if reach is None:
            continue
        held = found.get(reach)
        if held is None or (role in _STRONGER and _STRONGER.index(role) < _STRONGER.index(held)):
            found[reach] = role
    return found


def follow_provider(db: Session, account: Account, wanted: Mapping[Reach, Role], *, actor: Actor) -> bool:
    """Give an account the roles by rules, and take away those that no rule gives any more; by hand given ones stay.

    Tokens of programs that rest on a role which is taken end with it.

    Args:
        db: begun with `begin_writing`.
        account: whose; read with its roles, and locked.
        wanted: as `places_of` gives it.
        actor: who does it, for the audit log.

    Returns:
        Whether anything changed.
    """
    held = {Reach(role.department_id, role.course_id): role for role in account.roles}
    changes: list[tuple[AuditAction, Role, Reach]] = []
    for reach, row in held.items():
        new = wanted.get(reach)
        if not row.from_provider or new is row.role:
            continue
        changes.append((AuditAction.ROLE_TAKEN, row.role, reach))
        if new is None:
            account.roles.remove(row)
        else:  # not deleted and added: the row is what makes it one role in one course
            changes.append((AuditAction.ROLE_GIVEN, new, reach))
            row.role = new
    for reach, role in wanted.items():
        if reach not in held:
            changes.append((AuditAction.ROLE_GIVEN, role, reach))
            account.roles.append(_row(role, reach))
    db.flush()
    if any(action is AuditAction.ROLE_TAKEN for action, _role, _reach in changes):
        end_tokens_without_roles(db, account.id)
    for action, role, reach in changes:
        note(db, action, actor=actor, subject=account.email, details=role_details(db, role, reach))
    return bool(changes)


def _row(role: Role, reach: Reach) -> AccountRole:
    everywhere = True if reach == EVERYWHERE else None
    places = {"department_id": reach.department_id, "course_id": reach.course_id}
    return AccountRole(role=role, everywhere=everywhere, from_provider=True, **places)


def _place(db: Session, role: Role, name: str) -> Reach | None:
    if role is Role.DEPARTMENT:
        department = db.scalar(sa.select(Department.id).where(Department.name == name))
        return None if department is None else Reach(department_id=department)
    course = db.scalar(sa.select(Course.id).where(Course.code == name))
    return None if course is None else Reach(course_id=course)
