"""Pickles as users of face_recognition have them."""

import collections
import pickle
from typing import Any

import numpy as np
import pytest

from attendance.gallery.foreign import read_foreign
from attendance.gallery.layouts import LayoutError
from attendance.gallery.store import ENCODING_SIZE
from attendance.gallery.unpickling import UnpicklingError

RANDOM = np.random.default_rng(5)
A, B, C = (RANDOM.normal(size=128) * 0.1 for _ in range(3))


def read(*contents: object, protocol: int = 4) -> Any:
    data = b"".join(pickle.dumps(content, protocol) for content in contents)
    return read_foreign(data, encoding_size=ENCODING_SIZE)


def grouped(found: Any) -> dict[str, list[int]]:
    """For each name which of A, B and C it has."""
    known = [A, B, C]
    return {
        name: [next(place for place, one in enumerate(known) if np.allclose(one, row, atol=1e-6)) for row in rows]
        for name, rows in found.encodings.items()
    }


ORDERED = collections.OrderedDict([("1001", [A, B]), ("1002", [C])])
GATHERED = collections.defaultdict(list, {"1001": [A, B], "1002": [C]})
RIGHT = {"1001": [0, 1], "1002": [2]}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "contents",
    [
        [{"encodings": [A, B, C], "names": ["1001", "1001", "1002"]}],
        [{"known_face_encodings": [A, B, C], "known_face_names": ["1001", "1001", "1002"]}],
        [{"Embeddings": np.stack([A, B, C]), "Labels": np.array([1001, 1001, 1002])}],
        [{"encodings": [A, B, C], "names": [1001, np.int64(1001), 1002]}],
        [ORDERED],
        [GATHERED],
        [{1001: [A, B], 1002: C}],
        [{"1001": np.stack([A, B]), "1002": C[None]}],
        [{"1001": [A[None], B[None]], "1002": [[C.tolist()]]}],
        [{"1001": {"name": "Ana", "encodings": [A, B]}, "1002": {"encoding": C}}],
        [[{"name": "1001", "encoding": A}, {"name": "1001", "encoding": B}, {"name": "1002", "encoding": C}]],
        [[{"id": 1001, "name": "Ana", "face_encoding": [A, B]}, {"id": 1002, "name": "Bo", "face_encoding": C}]],
        [[("1001", A), ("1001", B), ("1002", C)]],
        [[[A, B, C], ["1001", "1001", "1002"]]],
        [(["1001", "1001", "1002"], np.stack([A, B, C]))],
        [[A, B, C], ["1001", "1001", "1002"]],
        [{"encodings": [A, B], "names": ["1001", "1001"]}, {"encodings": [C], "names": ["1002"]}],
        [{"1001": A}, {"1001": B, "1002": C}],
    ],
    ids=[
        "its example", "other keys", "arrays", "whole numbers", "OrderedDict", "defaultdict", "numbers as keys",
        "matrices", "rows in rows", "mapping of records", "list of records", "records with numbers", "pairs",
        "two lists", "names first", "two lists dumped", "dumped twice", "mappings dumped twice",
    ],
)  # fmt: skip
def test_whatever_its_meaning_is_plain(contents: list[object], protocol: int) -> None:
    found = read(*contents, protocol=protocol)
    assert grouped(found) == RIGHT
    assert found.left_out == []


# What Python 2.7 with numpy 1.16 writes with protocol 2: strings are bytes, and so is an array's content.
def test_python_2() -> None:
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01K\x80\x85cnumpy\ndtype\n"
        b"U\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T\x00\x04\x00\x00%btb"
    )
    listed = b"](" + b"".join(b"U" + bytes([len(name)]) + name for name in (b"1001", "fr\u00fch".encode())) + b"e"
    rows = b"](" + array % A.astype("<f8").tobytes() + array % B.astype("<f8").tobytes() + b"e"
    data = b"\x80\x02}(U\x05names" + listed + b"U\tencodings" + rows + b"u."
    assert grouped(read_foreign(data, encoding_size=128)) == {"1001": [0], "fr\u00fch": [1]}
    ordered = b"ccollections\nOrderedDict\n](](U\x041001" + array % A.astype("<f8").tobytes() + b"ee\x85R."
    assert grouped(read_foreign(b"\x80\x02" + ordered, encoding_size=128)) == {"1001": [0]}


def test_one_bad_entry_is_left_out_and_named() -> None:
    names = ["1001", "1002", "1003", "1004", None, "1005", 7.5, ""]
    bad = A.copy()
    bad[3] = np.nan
    found = read({"1001": [A, B[:100]], "1002": [], "1003": bad, "1004": "x", "1005": C, "x" * 65: A})
    assert grouped(found) == {"1001": [0], "1005": [2]}
    assert dict(found.left_out) == {
        "1001": "its encoding has 100 numbers, not 128",
        "1002": "it has no encodings",
        "1003": "its encoding holds NaN or infinity",
        "1004": "its encoding is a string, not an array",
        "entry 6": f"the name '{'x' * 40}'... has 65 characters; at most 64 are allowed",
    }
    found = read([{"name": name, "encoding": A} for name in names])
    assert list(found.encodings) == ["1001", "1002", "1003", "1004", "1005"]
    assert [name for name, _ in found.left_out] == ["entry 5", "entry 7", "entry 8"]


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([{"encodings": [A, B], "names": ["1001"]}], "not two lists, of equal length"),
        ([[A, B]], "something else than names with their encodings"),
        (["1001"], "neither names with their encodings nor a mapping"),
        ([7], "neither names"),
    ],
)
def test_what_is_not_plain_is_refused(contents: list[object], words: str) -> None:
    with pytest.raises(LayoutError, match=words):
        read(*contents)


def test_code_is_refused_whatever_stands_before_it() -> None:
    code = b"cos\nsystem\n(S'true'\ntR."
    for data in (code, pickle.dumps({"1001": A}) + code, b"ccollections\ndefaultdict\ncos\nsystem\n\x85R."):
        with pytest.raises(UnpicklingError, match=r"code: it wants to use 'os\.system'"):
            read_foreign(data, encoding_size=128)
    with pytest.raises(UnpicklingError, match="damaged or cut short"):
        read_foreign(pickle.dumps({"1001": A}) + b"garbage", encoding_size=128)


def test_encodings_repeated_over_and_over_are_bounded() -> None:
    with pytest.raises(LayoutError, match="over and over"):
        read({"1001": [A] * 100_000})
    assert read({}).encodings == {}
