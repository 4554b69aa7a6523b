"""The operator's file of settings: read before anything is written, and changed where an option says so."""

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from deploy.installer.places import InstallError, Places

SETTINGS = "/etc/attendance/attendance.toml"
Values = Mapping[tuple[str, str], str]
"""New values by section and key."""


def read_settings(places: Places) -> dict[str, Any] | None:
    """What the file holds; None: there is none.

    Raises:
        InstallError: it is no TOML.
    """
    file = places.at(SETTINGS)
    if not file.exists():
        return None
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InstallError(f"{file} is not TOML: {error}") from None


def changed_settings(places: Places, values: Values) -> str:
    """The text of the file with these values, and everything else, remarks too, as it is.

    Raises:
        InstallError: the file writes one of them in a way that only a person should change.
    """
    file = places.at(SETTINGS)
    text = file.read_text(encoding="utf-8")
    for (section, key), value in values.items():
        before = tomllib.loads(text)
        there = before.get(section, {})
        if isinstance(there, dict) and there.get(key) == value:
            continue
        text = _with(text, section, key, json.dumps(value, ensure_ascii=False))
        try:
            after = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            after = {}
        if after != before | {section: {**(there if isinstance(there, dict) else {}), key: value}}:
            raise InstallError(f"{file}: {key} of [{section}] is written in a way of its own; set it to {value!r}")
    return text


def _with(text: str, section: str, key: str, value: str) -> str:
    """The text with one value replaced, or added below its section's heading; whoever calls reads it again."""
    lines = text.splitlines(keepends=True)
    heading = next((number for number, line in enumerate(lines) if line.split("#")[0].strip() == f"[{section}]"), None)
    if heading is None:
        gap = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{gap}\n[{section}]\n{key} = {value}\n"
    for number in range(heading + 1, len(lines)):
        if lines[number].lstrip().startswith("["):
            break
        if found := re.match(rf"(\s*{key}\s*=\s*)(\"(?:[^\"\\]|\\.)*\"|'[^']*')", lines[number]):
            lines[number] = f"{found[1]}{value}{lines[number][found.end() :]}"
            return "".join(lines)
    lines.insert(heading + 1, f"{key} = {value}\n")
    return "".join(lines)
