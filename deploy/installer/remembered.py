"""The file in which an installation keeps what it was told, from one run to the next."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.installer.places import InstallError


def read(file: Path, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What the last run was told; nothing where there was none. What this version does not know is left out.

    Args:
        file: holds JSON.
        defaults: of all that may be told; what is remembered is of the same types.

    Raises:
        InstallError: the file is damaged or cannot be read.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InstallError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise _damaged(file, "it is not JSON" if isinstance(error, ValueError) else "it is nested too deep") from None
    if not isinstance(content, dict):
        raise _damaged(file, "it holds no object")
    known = {name: value for name, value in content.items() if name in defaults}
    for name, value in known.items():
        kinds = (bool, type(None)) if defaults[name] is None else (type(defaults[name]),)
        if type(value) not in kinds:
            raise _damaged(file, f"{name} is {json.dumps(value)[:40]}")
    return known


def _damaged(file: Path, why: str) -> InstallError:
    return InstallError(
        f"{file}, which remembers what this installation was told, is damaged: {why}. Put back the one from a backup, "
        "or remove it and give every option again that differs from the defaults: deploy/install --help"
    )
