"""Enough of the Dockerfile's language to run its commands without containers."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    """One image.

    Attributes:
        instructions: (name, words) in order, without FROM.
    """

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    @property
    def environ(self) -> dict[str, str]:
        """What its ENV lines set."""
        found = "\n".join(words for name, words in self.instructions if name == "ENV")
        return dict(re.findall(r"(\w+)=(\S+)", found))

    @property
    def command(self) -> list[str]:
        """ENTRYPOINT and CMD."""
        return [word for name in ("ENTRYPOINT", "CMD") for word in json.loads(self.last(name))]

    @property
    def health_command(self) -> list[str]:
        """What HEALTHCHECK runs."""
        words: list[str] = json.loads(self.last("HEALTHCHECK").partition("CMD ")[2])
        return words

    def last(self, wanted: str) -> str:
        """The last instruction of a name."""
        return next(words for name, words in reversed(self.instructions) if name == wanted)


def read_stages(file: Path) -> dict[str, Stage]:
    """The stages by name."""
    text = re.sub(r"^\s*#.*\n", "", file.read_text(), flags=re.MULTILINE)
    stages: dict[str, Stage] = {}
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        name, _, words = line.strip().partition(" ")
        if name == "FROM":
            base, _, title = words.partition(" AS ")
            stages[title] = current = Stage(base)
        elif name and name != "ARG":
            current.instructions.append((name, words))
    return stages


def run_build(stages: dict[str, Stage], title: str, *, source: Path, root: Path) -> None:
    """Run a stage's COPY and RUN lines, and those of the stages below, with `root` in the place of `/`."""
    stage = stages[title]
    if stage.base in stages:
        run_build(stages, stage.base, source=source, root=root)
    work = root / "src"
    work.mkdir(parents=True, exist_ok=True)
    for name, words in stage.instructions:
        if name == "COPY":
            *froms, to = words.split()
            for path in froms:
                _copy(source, path, work / to)
        elif name == "RUN":
            command = words.replace("/opt/attendance", str(root / "opt/attendance")).replace("python -m", "python3 -m")
            environ = {"PATH": f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin", "HOME": str(root)}
            keep = {key: value for key, value in os.environ.items() if key.startswith("PIP_") or "proxy" in key.lower()}
            environ |= keep | stage.environ
            shell = ["/bin/sh", "-c", command]
            done = subprocess.run(shell, cwd=work, env=environ, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def _copy(source: Path, path: str, to: Path) -> None:
    if path != ".":
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / path, to)
        return
    for name in _sent_to_the_builder(source):
        if (source / name).is_dir():
            shutil.copytree(
                source / name, to / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
            )
        elif (source / name).exists():
            shutil.copy(source / name, to)


def _sent_to_the_builder(source: Path) -> list[str]:
    lines = (source / ".dockerignore").read_text().splitlines()
    return [line.removeprefix("!") for line in lines if line.startswith("!")]
