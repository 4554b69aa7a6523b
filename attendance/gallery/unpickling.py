"""Reading a pickle as data: lists, dicts, tuples, strings, numbers and numpy arrays, and nothing else.

A pickle is a program for a small stack machine, and Python's own machine imports and calls what the program names. Even
one that may import nothing can be made to exhaust memory (memo indexes of four thousand million, byte arrays declared
larger than the file) or the C stack (hashing tuples nested a million deep). So this is a machine of its own. It reads
opcodes with `pickletools.genops` of the standard library, which runs nothing and believes no length that the file does
not hold. Its names of functions stand for fixed actions here, never for an import, and a dict has strings as keys.

What it builds stays in proportion to the file: the bytes that its actions make are counted, and so are the objects.
"""

import io
import pickletools
import re
import struct
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attendance.errors import AttendanceError


class UnpicklingError(AttendanceError):
    """The pickle holds something else than data, or is damaged; the message says what."""


class Python2Text(str):
    """Text of a Python 2 string, byte for byte (Latin-1): it may be a name, or the bytes of an array."""

    __slots__ = ()


class PickledArray:
    """A numpy array or scalar in the making; `array` is None until its contents came."""

    __slots__ = ("array",)

    def __init__(self, array: NDArray[Any] | None = None) -> None:
        self.array = array


class _PickledDtype:
    """A numpy dtype in the making: its code, and its byte order, which comes later."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "="

    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.code)


class _Name:
    """A function or class that the pickle named, of those known here."""

    __slots__ = ("action", "text")

    def __init__(self, text: str, action: "Callable[[Any], Any] | None") -> None:
        self.text = text
        self.action = action


class _Mark:
    """Where on the stack the items of the next list, dict or tuple start."""


_MARK = _Mark()

# Booleans, integers, floats and text; no objects, records or times. 256 characters are four times the longest name.
_DTYPE_CODE = re.compile(r"b1|[iu][1248]|f(?:2|4|8)|U(?:[0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-6])")
_MOST_DIMENSIONS = 2
_LONGEST_SIDE = 2**31
_DTYPE_STATE_LENGTHS = (7, 8)

# An encoding of a store takes about six of them: enough for 800,000, and at most half a gigabyte.
_MOST_OBJECTS = 5_000_000
# Bytes become an array once, and with protocols 0 to 2 are made from a string before.
_MOST_COPIES = 2


def _array_of(data: Any, dtype: Any, shape: Any, *, fortran: bool) -> NDArray[Any]:
    """The array that bytes spell out; they must be exactly as many as its shape needs."""
    if isinstance(data, Python2Text):
        data = data.encode("latin-1")
    if not isinstance(data, (bytes, bytearray)) or not isinstance(dtype, _PickledDtype):
        raise UnpicklingError("an array without its bytes or type")
    if not isinstance(shape, tuple) or not all(type(side) is int and 0 <= side < _LONGEST_SIDE for side in shape):
        raise UnpicklingError("an array whose shape is not a tuple of whole numbers")
    if len(shape) > _MOST_DIMENSIONS:
        raise UnpicklingError(f"an array of {len(shape)} dimensions")
    kind = dtype.dtype()
    length = kind.itemsize
    for side in shape:
        length *= side
    if length != len(data) or kind.itemsize == 0:
        raise UnpicklingError(f"an array whose shape does not fit its {len(data)} bytes")
    # A copy: aligned, and of the machine's byte order.
    return np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C").astype(kind.newbyteorder("="))


def _make_dtype(arguments: Any) -> _PickledDtype:
    code = arguments[0]
    if not isinstance(code, str) or _DTYPE_CODE.fullmatch(code) is None:
        shown = f" ({code[:16]!r})" if isinstance(code, str) else ""
        if isinstance(code, str) and code.startswith("O"):
            raise UnpicklingError("an array of Python objects")
        raise UnpicklingError(f"an array of something else than numbers or text{shown}")
    return _PickledDtype(code)


def _make_scalar(arguments: Any) -> PickledArray:
    dtype, data = arguments
    return PickledArray(_array_of(data, dtype, (), fortran=False))


def _make_array_from_buffer(arguments: Any) -> PickledArray:
    data, dtype, shape, order = arguments
    return PickledArray(_array_of(data, dtype, shape, fortran=order == "F"))


def _encode(arguments: Any) -> bytes:
    """`_codecs.encode(text, "latin1")`: how protocols 0 to 2 write bytes."""
    text, encoding = arguments
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise UnpicklingError("a call of _codecs.encode for something else than bytes")
    return text.encode("latin-1")


def _make_bytes(arguments: Any) -> bytes:
    """`bytes()`: how protocols 0 to 2 write no bytes at all."""
    if arguments != ():
        raise UnpicklingError("a call of bytes with arguments")
    return b""


def _known_names() -> Mapping[tuple[str, str], Callable[[Any], Any] | None]:
    names: dict[tuple[str, str], Callable[[Any], Any] | None] = {
        ("numpy", "ndarray"): None,
        ("numpy", "dtype"): _make_dtype,
        ("_codecs", "encode"): _encode,
        ("builtins", "bytes"): _make_bytes,
        ("__builtin__", "bytes"): _make_bytes,
    }
    for core in ("numpy.core", "numpy._core"):  # before and since numpy 2
        names[core + ".multiarray", "_reconstruct"] = lambda _: PickledArray()
        names[core + ".multiarray", "scalar"] = _make_scalar
        names[core + ".numeric", "_frombuffer"] = _make_array_from_buffer
    return names


_NAMES = _known_names()


def _make_mapping(arguments: Any) -> dict[Any, Any]:
    """`OrderedDict()`, `OrderedDict([[key, value], ...])` of Python 2, or `defaultdict(list)`: a plain mapping."""
    (pairs,) = arguments or ((),)
    if not isinstance(pairs, (list, tuple)):
        if isinstance(pairs, _Name) and pairs.action is None:
            return {}  # what a defaultdict makes where a key is missing
        raise UnpicklingError("a mapping made of something else than pairs")
    mapping = {}
    for pair in pairs:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or type(pair[0]) not in _FOREIGN_KEYS:
            raise UnpicklingError("a mapping from something else than strings or whole numbers")
        mapping[pair[0]] = pair[1]
    return mapping


_FOREIGN_KEYS = (str, Python2Text, int)
_FOREIGN_NAMES: Mapping[tuple[str, str], Callable[[Any], Any] | None] = {
    **_NAMES,
    ("collections", "OrderedDict"): _make_mapping,
    ("collections", "defaultdict"): _make_mapping,
    **{(module, kind): None for module in ("builtins", "__builtin__") for kind in ("list", "dict")},
}
"""What pickles that others made may name beside: mappings that remember their order, and lists as what they hold."""


class _Machine:
    """The stack machine. A method takes an opcode's argument; what pops from an empty stack raises IndexError.

    Pickles that stand in one file are read by one machine: what it may make is in proportion to the file.
    """

    def __init__(self, file_bytes: int, *, foreign: bool = False) -> None:
        self.names = _FOREIGN_NAMES if foreign else _NAMES
        self.keys: tuple[type, ...] = _FOREIGN_KEYS if foreign else (str,)
        self.text: type[str] = Python2Text if foreign else str
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.bytes_left = _MOST_COPIES * file_bytes
        self.objects = 0

    def run(self, data: io.BytesIO) -> Any:
        self.stack.clear()
        self.memo.clear()
        for opcode, argument, position in pickletools.genops(data):
            name = opcode.name
            action = _ACTIONS.get(name)
            if action is None:
                raise UnpicklingError(f"{_FORBIDDEN.get(name, 'something else than data')} (byte {position})")
            if name in _MAKING:
                self.objects += 1
                if self.objects > _MOST_OBJECTS:
                    raise UnpicklingError(f"more than {_MOST_OBJECTS:,} objects")
            action(self, argument)
        result = self.pop()
        if self.stack:
            raise UnpicklingError("items left over")
        return result

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise UnpicklingError("a misplaced mark")
        return value

    def pop_to_mark(self) -> list[Any]:
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                items = self.stack[place + 1 :]
                del self.stack[place:]
                return items
        raise UnpicklingError("a list without a start")

    def push_tuple(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(items)))

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise UnpicklingError("an item for something that is no list")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise UnpicklingError("an entry for something that is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in self.keys:
                raise UnpicklingError("a mapping from something else than strings")
            target[key] = value

    def push_dict(self, items: list[Any]) -> None:
        self.push({})
        self.set_items(items)

    def put(self, place: int) -> None:
        if self.stack[-1] is _MARK:
            raise UnpicklingError("a misplaced mark")
        self.memo[place] = self.stack[-1]

    def push_name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise UnpicklingError("a name that is no string")
        text = f"{module}.{name}"
        if (module, name) not in self.names:
            raise UnpicklingError(f"code: it wants to use {text[:80]!r}")
        self.push(_Name(text, self.names[module, name]))

    def push_stacked_name(self) -> None:
        name, module = self.pop(), self.pop()
        self.push_name(module, name)

    def call(self) -> None:
        arguments, name = self.pop(), self.pop()
        if not isinstance(name, _Name) or name.action is None or type(arguments) is not tuple:
            raise UnpicklingError("code: it wants to call something")
        try:
            result = name.action(arguments)
        except (ValueError, IndexError) as error:
            raise UnpicklingError(f"a call of {name.text} that no array needs") from error
        if isinstance(result, bytes):
            self.spend(len(result))
        elif isinstance(result, PickledArray) and result.array is not None:
            self.spend(result.array.nbytes)
        self.push(result)

    def spend(self, count: int) -> None:
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise UnpicklingError("something that makes more bytes than the file holds")

    def build(self) -> None:
        """Give an array its contents, or a dtype its byte order."""
        state, target = self.pop(), self.stack[-1]
        if isinstance(target, PickledArray) and target.array is None and type(state) is tuple and len(state) == 5:
            _, shape, dtype, fortran, data = state
            target.array = _array_of(data, dtype, shape, fortran=bool(fortran))
            self.spend(target.array.nbytes)
        elif isinstance(target, _PickledDtype) and type(state) is tuple and len(state) in _DTYPE_STATE_LENGTHS:
            # (version, byte order, sub-array, names, fields, size, alignment, flags)
            if state[1] not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
                raise UnpicklingError("an array of records")
            target.order = state[1]
        else:
            raise UnpicklingError("code: it wants to set an object's state")

    def check_protocol(self, version: int) -> None:
        if version > 5:  # the newest there is
            raise UnpicklingError(f"pickle protocol {version}, which is not known here")


def _constant(value: Any) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(value)


_PUSHED = [
    "INT",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG",
    "LONG1",
    "LONG4",
    "FLOAT",
    "BINFLOAT",
    "UNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE",
    "BINUNICODE8",
    "BINBYTES",
    "SHORT_BINBYTES",
    "BINBYTES8",
    "BYTEARRAY8",
]

_ACTIONS: Mapping[str, Callable[[_Machine, Any], Any]] = {
    **dict.fromkeys(_PUSHED, lambda machine, value: machine.push(value)),
    **dict.fromkeys(
        ("STRING", "BINSTRING", "SHORT_BINSTRING"), lambda machine, value: machine.push(machine.text(value))
    ),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), lambda machine, place: machine.put(place)),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda machine, place: machine.push(machine.memo[place])),
    "PROTO": _Machine.check_protocol,
    "FRAME": lambda machine, _: None,
    "STOP": lambda machine, _: None,
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "MARK": _constant(_MARK),
    "POP": lambda machine, _: machine.stack.pop(),
    "POP_MARK": lambda machine, _: machine.pop_to_mark(),
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "LIST": lambda machine, _: machine.push(machine.pop_to_mark()),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.pop_to_mark()),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "DICT": lambda machine, _: machine.push_dict(machine.pop_to_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_to_mark()),
    "EMPTY_TUPLE": _constant(()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
    "TUPLE1": lambda machine, _: machine.push_tuple(1),
    "TUPLE2": lambda machine, _: machine.push_tuple(2),
    "TUPLE3": lambda machine, _: machine.push_tuple(3),
    # genops gives "module name" as one string; neither has a space in it.
    "GLOBAL": lambda machine, text: machine.push_name(*text.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.push_stacked_name(),
    "REDUCE": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
}

_MAKING = frozenset(
    [
        "EMPTY_LIST",
        "LIST",
        "EMPTY_DICT",
        "DICT",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "REDUCE",
        "GLOBAL",
        "STACK_GLOBAL",
        "MEMOIZE",
        "PUT",
        "BINPUT",
        "LONG_BINPUT",
    ]
)

_FORBIDDEN: Mapping[str, str] = {
    **dict.fromkeys(("INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"), "code: it wants to make an object of some class"),
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), "code: it wants to use a registered extension"),
    **dict.fromkeys(("PERSID", "BINPERSID"), "a reference to something outside the file"),
    **dict.fromkeys(("NEXT_BUFFER", "READONLY_BUFFER"), "a reference to something outside the file"),
    **dict.fromkeys(("EMPTY_SET", "ADDITEMS", "FROZENSET"), "a set"),
}


def unpickle(data: bytes) -> Any:
    """Read a pickle of any protocol, 0 to 5, running none of it.

    Returns:
        Lists, dicts with strings as keys, tuples, strings, bytes, numbers, booleans, None, and `PickledArray`s, at any
        depth and possibly holding themselves: walk it to a known depth only. A pickle can leave the names and types
        from which arrays are made lying in it too; they do nothing, and are none of the classes above.

    Raises:
        UnpicklingError: it holds anything else, or is damaged.
    """
    file = io.BytesIO(data)
    content = _next(_Machine(len(data)), file)
    if file.tell() < len(data):
        raise UnpicklingError("a pickle with more behind its end; `attendance index import` reads several in one file")
    return content


def unpickle_all(data: bytes) -> list[Any]:
    """Read every pickle of a file, one after the other, as others than this product write them; none of it is run.

    Beside what `unpickle` reads: mappings with whole numbers as keys, OrderedDict and defaultdict as plain mappings,
    and what Python 2 wrote, whose strings come as `Python2Text`.

    Raises:
        UnpicklingError: one holds anything else, or is damaged.
    """
    file, machine = io.BytesIO(data), _Machine(len(data), foreign=True)
    contents = []
    while file.tell() < len(data):
        contents.append(_next(machine, file))
    return contents


def _next(machine: _Machine, file: io.BytesIO) -> Any:
    """What the next pickle of a file holds."""
    try:
        with warnings.catch_warnings():
            # genops warns of odd escapes in protocol 0's strings.
            warnings.simplefilter("ignore")
            return machine.run(file)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError, struct.error) as error:
        # genops raises ValueError for damage; popping from an empty stack is an IndexError, an unset memo a KeyError.
        raise UnpicklingError("a pickle that is damaged or cut short") from error
