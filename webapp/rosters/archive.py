"""A OneRoster archive: a ZIP file from outside, taken apart within bounds, and what its manifest says of it."""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO

from attendance.tables.errors import TableError
from attendance.tables.reading import MAX_BYTES, Column, read_table
from attendance.texts import english, english_list

MOST_BYTES = 16_000_000
"""Of the archive as it is sent."""
_MOST_UNPACKED = 80_000_000
_MOST_ENTRIES = 60
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MANIFEST = "manifest.csv"
_VERSIONS = ("1.1", "1.2")
_READ = ("academicSessions", "orgs", "courses", "classes", "users", "roles", "enrollments")
"""The files that say something about attendance; the others are left unread."""
_NEEDED = ("courses", "classes", "users", "enrollments")
_BLOCK = 1_000_000

_PROPERTY = Column("propertyName", aliases=("propertyname",))
_VALUE = Column("value")


class Mode(StrEnum):
    """What a file of an archive is."""

    ABSENT = "absent"
    BULK = "bulk"  # all of it: what is not there is no more
    DELTA = "delta"  # what changed since the last archive


@dataclass(frozen=True)
class Archive:
    """An archive that was taken apart.

    Attributes:
        system: the code of the system that it comes from; "" where it says none.
        modes: by the name of a file without its ending.
        files: the bytes of those that are read, by the same names.
    """

    system: str
    modes: Mapping[str, Mode]
    files: Mapping[str, bytes]

    def mode(self, name: str) -> Mode:
        """What a file is."""
        return self.modes.get(name, Mode.ABSENT)


def open_archive(data: bytes) -> Archive:
    """Take an archive apart.

    Args:
        data: the ZIP file, as somebody sent it.

    Raises:
        TableError: it is none, is larger than it may be, holds what no OneRoster archive holds, or lacks something.
    """
    if len(data) > MOST_BYTES:
        raise TableError(english("The file is larger than %(megabytes)s MB.", megabytes=MOST_BYTES // 1_000_000))
    try:
        with zipfile.ZipFile(BytesIO(data)) as zipped:
            names = _names(zipped)
            manifest = _manifest(_unpacked(zipped, names.get(_MANIFEST), MAX_BYTES))
            modes = {name: _mode(manifest, name) for name in _READ}
            left, files = _MOST_UNPACKED, dict[str, bytes]()
            for name, mode in modes.items():
                if mode is Mode.ABSENT:
                    continue
                found = names.get(f"{name}.csv")
                if found is None:
                    raise TableError(english("The manifest says that %(name)s.csv is there, but it is not.", name=name))
                files[name] = _unpacked(zipped, found, min(left, MAX_BYTES))
                left -= len(files[name])
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, ValueError, OSError):
        raise TableError(english("This is no ZIP file, or it is damaged.")) from None
    lacking = [f"{name}.csv" for name in _NEEDED if modes[name] is Mode.ABSENT]
    if len(lacking) == len(_NEEDED) or ("enrollments.csv" in lacking and Mode.DELTA not in modes.values()):
        raise TableError(english("The archive lacks %(files)s.", files=english_list(", ", lacking)))
    return Archive(manifest.get("source.systemCode", ""), modes, files)


def _names(zipped: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The entries by their names, all of which are plain and at the root, as OneRoster wants them."""
    entries = zipped.infolist()
    if len(entries) > _MOST_ENTRIES:
        raise TableError(english("The archive holds more than %(most)s files.", most=_MOST_ENTRIES))
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = entry.filename
        if not name.isascii() or not name.isprintable() or any(mark in name for mark in "/\\:") or name.startswith("."):
            raise TableError(
                english(
                    "The archive holds %(name)s: its files must lie at its root, without folders.",
                    name=repr(name[:100]),
                )
            )
        if name in found:
            raise TableError(english("The archive holds %(name)s twice.", name=name))
        found[name] = entry
    return found


def _unpacked(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo | None, most: int) -> bytes:
    """An entry, as far as it may be long, whatever the archive says of its size."""
    if entry is None:
        raise TableError(english("The archive lacks manifest.csv, so it is no OneRoster archive."))
    if entry.flag_bits & 1 or entry.compress_type not in _METHODS:
        raise TableError(
            english("%(name)s is encrypted or packed in a way that is not read here.", name=entry.filename)
        )
    parts, size = [], 0
    with zipped.open(entry) as file:
        while part := file.read(_BLOCK):
            size += len(part)
            if size > most:
                raise TableError(
                    english(
                        "%(name)s is larger than %(megabytes)s MB when it is unpacked, or the archive as a whole is "
                        "too large.",
                        name=entry.filename,
                        megabytes=MAX_BYTES // 1_000_000,
                    )
                )
            parts.append(part)
    return b"".join(parts)


def _manifest(data: bytes) -> dict[str, str]:
    lines = read_table(data, (_PROPERTY, _VALUE)).lines()
    said = {line.values["propertyName"]: line.values["value"] for line in lines if line.error is None}
    version = said.get("oneroster.version", "")
    if version not in _VERSIONS:
        raise TableError(
            english(
                "The manifest says OneRoster %(version)s; read are %(known)s.",
                version=version[:20] or "?",
                known=" and ".join(_VERSIONS),
            )
        )
    return said


def _mode(manifest: Mapping[str, str], name: str) -> Mode:
    word = manifest.get(f"file.{name}", Mode.ABSENT.value).lower()
    try:
        return Mode(word)
    except ValueError:
        raise TableError(
            english("The manifest says %(word)s of %(name)s: it must be absent, bulk or delta.", word=word, name=name)
        ) from None
