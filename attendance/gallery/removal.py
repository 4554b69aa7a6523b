"""Erasing students from the gallery: photos, encodings, and every version of the index that holds them.

The order is such that an erasure that was interrupted anywhere can be asked for again and is then completed: the store,
which says where the photos lay, comes after them, and the index after the store.
"""

import hashlib
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from attendance.gallery.conversion import stores_beside
from attendance.gallery.format import delete_older_versions, versions_with
from attendance.gallery.manifest import TraitsOf
from attendance.gallery.provenance import Provenance
from attendance.gallery.publishing import BuiltIndex, build_index
from attendance.gallery.store import Store, read_store, remove_unfinished_store, update_store


@dataclass(frozen=True, slots=True)
class Erased:
    """What was removed."""

    encodings: int
    """Rows of the store."""
    photos: tuple[Path, ...]
    """Files from which those were made."""
    versions: tuple[str, ...]
    """Versions of the index, oldest first."""
    built: BuiltIndex | None
    """The index that was published without the students; None: none held them."""


def erase_from_gallery(
    students: Collection[str], *, store_path: Path, index_path: Path, traits_of: TraitsOf, photos: bool = True
) -> Erased:
    """Remove students from the store, those of a conversion beside it, and the index, for good.

    Others' encodings stay as they are; the index is built again from the store.

    Args:
        students: index numbers; those whom the gallery does not hold are passed over.
        store_path: the store.
        index_path: the folder of published indexes.
        traits_of: as for `build_index`.
        photos: delete the files, too, from which the encodings were made, where they still are what they were.

    Raises:
        StoreError: the store cannot be read or written.
        GalleryError: the index cannot be published, or older ones cannot be deleted. Ask for the erasure again.
    """
    encodings, deleted = 0, []
    for path in [*stores_beside(store_path), store_path]:
        remove_unfinished_store(path)
        if not path.exists():
            continue
        store = read_store(path)
        held = [student for student in students if student in store.encodings]
        encodings += sum(len(store.encodings[student]) for student in held)
        if photos:
            deleted += [path for student in held for path in _delete_photos(student, store.provenance[student])]
        if held:
            update_store(path, lambda now: _without(now, students))
    versions = {version for student in students for version in versions_with(index_path, student)}
    if not encodings and not versions:
        return Erased(0, tuple(deleted), (), None)
    # Whatever else is wrong with the gallery, the student must be gone.
    built = build_index(store_path, index_path, traits_of=traits_of, other_family=True, mixed=True)
    return Erased(encodings, tuple(deleted), tuple(delete_older_versions(index_path)), built)


def is_in_gallery(student: str, *, store_path: Path, index_path: Path) -> bool:
    """Whether anything of a student is in the store or in any version of the index.

    Raises:
        StoreError: the store cannot be read.
        GalleryError: the indexes cannot be read.
    """
    stores = [path for path in (store_path, *stores_beside(store_path)) if path.exists()]
    return any(student in read_store(path).encodings for path in stores) or bool(versions_with(index_path, student))


def _without(store: Store | None, students: Collection[str]) -> Store:
    return store.without(students) if store is not None else Store({})


def _delete_photos(student: str, origins: Collection[Provenance]) -> list[Path]:
    """Delete the files of these origins, and a folder that names the student and is empty then.

    A file that holds something else by now is left alone.
    """
    deleted = []
    for origin in origins:
        path = Path(origin.path)
        if not origin.path or not path.is_file():
            continue
        if hashlib.sha256(path.read_bytes()).hexdigest() == origin.photo_sha256:
            path.unlink()
            deleted.append(path)
            if path.parent.name == student:
                with suppress(OSError):  # it holds something else
                    path.parent.rmdir()
    return deleted
