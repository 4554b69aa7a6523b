"""The folder of published indexes: which versions are in it, which is the current one, and what goes.

    <folder>/CURRENT                        "<version> <SHA-256 of its manifest.json>"
    <folder>/versions/<version>/            whole or not there
    <folder>/.unfinished                    what a builder is writing
    <folder>/.incoming                      what is being fetched from another machine (`attendance.gallery.incoming`)
    <folder>/.lock                          held by whoever changes the folder

What a version holds is `attendance.gallery.format`.
"""

import json
import re
import shutil
from pathlib import Path

from attendance.gallery.files import locked, replace_durably, sync
from attendance.gallery.gallery import GalleryError
from attendance.private_files import PRIVATE_FILE, PRIVATE_FOLDER, group_may_read

CURRENT, LOCK, VERSIONS, UNFINISHED, INCOMING = "CURRENT", ".lock", "versions", ".unfinished", ".incoming"
MANIFEST, LABELS = "manifest.json", "labels.json"
_POINTER = re.compile(r"(?P<version>(?P<number>\d{6,12})-\d{8}T\d{6}Z-[0-9a-f]{8}) (?P<sha256>[0-9a-f]{64})\n")
_VERSION = re.compile(r"(?P<number>\d{6,12})-\d{8}T\d{6}Z-[0-9a-f]{8}")


def is_version(name: str) -> bool:
    """Whether a text is the name of a version."""
    return _VERSION.fullmatch(name) is not None


def number_of(version: str) -> int:
    """The running number of a version: it orders versions even when a clock was set back."""
    return int(version.partition("-")[0])


def versions_of(folder: Path) -> list[Path]:
    """The versions in a folder, oldest first; none where nothing was ever published.

    Raises:
        OSError: the folder cannot be read.
    """
    if not (folder / VERSIONS).is_dir():
        return []
    found = [path for path in (folder / VERSIONS).iterdir() if is_version(path.name)]
    return sorted(found, key=lambda path: number_of(path.name))


def current_version(folder: Path) -> str | None:
    """The name of the current version; None if nothing was published yet.

    Raises:
        GalleryError: the file that names it is damaged or cannot be read.
    """
    pointer = read_pointer(folder)
    return None if pointer is None else pointer[0]


def read_pointer(folder: Path) -> tuple[str, str] | None:
    """The current version and the SHA-256 of its manifest; None if nothing was published yet.

    Raises:
        GalleryError: the file that names it is damaged or cannot be read.
    """
    path = folder / CURRENT
    try:
        text = path.read_bytes().decode("ascii", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GalleryError(f"cannot read {path}: {error.strerror}") from None
    found = _POINTER.fullmatch(text)
    if found is None:
        raise GalleryError(f"{path} is damaged: build the index again")
    return found["version"], found["sha256"]


def make_current(folder: Path, version: str, sha256: str) -> None:
    """Name the current version, at once; the caller holds the lock.

    Args:
        folder: of the published indexes.
        version: that is whole, in its place.
        sha256: of its manifest's file.
    """
    current = f"{version} {sha256}\n".encode()
    replace_durably(folder / CURRENT, current, mode=PRIVATE_FILE | group_may_read(folder))


def put_in_place(folder: Path, finished: Path, version: str) -> None:
    """Move a version that is complete, and that the disk has, beside the others; the caller holds the lock."""
    if group_may_read(folder):
        # Nothing of ours lets the group read but the installer, for services that run by another account.
        for path in (folder / VERSIONS, finished, *finished.rglob("*")):
            path.chmod(PRIVATE_FOLDER | 0o050 if path.is_dir() else PRIVATE_FILE | 0o040)
    sync(finished)
    finished.rename(folder / VERSIONS / version)
    sync(folder / VERSIONS)


def remove_unfinished(folder: Path) -> None:
    """Clear away what a killed builder left half written, and what was being fetched; the caller holds the lock."""
    for name in (UNFINISHED, INCOMING):
        if (folder / name).exists():
            shutil.rmtree(folder / name)


def delete_older_versions(folder: Path) -> list[str]:
    """Remove every version but the current one, and what is unfinished: an erased student is in them still.

    A service that holds one of them in memory goes on with it until it takes up the current one.

    Args:
        folder: of the published indexes; nothing is done where none was ever published.

    Returns:
        The names of the versions removed, oldest first.

    Raises:
        GalleryError: CURRENT is damaged, so that it cannot be told which one to keep (nothing was removed then), or the
            disk refuses.
    """
    if not (folder / VERSIONS).is_dir():
        return []
    try:
        with locked(folder / LOCK):
            current = current_version(folder)
            remove_unfinished(folder)
            older = [path for path in versions_of(folder) if path.name != current]
            for path in older:
                shutil.rmtree(path)
            sync(folder / VERSIONS)
    except OSError as error:
        raise GalleryError(f"cannot remove older indexes in {folder}: {error.strerror}") from error
    return [path.name for path in older]


def versions_with(folder: Path, student: str) -> list[str]:
    """The versions that hold a student, oldest first, the current one too.

    A version whose labels cannot be read counts as one that does, and so does what is unfinished.

    Raises:
        GalleryError: the folder cannot be read.
    """
    try:
        found = [path.name for path in versions_of(folder) if _holds(path, student)]
        return found + [name for name in (UNFINISHED, INCOMING) if (folder / name).exists()]
    except OSError as error:
        raise GalleryError(f"cannot read the indexes in {folder}: {error.strerror}") from error


def _holds(version: Path, student: str) -> bool:
    try:
        return any(label[0] == student for label in json.loads((version / LABELS).read_bytes()))
    except (OSError, ValueError, LookupError, TypeError):
        return True
