"""Which file of settings counts; the one place that says in which order they are looked for."""

import os
from collections.abc import Mapping
from pathlib import Path

FILE_VARIABLE = "ATTENDANCE_CONFIG"
FILE_NAME = "attendance.toml"
SYSTEM_FILE = Path("/etc/attendance") / FILE_NAME


def settings_file(environ: Mapping[str, str] | None = None) -> Path | None:
    """The file of settings that counts: what `ATTENDANCE_CONFIG` names, else the first of `places` that is there.

    Args:
        environ: the environment; the process's own unless given.

    Returns:
        Its whole path. One that is named need not be there; None when none is named and none is there.
    """
    environ = os.environ if environ is None else environ
    named = environ.get(FILE_VARIABLE)
    if named:
        return Path(named).absolute()
    return next((place.absolute() for place in places(environ) if _is_there(place)), None)


def places(environ: Mapping[str, str] | None = None) -> list[Path]:
    """Where a file of settings is looked for, in this order: the current folder, the account's, the machine's.

    The account's is `$XDG_CONFIG_HOME/attendance`, commonly `~/.config/attendance`
    (https://specifications.freedesktop.org/basedir-spec/latest/); on Windows the folder of settings of programs.
    """
    environ = os.environ if environ is None else environ
    own = _own_folder(environ)
    return [Path(FILE_NAME), *([] if own is None else [own / "attendance" / FILE_NAME]), SYSTEM_FILE]


def where_from(environ: Mapping[str, str] | None = None) -> str:
    """Which file of settings counts, in words; where there is none, in which places it was looked for."""
    file = settings_file(environ)
    if file is not None:
        return f"file of settings: {file}"
    return f"no file of settings in {', '.join(str(place.absolute().parent) for place in places(environ))}"


def _own_folder(environ: Mapping[str, str]) -> Path | None:
    """The account's folder of settings; None for an account without a home."""
    for variable in ("XDG_CONFIG_HOME", "APPDATA"):
        folder = environ.get(variable, "")
        if folder and Path(folder).is_absolute():  # by the specification, others are no folder
            return Path(folder)
    home = environ.get("HOME")
    return Path(home) / ".config" if home else None


def _is_there(place: Path) -> bool:
    """Whether it is there. The machine's counts also where this account may not see it: reading it says why."""
    try:
        place.stat()
    except PermissionError:
        return place == SYSTEM_FILE
    except OSError:
        return False
    return True
