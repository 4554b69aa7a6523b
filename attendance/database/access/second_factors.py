"""Second factors of accounts: an app that makes codes (TOTP, RFC 6238), and recovery codes for when it is lost.

What a code is, is `webapp.account.second_factor.codes`; here is what is kept, and that each code works once. Beginning,
ending and changing a second factor ends the account's sign-ins (`sign_ins.rests_on`).
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.passwords import generate_password
from attendance.database.access.tokens import hash_token
from attendance.database.models import Account, RecoveryCode, SecondFactor

RECOVERY_CODES = 10
"""How many are made at once."""
SET_UP_WITHIN = timedelta(minutes=15)
"""For so long the secret of an app that is being set up is shown, and can be confirmed."""


def factor_of(db: Session, account_id: int) -> SecondFactor | None:
    """The account's second factor that is in use; None: it has none."""
    row = _row(db, account_id)
    return row if row is not None and row.confirmed_at is not None else None


def begin_set_up(db: Session, account: Account, secret: str, *, now: datetime) -> None:
    """Keep the secret of an app that is to be confirmed, in the caller's transaction; the one in use stays until then.

    Args:
        db: begun with `begin_writing`.
        account: whose.
        secret: base32.
        now: aware.
    """
    row = _row(db, account.id, lock=True)
    if row is None:
        row = SecondFactor(account_id=account.id)
        db.add(row)
    row.next_secret, row.next_made_at = secret, now
    db.flush()


def being_set_up(db: Session, account_id: int, *, now: datetime) -> str | None:
    """The secret of the app that is being set up; None: none is, or it was begun too long ago."""
    row = _row(db, account_id)
    if row is None or row.next_made_at is None or not timedelta() <= now - row.next_made_at < SET_UP_WITHIN:
        return None
    return row.next_secret


def confirm(db: Session, account: Account, secret: str, step: int, *, now: datetime) -> list[str] | None:
    """Use the app from now on, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        account: whose.
        secret: of which a code was typed.
        step: of that code; it is used by this.
        now: aware.

    Returns:
        New recovery codes, which are kept nowhere; None: this app is not being set up any more.
    """
    row = _row(db, account.id, lock=True)
    if row is None or row.next_secret != secret or being_set_up(db, account.id, now=now) is None:
        return None
    row.secret, row.confirmed_at, row.last_step = secret, now, step
    row.next_secret = row.next_made_at = None
    db.flush()
    db.refresh(account, ["second_factor"])
    return new_recovery_codes(db, account.id)


def use_step(db: Session, account_id: int, step: int) -> bool:
    """Use the code of a step, in the caller's transaction; False: it, or a newer one, was used. Of two, one wins."""
    newer = sa.or_(SecondFactor.last_step.is_(None), SecondFactor.last_step < step)
    used = sa.update(SecondFactor).where(SecondFactor.account_id == account_id, newer).values(last_step=step)
    return bool(db.connection().execute(used).rowcount)


def use_recovery_code(db: Session, account_id: int, code: str) -> bool:
    """Use a recovery code, in the caller's transaction; False: it is none of the account's, or was used."""
    which = (RecoveryCode.account_id == account_id, RecoveryCode.code_hash == hash_token(_bare(code)))
    return bool(db.connection().execute(sa.delete(RecoveryCode).where(*which)).rowcount)


def new_recovery_codes(db: Session, account_id: int) -> list[str]:
    """Make recovery codes, in the caller's transaction; those from before end.

    Each has 79 random bits, so that a hash made quickly is enough: nobody can try them all.
    """
    codes = [generate_password() for _ in range(RECOVERY_CODES)]
    db.execute(sa.delete(RecoveryCode).where(RecoveryCode.account_id == account_id))
    rows = [{"account_id": account_id, "code_hash": hash_token(_bare(code))} for code in codes]
    db.execute(sa.insert(RecoveryCode), rows)
    return codes


def recovery_codes_left(db: Session, account_id: int) -> int:
    """How many were not used."""
    query = sa.select(sa.func.count()).select_from(RecoveryCode).where(RecoveryCode.account_id == account_id)
    return db.scalar(query) or 0


def lift(db: Session, account: Account) -> bool:
    """End an account's second factor, in the caller's transaction; False: it had none.

    Args:
        db: begun with `begin_writing`.
        account: whose.
    """
    row = _row(db, account.id, lock=True)
    db.execute(sa.delete(RecoveryCode).where(RecoveryCode.account_id == account.id))
    db.execute(sa.delete(SecondFactor).where(SecondFactor.account_id == account.id))
    db.refresh(account, ["second_factor"])
    return row is not None and row.confirmed_at is not None


def _row(db: Session, account_id: int, *, lock: bool = False) -> SecondFactor | None:
    query = sa.select(SecondFactor).where(SecondFactor.account_id == account_id)
    query = query.options(sa.orm.undefer(SecondFactor.secret), sa.orm.undefer(SecondFactor.next_secret))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return db.scalar(query)


def _bare(code: str) -> str:
    """A code without what people add or leave out: dashes, spaces, capitals."""
    return "".join(character for character in code.casefold() if character.isalnum())
