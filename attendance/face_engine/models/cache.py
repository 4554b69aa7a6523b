"""A folder of files made from other files: written whole or not at all, made once, found again by hash."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from attendance.face_engine.interface import ModelError

_DIGEST_SIZE = 32


def default_cache_folder() -> Path:
    """`class-attendance/models` in the user's cache folder (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "class-attendance" / "models"


def cached(folder: Path, key: str, make: Callable[[], bytes]) -> bytes:
    """The bytes kept under `key`, made now if they are not there or do not agree with their hash.

    Two processes at once may both make them; each writes a file of its own and puts it in place in one step, so that
    a reader sees either nothing or a whole file. A folder that cannot be written costs the cache, not the answer.

    Args:
        folder: made if missing.
        key: a file name without its suffix; it should hold the hash of everything the bytes depend on.
        make: makes the bytes.

    Raises:
        ModelError: whatever `make` raises.
    """
    path = folder / f"{key}.bin"
    try:
        stored = path.read_bytes()
    except OSError:
        stored = b""
    digest, contents = stored[:_DIGEST_SIZE], stored[_DIGEST_SIZE:]
    if len(digest) == _DIGEST_SIZE and hashlib.sha256(contents).digest() == digest:
        return contents
    contents = make()
    try:
        _publish(path, hashlib.sha256(contents).digest() + contents)
    except OSError:
        return contents
    return contents


def _publish(path: Path, contents: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(contents)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_model(path: Path) -> bytes:
    """The bytes of a model file that an operator named.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model file: {error.strerror}") from error
