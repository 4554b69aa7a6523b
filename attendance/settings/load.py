"""Reading settings: which file, which variables, and one plain sentence for each thing that is wrong."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from attendance.errors import AttendanceError
from attendance.settings.model import Settings
from attendance.settings.section import Section, is_section

PREFIX = "ATTENDANCE_"
FILE_VARIABLE = "ATTENDANCE_CONFIG"
DEFAULT_FILE = Path("attendance.toml")


class SettingsError(AttendanceError):
    """A setting is unknown or has a wrong value; the message names each one, a line for each."""

    exit_status = 2

    def for_command(self) -> str:
        """With a heading, since there may be several lines."""
        return f"wrong settings\n{self}"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings: environment variables win over the file, the file over the defaults.

    The file is the one that `ATTENDANCE_CONFIG` names, or `attendance.toml` of the working folder when there is one.

    Raises:
        SettingsError: the file cannot be read, or a setting is unknown or wrong; names every one of them.
    """
    environ = os.environ if environ is None else environ
    values = _from_file(environ)
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE:
            continue
        section, _, key = variable.removeprefix(PREFIX).lower().partition("_")
        table = values.setdefault(section, {})
        part, _, own = key.partition("_")
        if own and part in _parts(section):
            key, table = own, table.setdefault(part, {}) if isinstance(table, dict) else None
        if not key or not isinstance(table, dict):
            raise SettingsError(f"{variable}: unknown setting (see `attendance config`)")
        table[key] = text
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(item) for item in error.errors())) from None


def _from_file(environ: Mapping[str, str]) -> dict[str, Any]:
    named = environ.get(FILE_VARIABLE)
    path = Path(named) if named else DEFAULT_FILE
    if not named and not path.exists():
        return {}
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"{FILE_VARIABLE}: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not TOML: the file is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None


def _parts(section: str) -> list[str]:
    """The keys of a section that are sections themselves: `[matching.dlib]`, in variables `MATCHING_DLIB_...`."""
    field = Settings.model_fields.get(section)
    return [key for key, inner in _fields(field).items() if is_section(inner)]


def _fields(field: FieldInfo | None) -> dict[str, FieldInfo]:
    """The fields of a section; none of anything else."""
    section = field.annotation if field is not None else None
    return section.model_fields if isinstance(section, type) and issubclass(section, Section) else {}


def _sentence(item: Any) -> str:
    location = [str(part) for part in item["loc"]]
    if not location:  # of several sections together; the sentence names them
        return str(item["msg"]).removeprefix("Value error, ")
    depth = 3 if len(location) > 1 and location[1] in _parts(location[0]) else 2
    name = PREFIX + "_".join(location[:depth]).upper()
    if item["type"] == "extra_forbidden":
        return f"{name}: unknown setting (see `attendance config`)"
    return f"{name}: {item['msg'].removeprefix('Value error, ')}{_shown(location, item['input'])}"


def _shown(location: list[str], value: object) -> str:
    """The wrong value, unless it may be or hold a secret: one of a secret setting, or what stands for a section."""
    field = Settings.model_fields.get(location[0])
    if not _fields(field) or len(location) == 1:
        return ""
    for key in location[1:]:
        inner = _fields(field)
        if not inner:
            break
        field = inner.get(key)
    secret = field is None or SecretStr in (field.annotation, *get_args(field.annotation))
    return "" if secret or _fields(field) else f" (got {value!r})"
