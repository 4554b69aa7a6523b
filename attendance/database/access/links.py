"""Links with which somebody sets a password, once: whoever has the link needs no old password.

A link holds a token of 256 random bits, of which the database keeps a hash. It ends when it is used, when its owner
gets a password in another way, when a newer one is made, and by itself after some days.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.accounts import set_password
from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.access.tokens import hash_token, new_token
from attendance.database.models import Account, PasswordLink, ProviderIdentity
from attendance.settings.oidc import OidcSettings

PATH = "/password"
"""Of the dashboard's page. The token is a parameter: neither the dashboard nor its nginx logs those."""
_BLOCK = 500
"""Lecturers of one statement."""


def make_links(db: Session, account_ids: Sequence[int], *, now: datetime, lifetime: timedelta) -> dict[int, str]:
    """Make a link for each account, in the caller's transaction; earlier ones end.

    Args:
        db: begun with `begin_writing`.
        account_ids: of rows that are there.
        now: aware.
        lifetime: how long it can be used.

    Returns:
        For each account the token, which is kept nowhere.
    """
    tokens = {account_id: new_token("pw") for account_id in account_ids}
    for block in _blocks(list(tokens)):
        db.execute(sa.delete(PasswordLink).where(PasswordLink.account_id.in_(block)))
        rows = [
            {"account_id": one, "token_hash": hash_token(tokens[one]), "created_at": now, "expires_at": now + lifetime}
            for one in block
        ]
        db.execute(sa.insert(PasswordLink), rows)
    return tokens


def address_of(site: str, token: str) -> str:
    """The link as its owner gets it.

    Args:
        site: the dashboard's address, e.g. "https://attendance.example.edu".
        token: as `make_links` gave it.
    """
    return f"{site.rstrip('/')}{PATH}?link={token}"


def account_of_link(db: Session, token: str, *, now: datetime) -> Account | None:
    """Whose link it is; None for one that is unknown, used or expired, or of somebody who may not sign in."""
    return db.scalar(
        sa.select(Account)
        .join(PasswordLink, PasswordLink.account_id == Account.id)
        .where(PasswordLink.token_hash == hash_token(token), PasswordLink.expires_at > now, Account.active)
    )


def use_link(db: Session, token: str, password_hash: str, *, now: datetime) -> Account | None:
    """Set the password of whose link it is, in the caller's transaction; of two at once, one is refused.

    Args:
        db: begun with `begin_writing`.
        token: of the link.
        password_hash: as for `set_password`.
        now: aware.

    Returns:
        The account; None as for `account_of_link`, and nothing is changed.
    """
    account = account_of_link(db, token, now=now)
    if account is None:
        return None
    used = sa.delete(PasswordLink).where(PasswordLink.token_hash == hash_token(token))
    if not db.connection().execute(used).rowcount:
        return None
    set_password(db, account, password_hash)
    return account


def waits_for_password(oidc: OidcSettings) -> sa.ColumnElement[bool]:
    """The condition that somebody may sign in, has no password yet, and does not sign in at the institution's provider.

    Whom the provider bound does, and where passwords are off everybody but the break-glass accounts.
    """
    bound = sa.exists().where(ProviderIdentity.account_id == Account.id, ProviderIdentity.issuer == oidc.issuer)
    takes = sa.true() if oidc.passwords or not oidc.on else Account.email.in_(oidc.break_glass)
    return sa.and_(Account.active, Account.password_hash == NO_PASSWORD, takes, sa.not_(bound))


def without_password(db: Session, oidc: OidcSettings) -> Sequence[Account]:
    """Those who wait for a password, by name."""
    query = sa.select(Account).where(waits_for_password(oidc))
    return db.scalars(query.order_by(Account.name, Account.id)).all()


def _blocks(ids: list[int]) -> Iterator[list[int]]:
    return (ids[start : start + _BLOCK] for start in range(0, len(ids), _BLOCK))
