"""The product's modules and classes, for tests of the house's rules."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache
from types import ModuleType

PACKAGES = (
    "accuracy",
    "attendance",
    "camera_client",
    "deploy",
    "index_builder",
    "operations",
    "protos",
    "recognition_service",
    "webapp",
)
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
