"""The wheel holds every file that the programs open, and runs where there is no source."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.house.product import INSTALLED, ROOT

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
NOT_OPENED = {
    "attendance/face_engine/models/sources.in",  # what the lock beside it is made from
    "operations/demo/pictures.in",
}


def files(*where: str) -> list[str]:
    """What is in the repository, or will be."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *where]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for path in listed.split("\0") if path and (ROOT / path).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The product's wheel, built from a copy that is gone."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for path in files(*INSTALLED, "pyproject.toml", "README.md"):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, source / path)
    words = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(source)
    (built,) = folder.glob("*.whl")
    return built


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    wanted = set(files(*INSTALLED)) - NOT_OPENED
    assert {"webapp/static/css/print.css", "operations/demo/pictures.lock"} <= wanted
    with zipfile.ZipFile(wheel) as archive:
        missing = wanted - set(archive.namelist())
    assert not missing, "package-data of pyproject.toml leaves them out"


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
def test_the_demo_runs_from_an_installed_wheel(
    wheel: Path, tmp_path: Path, pictures: Path, opencv_models: Path
) -> None:
    """In an environment and a folder of their own, with the packages of this one, which do not lead to the source."""
    environment, here = tmp_path / "environment", tmp_path / "here"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    # Of a folder that a .pth file names no .pth files are read: what makes the source importable here stays behind.
    own = next(environment.glob("lib/python*/site-packages"))
    (own / "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    words = [*PIP, "--python", str(python), "install", "--no-deps", "--no-index", "--ignore-installed", str(wheel)]
    subprocess.run(words, check=True, capture_output=True)
    here.mkdir()
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(words, cwd=here, env=environ, capture_output=True, text=True, timeout=500, check=False)

    found = run(str(python), "-c", "import operations; print(operations.__path__[0])")
    assert Path(found.stdout).is_relative_to(own), found.stderr
    done = run(str(environment / "bin" / "attendance"), "demo", "--once")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Exactly the right people are present" in done.stdout
