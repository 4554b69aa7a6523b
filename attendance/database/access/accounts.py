"""Accounts of those who sign in: the steps that pages and commands share."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Account, PasswordLink
from attendance.database.transactions import transact


def set_password(db: Session, account: Account, password_hash: str) -> None:
    """Give somebody a new password, in the caller's transaction; every sign-in made with the old one ends (`rests_on`).

    So does every link with which a password could be set.

    Args:
        db: begun with `begin_writing`.
        account: the row; it is read anew, so that of two changes at once neither is lost.
        password_hash: as `hash_password` gives it, which is slow on purpose: made before the transaction begins.
    """
    db.refresh(account, with_for_update=True)
    account.password_hash = password_hash
    db.execute(sa.delete(PasswordLink).where(PasswordLink.account_id == account.id))


def note_sign_in(db: Session, account_id: int, now: datetime) -> None:
    """Keep when somebody signed in last; one statement, in a transaction of its own.

    Args:
        db: a session with nothing pending.
        account_id: whose account.
        now: aware.
    """
    signed_in = sa.update(Account).where(Account.id == account_id).values(last_sign_in_at=now)
    transact(db, lambda db: db.execute(signed_in, execution_options={"synchronize_session": False}))
