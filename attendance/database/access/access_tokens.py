"""Tokens of the interface for programs: made for an account, shown once, kept as hashes.

A token may at most what its account may, narrowed by scopes and, if wanted, to some courses. It ends when it expires or
is revoked, and when its account may not sign in any more or has lost one of the roles that the token rests on. It also
ends when its account is bound to a person of the institution's provider (`identities`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

from attendance.database.access.tokens import hash_token, new_token
from attendance.database.audit.noting import Actor, note
from attendance.database.locks import impatient
from attendance.database.models import AccessToken, Account, AccountRole, AuditAction, Course, utc_now

KIND = "att"
"""With which a token begins, for whoever finds one."""
SHOWN_EXPIRED = timedelta(days=90)
"""For so long a token that expired stays in the lists, with when and from where it was used last."""
_MINUTE_S = 60
_BRIEFLY_S = 0.05


@dataclass(frozen=True)
class NewToken:
    """A token to be made.

    Attributes:
        name: what it is for; none of the account's other tokens has it.
        scopes: words without spaces.
        courses: the only courses that it is for; None for all that the account reaches.
        lifetime: after which it expires.
    """

    name: str
    scopes: Sequence[str]
    courses: Sequence[Course] | None
    lifetime: timedelta


@dataclass(frozen=True)
class Use:
    """What became of counting a use.

    Attributes:
        allowed: whether it is within the limit.
        left: how many more are, in this minute.
        reset_s: seconds until the minute is over.
    """

    allowed: bool
    left: int
    reset_s: int


def make_access_token(db: Session, account: Account, new: NewToken, *, now: datetime) -> tuple[AccessToken, str]:
    """Make a token for an account, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        account: whom the program acts for.
        new: the token.
        now: aware.

    Returns:
        The row, and the token, which is kept nowhere.

    Raises:
        sqlalchemy.exc.IntegrityError: the account has a token of this name.
    """
    token = new_token(KIND)
    row = AccessToken(
        account_id=account.id,
        name=new.name,
        token_hash=hash_token(token),
        scopes=" ".join(new.scopes),
        narrowed=new.courses is not None,
        rests_on=_rests_on(account, new.courses),
        created_at=now,
        expires_at=now + new.lifetime,
        courses=list(new.courses or ()),
    )
    db.add(row)
    db.flush()
    return row, token


def access_token_of(db: Session, token: str, now: datetime) -> AccessToken | None:
    """The token that a program shows, with its account; None where there is none, or it has ended."""
    query = sa.select(AccessToken).where(AccessToken.token_hash == hash_token(token))
    account = joinedload(AccessToken.account)
    query = query.options(
        account.selectinload(Account.roles), account.joinedload(Account.second_factor), joinedload(AccessToken.courses)
    )
    found = db.scalars(query).unique().one_or_none()
    return found if found is not None and counts(found, now) else None


def counts(token: AccessToken, now: datetime) -> bool:
    """Whether a token, loaded with its account, opens anything now."""
    held = {_role_fact(role) for role in token.account.roles}
    return token.account.active and now < token.expires_at and held.issuperset(token.rests_on)


def access_tokens(*which: sa.ColumnElement[bool]) -> sa.Select[AccessToken]:
    """The query for tokens, with their accounts and courses, the newest first; expired ones are among them."""
    return (
        sa.select(AccessToken)
        .where(*which)
        .options(joinedload(AccessToken.account).selectinload(Account.roles), selectinload(AccessToken.courses))
        .order_by(AccessToken.id.desc())
    )


def end_access_tokens(db: Session, *which: sa.ColumnElement[bool]) -> int:
    """End the tokens that these conditions name, in the caller's transaction; how many there were."""
    db.flush()
    ended = db.connection().execute(sa.delete(AccessToken).where(*which))
    return ended.rowcount


def end_tokens_of(db: Session, account: Account, *, actor: Actor | int | None) -> int:
    """End all tokens of an account in the caller's transaction, and note each; how many there were.

    Args:
        db: begun with `begin_writing`.
        account: whose programs are let in no more.
        actor: who ends them, as for `note`.
    """
    names = db.scalars(sa.select(AccessToken.name).where(AccessToken.account_id == account.id)).all()
    for name in names:
        note(db, AuditAction.TOKEN_ENDED, actor=actor, subject=f"{account.email}: {name}")
    return end_access_tokens(db, AccessToken.account_id == account.id)


def has_tokens(db: Session, account: Account) -> bool:
    """Whether an account has a token that has not expired."""
    counting = (AccessToken.account_id == account.id, AccessToken.expires_at > utc_now())
    return db.scalar(sa.select(AccessToken.id).where(*counting).limit(1)) is not None


def end_tokens_without_roles(db: Session, account_id: int) -> None:
    """End those tokens of an account that rest on a role which it has no more, in the caller's transaction.

    Otherwise they would come back with the role.
    """
    db.flush()
    held = {_role_fact(role) for role in db.scalars(sa.select(AccountRole).where(AccountRole.account_id == account_id))}
    rows = db.execute(sa.select(AccessToken.id, AccessToken.rests_on).where(AccessToken.account_id == account_id))
    lost = [token_id for token_id, rests_on in rows if not held.issuperset(rests_on)]
    if lost:
        end_access_tokens(db, AccessToken.id.in_(lost))


def count_use(engine: sa.Engine, token: AccessToken, *, limit: int, address: str, now: datetime) -> Use:
    """Count a use against the limit of a minute, for every process that shares the database, and note when it was.

    It is counted in one statement, so that many at once get no further than one after the other. Where others write
    just now it is not waited for: the use is allowed and not counted.

    Args:
        engine: the database.
        token: as it was read for this request.
        limit: how many uses are allowed in a minute.
        address: of the network it is used from.
        now: aware.
    """
    minute, second = divmod(int(now.timestamp()), _MINUTE_S)
    reset_s = _MINUTE_S - second
    same = AccessToken.minute == minute
    update = (
        sa.update(AccessToken)
        .where(AccessToken.id == token.id, sa.not_(sa.and_(same, AccessToken.used >= limit)))
        # In this order: MySQL gives later assignments what earlier ones have changed.
        .ordered_values(
            (AccessToken.used, sa.case((same, AccessToken.used + 1), else_=1)),
            (AccessToken.minute, minute),
            (AccessToken.last_used_at, now),
            (AccessToken.last_address, address),
        )
    )
    before = token.used if token.minute == minute else 0
    try:
        with engine.connect() as connection, impatient(connection, _BRIEFLY_S), connection.begin():
            counted = connection.execute(update).rowcount
    except sa.exc.SQLAlchemyError:
        return Use(True, max(0, limit - before), reset_s)
    if not counted:
        return Use(False, 0, reset_s)
    return Use(True, max(0, limit - before - 1), reset_s)


def _rests_on(account: Account, courses: Collection[Course] | None) -> list[str]:
    """The roles without which a token ends: all of the account, or those that reach one of the only courses."""
    return sorted({_role_fact(role) for role in account.roles if courses is None or _reaches(role, courses)})


def _reaches(role: AccountRole, courses: Iterable[Course]) -> bool:
    return bool(role.everywhere) or any(
        role.course_id == course.id or (role.department_id is not None and role.department_id == course.department_id)
        for course in courses
    )


def _role_fact(role: AccountRole) -> str:
    return f"{role.role.value} {role.department_id or ''} {role.course_id or ''}".strip()
