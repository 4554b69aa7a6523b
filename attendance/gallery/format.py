"""Published indexes on disk: whole or not at all, and every bit of them checked when read.

    <folder>/CURRENT                        "<version> <SHA-256 of its manifest.json>"
    <folder>/versions/<version>/manifest.json
                                labels.json     [student, number of encodings], in the order of the rows
                                encodings.npy   float32, shape (encodings, encoding_size)
                                search.faiss    the approximate index of a large gallery
    <folder>/.lock                          held by the one builder that publishes

A version is written beside the others, synced, renamed into place, and only then does CURRENT name it. CURRENT vouches
for the manifest and the manifest for the files: whoever loads an index has checked every bit of it. The encodings stay
in their file, mapped into memory: processes share them, and the system may drop what is not used. A published file is
never written to; it is removed when old, and whoever has it mapped goes on with it.
"""

import hashlib
import io
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from attendance.gallery.digests import tree_digest, tree_digest_of
from attendance.gallery.files import locked, replace_durably, sync_folder, write_durably
from attendance.gallery.gallery import Gallery, GalleryError
from attendance.gallery.manifest import Manifest, ModelTraits, read_labels
from attendance.gallery.proposals import Proposals
from attendance.private_files import PRIVATE_FILE, PRIVATE_FOLDER, group_may_read, make_private_folder

__all__ = [
    "EXACT_UP_TO",
    "KEPT_VERSIONS",
    "GalleryError",
    "Manifest",
    "current_version",
    "delete_older_versions",
    "load_gallery",
    "publish",
    "read_manifest",
    "versions_with",
]

KEPT_VERSIONS = 3
"""The current version and those before it; older ones are removed when a new one is published."""

EXACT_UP_TO = 200_000
"""Encodings up to which every one is compared. Beyond, an approximate index is faster for the faces of a frame:
`python -m benchmarks.matching` measures where that begins."""

_CURRENT, _LOCK, _VERSIONS, _UNFINISHED = "CURRENT", ".lock", "versions", ".unfinished"
_ENCODINGS, _SEARCH, _LABELS, _MANIFEST = "encodings.npy", "search.faiss", "labels.json", "manifest.json"
_ENCODINGS_1 = "index.faiss"
_POINTER = re.compile(r"(?P<version>(?P<number>\d{6,12})-\d{8}T\d{6}Z-[0-9a-f]{8}) (?P<sha256>[0-9a-f]{64})\n")
_VERSION = re.compile(r"(?P<number>\d{6,12})-\d{8}T\d{6}Z-[0-9a-f]{8}")
_SHORT_HASH = 8


def publish(
    folder: Path,
    encodings: Mapping[str, NDArray[np.floating[Any]]],
    *,
    model: str,
    traits: ModelTraits,
    encoding_size: int,
    exact_up_to: int = EXACT_UP_TO,
) -> tuple[Manifest, str]:
    """Write a new version and make it the current one; wait for another builder that is doing so.

    Args:
        folder: of the published indexes; made if need be.
        encodings: for each student an array of shape (k, encoding_size); nobody at all is allowed.
        model: the embedding model.
        traits: its family, which the manifest names, and how far photos of one person usually lie apart.
        encoding_size: numbers in an encoding.
        exact_up_to: encodings beyond which an approximate index is built too.

    Returns:
        The manifest, and the SHA-256 of its file, which stands for the whole version.

    Raises:
        GalleryError: the encodings do not fit, or the disk refuses; the version before is still the current one.
    """
    gallery = Gallery.from_encodings(encodings, model=model, encoding_size=encoding_size)
    proposals = None
    if gallery.encodings > exact_up_to:
        proposals = gallery.build_proposals(usual_distance=traits.usual_distance)
    try:
        make_private_folder(folder)
        make_private_folder(folder / _VERSIONS)
        with locked(folder / _LOCK):
            _remove_unfinished(folder)
            manifest = _write_version(folder, gallery, proposals, traits.family)
            sha256 = hashlib.sha256(manifest.to_json()).hexdigest()
            current = f"{manifest.version} {sha256}\n".encode()
            replace_durably(folder / _CURRENT, current, mode=PRIVATE_FILE | group_may_read(folder))
            _remove_old(folder, current=manifest.version)
    except OSError as error:
        raise GalleryError(f"cannot publish an index in {folder}: {error.strerror}") from error
    return manifest, sha256


def _write_version(folder: Path, gallery: Gallery, proposals: Proposals | None, family: str) -> Manifest:
    unfinished = folder / _UNFINISHED
    make_private_folder(unfinished)
    write_durably(unfinished / _ENCODINGS, _array_header(gallery.rows), gallery.rows.reshape(-1).view(np.uint8).data)
    write_durably(unfinished / _LABELS, (json.dumps(gallery.labels) + "\n").encode())
    if proposals is not None:
        write_durably(unfinished / _SEARCH, proposals.serialize())
    digests = {path.name: tree_digest(path) for path in sorted(unfinished.iterdir())}
    now = datetime.now(UTC)
    # The number orders versions even when the clock was set back.
    number = max((_number(path.name) for path in _versions(folder)), default=0) + 1
    manifest = Manifest(
        version=f"{number:06d}-{now:%Y%m%dT%H%M%SZ}-{digests[_ENCODINGS][:_SHORT_HASH]}",
        created_at=now.isoformat(timespec="milliseconds"),
        model=gallery.model,
        encoding_size=gallery.encoding_size,
        identities=len(gallery.identities),
        encodings=gallery.encodings,
        files=digests,
        search={"kind": "exact"} if proposals is None else proposals.described,
        family=family,
    )
    write_durably(unfinished / _MANIFEST, manifest.to_json())
    _let_group_read(folder, unfinished)
    sync_folder(unfinished)
    unfinished.rename(folder / _VERSIONS / manifest.version)
    sync_folder(folder / _VERSIONS)
    return manifest


def _let_group_read(folder: Path, unfinished: Path) -> None:
    """Let the group of the index's folder read a version, too, where it may read the folder.

    Nothing of ours lets it but the installer, for services that run by another account.
    """
    if group_may_read(folder):
        for path in (folder / _VERSIONS, unfinished, *unfinished.rglob("*")):
            path.chmod(PRIVATE_FOLDER | 0o050 if path.is_dir() else PRIVATE_FILE | 0o040)


def _array_header(rows: NDArray[np.float32]) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(rows))
    return header.getvalue()


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


def versions_with(folder: Path, student: str) -> list[str]:
    """The versions that hold a student, oldest first, the current one too.

    A version whose labels cannot be read counts as one that does, and so does what a killed builder left.

    Raises:
        GalleryError: the folder cannot be read.
    """
    try:
        found = (
            [path for path in _oldest_first(folder) if _holds(path, student)] if (folder / _VERSIONS).is_dir() else []
        )
    except OSError as error:
        raise GalleryError(f"cannot read the indexes in {folder}: {error.strerror}") from error
    return [path.name for path in found] + ([_UNFINISHED] if (folder / _UNFINISHED).exists() else [])


def _holds(version: Path, student: str) -> bool:
    try:
        return any(label[0] == student for label in json.loads((version / _LABELS).read_bytes()))
    except (OSError, ValueError, LookupError, TypeError):
        return True


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
        family = f" (this index is of family {manifest.family})" if manifest.family else ""
        raise GalleryError(
            f"index {version} was made with the model {manifest.model}, but the engine uses {model}: encodings of two "
            f"models are never compared{family}. Start the program again with the index's models, or have the gallery "
            "converted (`attendance gallery convert`)"
        )
    labels = _labels(folder, manifest)
    if len(labels) != manifest.identities or sum(count for _, count in labels) != manifest.encodings:
        raise GalleryError(f"index {version}: {_LABELS} has other students or encodings than {_MANIFEST} counts")
    return Gallery(
        version=version,
        model=manifest.model,
        encoding_size=manifest.encoding_size,
        students=[student for student, _ in labels],
        counts=[count for _, count in labels],
        rows=_rows_of_1(folder, manifest) if manifest.format == 1 else _mapped_rows(folder, manifest),
        proposals=_proposals(folder, manifest),
    )


def _labels(folder: Path, manifest: Manifest) -> list[tuple[str, int]]:
    version, digest = manifest.version, manifest.files.get(_LABELS, "")
    data = _read_part(folder, version, _LABELS, digest, tree=manifest.format > 1)
    try:
        return read_labels(data)
    except ValueError as error:
        raise GalleryError(f"index {version}: {_LABELS} cannot be used: {error}") from None


def _mapped_rows(folder: Path, manifest: Manifest) -> NDArray[np.float32]:
    path = folder / _VERSIONS / manifest.version / _ENCODINGS
    with _refusals(manifest.version, _ENCODINGS):
        if tree_digest(path) != manifest.files.get(_ENCODINGS):
            raise _damaged(manifest.version, _ENCODINGS)
        try:
            rows = np.lib.format.open_memmap(path, mode="r")
        except (ValueError, EOFError) as error:
            raise GalleryError(f"index {manifest.version}: {_ENCODINGS} cannot be used: {error}") from None
    return rows


def _rows_of_1(folder: Path, manifest: Manifest) -> NDArray[np.float32]:
    data = _read_part(folder, manifest.version, _ENCODINGS_1, manifest.files.get(_ENCODINGS_1, ""))
    index = _faiss_index(manifest.version, _ENCODINGS_1, data)
    if not isinstance(index, faiss.IndexFlat) or index.metric_type != faiss.METRIC_L2:
        raise GalleryError(f"index {manifest.version}: not an exact Euclidean FAISS index")
    rows: NDArray[np.float32] = index.reconstruct_n(0, index.ntotal)
    return rows


def _proposals(folder: Path, manifest: Manifest) -> Proposals | None:
    if manifest.is_exact:
        return None
    version = manifest.version
    data = _read_part(folder, version, _SEARCH, manifest.files.get(_SEARCH, ""), tree=True)
    try:
        return Proposals.from_parts(_faiss_index(version, _SEARCH, data), manifest.search)
    except ValueError as error:
        raise GalleryError(f"index {version}: {_SEARCH} cannot be used: {error}") from None


def _faiss_index(version: str, name: str, data: bytes) -> Any:
    try:
        return faiss.deserialize_index(np.frombuffer(data, np.uint8))
    except (RuntimeError, MemoryError) as error:
        raise GalleryError(f"index {version}: FAISS {faiss.__version__} cannot read {name}") from error


def _read_part(folder: Path, version: str, name: str, digest: str, *, tree: bool = False) -> bytes:
    """A file of a version, checked by its SHA-256 or, where `tree` is set, by its `tree_digest`."""
    with _refusals(version, name):
        data = (folder / _VERSIONS / version / name).read_bytes()
    if (tree_digest_of(data) if tree else hashlib.sha256(data).hexdigest()) != digest:
        raise _damaged(version, name)
    return data


@contextmanager
def _refusals(version: str, name: str) -> Iterator[None]:
    """The disk's refusals become a GalleryError that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise GalleryError(f"index {version}: {name} is missing: build the index again") from None
    except OSError as error:
        raise GalleryError(f"index {version}: cannot read {name}: {error.strerror}") from None


def _damaged(version: str, name: str) -> GalleryError:
    return GalleryError(f"index {version}: {name} is damaged (wrong SHA-256): build the index again")
