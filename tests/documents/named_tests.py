"""Tests that a document names in a table: they exist."""

import ast
import re
from functools import cache

from docs.from_code.__main__ import ROOT


def require_tests(cell: str, *, of: str) -> None:
    """Check that a cell names tests, nothing else, and that there are such."""
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", cell)
    assert named, of
    assert re.sub(r"`[^`]+`(, )?", "", cell) == "", "nothing but tests stands there"
    for path, name in named:
        assert name in _names_in(path), f"{path}::{name}"


@cache
def _names_in(path: str) -> set[str]:
    """Names of the tests of a file under tests/."""
    module = ast.parse((ROOT / "tests" / path).read_text("utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in module.body if isinstance(node, functions) and node.name.startswith("test_")}
