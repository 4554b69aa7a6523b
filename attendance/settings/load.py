"""Reading settings: which file, which variables, and one plain sentence for each thing that is wrong."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr, ValidationError

from attendance.errors import AttendanceError
from attendance.settings.files import FILE_VARIABLE, settings_file
from attendance.settings.model import Settings
from attendance.settings.relative import take_from, two_folders
from attendance.settings.section import fields_of, is_section

PREFIX = "ATTENDANCE_"
_DATA = "ATTENDANCE_DATA_DIRECTORY"
_CREDENTIALS = re.compile(r"//[^\s]*@")
"""Those of an address, which have no business in one that is no secret."""
NO_SETTINGS = frozenset(
    f"{PREFIX}{name}"
    for name in ("HOST", "SERVICES", "WEB", "ETC", "SITE", "SOURCE", "HTTP_PORT", "HTTPS_PORT", "GRPC_PORT")
)
"""Variables that tell the containers' nginx its site (deploy/containers/nginx-site). They stand in shells in which
commands are given, too, and mean nothing to these."""


class SettingsError(AttendanceError):
    """A setting is unknown or has a wrong value; the message names each one, a line for each."""

    exit_status = 2

    def for_command(self) -> str:
        """With a heading, since there may be several lines."""
        return f"wrong settings\n{self}"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings: environment variables win over the file, the file over the defaults.

    Relative paths of the file are relative to it, those of the environment to the current folder.

    Args:
        environ: the environment, which also says where the file is (`settings_file`); the process's own unless given.

    Raises:
        SettingsError: the file cannot be read, or a setting is unknown or wrong; names every one of them.
    """
    environ = os.environ if environ is None else environ
    file = settings_file(environ)
    values = {} if file is None else _read(file)
    data = None if file is None else take_from(values, file)
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE or variable in NO_SETTINGS:
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
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(item, environ, file) for item in error.errors())) from None
    wrong = two_folders(data, file) if data is not None and file is not None and _DATA not in environ else None
    if wrong is not None:
        raise SettingsError(f"{_DATA}: {wrong}")
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            return tomllib.load(opened)
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file}: not TOML: the file is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: not TOML: {error}") from None
    except RecursionError:
        raise SettingsError(f"{file}: not settings: it is nested too deep") from None


def _parts(section: str) -> list[str]:
    """The keys of a section that are sections themselves: `[matching.dlib]`, in variables `MATCHING_DLIB_...`."""
    return [key for key, inner in fields_of(Settings.model_fields.get(section)).items() if is_section(inner)]


def _sentence(item: Any, environ: Mapping[str, str], file: Path | None) -> str:
    location = [str(part) for part in item["loc"]]
    if not location:  # of several sections together; the sentence names them
        return str(item["msg"]).removeprefix("Value error, ")
    depth = 3 if len(location) > 1 and location[1] in _parts(location[0]) else 2
    name = PREFIX + "_".join(location[:depth]).upper()
    where = f" in {file}" if file is not None and name not in environ else ""
    if item["type"] == "extra_forbidden":
        return f"{name}: unknown setting{where} (see `attendance config`)"
    return f"{name}: {item['msg'].removeprefix('Value error, ')}{_shown(location, item['input'])}{where}"


def _shown(location: list[str], value: object) -> str:
    """The wrong value, unless it may be or hold a secret: one of a secret setting, or what stands for a section."""
    field = Settings.model_fields.get(location[0])
    if not fields_of(field) or len(location) == 1:
        return ""
    for key in location[1:]:
        inner = fields_of(field)
        if not inner:
            break
        field = inner.get(key)
    secret = field is None or SecretStr in (field.annotation, *get_args(field.annotation))
    return "" if secret or fields_of(field) else f" (got {_CREDENTIALS.sub('//***@', repr(value))})"
