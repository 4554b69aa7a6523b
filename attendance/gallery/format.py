"""Published indexes on disk: whole or not at all, and every bit of them checked when read.

    <folder>/CURRENT                        names the current version (`attendance.gallery.versions`)
    <folder>/versions/<version>/manifest.json
                                labels.json     [student, number of encodings], in the order of the rows
                                encodings.npy   float32, shape (encodings, encoding_size)
                                search.faiss    the approximate index of a large gallery

A version is written beside the others, synced, renamed into place, and only then does CURRENT name it. CURRENT vouches
for the manifest and the manifest for the files: whoever loads an index has checked every bit of it. The encodings stay
in their file, mapped into memory: processes share them, and the system may drop what is not used. A published file is
never written to; it is removed when old, and whoever has it mapped goes on with it.
"""

import hashlib
import io
import json
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
from attendance.gallery.files import locked, write_durably
from attendance.gallery.gallery import Gallery, GalleryError
from attendance.gallery.manifest import Manifest, ModelTraits, read_labels
from attendance.gallery.proposals import Proposals
from attendance.gallery.versions import (
    LABELS,
    LOCK,
    MANIFEST,
    UNFINISHED,
    VERSIONS,
    current_version,
    delete_older_versions,
    make_current,
    number_of,
    put_in_place,
    read_pointer,
    remove_unfinished,
    versions_of,
    versions_with,
)
from attendance.private_files import make_private_folder

__all__ = [
    "EXACT_UP_TO",
    "KEPT_VERSIONS",
    "GalleryError",
    "Manifest",
    "current_version",
    "delete_older_versions",
    "load_gallery",
    "manifest_of",
    "publish",
    "read_manifest",
    "versions_with",
]

KEPT_VERSIONS = 3
"""The current version and those before it; older ones are removed when a new one is published."""

EXACT_UP_TO = 200_000
"""Encodings up to which every one is compared. Beyond, an approximate index is faster for the faces of a frame:
`python -m benchmarks.matching` measures where that begins."""

_ENCODINGS, _SEARCH = "encodings.npy", "search.faiss"
_ENCODINGS_1 = "index.faiss"
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
        make_private_folder(folder / VERSIONS)
        with locked(folder / LOCK):
            remove_unfinished(folder)
            manifest = _write_version(folder, gallery, proposals, traits.family)
            sha256 = hashlib.sha256(manifest.to_json()).hexdigest()
            make_current(folder, manifest.version, sha256)
            _remove_old(folder, current=manifest.version)
    except OSError as error:
        raise GalleryError(f"cannot publish an index in {folder}: {error.strerror}") from error
    return manifest, sha256


def _write_version(folder: Path, gallery: Gallery, proposals: Proposals | None, family: str) -> Manifest:
    unfinished = folder / UNFINISHED
    make_private_folder(unfinished)
    write_durably(unfinished / _ENCODINGS, _array_header(gallery.rows), gallery.rows.reshape(-1).view(np.uint8).data)
    write_durably(unfinished / LABELS, (json.dumps(gallery.labels) + "\n").encode())
    if proposals is not None:
        write_durably(unfinished / _SEARCH, proposals.serialize())
    digests = {path.name: tree_digest(path) for path in sorted(unfinished.iterdir())}
    now = datetime.now(UTC)
    # The number orders versions even when the clock was set back.
    number = max((number_of(path.name) for path in versions_of(folder)), default=0) + 1
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
    write_durably(unfinished / MANIFEST, manifest.to_json())
    put_in_place(folder, unfinished, manifest.version)
    return manifest


def _array_header(rows: NDArray[np.float32]) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(rows))
    return header.getvalue()


def _remove_old(folder: Path, *, current: str) -> None:
    for path in versions_of(folder)[:-KEPT_VERSIONS]:
        if path.name != current:
            shutil.rmtree(path)


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of the current version, its hash checked; None if nothing was published yet.

    Raises:
        GalleryError: it is missing or damaged.
    """
    pointer = read_pointer(folder)
    return None if pointer is None else manifest_of(folder, *pointer)[0]


def manifest_of(folder: Path, version: str, sha256: str) -> tuple[Manifest, bytes]:
    """The manifest of a version, held against its SHA-256 and its name, and its bytes as they are written.

    Raises:
        GalleryError: it is missing or damaged.
    """
    data = _read_part(folder, version, MANIFEST, sha256)
    try:
        manifest = Manifest.from_json(data)
    except ValueError as error:
        raise GalleryError(f"index {version}: its {MANIFEST} cannot be used: {error}") from None
    if manifest.version != version:
        raise GalleryError(f"index {version}: its {MANIFEST} is that of {manifest.version}")
    return manifest, data


def load_gallery(folder: Path, *, model: str | None = None) -> Gallery:
    """Read the current version, checking every file.

    Args:
        folder: of the published indexes.
        model: the embedding model in use; an index made for another is refused. None: any.

    Raises:
        GalleryError: nothing was published yet, a file is missing or damaged, or the model is another.
    """
    while True:
        pointer = read_pointer(folder)
        if pointer is None:
            raise GalleryError(f"there is no index in {folder}: run `attendance index build`")
        try:
            return _load_version(folder, *pointer, model=model)
        except GalleryError:
            # Builders may have published, and removed this version, while it was being read.
            if read_pointer(folder) == pointer:
                raise


def _load_version(folder: Path, version: str, sha256: str, *, model: str | None) -> Gallery:
    manifest, _ = manifest_of(folder, version, sha256)
    if model is not None and manifest.model != model:
        family = f" (this index is of family {manifest.family})" if manifest.family else ""
        raise GalleryError(
            f"index {version} was made with the model {manifest.model}, but the engine uses {model}: encodings of two "
            f"models are never compared{family}. Start the program again with the index's models, or have the gallery "
            "converted (`attendance gallery convert`)"
        )
    labels = _labels(folder, manifest)
    if len(labels) != manifest.identities or sum(count for _, count in labels) != manifest.encodings:
        raise GalleryError(f"index {version}: {LABELS} has other students or encodings than {MANIFEST} counts")
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
    version, digest = manifest.version, manifest.files.get(LABELS, "")
    data = _read_part(folder, version, LABELS, digest, tree=manifest.format > 1)
    try:
        return read_labels(data)
    except ValueError as error:
        raise GalleryError(f"index {version}: {LABELS} cannot be used: {error}") from None


def _mapped_rows(folder: Path, manifest: Manifest) -> NDArray[np.float32]:
    path = folder / VERSIONS / manifest.version / _ENCODINGS
    with _refusals(manifest.version, _ENCODINGS):
        if tree_digest(path) != manifest.files.get(_ENCODINGS):
            raise _damaged(manifest.version, _ENCODINGS)
        try:
            # As a plain array of the mapped memory: a slice of a memmap takes five times as long.
            rows = np.asarray(np.lib.format.open_memmap(path, mode="r"))
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
        data = (folder / VERSIONS / version / name).read_bytes()
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
