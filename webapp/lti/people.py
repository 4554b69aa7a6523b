"""Who somebody of a platform is here: bound by the platform's own identity of the person, which it gives nobody else.

The binding comes from the person, who signs in here once and says so; from a roster; or, where an administrator lets
the platform do that, from the e-mail address that the platform says. What it opens is what the account may here.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.identities import OF_PLATFORM
from attendance.database.access.roles import Reach, give_role, role_details, role_in
from attendance.database.audit.noting import note
from attendance.database.models import (
    Account,
    AuditAction,
    ExternalIdentity,
    ExternalKind,
    LtiCourse,
    LtiMatching,
    LtiPlatform,
    Role,
    Student,
    utc_now,
)
from webapp.lti.claims import ClaimPart, LaunchPerson

_ROLES = {ClaimPart.TEACHES: Role.LECTURER, ClaimPart.ASSISTS: Role.ASSISTANT}


def system_of(platform_id: int) -> str:
    """How identities that a platform gives are told from those of other systems."""
    return f"{OF_PLATFORM}{platform_id}"


@dataclass(frozen=True)
class KnownPerson:
    """Who a person of a platform is here; both, where somebody teaches and studies."""

    account: Account | None
    student: Student | None


def known_as(db: Session, platform: LtiPlatform, person: LaunchPerson) -> KnownPerson:
    """Who somebody is here, bound now if the e-mail address may do that; in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        platform: which says who it is.
        person: whom it means.
    """
    account_id, student_id = (_bound(db, platform, kind, person.subject) for kind in (
        ExternalKind.ACCOUNT, ExternalKind.STUDENT
    ))  # fmt: skip
    account = db.get(Account, account_id) if account_id else None
    student = db.get(Student, student_id) if student_id else None
    if platform.matching is LtiMatching.EMAIL and person.email:
        account = account or _account_by_email(db, platform, person)
        student = student or _student_by_email(db, platform, person)
    return KnownPerson(account, student)


def connect(db: Session, platform: LtiPlatform, account: Account, subject: str) -> None:
    """Bind somebody of a platform to an account, in the caller's transaction; what was bound before is not any more."""
    disconnect(db, platform.id, account_id=account.id)
    _bind(db, platform, ExternalKind.ACCOUNT, subject, account_id=account.id)
    note(db, AuditAction.LTI_PERSON_CONNECTED, actor=account.id, subject=account.email, details=_said(platform))


def disconnect(db: Session, platform_id: int, *, account_id: int) -> bool:
    """End the binding of an account to somebody of a platform, in the caller's transaction; False: there is none."""
    gone = sa.delete(ExternalIdentity).where(
        ExternalIdentity.system == system_of(platform_id),
        ExternalIdentity.kind == ExternalKind.ACCOUNT,
        ExternalIdentity.account_id == account_id,
    )
    return bool(db.connection().execute(gone).rowcount)


def platforms_of(db: Session, account_id: int) -> list[LtiPlatform]:
    """The platforms at which somebody is bound to an account, by name."""
    held = sa.select(ExternalIdentity.system).where(
        ExternalIdentity.kind == ExternalKind.ACCOUNT, ExternalIdentity.account_id == account_id
    )
    systems = set(db.scalars(held))
    return [
        one for one in db.scalars(sa.select(LtiPlatform).order_by(LtiPlatform.name)) if system_of(one.id) in systems
    ]


def give_role_of(db: Session, account: Account, course: LtiCourse, part: ClaimPart) -> bool:
    """Let who teaches in a platform's course do so here, where an administrator said so; in the caller's transaction.

    Nobody gets more than lecturer or assistant of the one course, and who has a role in it keeps that. Administrators,
    who may everything, get none.

    Returns:
        Whether there is a new role.
    """
    role = _ROLES.get(part)
    if role is None or course.course_id is None or not course.gives_roles or account.administers:
        return False
    reach = Reach(course_id=course.course_id)
    if role_in(db, account.id, reach) is not None:
        return False
    give_role(db, account.id, role, reach)
    details = role_details(db, role, reach) | _said(course.deployment.platform)
    note(db, AuditAction.ROLE_GIVEN, actor=account.id, subject=account.email, details=details)
    return True


def _bound(db: Session, platform: LtiPlatform, kind: ExternalKind, subject: str) -> int | None:
    query = sa.select(ExternalIdentity).where(
        ExternalIdentity.system == system_of(platform.id),
        ExternalIdentity.kind == kind,
        ExternalIdentity.external_id == subject,
    )
    found = db.scalar(query)
    if found is None:
        return None
    return found.account_id if kind is ExternalKind.ACCOUNT else found.student_id


def _bind(db: Session, platform: LtiPlatform, kind: ExternalKind, subject: str, **who: Any) -> None:
    mine = {"system": system_of(platform.id), "kind": kind, "external_id": subject}
    found = db.scalar(sa.select(ExternalIdentity).filter_by(**mine).with_for_update())
    row = found or ExternalIdentity(**mine)
    for column, value in who.items():
        setattr(row, column, value)
    row.noted_at = utc_now()
    db.add(row)
    db.flush()


def _account_by_email(db: Session, platform: LtiPlatform, person: LaunchPerson) -> Account | None:
    """The account with the address; none of an administrator, who may everything, and whom a platform must not be."""
    account = db.scalar(sa.select(Account).where(Account.email == person.email, Account.active))
    if account is None or account.administers or _is_bound(db, platform, account_id=account.id):
        return None
    connect(db, platform, account, person.subject)
    return account


def _student_by_email(db: Session, platform: LtiPlatform, person: LaunchPerson) -> Student | None:
    student = db.scalar(sa.select(Student).where(Student.email == person.email))
    if student is None or _is_bound(db, platform, student_id=student.id):
        return None
    _bind(db, platform, ExternalKind.STUDENT, person.subject, student_id=student.id)
    return student


def _is_bound(db: Session, platform: LtiPlatform, **who: int) -> bool:
    """Whether somebody else there is bound to them already: one address must not be two people."""
    query = sa.select(ExternalIdentity.id).filter_by(system=system_of(platform.id), **who)
    return db.scalar(query.limit(1)) is not None


def _said(platform: LtiPlatform) -> dict[str, str | int]:
    return {"platform": platform.name}
