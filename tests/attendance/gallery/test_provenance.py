import json
import pickle
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from attendance.gallery.pickling import pickled
from attendance.gallery.provenance import UNKNOWN, Provenance, provenance_as_text, read_provenance
from attendance.gallery.store import Store, StoreError, read_store
from tests.stores import write_store

KNOWN = Provenance(
    source="csv:früh.jpg",
    photo_sha256="ab" * 32,
    enrolled_at=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
    model="dlib-resnet-v1",
    quality=0.75,
    set_aside=True,
)


def rows(value: float, count: int = 1) -> np.ndarray:
    return np.full((count, 128), value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "encodings.pickle"


def test_origins_stay_with_their_encodings(path: Path) -> None:
    store = Store(
        {"1001": np.stack([*rows(0.1), *rows(0.2)]), "1002": rows(0.3)}, provenance={"1001": (KNOWN, UNKNOWN)}
    )
    assert store.provenance["1002"] == (UNKNOWN,)
    write_store(path, store)
    again = read_store(path)
    assert [list(again.provenance[name]) for name in again.encodings] == [[KNOWN, UNKNOWN], [UNKNOWN]]
    assert np.array_equal(again.encodings["1001"], store.encodings["1001"])


def test_what_is_set_aside_is_kept_but_not_in_use() -> None:
    store = Store(
        {"1001": np.stack([*rows(0.1), *rows(0.2)]), "1002": rows(0.3)},
        provenance={"1001": (KNOWN, UNKNOWN), "1002": (KNOWN,)},
    )
    assert store.count == 3
    assert list(store.in_use) == ["1001"]
    assert np.array_equal(store.in_use["1001"], rows(0.2))


def test_students_come_and_go_with_their_origins() -> None:
    store = Store({"1001": rows(0.1, 2), "1002": rows(0.3)}, provenance={"1001": (KNOWN, UNKNOWN)})
    changed = store.with_students({"1001": rows(0.4), "1003": rows(0.5)}, {"1003": [KNOWN]})
    assert {name: tuple(origins) for name, origins in changed.provenance.items()} == {
        "1001": (UNKNOWN,),
        "1002": (UNKNOWN,),
        "1003": (KNOWN,),
    }
    assert list(changed.without({"1001"}).provenance) == ["1002", "1003"]
    with pytest.raises(ValueError, match="1 encodings and 2 origins"):
        Store({"1001": rows(0.1)}, provenance={"1001": (KNOWN, KNOWN)})


def test_a_store_of_the_former_version_is_read(path: Path) -> None:
    content = {"encodings": [*rows(0.1, 2), *rows(0.2)], "names": ["a", "b", "a"], "model": "other"}
    path.write_bytes(pickle.dumps(content, 4))
    store = read_store(path)
    assert (store.model, list(store.encodings)) == ("other", ["a", "b"])
    assert store.provenance == {"a": (UNKNOWN, UNKNOWN), "b": (UNKNOWN,)}


def test_a_list_of_mappings_is_read_as_well(path: Path) -> None:
    origins = json.loads(provenance_as_text([KNOWN, UNKNOWN]))
    path.write_bytes(pickle.dumps({"encodings": rows(0.1, 2), "names": ["a", "b"], "provenance": origins}))
    assert read_store(path).provenance == {"a": [KNOWN], "b": [UNKNOWN]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[{}]", "is not a list of 2"),
        ({"a": "b"}, "is not a list of 2"),
        ('[{},"x"]', 'entry 1 of its "provenance" is not a mapping'),
        ([{}, {"quality": 2}], "between 0 and 1"),
        ('[{},{"quality":NaN}]', "between 0 and 1"),
        ([{"source": 5}, {}], "entry 0 .* a source that is no text"),
        ([{"source": "x" * 500}, {}], "too long"),
        ([{"photo_sha256": "ab"}, {}], "photo_sha256 that is none"),
        ([{"enrolled_at": "yesterday"}, {}], "an enrolled_at that is no time"),
    ],
)
def test_what_is_no_provenance(path: Path, content: object, words: str) -> None:
    path.write_bytes(pickle.dumps({"encodings": rows(0.1, 2), "names": ["a", "b"], "provenance": content}))
    with pytest.raises(StoreError, match=words):
        read_store(path)


def test_a_time_without_a_zone_is_utc() -> None:
    (origin,) = read_provenance([{"enrolled_at": "2026-11-23T09:30:00"}], 1)
    assert origin.enrolled_at == datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def test_face_recognition_users_read_it_with_numpy_1_or_2(path: Path) -> None:
    write_store(path, Store({"1001": rows(0.1, 2)}))
    data = path.read_bytes()
    assert b"numpy.core.multiarray" in data
    assert b"numpy._core" not in data
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content = pickle.loads(data)  # noqa: S301
    assert (content["encodings"].shape, content["names"]) == ((2, 128), ["1001", "1001"])
    loose = pickle.loads(pickled({"encodings": list(rows(0.1)), "more": np.float64(3)}))  # noqa: S301
    assert loose["encodings"][0][0] == 0.1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -2e6])
def test_a_bad_number_in_one_array_is_named(path: Path, bad: float) -> None:
    matrix = rows(0.1, 20_000)
    matrix[17_000, 3] = bad
    path.write_bytes(pickled({"encodings": matrix, "names": ["a"] * 20_000}))
    with pytest.raises(StoreError, match=r"encoding 17000 \(of 'a'\) holds"):
        read_store(path)
