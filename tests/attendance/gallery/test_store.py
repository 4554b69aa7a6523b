import os
import pickle
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attendance.gallery.store import Store, StoreError, read_store, update_store
from tests.stores import write_store

RANDOM = np.random.default_rng(7)


def encodings(count: int) -> list[np.ndarray]:
    return list(RANDOM.normal(size=(count, 128)) / 8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "encodings.pickle"


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("protocol", range(6))
def test_face_recognitions_layout(path: Path, protocol: int) -> None:
    a, b, c = encodings(3)
    path.write_bytes(pickle.dumps({"encodings": [a, b, c], "names": ["1001", "1002", "1001"]}, protocol))
    store = read_store(path)
    assert list(store.encodings) == ["1001", "1002"]
    assert np.array_equal(store.encodings["1001"], [a, c])
    assert np.array_equal(store.encodings["1002"], [b])
    assert (store.model, store.encoding_size, store.count) == ("dlib-resnet-v1", 128, 3)


@pytest.mark.parametrize("protocol", range(6))
def test_a_mapping_to_one_or_several(path: Path, protocol: int) -> None:
    a, b = encodings(2)
    content = {
        "array": a,
        "matrix": np.array([a, b]),
        "arrays": [a, b],
        "tuple": (a, b),
        "numbers": a.tolist(),
        "lists": [a.tolist(), tuple(b)],
        "numpy numbers": list(a.astype(np.float32)),
    }
    path.write_bytes(pickle.dumps(content, protocol))
    store = read_store(path)
    assert {name: len(rows) for name, rows in store.encodings.items()} == {
        "array": 1,
        "matrix": 2,
        "arrays": 2,
        "tuple": 2,
        "numbers": 1,
        "lists": 2,
        "numpy numbers": 1,
    }
    for rows in store.encodings.values():
        assert rows.dtype == np.float64
        assert np.allclose(rows[0], a)


def test_arrays_of_names_and_encodings(path: Path) -> None:
    rows = np.array(encodings(2), np.float32)
    path.write_bytes(pickle.dumps({"encodings": rows, "names": np.array(["1001", "1002"]), "more": "ignored"}))
    assert np.array_equal(read_store(path).encodings["1002"], rows[1:])


def test_an_empty_store_is_a_store(path: Path) -> None:
    path.write_bytes(pickle.dumps({"encodings": [], "names": []}))
    assert read_store(path).count == 0


def test_the_shared_store(shared_faces: Path) -> None:
    store = read_store(shared_faces / "encodings.pickle")
    assert {name: len(rows) for name, rows in store.encodings.items()} == {
        "alex_lacamoire": 2,
        "biden": 2,
        "lin_manuel_miranda": 1,
        "obama": 2,
        "rose_leslie": 2,
    }


GOOD = encodings(1)[0]
BAD_NUMBER = GOOD.copy()
BAD_NUMBER[5] = np.nan
INFINITE = GOOD.copy()
INFINITE[127] = -np.inf
HUGE = GOOD.copy()
HUGE[0] = 1e200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"encodings": [GOOD, GOOD[:127]], "names": ["a", "b"]}, "encoding 1 (of 'b') has 127 numbers, not 128"),
        ({"encodings": [[1.0] * 129], "names": ["b"]}, "encoding 0 (of 'b') has 129 numbers, not 128"),
        ({"a": []}, "no encodings of 'a'"),
        ({"a": [GOOD[:100]]}, "encoding 0 (of 'a') has 100 numbers"),
        ({"a": np.zeros((2, 64))}, "encoding 0 (of 'a') has 64 numbers"),
        ({"a": np.float64(1)}, "encoding 0 (of 'a') is an array of shape ()"),
        ({"encodings": [[GOOD]], "names": ["a"]}, "encoding 0 (of 'a') has 1 numbers, not 128"),
        ({"encodings": [GOOD[None]], "names": ["a"]}, "encoding 0 (of 'a') is an array of shape (1, 128)"),
        ({"encodings": [BAD_NUMBER], "names": ["a"]}, "encoding 0 (of 'a') holds NaN or infinity"),
        ({"encodings": [GOOD, INFINITE], "names": ["a", "b"]}, "encoding 1 (of 'b') holds NaN or infinity"),
        ({"a": BAD_NUMBER.tolist()}, "holds NaN or infinity"),
        ({"encodings": [HUGE], "names": ["a"]}, "holds a number beyond 1,000,000"),
        ({"a": [1] * 127 + [10**400]}, "holds a number that is too large"),
        ({"a": [1.0] * 127 + ["1"]}, "something else than numbers"),
        ({"a": [1.0] * 127 + [True]}, "something else than numbers"),
        ({"a": [1.0] * 127 + [np.str_("1")]}, "something else than numbers"),
        ({"a": np.array(["1"] * 128)}, "an array of something else than numbers"),
        ({"a": np.zeros(128, bool)}, "an array of something else than numbers"),
        ({"encodings": [GOOD, GOOD], "names": ["a"]}, "2 encodings and 1 names"),
        ({"encodings": [], "names": ["a"]}, "0 encodings and 1 names"),
        ({"encodings": [GOOD]}, 'has no "names"'),
        ({"names": ["a"]}, 'has no "encodings"'),
        ({"encodings": GOOD, "names": ["a"]}, "128 encodings and 1 names"),
        ({"encodings": "abc", "names": ["a"]}, "its encodings are a string, not a list"),
        ({"encodings": [GOOD], "names": "a"}, "its names are a string, not a list"),
        ({"encodings": [GOOD], "names": [7]}, "a name is a whole number, not a string (entry 0)"),
        ({"encodings": [GOOD], "names": [None]}, "a name is something else, not a string"),
        ({"encodings": [GOOD], "names": [b"a"]}, "a name is bytes, not a string"),
        ({"encodings": [GOOD], "names": [""]}, "a name is empty"),
        ({"": GOOD}, "a name is empty"),
        ({"x" * 65: GOOD}, "has 65 characters; at most 64"),
        ({"x" * 10_000: GOOD}, "has 10000 characters; at most 64"),
        ({"a\nb": GOOD}, r"'a\nb' has control or invisible characters"),
        ({"a\u202eb": GOOD}, "control or invisible"),
        ({"a\ud800": GOOD}, "control or invisible"),
        ({" a": GOOD}, "starts or ends with a space"),
        ({"a": "b"}, "encodings of 'a' are a string"),
        ({"a": {}}, "encodings of 'a' are a mapping"),
        ({"a": None}, "encodings of 'a' are something else"),
        ({1: GOOD}, "a mapping from something else than strings"),
        ({"encodings": [GOOD], "names": ["a"], "model": 7}, '"model" is not the name of a model'),
        ({"encodings": [GOOD], "names": ["a"], "model": ""}, '"model" is not the name of a model'),
        ([GOOD], "it holds a list, not"),
        ("a", "it holds a string, not"),
        (GOOD, "it holds a numpy array, not"),
        (np.float64(1), "it holds a numpy number, not"),
        ({"encodings": [Hostile()], "names": ["a"]}, "code: it wants to use"),
        ({"a": Hostile()}, "code: it wants to use"),
        ({"encodings": np.array([GOOD, None], dtype=object), "names": ["a", "b"]}, "an array of Python objects"),
        ({"a": {1, 2}}, "it holds"),
    ],
)
def test_what_is_wrong_is_named(content: object, words: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(StoreError) as raised:
        read_store(path)
    message = str(raised.value)
    assert message.startswith(f"the store {path} cannot be used: ")
    assert words in message
    assert len(message) < 400
    assert not Path("ran").exists()


def test_repeated_encodings_are_bounded(path: Path) -> None:
    """A few bytes refer to an encoding again: without a bound a small file would fill the memory."""
    path.write_bytes(pickle.dumps({"encodings": [GOOD] * 1000, "names": ["a"] * 1000}))
    with pytest.raises(StoreError, match="the same encodings over and over"):
        read_store(path)
    path.write_bytes(pickle.dumps({"a": [GOOD, GOOD]}))
    assert read_store(path).count == 2


def test_no_store_says_what_to_do(path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no store .*run `attendance enrol`"):
        read_store(path)


def test_other_files_are_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError, match="is not a file"):
        read_store(path)
    pipe = path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(StoreError, match="is not a file"):
        read_store(pipe)
    with pytest.raises(StoreError, match="is not a file"):
        read_store(Path("/dev/zero"))
    text = path / "text"
    text.write_text("name,encoding\n")
    with pytest.raises(StoreError, match="damaged or cut short"):
        read_store(text)
    with pytest.raises(StoreError, match="cannot read"):
        read_store(text / "below")


def test_large_files_are_not_read(path: Path) -> None:
    path.write_bytes(pickle.dumps({"a": GOOD}))
    assert read_store(path, most_bytes=path.stat().st_size).count == 1
    with pytest.raises(StoreError, match="larger than 1,000 bytes"):
        read_store(path, most_bytes=1000)


def test_every_cut_is_noticed(path: Path) -> None:
    data = pickle.dumps({"encodings": [GOOD], "names": ["a"]}, 2)
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(StoreError, match="damaged or cut short"):
            read_store(path)


def test_written_and_read_back(path: Path) -> None:
    store = Store(
        {"1001": np.array(encodings(2)), "1002": np.array(encodings(1), np.float32)}, model="other", encoding_size=128
    )
    write_store(path, store)
    read = read_store(path)
    assert list(read.encodings) == ["1001", "1002"]
    assert read.model == "other"
    for name, rows in store.encodings.items():
        assert np.array_equal(read.encodings[name], rows)
    plain = pickle.loads(path.read_bytes())  # noqa: S301 - as its users read it
    assert plain["names"] == ["1001", "1001", "1002"]
    assert all(row.shape == (128,) and row.dtype == np.float64 for row in plain["encodings"])


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "gallery" / "encodings.pickle"
    old = os.umask(0)
    try:
        write_store(path, Store({}))
        path.chmod(0o644)
        write_store(path, Store({}))
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "real.pickle"
    write_store(target, Store({}))
    path.symlink_to(target)
    write_store(path, Store({"a": GOOD[None]}))
    assert path.is_symlink()
    assert read_store(target).count == 1


def test_a_full_disk_leaves_the_old_store(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_store(path, Store({"a": GOOD[None]}))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"cannot write the store .*No space left"):
        write_store(path, Store({}))
    monkeypatch.undo()
    assert read_store(path).count == 1
    assert sorted(file.name for file in path.parent.iterdir()) == [".encodings.pickle.lock", "encodings.pickle"]


def test_a_place_where_no_store_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot write the store"):
        write_store(tmp_path / "file" / "store", Store({}))


def test_changes_at_once_are_all_kept(path: Path) -> None:
    def add(name: str) -> None:
        update_store(path, lambda store: Store({**(store.encodings if store else {}), name: GOOD[None]}))

    threads = [threading.Thread(target=add, args=(f"student{number}",)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read_store(path).encodings) == sorted(f"student{number}" for number in range(12))


def test_whoever_reads_while_another_writes_has_a_whole_store(path: Path) -> None:
    few, many = {"a": encodings(3), "b": encodings(2)}, {f"s{number}": encodings(2) for number in range(200)}
    stores = [Store({name: np.array(rows) for name, rows in each.items()}) for each in (few, many)]
    write_store(path, stores[0])
    done = threading.Event()

    def write() -> None:
        for number in range(60):
            write_store(path, stores[number % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(read_store(path).count)
    writer.join()
    assert seen <= {5, 400}


def test_a_store_that_cannot_be_read_is_not_overwritten(path: Path) -> None:
    path.write_bytes(b"precious, but no pickle")
    with pytest.raises(StoreError):
        update_store(path, lambda _: Store({}))
    assert path.read_bytes() == b"precious, but no pickle"


NAMES = st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=64)
ROWS = st.integers(1, 3).map(lambda count: np.array(encodings(count)))


@settings(max_examples=40, deadline=None)
@given(content=st.dictionaries(NAMES, ROWS, max_size=5), protocol=st.integers(0, 5), paired=st.booleans())
def test_any_store_comes_back(
    content: dict[str, np.ndarray], protocol: int, paired: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("store") / "store"
    if paired:
        names = [name for name, rows in content.items() for _ in rows]
        layout: object = {"names": names, "encodings": [row for rows in content.values() for row in rows]}
    else:
        layout = {f"_{name}"[:64]: rows for name, rows in content.items()}
        content = {f"_{name}"[:64]: rows for name, rows in content.items()}
    path.write_bytes(pickle.dumps(layout, protocol))
    read = read_store(path).encodings
    assert list(read) == list(content)
    for name, rows in content.items():
        assert np.array_equal(read[name], rows)


STORES = [
    pickle.dumps(content, protocol)
    for protocol in range(6)
    for content in (
        {"encodings": [GOOD, GOOD.tolist()], "names": ["1001", "1002"]},
        {"1001": GOOD, "1002": np.array([GOOD, GOOD], np.float32)},
    )
]
CHANGE = st.tuples(st.integers(0, 2**20), st.binary(max_size=6), st.integers(0, 6))


SIGNALLING_NAN = bytes.fromhex("000000000000f47f")


@settings(max_examples=400, deadline=None)
@example(data=STORES[-1].replace(GOOD.tobytes(), SIGNALLING_NAN * 128), changes=[])
@given(data=st.sampled_from(STORES), changes=st.lists(CHANGE, min_size=1, max_size=6))
def test_damage_is_a_store_or_a_store_error(
    data: bytes, changes: list[tuple[int, bytes, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    for place, inserted, removed in changes:
        at = place % (len(data) + 1)
        data = data[:at] + inserted + data[at + removed :]
    path = tmp_path_factory.getbasetemp() / "damaged-store"
    path.write_bytes(data)
    try:
        store = read_store(path)
    except StoreError as error:
        assert "cannot be used: " in str(error)  # noqa: PT017 - either outcome is right
        return
    for name, rows in store.encodings.items():
        assert 0 < len(name) <= 64
        assert rows.shape[1:] == (128,)
        assert np.isfinite(rows).all()
