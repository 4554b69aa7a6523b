"""People of the institution's provider (OpenID Connect), bound to accounts and students here.

At the first sign-in somebody is found by a claim, such as the e-mail address, and bound. From then on only issuer and
subject count, which a provider gives to nobody else: who gets an address that another had before gets nothing of
theirs. A binding ends with its account or student, when an administrator releases it, and when the address or the index
number here changes, as somebody else may have been found by the one from before. Sign-ins made through it end with it.
Whom a learning platform found by the address it is to find anew then, too.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.access_tokens import end_access_tokens
from attendance.database.access.accounts import set_password
from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.access.sign_ins import end_sign_ins
from attendance.database.models import (
    AccessToken,
    Account,
    CalendarFeed,
    ExternalIdentity,
    ExternalKind,
    IdentityKind,
    LtiMatching,
    LtiPlatform,
    ProviderIdentity,
    SignIn,
    SpentAnswer,
    Student,
)
from attendance.database.transactions import inserted

LONGEST = 255
"""Characters of an issuer, and of a subject (OpenID Connect Core 1.0, section 2)."""
OF_PLATFORM = "lti:"
"""How `ExternalIdentity.system` begins where a learning platform calls somebody so."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A person, as a provider tells them from all others: the claims `iss` and `sub`."""

    issuer: str
    subject: str


def identity_of(db: Session, whom: Subject, kind: IdentityKind) -> ProviderIdentity | None:
    """Whom a person of a provider is bound to; None: nobody yet."""
    which = (ProviderIdentity.issuer == whom.issuer, ProviderIdentity.subject == whom.subject)
    return db.scalar(sa.select(ProviderIdentity).where(*which, ProviderIdentity.kind == kind))


def bound_to(db: Session, issuer: str, person: Account | Student) -> ProviderIdentity | None:
    """Which person of a provider an account or a student is bound to; None: none."""
    return db.scalar(sa.select(ProviderIdentity).where(_of(person), ProviderIdentity.issuer == issuer))


def identities_of(db: Session, person: Account | Student) -> list[ProviderIdentity]:
    """All people of providers to whom an account or a student is bound; more than one after the provider changed."""
    return list(db.scalars(sa.select(ProviderIdentity).where(_of(person)).order_by(ProviderIdentity.id)))


def bind(db: Session, whom: Subject, person: Account | Student, *, now: datetime, keep_password: bool) -> int:
    """Bind an account or a student to a person of a provider, in the caller's transaction.

    The password of an account ends with it, unless it is to be kept, and so does all else that lets in: sign-ins,
    tokens of programs, connections with learning platforms, the calendar's address. Whoever had the account before the
    provider said whose it is must not go on beside its owner.

    Args:
        db: begun with `begin_writing`.
        whom: the person there.
        person: who is bound to nobody of that issuer.
        now: aware.
        keep_password: whether an account's password stays, with all else.

    Returns:
        The identity's id.

    Raises:
        sqlalchemy.exc.IntegrityError: somebody was bound at the same moment.
    """
    row = ProviderIdentity(issuer=whom.issuer, subject=whom.subject, linked_at=now, used_at=now)
    if isinstance(person, Account):
        row.kind, row.account_id = IdentityKind.ACCOUNT, person.id
    else:
        row.kind, row.student_id = IdentityKind.STUDENT, person.id
    db.add(row)
    db.flush()
    if isinstance(person, Account) and not keep_password:
        _shut_out(db, person)
    return row.id


def _shut_out(db: Session, account: Account) -> None:
    """End what whoever had an account until now comes in with."""
    set_password(db, account, NO_PASSWORD)
    end_sign_ins(db, SignIn.account_id == account.id)
    end_access_tokens(db, AccessToken.account_id == account.id)
    connected = (ExternalIdentity.kind == ExternalKind.ACCOUNT, ExternalIdentity.system.startswith(OF_PLATFORM))
    db.execute(sa.delete(ExternalIdentity).where(*connected, ExternalIdentity.account_id == account.id))
    db.execute(sa.delete(CalendarFeed).where(CalendarFeed.account_id == account.id))


def release(db: Session, *which: sa.ColumnElement[bool]) -> int:
    """End the bindings that these conditions name, and their sign-ins, in the caller's transaction; how many."""
    return db.connection().execute(sa.delete(ProviderIdentity).where(*which)).rowcount


def release_accounts(db: Session, account_ids: Collection[int]) -> None:
    """Before what accounts are found by changes: end their bindings, in the caller's transaction."""
    release(db, ProviderIdentity.account_id.in_(account_ids))
    _release_at_platforms(db, ExternalIdentity.account_id.in_(account_ids))


def release_students(db: Session, student_ids: Collection[int]) -> None:
    """The same of students."""
    if student_ids:
        release(db, ProviderIdentity.student_id.in_(student_ids))
        _release_at_platforms(db, ExternalIdentity.student_id.in_(student_ids))


def _release_at_platforms(db: Session, whose: sa.ColumnElement[bool]) -> None:
    """At learning platforms that find people by their address; at others people said themselves who they are."""
    by_address = db.scalars(sa.select(LtiPlatform.id).where(LtiPlatform.matching == LtiMatching.EMAIL))
    systems = [f"{OF_PLATFORM}{platform_id}" for platform_id in by_address]
    if systems:
        db.execute(sa.delete(ExternalIdentity).where(ExternalIdentity.system.in_(systems), whose))


def sign_ins_through(subject: Subject | None, issuer: str, session: str | None) -> sa.ColumnElement[bool]:
    """The condition of sign-ins through a provider: of one of its sessions, or of all of a person; both: of both."""
    identities = sa.select(ProviderIdentity.id).where(ProviderIdentity.issuer == issuer)
    if subject is not None:
        identities = identities.where(ProviderIdentity.subject == subject.subject)
    condition = SignIn.identity_id.in_(identities)
    return condition if session is None else sa.and_(condition, SignIn.provider_session == session)


def spend(db: Session, *unique: str, now: datetime, expires_at: datetime) -> bool:
    """Use an answer of a provider for the one time that it counts, in the caller's transaction, as its first step.

    Args:
        db: begun with `begin_writing`. The transaction is rolled back where the answer was used before.
        unique: what tells it from every other.
        now: aware.
        expires_at: until when the answer could be believed.

    Returns:
        False: it was used before.
    """
    db.execute(sa.delete(SpentAnswer).where(SpentAnswer.expires_at < now))
    digest = hashlib.sha256("\0".join(unique).encode()).hexdigest()
    if inserted(db, SpentAnswer(digest=digest, expires_at=expires_at)):
        return True
    db.rollback()
    return False


def _of(person: Account | Student) -> sa.ColumnElement[bool]:
    if isinstance(person, Account):
        return ProviderIdentity.account_id == person.id
    return ProviderIdentity.student_id == person.id
