"""The folder of model files: written whole or not at all, found again by hash, never in a folder that others may write.

It holds files that were fetched, and files made from them, such as converted models.
"""

import grp
import hashlib
import os
import pwd
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from attendance.face_engine.interface import ModelError

_DIGEST_SIZE = 32


def default_cache_folder() -> Path:
    """`class-attendance/models` in the user's cache folder (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "class-attendance" / "models"


def cached(folder: Path, key: str, make: Callable[[], bytes], *, sha256: str | None) -> bytes:
    """The bytes kept under `key`, made now if they are not there or are not those that this code knows.

    Two processes at once may both make them; each writes a file of its own and puts it in place in one step, so that
    a reader sees either nothing or a whole file. A folder that cannot be written costs the cache, not the answer.

    Args:
        folder: made if missing.
        key: a file name without its suffix; it should hold the hash of everything the bytes depend on.
        make: makes the bytes.
        sha256: what the bytes must be, as the code knows and not the folder: a file that somebody put in its place is
            as good as none. Bytes that `make` gives otherwise, as another version of a library may, are used and not
            kept; nor is anything where it is not known, None.

    Raises:
        ModelError: whatever `make` raises.
    """
    if sha256 is None:
        return make()
    path = folder / f"{key}.bin"
    try:
        stored = path.read_bytes()
    except OSError:
        stored = b""
    digest, contents = stored[:_DIGEST_SIZE], stored[_DIGEST_SIZE:]
    expected = bytes.fromhex(sha256)
    if len(digest) == _DIGEST_SIZE and hashlib.sha256(contents).digest() == expected:
        return contents
    contents = make()
    made = hashlib.sha256(contents).digest()
    if made == expected:
        try:
            publish(path, made + contents)
        except OSError:
            return contents
    return contents


def publish(path: Path, contents: bytes) -> None:
    """Put a file in place in one step; its folder is made if missing.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(contents)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def require_private(folder: Path) -> None:
    """Check that nobody but this user, or root, may write in a folder; one that does not exist yet is as its parent.

    Raises:
        ModelError: somebody else owns it or may write in it; the message names it and says what to do.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    facts = folder.stat()
    sticky_root = facts.st_uid == 0 and facts.st_mode & stat.S_ISVTX
    if sticky_root:
        return
    me = os.geteuid()
    advice = f"`chmod go-w {folder}`, or set engine.cache to a folder of this user's own"
    if me != 0 and facts.st_uid not in (0, me):
        raise ModelError(f"the model folder {folder} belongs to another user: {advice}")
    if facts.st_mode & stat.S_IWOTH or (facts.st_mode & stat.S_IWGRP and _has_others(facts.st_gid, facts.st_uid)):
        raise ModelError(f"others may write in the model folder {folder} ({stat.filemode(facts.st_mode)}): {advice}")


def _has_others(group: int, owner: int) -> bool:
    """Whether a group may have members beside the owner of a folder: a user's own group has none."""
    try:
        entry, user = grp.getgrgid(group), pwd.getpwuid(owner)
    except KeyError:
        return group not in (os.getegid(), *os.getgroups())
    return group != user.pw_gid or any(member != user.pw_name for member in entry.gr_mem)


def read_model(path: Path) -> bytes:
    """The bytes of a model file that an operator named.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model file: {error.strerror}") from error
