"""How an administrator's change is written: alone, checked again at the last moment, and noted in the log."""

from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from wtforms import Field

from database.engine import begin_writing
from webapp.identity import current_lecturer
from webapp.storage import database

log = structlog.get_logger()


def begin_change() -> Session:
    """The request's session at the start of a transaction that will write; what was read before is committed.

    Without it, on SQLite, a change would be refused whenever the recognition service wrote since the page's first read.
    """
    db = database()
    db.commit()
    begin_writing(db)
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
    log.info(event, by=current_lecturer().id, **fields)
