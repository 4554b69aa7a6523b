"""Which versions of Python the product says it runs on, and that every lock has a wheel for each of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.product import ROOT, project

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
LOCKS = tuple(sorted((ROOT / "locks").glob("*.txt")))
SERVER, RASPBERRY_PI = "x86_64-manylinux_2_36", "aarch64-manylinux_2_36"
"""Debian 12's, both."""
_SOURCE_ONLY = "face-recognition-models"
"""Data and a few lines of Python: published as source alone, and installed from it on every version."""


def test_the_classifiers_and_the_oldest_version_say_the_same() -> None:
    settings = project()
    prefix = "Programming Language :: Python :: "
    said = {line.removeprefix(prefix) for line in settings["classifiers"] if line.startswith(prefix)}
    assert said == {"3", "3 :: Only", *VERSIONS}
    assert settings["requires-python"] == f">={VERSIONS[0]}"
    assert f"--python-version {VERSIONS[0]} " in (ROOT / "Makefile").read_text("utf-8"), "for which locks are made"
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in VERSIONS


@pytest.mark.exhaustive
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_lock_has_a_wheel_with_its_hash(tmp_path: Path, lock: Path, version: str) -> None:
    """Asked of uv: pip decides by the Python that it runs on which lines of a lock count."""
    platforms = [SERVER, RASPBERRY_PI] if lock.stem == "camera" else [SERVER]
    for platform in platforms:
        done = subprocess.run(
            [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--quiet", "--no-deps", "--require-hashes",
             "--python-version", version, "--python-platform", platform, "--target", tmp_path,
             "--only-binary", ":all:", "--no-binary", _SOURCE_ONLY, "--requirement", lock],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{lock.name}, Python {version}, {platform}:\n{done.stderr}"
