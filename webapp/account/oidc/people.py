"""Whom a person of the provider is here: found by the binding, or by a claim and bound, or made by rule; or refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.identities import Subject, bind, bound_to, identity_of
from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.access.provider_roles import follow_provider, places_of
from attendance.database.audit.noting import by_program, note
from attendance.database.models import Account, AuditAction, IdentityKind, Student
from attendance.settings.claims import Condition, values_of
from attendance.settings.oidc import OidcSettings, StudentField
from attendance.tables.fields import EMAIL, INDEX_NUMBER, PERSON_NAME, TextRule
from webapp.account.oidc.tokens import Claims
from webapp.account.oidc.trouble import ProviderError, Reason

THE_PROVIDER = by_program("sign-in provider")
"""Who makes accounts, bindings and roles by rule, in the audit log."""


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """Who somebody is here, and the id of the binding."""

    person: Account | Student
    identity_id: int


def admit(settings: OidcSettings, claims: Claims) -> None:
    """Refuse whom the settings do not admit.

    Raises:
        ProviderError: NOT_ADMITTED.
    """
    admitting = settings.admitting
    if admitting and not any(one.found_in(claims) for one in admitting):
        raise ProviderError(Reason.NOT_ADMITTED)


def find_account(db: Session, settings: OidcSettings, claims: Claims, *, now: datetime) -> FoundPerson:
    """Whose account it is, with the roles that the claims give it, in the caller's transaction.

    Raises:
        ProviderError: nobody's, or one that may not sign in; `reason` says which.
        sqlalchemy.exc.IntegrityError: the same person came in at the same moment.
    """
    whom = Subject(settings.issuer, claims["sub"])
    known = identity_of(db, whom, IdentityKind.ACCOUNT)
    if known is not None:
        known.used_at = now
        account, identity_id = _locked(db, known.account_id), known.id
    else:
        there = _account_by_claim(db, settings, claims)
        if there is not None and bound_to(db, settings.issuer, there) is not None:
            raise ProviderError(Reason.TAKEN)
        if there is not None and not there.active:
            raise ProviderError(Reason.INACTIVE)
        account = there or _new_account(db, settings, claims)
        keep = settings.is_break_glass(account.email)
        identity_id = bind(db, whom, account, now=now, keep_password=keep)
        note(db, AuditAction.IDENTITY_LINKED, actor=THE_PROVIDER, subject=account.email)
    if not account.active:
        raise ProviderError(Reason.INACTIVE)
    _follow_rules(db, settings, account, claims)
    return FoundPerson(account, identity_id)


def find_student(db: Session, settings: OidcSettings, claims: Claims, *, now: datetime) -> FoundPerson:
    """Which student it is, in the caller's transaction; students come from the rosters, and none is made here.

    Raises:
        ProviderError: none, or somebody else's; `reason` says which.
        sqlalchemy.exc.IntegrityError: the same person came in at the same moment.
    """
    whom = Subject(settings.issuer, claims["sub"])
    known = identity_of(db, whom, IdentityKind.STUDENT)
    if known is not None:
        known.used_at = now
        return FoundPerson(db.get_one(Student, known.student_id), known.id)
    by_number = settings.student_field is StudentField.INDEX_NUMBER
    value = _value(settings.student_part, claims, INDEX_NUMBER if by_number else EMAIL)
    column = Student.index_number if by_number else Student.email
    student = db.scalar(sa.select(Student).where(column == value).with_for_update())
    if student is None:
        raise ProviderError(Reason.NOBODY)
    if bound_to(db, settings.issuer, student) is not None:
        raise ProviderError(Reason.TAKEN)
    identity_id = bind(db, whom, student, now=now, keep_password=True)
    note(db, AuditAction.IDENTITY_LINKED, actor=THE_PROVIDER, student=student.index_number)
    return FoundPerson(student, identity_id)


def said_address(settings: OidcSettings, claims: Claims) -> str:
    """What the provider calls somebody's account, to show it to them; "" where it does not say."""
    return next(iter(settings.account_part.found_in(claims)), "")[:254]


def _locked(db: Session, account_id: int | None) -> Account:
    query = sa.select(Account).where(Account.id == account_id).with_for_update()
    return db.scalars(query.execution_options(populate_existing=True)).one()


def _account_by_claim(db: Session, settings: OidcSettings, claims: Claims) -> Account | None:
    email = _value(settings.account_part, claims, EMAIL)
    return db.scalar(sa.select(Account).where(Account.email == email).with_for_update())


def _new_account(db: Session, settings: OidcSettings, claims: Claims) -> Account:
    """An account for whom a rule makes one."""
    if not any(one.found_in(claims) for one in settings.creating):
        raise ProviderError(Reason.NOBODY)
    email = _value(settings.account_part, claims, EMAIL)
    if EMAIL.problem(email) is not None:
        raise ProviderError(Reason.NO_CLAIM)
    names = (PERSON_NAME.clean(text) for text in _names(claims, email))
    name = next(text for text in names if PERSON_NAME.problem(text) is None)
    account = Account(email=email, name=name, password_hash=NO_PASSWORD)
    db.add(account)
    db.flush()
    note(db, AuditAction.ACCOUNT_ADDED, actor=THE_PROVIDER, subject=email)
    return account


def _names(claims: Claims, email: str) -> list[str]:
    parts = [*values_of(claims, "given_name")[:1], *values_of(claims, "family_name")[:1]]
    return [*values_of(claims, "name")[:1], " ".join(parts), email.partition("@")[0][:120], "?"]


def _value(part: Condition, claims: Claims, rule: TextRule) -> str:
    """The one value of a claim, as it is kept here.

    Raises:
        ProviderError: there is none, or several, or an address that the provider does not vouch for.
    """
    values = {rule.clean(text) for text in part.found_in(claims)} - {""}
    if len(values) != 1:
        raise ProviderError(Reason.NO_CLAIM, f"the claim {part.claim} has {len(values)} values that can be used")
    if part.claim == "email" and "false" in values_of(claims, "email_verified"):
        raise ProviderError(Reason.UNVERIFIED)
    return values.pop()


def _follow_rules(db: Session, settings: OidcSettings, account: Account, claims: Claims) -> None:
    if settings.is_break_glass(account.email):
        return
    rules = settings.role_rules
    if any(_left_out(claims, rule.condition.claim) for rule in rules):
        return  # too many groups for a token: roles stay as they were
    wanted = [found for rule in rules for found in rule.found_in(claims)]
    if follow_provider(db, account, places_of(db, wanted), actor=THE_PROVIDER):
        db.refresh(account, ["roles"])


def _left_out(claims: Claims, name: str) -> bool:
    """Whether a claim is elsewhere (OpenID Connect Core 1.0, section 5.6.2): Entra ID's of who is in many groups is."""
    elsewhere = claims.get("_claim_names")
    return name not in claims and (
        (isinstance(elsewhere, Mapping) and name in elsewhere) or claims.get("hasgroups") is True
    )


def known_claims(claims: Mapping[str, Any], settings: OidcSettings) -> list[str]:
    """Which of the claims that matter there are, for a log; names only."""
    return sorted(name for name in settings.needed_claims if values_of(claims, name))
