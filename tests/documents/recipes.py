"""Recipes as steps, and carrying them out on a copy of the project."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "docs" / "recipes"

_EDIT = re.compile(r"^In `([^`]+)`, (below|above|in place of) `([^`]+)`(?: of `([^`]+)`)?:$")
_FILE = re.compile(r"^New file `([^`]+)`:$")
_FENCE = re.compile(r"^```(\w*)$")


@dataclass(frozen=True)
class Step:
    """What a block of a recipe is for. `kind`: "below", "above", "in place of", "file" or "run"."""

    kind: str
    block: str
    path: str = ""
    line: str = ""
    head: str = ""


class RecipeError(Exception):
    """A recipe cannot be followed; the message says where."""


def read_recipe(text: str) -> list[Step]:
    """The steps of a recipe.

    Raises:
        RecipeError: a block is announced by no step, or a step has no block.
    """
    steps, said = [], ""
    lines = iter(text.splitlines())
    for line in lines:
        fence = _FENCE.match(line)
        if fence is None:
            if line.strip():
                if _announces(said):
                    raise RecipeError(f"no block follows: {said}")
                said = line.strip()
            continue
        block = []
        for inner in lines:
            if inner == "```":
                break
            block.append(inner)
        if fence[1] != "text":  # shown only
            steps.append(_step(said, "\n".join(block) + "\n"))
        said = ""
    return steps


def _announces(said: str) -> bool:
    return bool(_EDIT.match(said) or _FILE.match(said)) or said == "Run:"


def _step(said: str, block: str) -> Step:
    if said == "Run:":
        return Step("run", block)
    if found := _FILE.match(said):
        return Step("file", block, found[1])
    if found := _EDIT.match(said):
        return Step(found[2], block, found[1], found[3], found[4] or "")
    raise RecipeError(f"no step announces the block after: {said!r}")


def copy_project(folder: Path) -> Path:
    """The project's files as they are now in a new folder, with a `.venv` that is this one, taken for up to date."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").mkdir()
    for entry in (ROOT / ".venv").iterdir():
        if not entry.name.startswith("installed"):
            (folder / ".venv" / entry.name).symlink_to(entry)
    for mark in ("installed", "installed-dev"):
        (folder / ".venv" / mark).touch()
    return folder


def carry_out(step: Step, project: Path, environ: dict[str, str]) -> None:
    """Do one step in a copy of the project.

    Raises:
        RecipeError: the line to change is not there, or not once; the file is there already; the command fails.
    """
    if step.kind == "run":
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", step.block],
            check=False,
            cwd=project,
            env=environ,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RecipeError(f"{step.block}ends with {done.returncode}:\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}")
        return
    path = project / step.path
    if step.kind == "file":
        if path.exists():
            raise RecipeError(f"{step.path} is there already")
        path.write_text(step.block, "utf-8")
        return
    path.write_text(edited(path.read_text("utf-8"), step), "utf-8")


def edited(text: str, step: Step) -> str:
    """The text of a file after a step that changes it.

    Raises:
        RecipeError: the line is not there, or more than once.
    """
    lines = text.splitlines(keepends=True)
    first = 0
    if step.head:
        heads = [number for number, line in enumerate(lines) if line.rstrip("\n") == step.head]
        if len(heads) != 1:
            raise RecipeError(f"{step.path} holds {step.head!r} {len(heads)} times")
        first = heads[0]
    found = [number for number, line in enumerate(lines) if number >= first and line.rstrip("\n") == step.line]
    if not found or (len(found) > 1 and not step.head):
        raise RecipeError(f"{step.path} holds {step.line!r} {len(found)} times")
    at = found[0]
    start, end = {"below": (at + 1, at + 1), "above": (at, at), "in place of": (at, at + 1)}[step.kind]
    blank = "\n" if step.kind == "above" else ""
    return "".join([*lines[:start], step.block, blank, *lines[end:]])
