"""Which settings of a program differ from those of its last start: names only, for the audit log."""

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import sqlalchemy as sa
import structlog
from pydantic import BaseModel, SecretStr
from sqlalchemy.orm import Session

from attendance.database.audit.noting import by_program, note
from attendance.database.engine import DatabaseError
from attendance.database.locks import exclusive
from attendance.database.models import AuditAction, StartedProgram, utc_now
from attendance.settings.load import PREFIX

log = structlog.get_logger()

NOTHING_MADE: Mapping[str, SecretStr] = MappingProxyType({})
_LOCK = "attendance-settings"
_DIGITS, _DIGITS_OF_SECRET = 16, 3
"""Of a fingerprint, hexadecimal. A secret's is so short that thousands of guesses fit it, so it proves none."""


def note_settings(
    engine: sa.Engine, program: str, settings: BaseModel, *, made: Mapping[str, SecretStr] = NOTHING_MADE
) -> list[str]:
    """Keep the fingerprints of a program's settings, and note which differ from the last start's.

    Several processes and replicas of a program may start at once; the first that is different is noted. The first start
    of all is noted by no names.

    Args:
        engine: the database; its schema is current.
        program: e.g. "dashboard".
        settings: all of them, read.
        made: by the name of its setting, what the program uses where nothing is set.

    Returns:
        The names of those that differ, as environment variables; none where the database refuses, which keeps no
        program from starting.
    """
    try:
        return _noted(engine, program, {**dict(_values(settings, PREFIX)), **made})
    except (sa.exc.SQLAlchemyError, DatabaseError) as error:
        log.warning("settings_not_noted", program=program, error=str(getattr(error, "orig", error)))
        return []


def _noted(engine: sa.Engine, program: str, values: dict[str, object]) -> list[str]:
    with exclusive(engine, _LOCK) as connection, Session(connection) as db:
        row = db.get(StartedProgram, program)
        if row is None:
            db.add(StartedProgram(program=program, salt=(salt := secrets.token_hex(16)), settings=_all(salt, values)))
            db.commit()
            return []
        now = _all(row.salt, values)
        changed = sorted(name for name in now.keys() | row.settings.keys() if now.get(name) != row.settings.get(name))
        row.settings, row.started_at = now, utc_now()
        if changed:
            said = {"settings": ", ".join(name.removeprefix(PREFIX) for name in changed)}
            note(db, AuditAction.SETTINGS_CHANGED, actor=by_program(program), subject=program, details=said)
        db.commit()
        return changed


def _values(section: BaseModel, prefix: str) -> Iterator[tuple[str, object]]:
    for key in type(section).model_fields:
        value = getattr(section, key)
        name = f"{prefix}{key.upper()}"
        if isinstance(value, BaseModel):
            yield from _values(value, f"{name}_")
        else:
            yield name, value


def _all(salt: str, values: dict[str, object]) -> dict[str, str]:
    return {name: _fingerprint(salt, name, value) for name, value in values.items()}


def _fingerprint(salt: str, name: str, value: object) -> str:
    is_secret = isinstance(value, SecretStr)
    text = value.get_secret_value() if isinstance(value, SecretStr) else repr(value)
    digest = hmac.new(salt.encode(), f"{name}\0{text}".encode(), hashlib.sha256).hexdigest()
    return digest[: _DIGITS_OF_SECRET if is_secret else _DIGITS]
