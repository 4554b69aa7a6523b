"""Writing the chosen thresholds into the settings file, if that is simple: every other line stays as it is."""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attendance.errors import AttendanceError
from attendance.gallery.files import replace_durably
from attendance.settings.families import Family
from attendance.settings.model import Settings

_ANY_SECTION = re.compile(r"^\s*\[")


class SettingsFileError(AttendanceError):
    """The file was left as it is; the message says why."""


def lines_to_copy(family: Family, thresholds: Mapping[str, float]) -> str:
    """The settings as TOML."""
    return _lines(f"matching.{family}", thresholds)


def _lines(section: str, thresholds: Mapping[str, float]) -> str:
    return "\n".join([f"[{section}]", *(f"{key} = {value:g}" for key, value in thresholds.items())])


def write_thresholds(path: Path, family: Family, thresholds: Mapping[str, float]) -> str:
    """Set distances of a family in a TOML file, which is made if it is missing.

    Where one of dlib's still stands by its former name, in the section matching, all are set there.

    Args:
        path: the settings file; a link stays one.
        family: whose distances they are.
        thresholds: values by key.

    Returns:
        The section that they were written to.

    Raises:
        SettingsFileError: the file cannot be read or written, or is laid out so that its lines cannot be replaced
            safely; it is untouched.
    """
    try:
        old = path.read_text("utf-8") if path.exists() else ""
        before = tomllib.loads(old)
        matching = before.get("matching", {})
        former = family is Family.DLIB and isinstance(matching, dict) and not thresholds.keys().isdisjoint(matching)
        section = "matching" if former else f"matching.{family}"
        new = _replaced(old, section, thresholds)
        after = tomllib.loads(new)
        if not isinstance(matching, dict) or after != _with(before, section, thresholds):
            raise SettingsFileError(f"{path} is laid out in a way that is not changed here: copy the lines by hand")
        Settings.model_validate(after)
        _replace(path.resolve(), new.encode("utf-8"))
        return section
    except OSError as error:
        raise SettingsFileError(f"cannot read or write {path}: {error.strerror}") from None
    except ValueError as error:  # not UTF-8, not TOML, or not settings
        first = str(error).splitlines()[0]
        raise SettingsFileError(f"{path} is left as it is: {first}. Copy the lines by hand") from None


def _replace(path: Path, data: bytes) -> None:
    """Whole or not at all; whoever could read the old file can read the new one."""
    old = path.stat() if path.exists() else None
    replace_durably(path, data)
    if old is not None:
        path.chmod(stat.S_IMODE(old.st_mode))
        new = path.stat()
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            os.chown(path, old.st_uid, old.st_gid)


def _with(before: Mapping[str, Any], section: str, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """What the file should mean afterwards."""
    matching = before.get("matching", {})
    _, _, family = section.partition(".")
    new = {**matching, family: {**matching.get(family, {}), **thresholds}} if family else {**matching, **thresholds}
    return {**before, "matching": new}


def _replaced(text: str, section: str, thresholds: Mapping[str, float]) -> str:
    lines = text.splitlines()
    heading = re.compile(rf"^\s*\[{re.escape(section)}\]\s*(#.*)?$")
    start = next((place for place, line in enumerate(lines) if heading.match(line)), None)
    if start is None:
        gap = [""] if lines and lines[-1].strip() else []
        return "\n".join([*lines, *gap, _lines(section, thresholds), ""])
    end = next((at for at in range(start + 1, len(lines)) if _ANY_SECTION.match(lines[at])), len(lines))
    for key, value in thresholds.items():
        line = f"{key} = {value:g}"
        # A comment behind the value is about the old one.
        place = next((at for at in range(start + 1, end) if re.match(rf"\s*{key}\s*=", lines[at])), None)
        if place is not None:
            lines[place] = line
        else:
            lines.insert(start + 1, line)
            end += 1
    return "\n".join([*lines, ""])
