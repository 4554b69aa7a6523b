"""The videos below a folder, and what is refused there: nothing is passed over because it cannot be read."""

import errno
import os
import stat
from collections import deque
from pathlib import Path

SUFFIXES = frozenset({
    ".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts",
    ".vob", ".webm", ".wmv",
})  # fmt: skip
"""Of what is looked at in a folder."""
_LEADS_NOWHERE = {errno.ENOENT, errno.ELOOP}


def is_video(path: Path) -> bool:
    """Whether a name is a video's."""
    return path.suffix.lower() in SUFFIXES


def videos_below(place: Path) -> list[tuple[Path, str | None]]:
    """The videos of a folder and of those below it, by path; what cannot be read or looked through has the reason.

    Links are followed. A folder to which several ways lead is looked through once, by the way without links if there is
    one, so that no loop of links is endless. What begins with a dot is not looked at.

    Args:
        place: the folder.
    """
    found: list[tuple[Path, str | None]] = []
    folders, linked = [place], deque[Path]()
    seen: set[tuple[int, int]] = set()
    while folders or linked:
        folder = folders.pop() if folders else linked.popleft()
        try:
            itself = folder.stat()
            if (itself.st_dev, itself.st_ino) in seen:
                continue
            seen.add((itself.st_dev, itself.st_ino))
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda one: one.name)
        except OSError as error:
            found.append((folder, f"what is in this folder cannot be seen: {error.strerror}"))
            continue
        for entry in entries:
            if not entry.name.startswith("."):
                _sort_in(entry, found, folders, linked)
    return sorted(found, key=lambda one: one[0])


def _sort_in(
    entry: "os.DirEntry[str]", found: list[tuple[Path, str | None]], folders: list[Path], linked: deque[Path]
) -> None:
    path = Path(entry.path)
    try:
        is_link = entry.is_symlink()
        if not is_link and entry.is_dir(follow_symlinks=False):
            folders.append(path)
            return
        if not is_link and not is_video(path):
            return
        mode = path.stat().st_mode
    except OSError as error:
        # Where a link is refused nobody knows whether it leads to a folder of videos.
        if is_video(path) or error.errno not in _LEADS_NOWHERE:
            found.append((path, f"cannot be read: {error.strerror}"))
        return
    if stat.S_ISDIR(mode):
        linked.append(path)
    elif is_video(path) and stat.S_ISREG(mode):
        found.append((path, None))
