"""Addresses at which a platform registers itself: each works once, for an hour, while who made it administers.

The address holds a token of 256 random bits, of which the database keeps a hash. A newer one of the same
administrator ends the one before.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.roles import administers
from attendance.database.access.tokens import hash_token, new_token
from attendance.database.models import Account, LtiRegistrationAddress

LIFETIME = timedelta(hours=1)


def make_offer(db: Session, account_id: int, *, now: datetime) -> str:
    """Make an address for an administrator, in the caller's transaction; returns its token, which is kept nowhere.

    Args:
        db: begun with `begin_writing`.
        account_id: of who makes it.
        now: aware.
    """
    token = new_token("lti")
    over = (LtiRegistrationAddress.account_id == account_id) | (LtiRegistrationAddress.expires_at <= now)
    db.execute(sa.delete(LtiRegistrationAddress).where(over))
    db.add(LtiRegistrationAddress(account_id=account_id, token_hash=hash_token(token), expires_at=now + LIFETIME))
    db.flush()
    return token


def open_offers(db: Session, *, now: datetime) -> Sequence[LtiRegistrationAddress]:
    """Those that can be used now, the one that lasts longest first."""
    query = sa.select(LtiRegistrationAddress).where(LtiRegistrationAddress.expires_at > now)
    return db.scalars(query.order_by(LtiRegistrationAddress.expires_at.desc())).all()


def withdraw_offers(db: Session) -> bool:
    """End all of them, in the caller's transaction; False: there was none."""
    return bool(db.connection().execute(sa.delete(LtiRegistrationAddress)).rowcount)


def maker_of(db: Session, token: str, *, now: datetime) -> Account | None:
    """Who made an address; None: it is unknown, used or expired, or they administer no more."""
    return db.scalar(
        sa.select(Account)
        .join(LtiRegistrationAddress, LtiRegistrationAddress.account_id == Account.id)
        .where(LtiRegistrationAddress.token_hash == hash_token(token), LtiRegistrationAddress.expires_at > now)
        .where(Account.active, administers())
    )


def use_offer(db: Session, token: str, *, now: datetime) -> Account | None:
    """Use an address up, in the caller's transaction; who made it, None as for `maker_of`. Of two at once, one is."""
    maker = maker_of(db, token, now=now)
    used = sa.delete(LtiRegistrationAddress).where(LtiRegistrationAddress.token_hash == hash_token(token))
    return maker if maker is not None and db.connection().execute(used).rowcount else None
