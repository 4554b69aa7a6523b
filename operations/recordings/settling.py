"""Files that are still being written are left for a later run."""

import time
from pathlib import Path

from camera_client.frames import SourceError
from operations.recordings.looking import fingerprint


def settled(path: Path, settle_s: float) -> tuple[int, int]:
    """The file's fingerprint, as `looking.fingerprint`.

    Args:
        path: of the file.
        settle_s: a file that was changed less than so many seconds ago may still be growing.

    Raises:
        SourceError: it is still being written, or cannot be read.
    """
    found = fingerprint(path)
    age = time.time() - found[1] / 1e9
    if -settle_s < age < settle_s:  # clocks of file servers differ a little
        raise SourceError(
            f"it was changed {age:.0f} s ago, and may still be growing: left for a later run "
            "(ATTENDANCE_RECORDINGS_SETTLE_S)"
        )
    return found
