"""Pickles of encodings that others made: whatever their layout, where its meaning is plain; one bad entry is left out.

Programs built on face_recognition keep their encodings in many ways: two lists under many keys, two lists one after
the other, in one pickle or two, a mapping, a list of records, rows with a dimension too many. A store of our own is
read by `attendance.gallery.store`, strictly; this is for what comes in once, and says what it leaves out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attendance.gallery.layouts import LayoutError, name_problem, read_encoding, read_model
from attendance.gallery.unpickling import PickledArray, Python2Text, unpickle_all

# Keys seen in published programs, in lower case.
_ENCODINGS = (
    "encodings", "known_face_encodings", "known_encodings", "face_encodings", "known_faces", "embeddings", "features",
    "encoding", "face_encoding", "embedding", "descriptor", "feature", "vector",
)  # fmt: skip
_NAMES = (
    "names", "known_face_names", "known_names", "face_names", "ids", "labels", "student_ids", "index_numbers",
    "index_number", "student_id", "id", "name", "label",
)  # fmt: skip
_LIST = (list, tuple)


@dataclass(frozen=True, slots=True, eq=False)
class Foreign:
    """What a foreign pickle holds."""

    encodings: Mapping[str, NDArray[np.float64]]
    """For each name an array of shape (k, encoding_size), k at least 1."""
    left_out: Sequence[tuple[str, str]]
    """Of each entry that cannot be used its name, as far as it has one, and why."""
    model: str | None
    """The embedding model that it names, if it does."""


def read_foreign(data: bytes, *, encoding_size: int) -> Foreign:
    """Read a pickle, or several one after the other, running none of it.

    Args:
        data: the file.
        encoding_size: how many numbers an encoding must have.

    Raises:
        UnpicklingError: it holds more than data, or is damaged.
        LayoutError: what it holds are not names and encodings in any way that is plain.
    """
    contents = unpickle_all(data)
    # One list of encodings and one of names, each dumped by itself.
    together = _two_lists(contents) if len(contents) == 2 else None
    pairs = [pair for content in contents for pair in _pairs(content)] if together is None else list(together)
    most = len(data) // encoding_size
    grouped: dict[str, list[NDArray[np.float64]]] = {}
    left_out: list[tuple[str, str]] = []
    for place, (given, value) in enumerate(pairs):
        name = _name(given)
        why = name_problem(name)
        if why is not None:
            left_out.append((f"entry {place + 1}", why))
            continue
        rows = list(_rows(value))
        if not rows:
            left_out.append((str(name), "it has no encodings"))
        for row in rows:
            try:
                encoding = read_encoding(row, encoding_size, "its encoding")
            except LayoutError as error:
                left_out.append((str(name), str(error)))
                continue
            if most <= 0:
                raise LayoutError("it repeats the same encodings over and over")
            most -= 1
            grouped.setdefault(str(name), []).append(encoding)
    if not grouped and not left_out and contents and not _is_empty(contents):
        raise LayoutError("it holds neither names nor encodings")
    models = [model for content in contents if (model := read_model(content)) is not None]
    if len(set(models)) > 1:
        raise LayoutError("its parts name different models")
    return Foreign({name: np.stack(rows) for name, rows in grouped.items()}, left_out, models[0] if models else None)


def _pairs(content: Any) -> Iterator[tuple[Any, Any]]:
    """Each name and what stands for it: one encoding or several."""
    if isinstance(content, dict):
        yield from _pairs_of_mapping(content)
        return
    if isinstance(content, _LIST):
        two = _two_lists(content) if len(content) == 2 else None
        if two is not None:
            yield from two
            return
        for item in content:
            if isinstance(item, dict):
                yield _record(item)
            elif isinstance(item, _LIST) and len(item) == 2 and any(_is_name(part) for part in item):
                yield (item[0], item[1]) if _is_name(item[0]) else (item[1], item[0])
            else:
                raise LayoutError("it holds a list of something else than names with their encodings")
        return
    raise LayoutError("it holds neither names with their encodings nor a mapping")


def _pairs_of_mapping(content: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    keys = {key.lower(): key for key in content if isinstance(key, str)}
    encodings = next((keys[key] for key in _ENCODINGS if key in keys), None)
    names = next((keys[key] for key in _NAMES if key in keys), None)
    if encodings is not None and names is not None:
        if _is_name(content[names]):
            yield content[names], content[encodings]
            return
        two = _two_lists([content[names], content[encodings]])
        if two is None:
            raise LayoutError(f"its {names!r} and {encodings!r} are not two lists, of equal length, of one for each")
        yield from two
        return
    for name, value in content.items():
        yield (name, _record(value, named=False)[1]) if isinstance(value, dict) else (name, value)


def _record(item: Mapping[Any, Any], *, named: bool = True) -> tuple[Any, Any]:
    """A mapping of one person: the name and the encoding, or encodings."""
    keys = {key.lower(): item[key] for key in item if isinstance(key, str)}
    # A number tells students apart, a name may not: the keys that mean a number are asked for first.
    name = next((keys[key] for key in reversed(_NAMES[4:-2]) if key in keys), None)
    if name is None:
        name = next((keys[key] for key in _NAMES if key in keys), None)
    value = next((keys[key] for key in _ENCODINGS if key in keys), ())
    return (name if named else None), value


def _two_lists(parts: Sequence[Any]) -> list[tuple[Any, Any]] | None:
    """One of two is of names, the other of encodings, in either order; None where it is not so."""
    items = [_items(part) for part in parts]
    if items[0] is None or items[1] is None or len(items[0]) != len(items[1]):
        return None
    for names, values in ((items[0], items[1]), (items[1], items[0])):
        if names and all(_is_name(name) for name in names) and not any(_is_name(value) for value in values):
            return list(zip(names, values, strict=True))
    return [] if not items[0] else None


def _items(value: Any) -> list[Any] | None:
    if isinstance(value, PickledArray) and value.array is not None and value.array.ndim:
        if value.array.ndim == 1:
            return value.array.tolist()  # type: ignore[no-any-return]
        return [PickledArray(row) for row in value.array]
    return list(value) if isinstance(value, _LIST) else None


def _rows(value: Any) -> Iterator[Any]:
    """The encodings in what stands for one name: one, several, or one with a dimension of one too many."""
    if isinstance(value, PickledArray) and value.array is not None and value.array.ndim == 2:
        yield from (PickledArray(row) for row in value.array)
    elif isinstance(value, _LIST) and (not value or not _is_number(value[0])):
        for item in value:
            yield from _rows(item) if isinstance(item, PickledArray) else (_only(item),)
    else:
        yield value


def _only(item: Any) -> Any:
    """A list of one encoding in place of that."""
    return item[0] if isinstance(item, _LIST) and len(item) == 1 and isinstance(item[0], _LIST) else item


def _is_number(value: Any) -> bool:
    if isinstance(value, PickledArray):
        return value.array is not None and value.array.ndim == 0 and value.array.dtype.kind in "iuf"
    return type(value) in (int, float)


def _is_name(value: Any) -> bool:
    if isinstance(value, PickledArray):
        return value.array is not None and value.array.ndim == 0 and value.array.dtype.kind in "iuU"
    return isinstance(value, str | bytes) or type(value) is int


def _name(value: Any) -> object:
    """A name as text, where it is plain: whole numbers as their digits, Python 2's bytes as UTF-8 or Latin-1."""
    if isinstance(value, PickledArray) and value.array is not None and value.array.ndim == 0:
        value = value.array.item()
    if isinstance(value, Python2Text):
        value = value.encode("latin-1")
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    return str(value) if type(value) is int else value


def _is_empty(contents: Sequence[Any]) -> bool:
    return all(isinstance(content, dict | list | tuple) for content in contents) and not any(
        len(value) if hasattr(value, "__len__") else 1
        for content in contents
        for value in (content.values() if isinstance(content, dict) else content)
    )
