"""The store: students' encodings in a pickle, in the layouts that face_recognition users have, read without trust.

Two layouts are read: {"encodings": [...], "names": [...]}, of equal length, and a mapping from a name to an encoding or
to several. The first is written, its encodings as one array of shape (n, size), with the embedding model's name and the
encodings' provenance beside them. A name is a student's index number.
"""

import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attendance.errors import AttendanceError
from attendance.gallery.files import locked, remove_unfinished, replace_durably
from attendance.gallery.layouts import LayoutError, place_names, read_layout, read_model, read_size
from attendance.gallery.pickling import pickled
from attendance.gallery.provenance import UNKNOWN, Provenance, ProvenanceError, provenance_as_text, read_provenance
from attendance.gallery.unpickling import PickledArray, UnpicklingError, unpickle
from attendance.private_files import make_private_folder

DEFAULT_MODEL = "dlib-resnet-v1"
"""What made the encodings of a store that does not say: face_recognition's encoder, as the face engine names it."""
ENCODING_SIZE = 128
"""Numbers in an encoding of `DEFAULT_MODEL`."""
MOST_BYTES = 2 * 1024 * 1024 * 1024
"""The largest store read: some 1,600,000 encodings, five each of six campuses of 50,000."""


class StoreError(AttendanceError):
    """A store cannot be read or written, or what it holds cannot be used; the message names what is wrong with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """Encodings of students, checked."""

    encodings: Mapping[str, NDArray[np.float64]]
    """For each index number an array of shape (k, encoding_size), k at least 1."""
    model: str = DEFAULT_MODEL
    """The embedding model that made them."""
    encoding_size: int = ENCODING_SIZE
    provenance: Mapping[str, Sequence[Provenance]] = field(default_factory=dict)
    """For each index number the origins of its encodings, in their order; unknown where none was given."""

    def __post_init__(self) -> None:
        """Fill in what is unknown; ValueError where a student has more or fewer origins than encodings."""
        origins = {name: self.provenance.get(name, (UNKNOWN,) * len(rows)) for name, rows in self.encodings.items()}
        for name, rows in self.encodings.items():
            if len(origins[name]) != len(rows):
                raise ValueError(f"{name!r} has {len(rows)} encodings and {len(origins[name])} origins")
        object.__setattr__(self, "provenance", origins)

    @property
    def count(self) -> int:
        """How many encodings there are in all."""
        return sum(len(rows) for rows in self.encodings.values())

    @property
    def in_use(self) -> dict[str, NDArray[np.float64]]:
        """What belongs into the index: the encodings that are not set aside, of every student who has one."""
        used = {}
        for name, rows in self.encodings.items():
            kept = [not origin.set_aside for origin in self.provenance[name]]
            if any(kept):
                used[name] = rows if all(kept) else rows[kept]
        return used

    def with_students(
        self, encodings: Mapping[str, NDArray[np.float64]], provenance: Mapping[str, Sequence[Provenance]]
    ) -> "Store":
        """This store with the given students' encodings in place of those that they had."""
        return Store(
            {**self.encodings, **encodings},
            self.model,
            self.encoding_size,
            {name: origins for name, origins in self.provenance.items() if name not in encodings} | dict(provenance),
        )

    def without(self, students: Collection[str]) -> "Store":
        """This store without the given students."""
        kept = {name: rows for name, rows in self.encodings.items() if name not in students}
        return Store(kept, self.model, self.encoding_size, {name: self.provenance[name] for name in kept})


def read_store(path: Path, *, encoding_size: int | None = None, most_bytes: int = MOST_BYTES) -> Store:
    """Read a store of any pickle protocol, running no code of it.

    Args:
        path: the file.
        encoding_size: how many numbers an encoding must have; None: as many as the store's model makes.
        most_bytes: the largest file read.

    Raises:
        StoreError: it is missing, too large, no pickle, holds code, or its contents are not names and encodings.
    """
    data = _read_file(path, most_bytes)
    try:
        content = unpickle(data)
        model = read_model(content) or DEFAULT_MODEL
        if encoding_size is None:
            encoding_size = ENCODING_SIZE if model == DEFAULT_MODEL else read_size(content) or ENCODING_SIZE
        # Every number of an encoding takes a byte of the file at least, unless the file refers to one over and over.
        encodings = read_layout(content, encoding_size=encoding_size, most=len(data) // encoding_size)
        provenance = _read_provenance(content, encodings)
    except UnpicklingError as error:
        raise StoreError(f"the store {path} cannot be used: it holds {error}") from error
    except (LayoutError, ProvenanceError) as error:
        raise StoreError(f"the store {path} cannot be used: {error}") from error
    return Store(encodings, model, encoding_size, provenance)


def _read_provenance(content: Any, encodings: Mapping[str, NDArray[np.float64]]) -> Mapping[str, Sequence[Provenance]]:
    """The origins by name. Only the first layout has them, and `read_layout` found it sound."""
    if "encodings" not in content or content.get("provenance") is None:
        return {}
    origins = read_provenance(content["provenance"], sum(len(rows) for rows in encodings.values()))
    names = content["names"]
    if isinstance(names, PickledArray) and names.array is not None:
        names = names.array.tolist()
    return {name: [origins[place] for place in places] for name, places in place_names(names).items()}


def update_store(path: Path, change: Callable[[Store | None], Store], *, encoding_size: int | None = None) -> Store:
    """Read a store, change it and write it, while no other writer can.

    Args:
        path: the file; it need not be there.
        change: given the store, or None if there is none, returns the one to write.
        encoding_size: as for `read_store`.

    Returns:
        What was written.

    Raises:
        StoreError: the store there cannot be used, or the disk refuses; it is untouched.
    """
    with _writing(path):
        store = change(read_store(path, encoding_size=encoding_size) if path.exists() else None)
        _replace(path, store)
        return store


def lock_of(path: Path) -> Path:
    """The file that whoever writes the store at `path` holds locked."""
    return path.with_name(f".{path.name}.lock")


def remove_unfinished_store(path: Path) -> None:
    """Delete what a killed writer left: it may hold students whom the store does not.

    Raises:
        StoreError: the disk refuses.
    """
    if path.parent.is_dir():
        with _writing(path):
            remove_unfinished(path.resolve())


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Hold the store's lock; the disk's refusals become StoreError."""
    try:
        make_private_folder(path.parent)
        with locked(lock_of(path)):
            yield
    except OSError as error:
        raise StoreError(f"cannot write the store {path}: {error.strerror}") from error


def _replace(path: Path, store: Store) -> None:
    names = [name for name, rows in store.encodings.items() for _ in rows]
    rows = np.empty((len(names), store.encoding_size), np.float64)
    np.concatenate([*store.encodings.values(), rows[:0]], out=rows)
    origins = [origin for name in store.encodings for origin in store.provenance[name]]
    content = {"encodings": rows, "names": names, "model": store.model, "provenance": provenance_as_text(origins)}
    # A store may be a link to where the data are kept: the file it leads to is replaced, not the link.
    replace_durably(path.resolve(), pickled(content))


def _read_file(path: Path, most_bytes: int) -> bytes:
    try:
        # Looked at before it is opened: opening a named pipe would wait for its writer.
        if not stat.S_ISREG(path.stat().st_mode):
            raise StoreError(f"the store {path} is not a file")
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except FileNotFoundError:
        raise StoreError(f"there is no store {path}: run `attendance enrol`, or name the file") from None
    except OSError as error:
        raise StoreError(f"cannot read the store {path}: {error.strerror}") from None
    if len(data) > most_bytes:
        raise StoreError(f"the store {path} is larger than {most_bytes:,} bytes")
    return data
