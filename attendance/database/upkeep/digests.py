"""The digest of a backup, in a file beside it that `sha256sum --check FILE.sha256` reads."""

import hashlib
import re
from pathlib import Path

from attendance.database.engine import DatabaseError
from attendance.private_files import make_private_file

_SUFFIX = ".sha256"
_LINE = re.compile(r"([0-9a-f]{64}) [ *][^\n]+\n?")


def digest_file_of(backup: Path) -> Path:
    """Where the digest of a backup is, or would be."""
    return backup.with_name(backup.name + _SUFFIX)


def write_digest(unfinished: Path, backup: Path) -> None:
    """Write the digest of a backup that has not its name yet: the backup is the last to appear.

    Args:
        unfinished: what is in the backup.
        backup: what it will be called.
    """
    file = digest_file_of(backup)
    make_private_file(file)
    file.write_text(f"{_digest(unfinished)}  {backup.name}\n", encoding="utf-8")


def has_its_digest(backup: Path) -> bool:
    """Hold a backup against its digest; False where there is none, as of versions before there were digests.

    Raises:
        DatabaseError: a byte of it, or of the digest, is not as it was written.
        OSError: one of both cannot be read.
    """
    file = digest_file_of(backup)
    if not file.exists():
        return False
    told = _LINE.fullmatch(file.read_text(encoding="ascii", errors="replace"))
    if told is None:
        raise DatabaseError(f"{file} is damaged: it holds no SHA-256; take another copy of it, or of the backup")
    found = _digest(backup)
    if found != told[1]:
        raise DatabaseError(
            f"the backup {backup} is damaged: its SHA-256 is {found}, and was {told[1]} when it was written "
            f"({file.name}); take another copy, or an older backup"
        )
    return True


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
