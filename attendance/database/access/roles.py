"""Roles of accounts: who administers, who teaches what, and giving a role or taking it away."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.access_tokens import end_tokens_without_roles
from attendance.database.models import Account, AccountRole, Course, Department, Role


@dataclass(frozen=True)
class Reach:
    """Where a role is held; nothing of it: everywhere."""

    department_id: int | None = None
    course_id: int | None = None


EVERYWHERE = Reach()


def administers() -> sa.ColumnElement[bool]:
    """The condition that an account of the query is an administrator's, whether it may sign in or not."""
    return sa.exists().where(AccountRole.account_id == Account.id, AccountRole.role == Role.ADMIN)


def is_taught() -> sa.ColumnElement[bool]:
    """The condition that somebody who may sign in teaches a course of the query."""
    return sa.exists().where(
        AccountRole.course_id == Course.id,
        AccountRole.role == Role.LECTURER,
        AccountRole.account_id == Account.id,
        Account.active,
    )


def lock_administrators(db: Session) -> frozenset[int]:
    """Who may administer, none of whom anybody else changes until the caller's transaction ends.

    Nobody changes their own rights. As long as each change is made by one of these, one remains: of two administrators
    who take each other's rights away at once, the second is not among them any more.

    Returns:
        Their ids.
    """
    admins = sa.select(Account.id).join(AccountRole, AccountRole.account_id == Account.id)
    admins = admins.where(AccountRole.role == Role.ADMIN, Account.active).order_by(Account.id)
    return frozenset(db.scalars(admins.with_for_update()))


def give_role(db: Session, account_id: int, role: Role, reach: Reach = EVERYWHERE) -> bool:
    """Give an account a role by hand, in the caller's transaction. In a course it takes the place of the one there.

    One that it has by a group stays one by the group.

    Tokens of programs that rest on a role which is lost end with it.

    Args:
        db: begun with `begin_writing`.
        account_id: of a row that is there.
        role: what.
        reach: where; it must fit the role.

    Returns:
        False: the account had it already.

    Raises:
        sqlalchemy.exc.IntegrityError: somebody gave it at the same moment, the department or course is not there any
            more, or the reach does not fit the role.
    """
    held = _held(db, account_id, reach)
    if held is None:
        everywhere = True if reach == EVERYWHERE else None
        db.add(
            AccountRole(
                account_id=account_id,
                role=role,
                everywhere=everywhere,
                department_id=reach.department_id,
                course_id=reach.course_id,
            )
        )
    elif held.role is role:
        return False
    else:
        held.role, held.from_provider = role, False
        end_tokens_without_roles(db, account_id)
    db.flush()
    return True


def role_in(db: Session, account_id: int, reach: Reach) -> Role | None:
    """The role that an account has there; None for none."""
    held = _held(db, account_id, reach)
    return None if held is None else held.role


def take_role(db: Session, account_id: int, reach: Reach = EVERYWHERE) -> bool:
    """Take away the role that an account has there, in the caller's transaction; False: it had none.

    Tokens of programs that rest on it end.
    """
    taken = db.execute(sa.delete(AccountRole).where(AccountRole.account_id == account_id, *_there(reach)))
    end_tokens_without_roles(db, account_id)
    return bool(taken.rowcount)  # type: ignore[attr-defined] # of a cursor's result, which Result does not promise


def role_details(db: Session, role: Role, reach: Reach) -> dict[str, str | int]:
    """How the audit log calls a role, and where it is held."""
    details: dict[str, str | int] = {"role": role.value}
    if reach.department_id is not None:
        details["department"] = db.scalar(sa.select(Department.name).where(Department.id == reach.department_id)) or ""
    if reach.course_id is not None:
        details["course"] = db.scalar(sa.select(Course.code).where(Course.id == reach.course_id)) or ""
    return details


def _held(db: Session, account_id: int, reach: Reach) -> AccountRole | None:
    return db.scalar(sa.select(AccountRole).where(AccountRole.account_id == account_id, *_there(reach)))


def _there(reach: Reach) -> tuple[sa.ColumnElement[bool], ...]:
    if reach == EVERYWHERE:
        return (AccountRole.everywhere.is_(True),)
    if reach.department_id is not None:
        return (AccountRole.department_id == reach.department_id,)
    return (AccountRole.course_id == reach.course_id,)
