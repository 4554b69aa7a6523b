"""A release: an environment made from the lock file, beside those of earlier runs; `current` names the one in use."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from deploy.installer.database import run_attendance
from deploy.installer.packages import Packages, run_tool
from deploy.installer.places import SOURCE, USER, InstallError, Places

_RELEASES = "/opt/attendance/releases"
_CURRENT, _PREVIOUS = "/opt/attendance/current", "/opt/attendance/previous"
_DONE = "installed"
_NOT_INSTALLED = {"tests", "benchmarks", "deploy", "build"}


def prepare_release(places: Places, venv: str, packages: Packages) -> Path:
    """Make the release of this checkout, unless it is there.

    Args:
        places: where to.
        venv: an environment to use as it is; empty: one is made.
        packages: of the one that is made.

    Returns:
        Its folder, with `venv` and `static` in it.

    Raises:
        InstallError: something of it cannot be installed; the message holds what pip said.
    """
    if venv:
        name, environment = "given", Path(venv).absolute()
        places.link(f"{_RELEASES}/{name}/venv", environment)
    else:
        name = _name() + ("-tracing" if packages.tracing else "")
        environment = places.at(_RELEASES) / name / "venv"
        if not (environment.parent / _DONE).exists():
            _build(environment, packages)
            (environment.parent / _DONE).touch()
            places.changes.append(f"installed release {name}")
    places.link(f"{_RELEASES}/{name}/static", _static(environment))
    return places.at(_RELEASES) / name


def use_release(places: Places, release: Path) -> bool:
    """Let `current` name the release; whether it did not before. The one before stays, for going back."""
    current = places.at(_CURRENT)
    before = current.readlink() if current.is_symlink() else None
    if not places.link(_CURRENT, release):
        return False
    if before is not None:
        places.link(_PREVIOUS, before)
    for folder in release.parent.iterdir():
        if folder not in (release, before):
            shutil.rmtree(folder)
            places.changes.append(f"removed release {folder.name}")
    return True


def fetch_models(places: Places, release: Path, wheelhouse: Path | None) -> None:
    """Fetch the face models that are missing; an installation never fails by it, for there are others to run with."""
    words = ["models", "fetch"] if wheelhouse is None else ["models", "fetch", "--from", str(wheelhouse)]
    try:
        # As root from a folder of the operator's, which the account may not be able to read.
        said = run_attendance(places, release, *words, as_user=wheelhouse is None).splitlines()
    except InstallError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return
    for line in said:
        if ": fetched from " in line:
            places.changes.append(line)
        else:
            print(line, flush=True)  # noqa: T201
    if wheelhouse is not None:
        places.give("/var/cache/attendance", USER)
    cache = "/var/cache/attendance-serve"
    again = ("models", "fetch", "--from", str(places.at("/var/cache/attendance/models")))
    with suppress(InstallError):  # what is missing was said above
        run_attendance(places, release, *again, as_user=False, ATTENDANCE_ENGINE_CACHE=f"{places.at(cache)}/models")
    places.give(cache, f"{USER}-serve")


def _name() -> str:
    """Of the files that are installed, so that a checkout that did not change is the same release."""
    digest = hashlib.sha256()
    for path in _files():
        digest.update(f"{path.relative_to(SOURCE).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _files() -> Iterator[Path]:
    packages = [path.parent for path in SOURCE.glob("*/__init__.py") if path.parent.name not in _NOT_INSTALLED]
    roots = sorted([*packages, *Packages(tracing=True).locks])
    for root in [*roots, SOURCE / "pyproject.toml", SOURCE / "README.md"]:
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _build(environment: Path, packages: Packages) -> None:
    print("Installing the system (a minute or two)", flush=True)  # noqa: T201
    shutil.rmtree(environment.parent, ignore_errors=True)
    environment.parent.mkdir(parents=True)
    run_tool([sys.executable, "-m", "venv", str(environment)], "apt-get install python3-venv")
    pip = [str(environment / "bin" / "pip"), "--disable-pip-version-check", "--quiet", "install", "--no-deps"]
    pip += packages.source
    for lock in packages.locks:
        run_tool([*pip, "--require-hashes", "--no-build-isolation", "-r", str(lock)], packages.advice)
    with tempfile.TemporaryDirectory() as folder:
        # Building leaves files beside the sources, which should not be in the checkout.
        for path in _files():
            copy = Path(folder) / path.relative_to(SOURCE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
        run_tool([*pip, "--no-build-isolation", folder])


def _static(environment: Path) -> Path:
    words = [str(environment / "bin" / "python"), "-I", "-c", "import webapp; print(webapp.__path__[0])"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    if done.returncode != 0:
        raise InstallError(f"{environment} holds no dashboard: {done.stderr.strip()[-500:]}")
    return Path(done.stdout.strip()) / "static"
