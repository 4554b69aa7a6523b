"""Published indexes on disk: whole or not at all, and every bit of them checked when read.

    <folder>/CURRENT                        "<version> <SHA-256 of its manifest.json>"
    <folder>/versions/<version>/manifest.json, index.faiss, labels.json
    <folder>/.lock                          held by the one builder that publishes

A version is written beside the others, synced, renamed into place, and only then does CURRENT name it. CURRENT vouches
for the manifest and the manifest for the files.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index_builder.files import locked, make_private_folder, replace_durably, sync_folder, write_durably
from index_builder.gallery import Gallery, GalleryError

__all__ = [
    "KEPT_VERSIONS",
    "GalleryError",
    "Manifest",
    "current_version",
    "delete_older_versions",
    "load_gallery",
    "publish",
    "read_manifest",
]

KEPT_VERSIONS = 3
"""The current version and those before it; older ones are removed when a new one is published."""

_FORMAT = 1
_CURRENT, _LOCK, _VERSIONS, _UNFINISHED = "CURRENT", ".lock", "versions", ".unfinished"
_INDEX, _LABELS, _MANIFEST = "index.faiss", "labels.json", "manifest.json"
_POINTER = re.compile(r"(?P<version>(?P<number>\d{6,12})-\d{8}T\d{6}Z-[0-9a-f]{8}) (?P<sha256>[0-9a-f]{64})\n")
_VERSION = re.compile(r"(?P<number>\d{6,12})-\d{8}T\d{6}Z-[0-9a-f]{8}")
_SHORT_HASH = 8


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a published index is."""

    version: str
    """A running number, the time, and the start of the index's hash: 000012-20260301T080000Z-5f3a9c01."""
    created_at: str
    """UTC, ISO 8601."""
    model: str
    """The embedding model that made the encodings."""
    encoding_size: int
    identities: int
    """How many students."""
    encodings: int
    """How many encodings of them in all."""
    files: Mapping[str, str]
    """SHA-256 of each file."""
    format: int = _FORMAT

    def to_json(self) -> bytes:
        """As written to manifest.json."""
        return (json.dumps(asdict(self), indent=2) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Manifest":
        """Read what `to_json` wrote.

        Raises:
            ValueError: it is something else, or of another format.
        """
        values = json.loads(data)
        if not isinstance(values, dict) or values.get("format") != _FORMAT:
            raise ValueError(f"not an index of format {_FORMAT}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError("not a manifest") from error


def publish(
    folder: Path, encodings: Mapping[str, NDArray[np.floating[Any]]], *, model: str, encoding_size: int
) -> tuple[Manifest, str]:
    """Write a new version and make it the current one; wait for another builder that is doing so.

    Args:
        folder: of the published indexes; made if need be.
        encodings: for each student an array of shape (k, encoding_size); nobody at all is allowed.
        model: the embedding model.
        encoding_size: numbers in an encoding.

    Returns:
        The manifest, and the SHA-256 of its file, which stands for the whole version.

    Raises:
        GalleryError: the encodings do not fit, or the disk refuses; the version before is still the current one.
    """
    gallery = Gallery.from_encodings(encodings, model=model, encoding_size=encoding_size)
    try:
        make_private_folder(folder)
        make_private_folder(folder / _VERSIONS)
        with locked(folder / _LOCK):
            _remove_unfinished(folder)
            manifest = _write_version(folder, gallery)
            sha256 = hashlib.sha256(manifest.to_json()).hexdigest()
            replace_durably(folder / _CURRENT, f"{manifest.version} {sha256}\n".encode())
            _remove_old(folder, current=manifest.version)
    except OSError as error:
        raise GalleryError(f"cannot publish an index in {folder}: {error.strerror}") from error
    return manifest, sha256


def _write_version(folder: Path, gallery: Gallery) -> Manifest:
    contents = {_INDEX: gallery.serialize(), _LABELS: (json.dumps(gallery.labels) + "\n").encode()}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    now = datetime.now(UTC)
    # The number orders versions even when the clock was set back.
    number = max((_number(path.name) for path in _versions(folder)), default=0) + 1
    manifest = Manifest(
        version=f"{number:06d}-{now:%Y%m%dT%H%M%SZ}-{hashes[_INDEX][:_SHORT_HASH]}",
        created_at=now.isoformat(timespec="milliseconds"),
        model=gallery.model,
        encoding_size=gallery.encoding_size,
        identities=len(gallery.identities),
        encodings=gallery.encodings,
        files=hashes,
    )
    unfinished = folder / _UNFINISHED
    make_private_folder(unfinished)
    for name, data in (*contents.items(), (_MANIFEST, manifest.to_json())):
        write_durably(unfinished / name, data)
    sync_folder(unfinished)
    unfinished.rename(folder / _VERSIONS / manifest.version)
    sync_folder(folder / _VERSIONS)
    return manifest


def _versions(folder: Path) -> list[Path]:
    return [path for path in (folder / _VERSIONS).iterdir() if _VERSION.fullmatch(path.name)]


def _oldest_first(folder: Path) -> list[Path]:
    return sorted(_versions(folder), key=lambda path: _number(path.name))


def _number(version: str) -> int:
    return int(version.partition("-")[0])


def _remove_unfinished(folder: Path) -> None:
    """Clear away what a killed builder left half written."""
    if (folder / _UNFINISHED).exists():
        shutil.rmtree(folder / _UNFINISHED)


def _remove_old(folder: Path, *, current: str) -> None:
    for path in _oldest_first(folder)[:-KEPT_VERSIONS]:
        if path.name != current:
            shutil.rmtree(path)


def delete_older_versions(folder: Path) -> list[str]:
    """Remove every version but the current one, and what a killed builder left: an erased student is in them still.

    A service that holds one of them in memory goes on with it until it takes up the current one.

    Args:
        folder: of the published indexes; nothing is done where none was ever published.

    Returns:
        The names of the versions removed, oldest first.

    Raises:
        GalleryError: CURRENT is damaged, so that it cannot be told which one to keep (nothing was removed then), or the
            disk refuses.
    """
    if not (folder / _VERSIONS).is_dir():
        return []
    try:
        with locked(folder / _LOCK):
            current = current_version(folder)
            _remove_unfinished(folder)
            older = [path for path in _oldest_first(folder) if path.name != current]
            for path in older:
                shutil.rmtree(path)
            sync_folder(folder / _VERSIONS)
    except OSError as error:
        raise GalleryError(f"cannot remove older indexes in {folder}: {error.strerror}") from error
    return [path.name for path in older]


def current_version(folder: Path) -> str | None:
    """The name of the current version; None if nothing was published yet.

    Raises:
        GalleryError: the file that names it is damaged or cannot be read.
    """
    pointer = _read_pointer(folder)
    return None if pointer is None else pointer[0]


def _read_pointer(folder: Path) -> tuple[str, str] | None:
    """The current version and the SHA-256 of its manifest."""
    path = folder / _CURRENT
    try:
        text = path.read_bytes().decode("ascii", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise GalleryError(f"cannot read {path}: {error.strerror}") from None
    found = _POINTER.fullmatch(text)
    if found is None:
        raise GalleryError(f"{path} is damaged: build the index again")
    return found["version"], found["sha256"]


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of the current version, its hash checked; None if nothing was published yet.

    Raises:
        GalleryError: it is missing or damaged.
    """
    pointer = _read_pointer(folder)
    return None if pointer is None else _read_manifest(folder, *pointer)


def _read_manifest(folder: Path, version: str, sha256: str) -> Manifest:
    data = _read_part(folder, version, _MANIFEST, sha256)
    try:
        manifest = Manifest.from_json(data)
    except ValueError as error:
        raise GalleryError(f"index {version}: its {_MANIFEST} cannot be used: {error}") from None
    if manifest.version != version:
        raise GalleryError(f"index {version}: its {_MANIFEST} is that of {manifest.version}")
    return manifest


def load_gallery(folder: Path, *, model: str | None = None) -> Gallery:
    """Read the current version, checking every file.

    Args:
        folder: of the published indexes.
        model: the embedding model in use; an index made for another is refused. None: any.

    Raises:
        GalleryError: nothing was published yet, a file is missing or damaged, or the model is another.
    """
    while True:
        pointer = _read_pointer(folder)
        if pointer is None:
            raise GalleryError(f"there is no index in {folder}: run `attendance index build`")
        try:
            return _load_version(folder, *pointer, model=model)
        except GalleryError:
            # Builders may have published, and removed this version, while it was being read.
            if _read_pointer(folder) == pointer:
                raise


def _load_version(folder: Path, version: str, sha256: str, *, model: str | None) -> Gallery:
    manifest = _read_manifest(folder, version, sha256)
    if model is not None and manifest.model != model:
        raise GalleryError(
            f"index {version} was made with the model {manifest.model}, but the engine uses {model}: "
            "enrol the students and build the index again with this engine"
        )
    labels = json.loads(_read_part(folder, version, _LABELS, manifest.files.get(_LABELS, "")))
    data = _read_part(folder, version, _INDEX, manifest.files.get(_INDEX, ""))
    try:
        index = faiss.deserialize_index(np.frombuffer(data, np.uint8))
    except RuntimeError as error:
        raise GalleryError(f"index {version}: FAISS {faiss.__version__} cannot read {_INDEX}") from error
    return Gallery(
        version=version,
        model=manifest.model,
        encoding_size=manifest.encoding_size,
        students=[student for student, _ in labels],
        counts=[count for _, count in labels],
        index=index,
    )


def _read_part(folder: Path, version: str, name: str, sha256: str) -> bytes:
    path = folder / _VERSIONS / version / name
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise GalleryError(f"index {version}: {name} is missing: build the index again") from None
    except OSError as error:
        raise GalleryError(f"index {version}: cannot read {name}: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise GalleryError(f"index {version}: {name} is damaged (wrong SHA-256): build the index again")
    return data
