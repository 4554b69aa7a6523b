"""Publishing the index of a store."""

from dataclasses import dataclass
from pathlib import Path

from attendance.gallery.files import locked, make_private_folder
from attendance.gallery.format import GalleryError, Manifest, publish
from attendance.gallery.store import read_store

_TURN = ".building.lock"


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """A version that was just published."""

    manifest: Manifest
    sha256: str
    """Of the manifest's file, and so of the whole version."""


def build_index(store_path: Path, folder: Path) -> BuiltIndex:
    """Read the store and publish its index.

    Builders take turns, each for reading and publishing: otherwise one that had read the store before a student was
    erased could publish the student again afterwards.

    Raises:
        StoreError: the store cannot be used; the index in use stays.
        GalleryError: the index cannot be written; the one in use stays.
    """
    if not store_path.exists():
        read_store(store_path)  # says so, and makes no folder
    try:
        make_private_folder(folder)
        with locked(folder / _TURN):
            store = read_store(store_path)
            manifest, sha256 = publish(folder, store.in_use, model=store.model, encoding_size=store.encoding_size)
    except OSError as error:
        raise GalleryError(f"cannot publish an index in {folder}: {error.strerror}") from error
    return BuiltIndex(manifest, sha256)
