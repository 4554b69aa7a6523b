"""How an administrator's change is written: alone, and checked again at the last moment."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import abort
from flask_wtf import FlaskForm
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session
from wtforms import Field

from attendance.database.access.roles import administers
from attendance.database.models import Account
from webapp.account.identity import current_account
from webapp.changes.errors import ChangeError, is_taken
from webapp.tools import storage
from webapp.tools.languages import say_error

T = TypeVar("T")


def begin_change() -> Session:
    """What `storage.begin_change` begins; somebody whose rights ended since the request began is refused (403)."""
    db = storage.begin_change()
    require_administrator(db)
    return db


def require_administrator(db: Session) -> None:
    """Refuse (403) whoever does not administer any more, in a transaction that has begun."""
    person = current_account().id
    still_admin = sa.select(Account.id).where(Account.id == person, administers(), Account.active)
    if db.scalar(still_admin) is None:
        abort(403)


def write(
    form: FlaskForm, change: Callable[[Session], T], places: Mapping[str, str] = MappingProxyType({})
) -> T | None:
    """Write a change of `webapp.changes`; None where it is refused, with the reason at the field of the form.

    Args:
        form: valid.
        change: what is done; it gives something.
        places: by what the change calls a field, what the form does, where the two differ.
    """
    db = begin_change()
    try:
        done = change(db)
        db.commit()
    except ChangeError as error:
        db.rollback()
        form[places.get(error.field, error.field)].errors = [say_error(error)]
        return None
    return done


def taken(
    field: Field, column: InstrumentedAttribute[Any], message: str, *within: sa.ColumnElement[bool], but: int | None
) -> bool:
    """Whether the value that a field wants for itself `is_taken`; then the message stands at the field.

    Args:
        field: of a form that is valid.
        column: which must be unique.
        message: what is wrong.
        within: conditions on the rows among which it must be.
        but: the id of the row that the form is about; None for one that is new.
    """
    if not is_taken(storage.database(), column, field.data, *within, but=but):
        return False
    field.errors = [message]
    return True


def committed(db: Session, field: Field, message: str) -> bool:
    """Commit; if somebody else took a unique value meanwhile, roll back and say so at the field."""
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
        field.errors = [*field.errors, message]
        return False
    return True
