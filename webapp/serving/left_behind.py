"""What earlier versions kept in the data folder and the database holds now: lists of students, attempts to sign in."""

import shutil
from pathlib import Path

import structlog

log = structlog.get_logger()

_NAMES = ("imports", "sign-in-attempts.db*")


def delete_left_behind(folder: Path) -> None:
    """Delete it: nothing reads it any more, and nothing else would let it go after its day."""
    for path in [found for name in _NAMES for found in folder.glob(name)]:
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("left_behind_not_deleted", path=str(path), error=error.strerror)
        else:
            log.info("left_behind_deleted", path=str(path))
