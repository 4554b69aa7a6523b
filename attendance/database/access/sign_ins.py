"""Sign-ins: of accounts to the dashboard, and of students to their own page. Each is a row, and ends with it.

A browser holds a random token, of which the database keeps a hash. A sign-in ends by itself, when somebody ends it, and
when what it rests on becomes another: see `rests_on`. Whoever changes a password or a role need not think of sign-ins.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from attendance.database.access.tokens import hash_token, new_token
from attendance.database.locks import in_passing
from attendance.database.models import (
    AccessToken,
    Account,
    LtiRegistrationAddress,
    PasswordLink,
    SignIn,
    Student,
    StudentLink,
)

USE_NOTED = timedelta(minutes=1)
"""How often it is written down that a sign-in is used."""
_MOST = 50
"""Sign-ins of one person at a time; the oldest end first."""


@dataclass(frozen=True)
class Browser:
    """Where somebody signs in, for the list of sign-ins that they see.

    Attributes:
        address: of the network, up to 60 characters; "" where it is not known.
        name: e.g. "Firefox, Linux", up to 60 characters; "" where it is not known.
    """

    address: str = ""
    name: str = ""


UNKNOWN = Browser()


@dataclass(frozen=True)
class ThroughProvider:
    """What a sign-in through the institution's provider keeps of it.

    Attributes:
        identity_id: of whom the provider said it is, see `identities`.
        session: what the provider calls its own session (`sid`); None where it does not say.
        id_token: with which it can be asked to end that session; None where that is not wanted.
    """

    identity_id: int
    session: str | None = None
    id_token: str | None = None


def rests_on(person: Account | Student) -> str:
    """What a sign-in of this person rests on now, as SHA-256 in hexadecimal.

    Of an account: the password, the second factor, and the roles; whatever else administrators are, they may do
    everything. Of a student: the address to which links go. A sign-in that was made with another has ended. One through
    a provider rests on its identity, too, and is deleted with it.
    """
    if isinstance(person, Student):
        facts = ["student", person.email or ""]
    else:
        since = person.second_factor_since
        places = sorted(f"{role.role.value} {role.department_id} {role.course_id}" for role in person.roles)
        facts = ["account", person.password_hash, since.isoformat() if since else ""]
        facts += ["administrator"] if person.administers else places
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()


def begin_sign_in(
    db: Session,
    person: Account | Student,
    *,
    now: datetime,
    lifetime: timedelta,
    browser: Browser = UNKNOWN,
    awaits_code: bool = False,
    through: ThroughProvider | None = None,
) -> str:
    """Sign somebody in, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        person: as it was read when it was found right; where it was changed since, the sign-in has ended already.
        now: aware.
        lifetime: after which it ends by itself.
        browser: where.
        awaits_code: whether this is half a sign-in, which opens nothing: the second factor is missing.
        through: the institution's provider; None: with a password or a link.

    Returns:
        The token, which is kept nowhere.
    """
    token = new_token("in")
    whose = _of(person)
    row = SignIn(token_hash=hash_token(token), rests_on=rests_on(person), awaits_code=awaits_code)
    row.account_id, row.student_id = (person.id, None) if isinstance(person, Account) else (None, person.id)
    row.made_at, row.used_at, row.expires_at = now, now, now + lifetime
    row.address, row.browser = browser.address, browser.name
    if through is not None:
        row.identity_id, row.provider_session, row.id_token = through.identity_id, through.session, through.id_token
    db.add(row)
    db.flush()
    newest = sa.select(SignIn.id).where(whose).order_by(SignIn.id.desc())
    end_sign_ins(db, SignIn.id.in_(db.scalars(newest.offset(_MOST).limit(1_000)).all()))
    return token


def through_provider(db: Session, sign_in: SignIn) -> ThroughProvider | None:
    """What a sign-in keeps of the institution's provider; None: it was made with a password or a link."""
    if sign_in.identity_id is None:
        return None
    id_token = db.scalar(sa.select(SignIn.id_token).where(SignIn.id == sign_in.id))
    return ThroughProvider(sign_in.identity_id, sign_in.provider_session, id_token)


def sign_in_of(db: Session, token: str) -> SignIn | None:
    """The sign-in with this token, whether it counts or not, with its person; one statement. None: there is none."""
    return _read(db, SignIn.token_hash == hash_token(token))


def sign_in_numbered(db: Session, sign_in_id: int) -> SignIn | None:
    """The same of a row's number."""
    return _read(db, SignIn.id == sign_in_id)


def _read(db: Session, which: sa.ColumnElement[bool], *, anew: bool = False) -> SignIn | None:
    with_account = joinedload(SignIn.account)
    query = sa.select(SignIn).where(which)
    query = query.options(
        with_account.joinedload(Account.roles),
        with_account.joinedload(Account.second_factor),
        joinedload(SignIn.student),
    )
    return db.scalars(query.execution_options(populate_existing=anew)).unique().one_or_none()


def locked_sign_in_of(db: Session, token: str) -> SignIn | None:
    """As `sign_in_of`, but as it is now; nobody else changes its account until the caller's transaction ends."""
    this = SignIn.token_hash == hash_token(token)
    found = db.scalar(sa.select(SignIn.account_id).where(this))
    db.execute(sa.select(Account.id).where(Account.id == found).with_for_update())
    return _read(db, this, anew=True)


def counts(sign_in: SignIn, now: datetime) -> bool:
    """Whether a sign-in, loaded with its person, opens what the person may open now (half of one opens nothing)."""
    person = sign_in.account or sign_in.student
    if person is None or now >= sign_in.expires_at:
        return False
    return (isinstance(person, Student) or person.active) and sign_in.rests_on == rests_on(person)


def goes_on(db: Session, token: str, now: datetime) -> bool:
    """Whether the sign-in with this token counts, whole; for answers that last."""
    found = sign_in_of(db, token)
    return found is not None and not found.awaits_code and counts(found, now)


def sign_ins_of(db: Session, account: Account, now: datetime) -> Sequence[SignIn]:
    """Where somebody is signed in, the last used first."""
    query = sa.select(SignIn).where(_of(account), SignIn.rests_on == rests_on(account), ~SignIn.awaits_code)
    return db.scalars(query.where(SignIn.expires_at > now).order_by(SignIn.used_at.desc(), SignIn.id.desc())).all()


def end_sign_ins(db: Session, *which: sa.ColumnElement[bool]) -> int:
    """End the sign-ins that these conditions name, in the caller's transaction; how many there were."""
    ended = db.connection().execute(sa.delete(SignIn).where(*which))
    return ended.rowcount


def end_what_a_backup_brought_back(engine: sa.Engine) -> None:
    """End every sign-in, every token of a program, and every link that signs in, sets a password or lets a platform in.

    A backup holds those that ended, were used, or were made for somebody who was removed, since it was made.
    """
    with engine.begin() as connection:
        for model in (SignIn, AccessToken, PasswordLink, StudentLink, LtiRegistrationAddress):
            connection.execute(sa.delete(model))


def note_use(engine: sa.Engine, sign_in: SignIn, now: datetime) -> None:
    """Write down that a sign-in is used, unless that was done within `USE_NOTED`; left out where others write."""
    if now - sign_in.used_at < USE_NOTED:
        return
    stale = (SignIn.id == sign_in.id, SignIn.used_at <= now - USE_NOTED)
    in_passing(engine, sa.update(SignIn).where(*stale).values(used_at=now))


def clear_away(engine: sa.Engine, sign_in: SignIn) -> None:
    """Delete a sign-in that was found not to count, so that it never does again; left out where others write."""
    in_passing(engine, sa.delete(SignIn).where(SignIn.id == sign_in.id))


def _of(person: Account | Student) -> sa.ColumnElement[bool]:
    return SignIn.account_id == person.id if isinstance(person, Account) else SignIn.student_id == person.id
