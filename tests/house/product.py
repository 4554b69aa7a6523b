"""The product's modules and classes, for tests of the house's rules."""

import importlib
import inspect
import pkgutil
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def project() -> dict[str, Any]:
    """The section `project` of pyproject.toml."""
    section: dict[str, Any] = _PROJECT["project"]
    return section


INSTALLED = tuple(pattern.rstrip("*") for pattern in _PROJECT["tool"]["setuptools"]["packages"]["find"]["include"])
"""What a machine gets that installs the product."""
PACKAGES = (*INSTALLED, "deploy")
_NOT_OURS_OR_RUN_AT_IMPORT = ("protos.attendance", "attendance.database.migrations")


@cache
def modules() -> tuple[ModuleType, ...]:
    """Every module of the product, imported; neither generated code nor migrations, nor what is a program."""
    return tuple(
        importlib.import_module(name)
        for package in PACKAGES
        for name in [package, *_within(package)]
        if not name.startswith(_NOT_OURS_OR_RUN_AT_IMPORT) and not name.endswith(".__main__")
    )


def classes() -> Iterator[type]:
    """Every class that one of them defines."""
    for module in modules():
        for _, found in inspect.getmembers(module, inspect.isclass):
            if found.__module__ == module.__name__:
                yield found


def _within(package: str) -> Iterator[str]:
    path = importlib.import_module(package).__path__
    for found in pkgutil.walk_packages(path, f"{package}.", onerror=_fail):
        yield found.name


def _fail(name: str) -> None:
    raise ImportError(f"{name} cannot be imported")
