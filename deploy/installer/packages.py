"""Where the packages of a release come from, and which of the optional ones it has."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.installer.places import SOURCE, InstallError

_TRACING = "lib/python*/site-packages/opentelemetry/exporter/otlp"


@dataclass(frozen=True)
class Packages:
    """What pip is told.

    Attributes:
        wheelhouse: a folder that `make wheelhouse` made; None: the package index.
        tracing: whether OpenTelemetry is among them.
    """

    wheelhouse: Path | None = None
    tracing: bool = False

    @property
    def source(self) -> list[str]:
        """Pip's options: from where."""
        if self.wheelhouse is None:
            return []
        return ["--no-index", "--find-links", str(self.wheelhouse)]

    @property
    def locks(self) -> list[Path]:
        """The lock files, in their order; the first has what the others are built with."""
        names = ["build", "runtime", *(["tracing"] if self.tracing else [])]
        return [SOURCE / "locks" / f"{name}.txt" for name in names]

    @property
    def advice(self) -> str:
        """What may help when pip fails."""
        if self.wheelhouse is None:
            return "a machine without internet takes packages from a folder: docs/operations.md, *Without internet*"
        return (
            f"{self.wheelhouse} may be of another version of the system, of Python or of the processor: make it again "
            "(make wheelhouse) from this source, with this machine's version of Python"
        )


def require_wheelhouse(folder: Path) -> None:
    """Check what an operator named.

    Raises:
        InstallError: there is no such folder, or it holds no packages.
    """
    if not any(folder.glob("*.whl")):
        raise InstallError(f"--wheelhouse: {folder} is no folder of packages; `make wheelhouse` makes one")


def choose_packages(current: Path, *, tracing: bool | None, wheelhouse: Path | None) -> Packages:
    """Decide for this run.

    Args:
        current: the environment in use; need not be there.
        tracing: whether OpenTelemetry is wanted; None: as the environment in use has it, however it came there.
        wheelhouse: as the operator named it; checked.
    """
    has = any(current.glob(_TRACING))
    folder = None if wheelhouse is None else wheelhouse.absolute()
    return Packages(wheelhouse=folder, tracing=has if tracing is None else tracing)


def run_tool(words: Sequence[str], advice: str = "") -> None:
    """Run pip, or what makes an environment for it.

    Args:
        words: program and arguments.
        advice: what may help when it fails.

    Raises:
        InstallError: it failed; the message ends with what it said, and the advice.
    """
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise InstallError(f"{' '.join(words[:6])}... failed: {said}" + (f"\nPerhaps: {advice}" if advice else ""))
