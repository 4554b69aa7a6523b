"""Publishing the index of a store."""

from dataclasses import dataclass
from pathlib import Path

from attendance.gallery.files import locked
from attendance.gallery.format import GalleryError, Manifest, publish, read_manifest
from attendance.gallery.manifest import TraitsOf
from attendance.gallery.store import Store, read_store
from attendance.private_files import make_private_folder

_TURN = ".building.lock"


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """A version that was just published."""

    manifest: Manifest
    sha256: str
    """Of the manifest's file, and so of the whole version."""
    holds: frozenset[str] = frozenset()
    """The index numbers of its students."""


def build_index(
    store_path: Path, folder: Path, *, traits_of: TraitsOf, other_family: bool = False, mixed: bool = False
) -> BuiltIndex:
    """Read the store and publish its index.

    Builders take turns, each for reading and publishing: otherwise one that had read the store before a student was
    erased could publish the student again afterwards.

    Args:
        store_path: the store.
        folder: of the published indexes.
        traits_of: tells of the store's model what a gallery must know.
        other_family: publish also where the index in use is of another family of models.
        mixed: publish also where the store says that its encodings are of several models; for an erasure, which nothing
            must hold up.

    Raises:
        StoreError: the store cannot be used; the index in use stays.
        GalleryError: the index cannot be written, the store holds encodings of several models, or the index in use is
            of another family; the one in use stays.
    """
    if not store_path.exists():
        read_store(store_path)  # says so, and makes no folder
    try:
        make_private_folder(folder)
        with locked(folder / _TURN):
            store = read_store(store_path)
            traits = traits_of(store.model)
            if not mixed:
                _require_one_model(store_path, store)
            if not other_family:
                _require_family(store_path, store, folder, traits_of)
            manifest, sha256 = publish(
                folder, store.in_use, model=store.model, traits=traits, encoding_size=store.encoding_size
            )
    except OSError as error:
        raise GalleryError(f"cannot publish an index in {folder}: {error.strerror}") from error
    return BuiltIndex(manifest, sha256, frozenset(store.in_use))


def _require_one_model(path: Path, store: Store) -> None:
    """Whoever merged stores by hand may have put encodings of another model into this one."""
    for student, origins in store.provenance.items():
        other = next((origin.model for origin in origins if origin.model not in ("", store.model)), None)
        if other is not None:
            raise GalleryError(
                f"the store {path} is one of {store.model}, but an encoding of {student!r} was made with {other}: "
                "they cannot be compared. Enrol the student again"
            )


def _require_family(path: Path, store: Store, folder: Path, traits_of: TraitsOf) -> None:
    """A running service would refuse the index; and whoever publishes another family's should mean to."""
    try:
        current = read_manifest(folder)
    except GalleryError:
        return  # a damaged index is mended by publishing
    if current is None:
        return
    theirs, ours = current.family or traits_of(current.model).family, traits_of(store.model).family
    if theirs != ours:
        raise GalleryError(
            f"the store {path} holds encodings of family {ours} ({store.model}), but the index in use, "
            f"{current.version}, is of family {theirs} ({current.model}). `attendance gallery convert` takes a gallery "
            "from one family to the other; `attendance index build --other-family` publishes this store all the same"
        )
