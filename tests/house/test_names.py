"""Names in the house: a class's name stands once, and our packages' names are nobody else's."""

import ast
from collections import defaultdict
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.house.product import INSTALLED, classes, modules

PROJECT = "class-attendance"
# A tool of the repository, which is a command itself: `python -m protos.generate`.
NO_ROOM_FOR_COMMANDS = {"protos.generate"}


def test_no_public_class_name_stands_twice() -> None:
    found = defaultdict(set)
    for one in classes():
        if not one.__name__.startswith("_"):
            found[one.__name__].add(one.__module__)
    assert {name: places for name, places in found.items() if len(places) > 1} == {}


def test_no_package_of_ours_is_also_another_distributions() -> None:
    owners = packages_distributions()
    others = {package: set(owners.get(package, ())) - {PROJECT} for package in INSTALLED}
    assert {package: names for package, names in others.items() if names} == {}


def test_commands_stand_in_modules_called_cli() -> None:
    importing = {
        module.__name__ for module in modules() if module.__file__ and "click" in _imported(Path(module.__file__))
    }
    outside = {name for name in importing if "cli" not in name.split(".")}
    assert outside == NO_ROOM_FOR_COMMANDS


def _imported(path: Path) -> set[str]:
    """The top-level packages that a module imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names
