"""Finds names of the product that nobody uses, or only tests: `python -m tests.unused_names`, part of `make check`.

vulture reads Python; this adds what it cannot see: names that templates use, names handed over or annotated as text,
and members of enumerations, which come in by value. `[tool.vulture]` in pyproject.toml says where it looks, and lists
what frameworks call by name.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from jinja2 import Environment, nodes
from vulture import Vulture
from vulture.config import make_config


def unused(config: dict[str, list[str]]) -> Iterator[str]:
    """A line for each name, with its place."""
    search = Vulture(ignore_names=config["ignore_names"], ignore_decorators=config["ignore_decorators"])
    search.scavenge(config["paths"], exclude=config["exclude"])
    folders = [Path(path) for path in config["paths"]]
    search.used_names.update(
        names_in_templates(file.read_text("utf-8") for one in folders for file in one.rglob("*.html"))
    )
    search.used_names.update(names_as_values(file.read_text("utf-8") for one in folders for file in one.rglob("*.py")))
    for found in search.get_unused_code():
        yield f"{Path(found.filename).relative_to(Path.cwd())}:{found.first_lineno}: {found.typ} {found.name}"


def names_in_templates(sources: Iterable[str]) -> set[str]:
    """What Jinja2 templates name."""
    environment = Environment()  # noqa: S701 - nothing is rendered
    names: set[str] = set()
    for source in sources:
        page = environment.parse(source)
        names.update(node.name for node in page.find_all(nodes.Name))
        names.update(node.attr for node in page.find_all(nodes.Getattr))
    return names


def names_as_values(sources: Iterable[str]) -> set[str]:
    """Names that are text, as arguments of calls or as annotations, and members of enumerations."""
    names: set[str] = set()
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call):
                texts = [part.value for part in node.args if isinstance(part, ast.Constant)]
                names.update(text for text in texts if isinstance(text, str) and text.isidentifier())
            elif isinstance(node, ast.arg | ast.AnnAssign | ast.FunctionDef | ast.AsyncFunctionDef):
                names.update(_names_in_annotation(node))
            elif isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("Enum") for base in node.bases):
                members = [part for part in node.body if isinstance(part, ast.Assign)]
                names.update(target.id for part in members for target in part.targets if isinstance(target, ast.Name))
    return names


def _names_in_annotation(node: ast.AST) -> Iterator[str]:
    """The names in annotations that are written as text."""
    for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
        for part in ast.walk(annotation) if annotation is not None else ():
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield from (inner.id for inner in ast.walk(ast.parse(part.value)) if isinstance(inner, ast.Name))


def main() -> None:
    """Print what was found; ends with status 1 if there is anything."""
    found = list(unused(make_config([])))
    if found:
        lines = "\n".join(f"  {line}" for line in found)
        sys.exit(f"Nobody uses these names, or only tests do. Delete them, with those tests:\n{lines}")


if __name__ == "__main__":
    main()
