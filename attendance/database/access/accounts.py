"""Accounts of those who sign in: the steps that pages and commands share."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Account, PasswordLink, Role


def set_password(db: Session, account: Account, password_hash: str) -> None:
    """Give somebody a new password, in the caller's transaction; every sign-in made with the old one ends.

    So does every link with which a password could be set.

    Args:
        db: begun with `begin_writing`.
        account: the row; it is read anew, so that of two changes at once neither is lost.
        password_hash: as `hash_password` gives it, which is slow on purpose: made before the transaction begins.
    """
    db.refresh(account, with_for_update=True)
    account.password_hash = password_hash
    account.sign_in_epoch += 1
    db.execute(sa.delete(PasswordLink).where(PasswordLink.account_id == account.id))


def lock_administrators(db: Session) -> frozenset[int]:
    """Who may administer, none of whom anybody else changes until the caller's transaction ends.

    Nobody changes their own rights. As long as each change is made by one of these, one remains: of two administrators
    who take each other's rights away at once, the second is not among them any more.

    Returns:
        Their ids.
    """
    admins = sa.select(Account.id).where(Account.role == Role.ADMIN, Account.active).order_by(Account.id)
    return frozenset(db.scalars(admins.with_for_update()))
