"""How an administrator's change is written: alone, checked again at the last moment, and noted in the log."""

from typing import Any

import sqlalchemy as sa
import structlog
from flask import abort
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from wtforms import Field

from attendance.database.access.roles import administers
from attendance.database.engine import begin_writing
from attendance.database.models import Account
from webapp.account.identity import current_account
from webapp.tools.storage import database

log = structlog.get_logger()


def begin_change() -> Session:
    """The request's session at the start of a transaction that will write; what was read before is committed.

    Without it, on SQLite, a change would be refused whenever the recognition service wrote since the page's first read.
    Somebody whose rights ended since then is refused (403).
    """
    db, person = database(), current_account().id
    db.commit()
    begin_writing(db)
    still_admin = sa.select(Account.id).where(Account.id == person, administers(), Account.active)
    if db.scalar(still_admin) is None:
        abort(403)
    return db


def committed(db: Session, field: Field, message: str) -> bool:
    """Commit; if somebody else took a unique value meanwhile, roll back and say so at the field."""
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
        field.errors = [*field.errors, message]
        return False
    return True


def note(event: str, **fields: Any) -> None:
    """Log who changed what. Fields hold identifiers only: no tokens, no passwords."""
    log.info(event, by=current_account().id, **fields)
