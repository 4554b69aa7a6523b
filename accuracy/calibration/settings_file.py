"""Writing the chosen thresholds into the settings file, if that is simple: every other line stays as it is."""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

from attendance.errors import AttendanceError
from attendance.gallery.files import replace_durably
from attendance.settings.model import Settings

_SECTION = re.compile(r"^\s*\[matching\]\s*(#.*)?$")
_ANY_SECTION = re.compile(r"^\s*\[")


class SettingsFileError(AttendanceError):
    """The file was left as it is; the message says why."""


def lines_to_copy(thresholds: Mapping[str, float]) -> str:
    """The settings as TOML."""
    return "\n".join(["[matching]", *(f"{key} = {value:g}" for key, value in thresholds.items())])


def write_thresholds(path: Path, thresholds: Mapping[str, float]) -> None:
    """Set keys of the section matching in a TOML file, which is made if it is missing.

    Args:
        path: the settings file; a link stays one.
        thresholds: values by key.

    Raises:
        SettingsFileError: the file cannot be read or written, or is laid out so that its lines cannot be replaced
            safely; it is untouched.
    """
    try:
        old = path.read_text("utf-8") if path.exists() else ""
        before = tomllib.loads(old)
        new = _replaced(old, thresholds)
        after = tomllib.loads(new)
        matching = before.get("matching", {})
        if not isinstance(matching, dict) or after != {**before, "matching": {**matching, **thresholds}}:
            raise SettingsFileError(f"{path} is laid out in a way that is not changed here: copy the lines by hand")
        Settings.model_validate(after)
        _replace(path.resolve(), new.encode("utf-8"))
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


def _replaced(text: str, thresholds: Mapping[str, float]) -> str:
    lines = text.splitlines()
    start = next((place for place, line in enumerate(lines) if _SECTION.match(line)), None)
    if start is None:
        gap = [""] if lines and lines[-1].strip() else []
        return "\n".join([*lines, *gap, lines_to_copy(thresholds), ""])
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
