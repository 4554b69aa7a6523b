"""Indexes whose checksums are right and whose contents are not: each is refused by name, and a new one mends it."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.gallery.format import GalleryError, Manifest, load_gallery, publish
from attendance.settings.families import traits_of
from tests.indexes import array_file, falsify, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


def publish_people(folder: Path) -> Manifest:
    people = {"1001": np.zeros((2, 8)), "1002": np.ones((1, 8))}
    return publish(folder, people, model="m", traits=traits_of("m"), encoding_size=8)[0]


LABELS = {
    "numbers": [[1001, 2], [1002, 1]],
    "counts as text": [["1001", "2"], ["1002", "1"]],
    "counts as fractions": [["1001", 2.0], ["1002", 1.0]],
    "counts as yes and no": [["1001", 2], ["1002", True]],
    "a negative count": [["1001", 4], ["1002", -1]],
    "nobody's": [["1001", 3], ["1002", 0]],
    "no name": [["", 2], ["1002", 1]],
    "nothing": None,
    "an object": {"1001": 2, "1002": 1},
    "names only": ["1001", "1002"],
    "three parts": [["1001", 2, 0], ["1002", 1, 0]],
    "one twice": [["1001", 2], ["1001", 1]],
    "not a number": [["1001", float("nan")], ["1002", 1]],
    "too many": [["1001", 2], ["1002", 10**30]],
    "one missing": [["1001", 3]],
    "a name that is no text": [["\ud800", 2], ["1002", 1]],
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_of_another_type_are_named_though_their_hash_is_right(folder: Path, labels: object) -> None:
    version = publish_people(folder).version
    falsify(folder, version, {"labels.json": json.dumps(labels).encode()})
    with pytest.raises(GalleryError, match=f"index {version}: .*labels"):
        load_gallery(folder)


@pytest.mark.parametrize("data", [b"", b"[", b"\xff\xfe", b"[" * 100_000], ids=["none", "cut", "no-text", "deep"])
@pytest.mark.parametrize("name", ["labels.json", "manifest.json", "encodings.npy"])
def test_bytes_of_something_else_are_named_though_their_hash_is_right(folder: Path, name: str, data: bytes) -> None:
    version = publish_people(folder).version
    if name == "manifest.json":
        write_manifest(folder, version, data)
    else:
        falsify(folder, version, {name: data})
    with pytest.raises(GalleryError, match=f"index {version}: .*{name}"):
        load_gallery(folder)


GOOD = np.ones((3, 8), np.float32)
ROWS = {
    "of doubles": np.ones((3, 8)),
    "of whole numbers": np.ones((3, 8), np.int32),
    "of objects": np.full((3, 8), None),
    "of the other byte order": GOOD.astype(">f4"),
    "by columns": np.asfortranarray(GOOD),
    "too few": GOOD[:2],
    "too many": np.ones((4, 8), np.float32),
    "of another size": np.ones((3, 7), np.float32),
    "in one line": GOOD.ravel(),
    "not a number": np.where(np.eye(3, 8) > 0, np.float32("nan"), GOOD),
    "infinite": np.where(np.eye(3, 8) > 0, np.float32("inf"), GOOD),
}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_encodings_of_another_type_are_named_though_their_hash_is_right(
    folder: Path, rows: NDArray[np.float32]
) -> None:
    version = publish_people(folder).version
    falsify(folder, version, {"encodings.npy": array_file(rows)})
    with pytest.raises(GalleryError, match=f"index {version}: .*encodings"):
        load_gallery(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"encodings": -3},
        {"encodings": 4},
        {"encodings": "3"},
        {"encodings": float("nan")},
        {"identities": 1},
        {"identities": None},
        {"encoding_size": 0},
        {"encoding_size": 7},
        {"encoding_size": 8.0},
        {"model": 5},
        {"family": ["dlib"]},
        {"version": 1},
        {"format": True},
        {"format": [2]},
        {"created_at": "yesterday"},
        {"created_at": "2026-03-01T08:00:00"},
        {"created_at": 1_772_352_000},
        {"files": {"labels.json": 5}},
        {"files": ["labels.json"]},
        {"files": {}},
        {"search": {}},
        {"search": {"kind": "exact", "more": 1}},
        {"search": {"kind": "best"}},
        {"search": {"kind": "ivf"}},
        {
            "search": {
                "kind": "ivf",
                "lists": "4",
                "probes": 1,
                "proposals": 1,
                "recall": 1,
                "recall_own": 1,
                "sample": 1,
            }
        },
        {"search": {"kind": "ivf", "lists": 4, "probes": 1, "proposals": 1, "recall": 7, "recall_own": 1, "sample": 1}},
    ],
    ids=str,
)
def test_manifests_of_another_type_are_named_though_their_hash_is_right(
    folder: Path, change: dict[str, object]
) -> None:
    version = publish_people(folder).version
    falsify(folder, version, fields=change)
    with pytest.raises(GalleryError, match=f"index {version}: "):
        load_gallery(folder)
    publish_people(folder)
    assert load_gallery(folder).encodings == 3, "building again mends it"
