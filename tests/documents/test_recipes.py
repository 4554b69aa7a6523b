"""Every recipe of docs/recipes works as it is written: carried out on a copy of the project."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from attendance.database.engine import newest_revision
from tests.documents.recipes import RECIPES, ROOT, RecipeError, Step, carry_out, copy_project, edited, read_recipe

NAMES = sorted(path.stem for path in RECIPES.glob("*.md") if path.stem != "index")
# Those that start a service, a database server or an engine.
SLOW = {"contract-call", "embedding-model", "migration"}


def words(text: str) -> str:
    """What stands for the words in capitals of a recipe."""
    last = newest_revision()
    return text.replace("NEXT", f"{int(last) + 1:04}").replace("LAST", last)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path / "project")


@pytest.fixture
def environ(project: Path, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ATTENDANCE_", "PYTEST_"))}
    return {
        **kept,
        "PYTHONPATH": str(project),  # before the installed project
        "PYTHONDONTWRITEBYTECODE": "1",
        "ATTENDANCE_DATA_DIRECTORY": str(tmp_path / "data"),
    }


def follow(name: str, project: Path, environ: dict[str, str]) -> None:
    for step in read_recipe(words((RECIPES / f"{name}.md").read_text("utf-8"))):
        carry_out(step, project, environ)
    for arguments in (["check", "--no-cache"], ["format", "--check", "--diff"]):
        command = [".venv/bin/ruff", *arguments, "--quiet", "."]
        done = subprocess.run(command, check=False, cwd=project, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, f"after {name}: {command}\n{done.stdout}\n{done.stderr}"


@pytest.mark.long("a recipe is carried out on a copy of the project")
@pytest.mark.parametrize("name", sorted(set(NAMES) - SLOW))
def test_a_recipe_works_as_it_is_written(name: str, project: Path, environ: dict[str, str]) -> None:
    follow(name, project, environ)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["contract-call", "migration"])
def test_a_recipe_that_needs_programs_works(name: str, project: Path, environ: dict[str, str]) -> None:
    follow(name, project, environ)


@pytest.mark.exhaustive
def test_a_model_is_measured(project: Path, environ: dict[str, str], pictures: Path) -> None:
    people = {"1001": (40, 230, 215, 440), "1002": (430, 250, 600, 450)}  # two faces of t1.jpg
    for person, box in people.items():
        folder = project / "photos" / person
        folder.mkdir(parents=True)
        with Image.open(pictures / "t1.jpg") as six:
            alone = six.crop(box)
        alone.save(folder / "1.png")
        alone.resize((alone.width * 5 // 4, alone.height * 5 // 4)).save(folder / "2.png")
    follow("embedding-model", project, environ)
    assert (project / "report-mine" / "evaluation.html").exists()


@pytest.mark.exhaustive
def test_all_recipes_together_keep_types_and_import_rules(project: Path, environ: dict[str, str]) -> None:
    for name in NAMES:
        for step in read_recipe(words((RECIPES / f"{name}.md").read_text("utf-8"))):
            if step.kind != "run" or "make protos" in step.block:
                carry_out(step, project, environ)
    for command in ("mypy", "lint-imports --no-logo", "python -m docs.from_code"):
        carry_out(Step("run", f".venv/bin/{command}\n"), project, environ)


def test_every_recipe_has_steps_and_every_edit_a_place() -> None:
    """Also those that are too slow to be carried out each time: every line that they change is there."""
    assert NAMES
    for name in NAMES:
        texts: dict[str, str] = {}
        steps = read_recipe(words((RECIPES / f"{name}.md").read_text("utf-8")))
        assert any(step.kind == "run" for step in steps), name
        for step in steps:
            if step.kind not in ("run", "file"):
                before = texts.get(step.path) or (ROOT / step.path).read_text("utf-8")
                texts[step.path] = edited(before, step)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Look:\n\n```python\nx = 1\n```\n", "no step announces the block after: 'Look:'"),
        ("New file `a.py`:\n\nAnd so on.\n\n```text\n```\n\nMore.", "no block follows: New file `a.py`:"),
    ],
)
def test_what_cannot_be_followed_is_told(text: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        read_recipe(text)


def test_a_step_changes_one_line_and_no_other() -> None:
    text = "class A:\n    x = 1\nclass B:\n    x = 1\n"
    below = Step("below", "    y = 2\n", "f.py", "    x = 1", "class B:")
    assert edited(text, below) == "class A:\n    x = 1\nclass B:\n    x = 1\n    y = 2\n"
    with pytest.raises(RecipeError, match=r"f\.py holds '    x = 1' 2 times"):
        edited(text, Step("above", "z\n", "f.py", "    x = 1"))
    with pytest.raises(RecipeError, match=r"f\.py holds 'gone' 0 times"):
        edited(text, Step("above", "z\n", "f.py", "gone"))


def test_a_failing_command_fails_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="ends with 3"):
        carry_out(Step("run", "exit 3\n"), tmp_path, {"PATH": os.environ["PATH"]})
    assert shutil.which("bash")
