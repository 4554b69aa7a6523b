"""The key that signs sessions: set by the operator, or made once and kept in the data folder."""

import contextlib
import os
import secrets
from pathlib import Path

from attendance.errors import AttendanceError

FILE_NAME = "web-secret-key"
_MIN_CHARACTERS = 32


class SecretKeyError(AttendanceError):
    """The key's file cannot be read or made; the message names it."""


def secret_key(configured: str | None, data_directory: Path) -> str:
    """The configured key, else the one in the data folder, made now if there is none.

    The file is written under another name and linked into place, so that several processes that start at once agree on
    one key and none reads half of it.

    Raises:
        SecretKeyError: the file cannot be read or written, or holds less than a key.
    """
    if configured:
        return configured
    path = data_directory / FILE_NAME
    try:
        if not path.exists():
            _make(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretKeyError(f"cannot keep the session key in {path}: {error}") from None
    if len(key) < _MIN_CHARACTERS:
        raise SecretKeyError(f"{path} is damaged; delete it, and everybody signs in again")
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its key counts
            os.link(draft, path)
    finally:
        draft.unlink()
