import builtins
import contextlib
import datetime
import functools
import io
import operator
import os
import pathlib
import pickle
import pickletools
import struct
import subprocess
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attendance.gallery.unpickling import PickledArray, UnpicklingError, unpickle, unpickle_all

PROTOCOLS = range(6)


class Hostile:
    """Pickles as a call of anything."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call

    def __repr__(self) -> str:
        return "Hostile"  # the same in every process that collects the tests


def same(value: object, read: object) -> bool:
    if isinstance(read, PickledArray):
        return read.array is not None and np.array_equal(np.asarray(value), read.array)
    return type(value) is type(read) and value == read


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        np.arange(5.0),
        np.arange(5.0, dtype=">f4"),
        np.arange(6, dtype=np.int16).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(10.0)[::2],
        np.empty((0, 128)),
        np.array([]),
        np.array(1.5),
        np.array(["a", "zażółć"]),
        np.array([True, False]),
        np.float32(1.5),
        np.float64(-1e300),
        np.int64(7),
        np.float16(0.5),
        np.str_("1001"),
        [1, -1, 255, 65_535, 2**31, 2**80, -(2**2000), 0.5, True, False, None],
        ["", "zażółć", "\0\n\\", "x" * 70_000],
        (1, (2,), (3, 4), (5, 6, 7), (8, 9, 10, 11), ()),
        {"a": [1, {"b": (b"bytes", b"", "\ud800".encode("utf-8", "surrogatepass"))}], "": {}},
        [[1.5] * 2000, list(range(3000))],
    ],
    ids=repr,
)
def test_data_come_back(value: object, protocol: int) -> None:
    assert same(value, unpickle(pickle.dumps(value, protocol)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_shared_stays_shared(protocol: int) -> None:
    shared = [1.5, np.arange(3.0)]
    read = unpickle(pickle.dumps({"a": shared, "b": shared}, protocol))
    assert read["a"] is read["b"]
    knot: list[Any] = []
    knot.append(knot)
    read = unpickle(pickle.dumps(knot, protocol))
    assert read[0] is read


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_of_numpy_1_are_read(protocol: int) -> None:
    data = pickle.dumps(np.arange(4.0), protocol)
    old = data.replace(b"numpy._core.", b"numpy.core.").replace(b"\x8c\x16numpy.core", b"\x8c\x15numpy.core")
    old = old.replace(b"\x8c\x13numpy.core.numeric", b"\x8c\x12numpy.core.numeric")
    # Frames say how long they are; the machine here does not need them.
    old = b"".join(old[at:end] for name, at, end in opcodes(old) if name != "FRAME")
    assert old != data
    assert same(np.arange(4.0), unpickle(old))


def opcodes(data: bytes) -> list[tuple[str, int, int]]:
    found = [(opcode.name, position or 0) for opcode, _, position in pickletools.genops(data)]
    ends = [position for _, position in found[1:]] + [len(data)]
    return [(name, at, end) for (name, at), end in zip(found, ends, strict=True)]


CALLS: list[tuple[Callable[..., object], tuple[object, ...]]] = [
    (os.system, ("touch ran",)),
    (os.mkdir, ("ran",)),
    (subprocess.Popen, (["touch", "ran"],)),
    (builtins.eval, ("__import__('os').mkdir('ran')",)),
    (builtins.exec, ("__import__('os').mkdir('ran')",)),
    (builtins.open, ("ran", "w")),
    (builtins.getattr, ("a", "upper")),
    (builtins.__import__, ("antigravity",)),
    (pickle.loads, (pickle.dumps(1),)),
    (functools.partial, (os.mkdir, "ran")),
    (operator.attrgetter, ("__class__",)),
    (np.load, ("evil.npy",)),
    (np.fromfile, ("/etc/passwd",)),
    (np.ndarray, ((10**12,),)),
    (np.zeros, ((10**12,),)),
    (builtins.bytes, (10**12,)),
    (builtins.bytearray, (10**12,)),
    (builtins.list, ()),
    (builtins.range, (10,)),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0].__name__)
def test_no_function_is_called(
    call: tuple[Callable[..., object], tuple[object, ...]],
    protocol: int,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    hostile = Hostile(call[0], *call[1])
    for value in (hostile, [hostile], {"encodings": [hostile], "names": ["a"]}, {"a": hostile}, (1, hostile)):
        with pytest.raises(UnpicklingError, match=r"code: it wants to|a call of"):
            unpickle(pickle.dumps(value, protocol))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_object_arrays_are_refused(protocol: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    array = np.array([Hostile(os.mkdir, "ran"), 1], dtype=object)
    with pytest.raises(UnpicklingError, match="an array of Python objects"):
        unpickle(pickle.dumps(np.array([[1.5], [1.5, 2]], dtype=object), protocol))
    with pytest.raises(UnpicklingError):
        unpickle(pickle.dumps(array, protocol))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        frozenset((1,)),
        1j,
        datetime.datetime(2026, 1, 1),
        pathlib.PurePosixPath("a"),
        np.array([1j]),
        np.array(["2026-01-01"], "datetime64[D]"),
        np.zeros(2, [("a", "f8"), ("b", "i4")]),
        np.array([b"bytes"]),
        np.array(["x" * 257]),
        np.zeros((1, 1, 1)),
        np.ma.masked_array([1.0], [True]),
        np.dtype("O"),
        {1: "a"},
        {(1, 2): "a"},
        {b"a": 1},
        {None: 1},
        slice(1),
        print,
        int,
        Hostile(builtins.__import__, "os"),
    ],
    ids=repr,
)
def test_other_things_are_refused(value: object, protocol: int) -> None:
    with pytest.raises(UnpicklingError):
        unpickle(pickle.dumps(value, protocol))


ARRAY = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntC\x01btR"
DTYPE = b"cnumpy\ndtype\n(X\x02\0\0\0f8I0\nI1\ntR"
SET_DTYPE = b"(I3\nX\x01\0\0\0<NNNI-1\nI-1\nI0\ntb"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"cos\nsystem\n.", "code: it wants to use 'os.system'"),
        (b"cposix\nsystem\n(X\x07\0\0\0touch ahtR.", "code: it wants to use 'posix.system'"),
        (b"\x8c\x05numpy\x8c\x0fdtype.__class__\x93.", "code: it wants to use 'numpy.dtype.__class__'"),
        (b"\x8c\x05numpy\x8c\x16core.multiarray.scalar\x93.", "code: it wants to use"),
        (b"\x8c\x0enumpy._globals\x8c\x02os\x93.", "code: it wants to use"),
        (b"I1\nI2\n\x93.", "a name that is no string"),
        (b"(ios\nsystem\n.", "code: it wants to make an object"),
        (b"(cnumpy\nndarray\no.", "code: it wants to make an object"),
        (b"cnumpy\nndarray\n)\x81.", "code: it wants to make an object"),
        (b"cnumpy\nndarray\n)}\x92.", "code: it wants to make an object"),
        (b"\x82\x01.", "a registered extension"),
        (b"\x83\x01\x00.", "a registered extension"),
        (b"\x84\x01\x00\x00\x00.", "a registered extension"),
        (b"Pabc\n.", "something outside the file"),
        (b"I1\nQ.", "something outside the file"),
        (b"\x97.", "something outside the file"),
        (b"\x98.", "something outside the file"),
        (b"cnumpy\nndarray\n(I1000000000000\ntR.", "code: it wants to call something"),
        (b"I1\n)R.", "code: it wants to call something"),
        (b"cnumpy\ndtype\n]R.", "code: it wants to call something"),
        (b"cnumpy\ndtype\n)R.", "a call of numpy.dtype that no array needs"),
        (b"c_codecs\nencode\n(X\x01\0\0\0aX\x05\0\0\0rot13tR.", "_codecs.encode for something else"),
        (b"c_codecs\nencode\n(]X\x06\0\0\0latin1tR.", "_codecs.encode for something else"),
        (b"c_codecs\nencode\n(X\x02\0\0\0\xc4\x80X\x06\0\0\0latin1tR.", "that no array needs"),
        (b"]}b.", "code: it wants to set an object's state"),
        (b"cnumpy\ndtype\n}X\x0c\0\0\0__setstate__Nsb.", "code: it wants to set an object's state"),
        (b"cnumpy\nndarray\n(N}X\x08\0\0\0__call__Nstb.", "code: it wants to set an object's state"),
        (ARRAY + b"}b.", "code: it wants to set an object's state"),
        (ARRAY + b"(N}tb.", "code: it wants to set an object's state"),
        (DTYPE + b"}b.", "code: it wants to set an object's state"),
        (DTYPE + b"(I3\nX\x01\0\0\0<N(X\x01\0\0\0at}I8\nI8\nI0\ntb.", "an array of records"),
        (DTYPE + b"(I3\nX\x03\0\0\0evlNNNI8\nI8\nI0\ntb.", "an array of records"),
        (
            ARRAY + b"(I1\n(I1000000000\nt" + DTYPE + SET_DTYPE + b"I0\nC\x08\0\0\0\0\0\0\0\0tb.",
            "does not fit its 8",
        ),
        (ARRAY + b"(I1\n(I-1\nt" + DTYPE + SET_DTYPE + b"I0\nC\x08\0\0\0\0\0\0\0\0tb.", "whole numbers"),
        (ARRAY + b"(I1\n(G\0\0\0\0\0\0\0\0t" + DTYPE + b"I0\nC\x08\0\0\0\0\0\0\0\0tb.", "whole numbers"),
        (ARRAY + b"(I1\n(I1\nt" + DTYPE + SET_DTYPE + b"I0\n]tb.", "without its bytes or type"),
        (ARRAY + b"(I1\n(I1\ntNI0\nC\x08\0\0\0\0\0\0\0\0tb.", "without its bytes or type"),
        (b"X\x01\0\0\0a", "damaged or cut short"),
        (b"", "damaged or cut short"),
        (b".", "damaged or cut short"),
        (b"hello", "damaged or cut short"),
        (b"\x80\x06N.", "protocol 6"),
        (b"h\x05.", "damaged or cut short"),
        (b"g5\n.", "damaged or cut short"),
        (b"0.", "damaged or cut short"),
        (b"(.", "a misplaced mark"),
        (b"(a.", "a misplaced mark"),
        (b"(q\x01.", "a misplaced mark"),
        (b"t.", "a list without a start"),
        (b"NN.", "items left over"),
        (b"I1\nI2\na.", "an item for something that is no list"),
        (b"I1\nX\x01\0\0\0aI2\ns.", "an entry for something that is no dict"),
        (b"}(X\x01\0\0\0au.", "an entry for something that is no dict"),
        (b"S'\\q'\n.", ""),
        (b"L" + b"9" * 5000 + b"L\n.", "damaged or cut short"),
    ],
)
def test_hostile_programs_are_named(data: bytes, words: str) -> None:
    if words:
        with pytest.raises(UnpicklingError) as raised:
            unpickle(data)
        assert words in str(raised.value)
    else:
        assert unpickle(data) == "\\q"


DEEP_TUPLE = b")" + b"\x85" * 50_000
DOUBLING_TUPLE = b")" + b"2\x86" * 60


def long_integer(bits: int) -> bytes:
    data = (1 << bits).to_bytes(bits // 8 + 1, "little") + b"\0"
    return b"\x8b" + struct.pack("<I", len(data)) + data


BOMBS = {
    "memo index": b"Nr\xff\xff\xff\xff.",
    "text memo index": b"Np99999999999999999999\n.",
    "bytearray8": b"\x96" + struct.pack("<Q", 2**40) + b"abc.",
    "bytes8": b"\x8e" + struct.pack("<Q", 2**62) + b"abc.",
    "unicode8": b"\x8d" + struct.pack("<Q", 2**40) + b"abc.",
    "bytes": b"B\xff\xff\xff\xffabc.",
    "frame": b"\x95" + struct.pack("<Q", 2**60) + b"N.",
    "long4": b"\x8b\xff\xff\xff\x7fabc.",
    "deep key": b"}" + DEEP_TUPLE + b"Ns.",
    "doubling key": b"}" + DOUBLING_TUPLE + b"Ns.",
    "deep list": b"]" * 50_000 + b"a" * 49_999 + b".",
    "deep tuple": DEEP_TUPLE + b".",
    "doubling tuple": DOUBLING_TUPLE + b".",
    "bytes from text, again and again": (
        b"X" + struct.pack("<I", 100_000) + b"x" * 100_000 + b"X\x06\0\0\0latin1\x86q\0c_codecs\nencode\nq\1]q\2"
        b"(" + b"h\1h\0R" * 10_000 + b"e."
    ),
    "arrays from bytes, again and again": (
        b"(B" + struct.pack("<I", 80_000) + bytes(80_000) + DTYPE + b"(I10000\ntX\x01\0\0\0Ctq\0"
        b"0cnumpy._core.numeric\n_frombuffer\nq\x010(" + b"h\1h\0R" * 10_000 + b"l."
    ),
    "huge shape": b"cnumpy._core.numeric\n_frombuffer\n(C\x08\0\0\0\0\0\0\0\0"
    + DTYPE
    + b"("
    + long_integer(400_000)
    + long_integer(400_000)
    + b"tX\x01\0\0\0CtR.",
    "empty and huge shape": b"cnumpy._core.numeric\n_frombuffer\n(C\x00"
    + DTYPE
    + b"(I0\nI2147483647\ntX\x01\0\0\0CtR.",
    "wide text": b"cnumpy\ndtype\n(X\x0b\0\0\0U2000000000I0\nI1\ntR.",
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_do_not_go_off(data: bytes) -> None:
    tracemalloc.start()
    try:
        unpickle(data)
    except UnpicklingError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 100_000 + 80 * len(data)


def test_bytes_are_not_multiplied() -> None:
    for name in ("bytes from text, again and again", "arrays from bytes, again and again"):
        with pytest.raises(UnpicklingError, match="more bytes than the file holds"):
            unpickle(BOMBS[name])


def test_what_one_file_may_make_is_not_made_by_each_of_its_pickles(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = (
        b"(B" + struct.pack("<I", 8_000) + bytes(8_000) + DTYPE + b"(I1000\ntX\x01\0\0\0Ctq\0"
        b"0cnumpy._core.numeric\n_frombuffer\nq\x010(" + b"h\1h\0R" * 20 + b"l."
    )
    tracemalloc.start()
    with pytest.raises(UnpicklingError, match="more bytes than the file holds"):
        unpickle_all(arrays * 20)
    assert tracemalloc.get_traced_memory()[1] < 100_000 + 10 * len(arrays * 20)
    tracemalloc.stop()
    monkeypatch.setattr("attendance.gallery.unpickling._MOST_OBJECTS", 1000)
    lists = b"(" + b"]" * 499 + b"l."
    assert [len(content) for content in unpickle_all(lists * 2)] == [499, 499]
    with pytest.raises(UnpicklingError, match="more than 1,000 objects"):
        unpickle_all(lists * 3)


def test_objects_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attendance.gallery.unpickling._MOST_OBJECTS", 1000)
    assert len(unpickle(b"(" + b"]" * 999 + b"l.")) == 999
    with pytest.raises(UnpicklingError, match="more than 1,000 objects"):
        unpickle(b"(" + b"]" * 1001 + b"l.")
    with pytest.raises(UnpicklingError, match="more than 1,000 objects"):
        unpickle(b"N" + b"\x94" * 1001 + b".")


PIECES = [
    *(bytes([code]) for code in b"(.012NR]})abdehlopqrstu\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98"),
    *(b"I0\n", b"I1\n", b"K\x02", b"J\xff\xff\xff\xff", b"L5L\n", b"F1.5\n", b"G?\xf0\0\0\0\0\0\0", b"I99999\n"),
    *(b"X\x01\0\0\0a", b"X\x02\0\0\0f8", b"X\x02\0\0\0U1", b"X\x01\0\0\0<", b"X\x01\0\0\0O", b"X\x06\0\0\0latin1"),
    *(b"C\x08\0\0\0\0\0\0\0\0", b"C\x00", b"C\x01b", b"S'abc'\n", b"q\x00", b"q\x01", b"h\x00", b"h\x01", b"Vabc\n"),
    *(b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"c_codecs\nencode\n", b"cbuiltins\nbytes\n", b"cos\nsystem\n"),
    b"cnumpy._core.multiarray\n_reconstruct\n",
    b"cnumpy._core.multiarray\nscalar\n",
    b"cnumpy._core.numeric\n_frombuffer\n",
    b"cnumpy.core.multiarray\n_reconstruct\n",
    *(ARRAY, DTYPE, SET_DTYPE, b"(I1\nt", b"(I2\nI3\nt"),
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join))
@example(ARRAY + b"(I1\n(I1\nt" + DTYPE + SET_DTYPE + b"I0\nC\x08\0\0\0\0\0\0\0\0tb")
def test_any_program_is_data_or_an_error(program: bytes) -> None:
    with contextlib.suppress(UnpicklingError):
        check_is_data(unpickle(program + b"."))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_data_or_an_error(data: bytes) -> None:
    with contextlib.suppress(UnpicklingError):
        check_is_data(unpickle(data))


def check_is_data(value: Any, depth: int = 6) -> None:
    if isinstance(value, PickledArray):
        assert value.array is None or value.array.dtype.kind in "biufU"
    elif depth and type(value) in (list, tuple):
        for item in value:
            check_is_data(item, depth - 1)
    elif depth and type(value) is dict:
        for key, item in value.items():
            assert type(key) is str
            check_is_data(item, depth - 1)
    elif type(value).__module__ != "attendance.gallery.unpickling":  # a name or type left lying
        assert type(value) in (list, tuple, dict, str, bytes, bytearray, int, float, bool, type(None)), type(value)


def test_python_reads_what_is_accepted_alike() -> None:
    """The machine here and Python's own agree on honest pickles, opcode by opcode, whichever pickler wrote them."""
    value: dict[str, Any] = {"encodings": [np.arange(128.0), [1.5] * 128], "names": ["a", "b"]}
    for protocol in PROTOCOLS:
        buffer = io.BytesIO()
        pickle._Pickler(buffer, protocol).dump(value)  # the one in Python
        for data in (
            buffer.getvalue(),
            pickle.dumps(value, protocol),
            pickletools.optimize(pickle.dumps(value, protocol)),
        ):
            read = unpickle(data)
            assert same(value["encodings"][0], read["encodings"][0])
            assert read["encodings"][1:] == value["encodings"][1:]
            assert read["names"] == value["names"]
