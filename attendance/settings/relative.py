"""Paths in a file of settings are relative to that file, so that a command means the same from every folder."""

import re
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

from attendance.settings.model import Settings
from attendance.settings.section import PathInside, fields_of

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def take_from(values: dict[str, Any], file: Path) -> Path | None:
    """Make every relative path among a file's values a whole one, as seen from the file's folder.

    A file that does not say where the data is has it beside itself.

    Args:
        values: what the file holds; changed in place. What is no setting, or of a wrong type, stays as it is.
        file: its path.

    Returns:
        The data folder as it was, where it was relative.
    """
    data = values.setdefault("data", {})
    given = data.setdefault("directory", str(Settings().data.directory)) if isinstance(data, dict) else None
    for name, field in Settings.model_fields.items():
        _take_section(values.get(name), fields_of(field), file.parent)
    return Path(given) if isinstance(given, str) and given and not _is_whole(given) else None


def two_folders(given: Path, file: Path) -> str | None:
    """What is wrong where a relative data folder stands in the current folder, too, where versions before kept it.

    Args:
        given: the data folder, as the file has it.
        file: of settings.

    Returns:
        A sentence; None where it is clear which is meant.
    """
    here, beside = given.absolute(), file.parent / given
    if not here.is_dir() or (beside.is_dir() and beside.samefile(here)):
        return None
    return (
        f"{str(given)!r} means {beside}, beside the file of settings {file}; but there is {here}, too, where versions "
        f'before kept it. Write into the file which one you mean, with its whole path: [data] directory = "/..."'
    )


def _take_section(table: object, fields: dict[str, FieldInfo], folder: Path) -> None:
    if not isinstance(table, dict):
        return
    for key, value in table.items():
        field = fields.get(key)
        if field is None:
            continue
        if isinstance(value, str):
            table[key] = _whole(field, value, folder)
        else:
            _take_section(value, fields_of(field), folder)


def _whole(field: FieldInfo, value: str, folder: Path) -> str:
    if Path in (field.annotation, *get_args(field.annotation)):
        return _inside(folder, value)
    for kind in field.metadata:
        found = kind.pattern.fullmatch(value) if isinstance(kind, PathInside) else None
        if found:
            start, end = found.span("path")
            return value[:start] + _inside(folder, found["path"]) + value[end:]
    return value


def _inside(folder: Path, text: str) -> str:
    return text if not text or _is_whole(text) else str(folder / text)


def _is_whole(text: str) -> bool:
    return Path(text).is_absolute() or _DRIVE.match(text) is not None
