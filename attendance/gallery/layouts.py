"""What an unpickled store means: its two layouts, told apart and checked item by item."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attendance.errors import AttendanceError
from attendance.gallery.unpickling import PickledArray

LONGEST_NAME = 64
"""Characters; the schema's index numbers are no longer."""

# dlib's encodings have a length near 1.4. Far beyond, squared distances would leave float32.
_LARGEST_NUMBER = 1e6
_NUMBERS = frozenset((int, float))
_NUMBER_KINDS = frozenset("iuf")  # of numpy: signed, unsigned, floating
_SHOWN = 40
_KINDS: Mapping[type, str] = {
    list: "a list",
    tuple: "a tuple",
    dict: "a mapping",
    str: "a string",
    bytes: "bytes",
    bytearray: "bytes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


class LayoutError(AttendanceError):
    """The contents of a store are not names and encodings; the message says what is wrong with which."""


def name_problem(name: object) -> str | None:
    """Why something cannot be a student's name in a store, or None if it can."""
    if not isinstance(name, str):
        return f"a name is {_kind(name)}, not a string"
    if not name:
        return "a name is empty"
    if len(name) > LONGEST_NAME:
        return f"the name {_shown(name)} has {len(name)} characters; at most {LONGEST_NAME} are allowed"
    if not name.isprintable():
        return f"the name {_shown(name)} has control or invisible characters"
    if name != name.strip():
        return f"the name {_shown(name)} starts or ends with a space"
    return None


def read_layout(content: Any, *, encoding_size: int, most: int) -> dict[str, NDArray[np.float64]]:
    """Read {"encodings": [...], "names": [...]} or a mapping from a name to an encoding or several.

    Args:
        content: what `unpickle` gave.
        encoding_size: how many numbers an encoding must have.
        most: the number of encodings that the file can honestly hold.

    Returns:
        For each name, in the order of first appearance, an array of shape (k, encoding_size), k at least 1.

    Raises:
        LayoutError: it is something else.
    """
    if not isinstance(content, dict):
        raise LayoutError(f'it holds {_kind(content)}, not {{"encodings": [...], "names": [...]}} or a mapping')
    at_once = _read_matrix(content, encoding_size)
    if at_once is not None:
        return at_once
    pairs = _paired(content) if "encodings" in content or "names" in content else _mapped(content)
    grouped: dict[str, list[NDArray[np.float64]]] = {}
    for place, (name, value) in enumerate(pairs):
        problem = name_problem(name)
        if problem is not None:
            raise LayoutError(f"{problem} (entry {place})")
        row = read_encoding(value, encoding_size, f"encoding {place} (of {_shown(name)})")
        if place >= most:
            raise LayoutError("it repeats the same encodings over and over")
        grouped.setdefault(name, []).append(row)
    return {name: np.stack(rows) for name, rows in grouped.items()}


def read_model(content: Any) -> str | None:
    """The embedding model that a store of the first layout names, if it does.

    Raises:
        LayoutError: it names one that cannot be.
    """
    if not isinstance(content, dict) or "encodings" not in content or "model" not in content:
        return None
    model = content["model"]
    if not isinstance(model, str) or not 0 < len(model) <= 120 or not model.isprintable():  # the column
        raise LayoutError('its "model" is not the name of a model')
    return model


def read_size(content: Any) -> int | None:
    """How many numbers an encoding of a store has that was written here; None for other layouts."""
    matrix = content.get("encodings") if isinstance(content, dict) else None
    if not isinstance(matrix, PickledArray) or matrix.array is None or matrix.array.ndim != 2:
        return None
    return max(int(matrix.array.shape[1]), 1)


def place_names(names: Iterable[str]) -> dict[str, list[int]]:
    """For each name, in the order of first appearance, its places."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return places


def _read_matrix(content: Mapping[str, Any], encoding_size: int) -> dict[str, NDArray[np.float64]] | None:
    """What `update_store` writes, all rows at once; None for another layout, or if anything is wrong with it.

    The way item by item, which says what is wrong and where, takes a minute for a campus.
    """
    matrix, names = content.get("encodings"), content.get("names")
    if not isinstance(matrix, PickledArray) or matrix.array is None or not isinstance(names, list):
        return None
    rows = matrix.array
    if rows.dtype != np.float64 or rows.shape != (len(names), encoding_size):
        return None
    if not all(type(name) is str for name in names) or any(map(name_problem, set(names))):
        return None
    # One comparison finds the numbers that are too large, infinite or none at all.
    if not all(bool((np.abs(part) <= _LARGEST_NUMBER).all()) for part in np.array_split(rows, len(rows) // 8192 + 1)):
        return None
    return {name: rows[places] for name, places in place_names(names).items()}


def _paired(content: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    for key in ("encodings", "names"):
        if key not in content:
            raise LayoutError(f'it has no "{key}"')
    encodings, names = _items(content["encodings"], "encodings"), _items(content["names"], "names")
    if len(encodings) != len(names):
        raise LayoutError(f"it holds {len(encodings)} encodings and {len(names)} names; there must be one for each")
    return zip(names, encodings, strict=True)


def _mapped(content: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    for name, value in content.items():
        if _is_one(value):
            yield name, value
            continue
        values = _items(value, f"encodings of {_shown(name)}")
        if not len(values):
            raise LayoutError(f"it holds no encodings of {_shown(name)}")
        for one in values:
            yield name, one


def _is_one(value: Any) -> bool:
    """Whether a mapping's value is one encoding, and not several."""
    if isinstance(value, PickledArray):
        return value.array is None or value.array.ndim < 2  # a matrix has several
    return isinstance(value, (list, tuple)) and len(value) > 0 and _is_number(value[0])


def _is_number(value: Any) -> bool:
    if isinstance(value, PickledArray) and value.array is not None:
        return value.array.ndim == 0 and value.array.dtype.kind in _NUMBER_KINDS
    return type(value) in _NUMBERS


def _items(value: Any, what: str) -> Sequence[Any]:
    """The items of a list, tuple or array."""
    if isinstance(value, PickledArray) and value.array is not None and value.array.ndim > 0:
        if value.array.ndim == 1 and value.array.dtype.kind == "U":
            texts: list[str] = value.array.tolist()
            return texts
        return [PickledArray(row) for row in value.array]
    if isinstance(value, (list, tuple)):
        return value
    raise LayoutError(f"its {what} are {_kind(value)}, not a list")


def read_encoding(value: Any, encoding_size: int, what: str) -> NDArray[np.float64]:
    """One encoding, shape (encoding_size,).

    Args:
        value: what `unpickle` gave: a list or tuple of numbers, or an array of one dimension.
        encoding_size: how many numbers it must have.
        what: what to call it in the message.

    Raises:
        LayoutError: it is none; the message says why.
    """
    if isinstance(value, (list, tuple)):
        length = len(value)
        if length == encoding_size and not all(_is_number(number) for number in value):
            raise LayoutError(f"{what} holds something else than numbers")
        if length == encoding_size:
            try:
                row = np.array([_float(number) for number in value], np.float64)
            except OverflowError:
                raise LayoutError(f"{what} holds a number that is too large") from None
    elif isinstance(value, PickledArray) and value.array is not None:
        if value.array.dtype.kind not in _NUMBER_KINDS:
            raise LayoutError(f"{what} is an array of something else than numbers")
        if value.array.ndim != 1:
            raise LayoutError(f"{what} is an array of shape {value.array.shape}, not ({encoding_size},)")
        length = len(value.array)
        row = _as_float64(value.array)
    else:
        raise LayoutError(f"{what} is {_kind(value)}, not an array")
    if length != encoding_size:
        raise LayoutError(f"{what} has {length} numbers, not {encoding_size}")
    if not np.isfinite(row).all():
        raise LayoutError(f"{what} holds NaN or infinity")
    if np.abs(row).max() > _LARGEST_NUMBER:
        raise LayoutError(f"{what} holds a number beyond {_LARGEST_NUMBER:,.0f}: it is no encoding")
    return row


def _float(number: Any) -> float:
    if isinstance(number, PickledArray) and number.array is not None:
        return float(_as_float64(number.array))
    return float(number)


def _as_float64(array: NDArray[Any]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # numpy warns of some kinds of NaN; all kinds are refused later
        return array.astype(np.float64)


def _kind(value: object) -> str:
    if isinstance(value, PickledArray):
        return "a numpy array" if value.array is None or value.array.ndim else "a numpy number"
    return _KINDS.get(type(value), "something else")


def _shown(name: object) -> str:
    """A name for a message: quoted, and not at full length."""
    if not isinstance(name, str):
        return _kind(name)
    return repr(name) if len(name) <= _SHOWN else repr(name[:_SHOWN]) + "..."
