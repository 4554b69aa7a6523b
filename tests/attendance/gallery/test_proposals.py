from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.gallery.format import GalleryError, load_gallery, publish, read_manifest
from attendance.gallery.gallery import Gallery
from attendance.gallery.proposals import Proposals, group_starts
from attendance.settings.families import traits_of

LEAST_RECALL = 0.999
RANDOM = np.random.default_rng(29)
SIZE = 32


def campus(students: int, photos: int, apart: float = 0.2) -> dict[str, NDArray[np.float32]]:
    """Students whose photos lie `apart` in each number, the students themselves 1."""
    centres = RANDOM.normal(size=(students, 1, SIZE))
    rows = centres + apart * RANDOM.normal(size=(students, photos, SIZE))
    return {f"s{place}": one.astype(np.float32) for place, one in enumerate(rows)}


PEOPLE = campus(600, 5)
FURTHER = np.concatenate([rows[:1] for rows in PEOPLE.values()]) + np.float32(0.2) * RANDOM.normal(
    size=(600, SIZE)
).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("approximate") / "index"
    publish(folder, PEOPLE, model="m", traits=traits_of("m"), encoding_size=SIZE, exact_up_to=1_000)
    return folder


def test_groups_of_a_student() -> None:
    assert group_starts(np.array([1, 8, 9, 20])).tolist() == [0, 1, 9, 17, 18, 26, 34, 38]
    assert group_starts(np.array([], np.int64)).tolist() == [0]


def test_a_large_gallery_is_searched_as_an_exact_one_is(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.search["kind"] == "ivf"
    assert min(manifest.search["recall"], manifest.search["recall_own"]) >= LEAST_RECALL
    assert manifest.search["recall_strangers"] >= 0.9975
    assert sorted(manifest.files) == ["encodings.npy", "labels.json", "search.faiss"]
    gallery = load_gallery(folder)
    exact = Gallery.from_encodings(PEOPLE, model="m", encoding_size=SIZE)
    found, wanted = (one.nearest(FURTHER) for one in (gallery, exact))
    same = [one[0] == other[0] for one, other in zip(found, wanted, strict=True)]
    assert sum(same) >= 0.995 * len(same)
    roster = frozenset(f"s{place}" for place in range(0, 600, 7))
    assert gallery.nearest(FURTHER, among=roster) == exact.nearest(FURTHER, among=roster)


def test_people_say_how_it_is_searched(folder: Path, tmp_path: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest is not None
    assert "approximate (" in manifest.how_searched
    assert publish(tmp_path / "small", PEOPLE, model="m", traits=traits_of("m"), encoding_size=SIZE)[
        0
    ].how_searched.startswith("exact")


def test_a_flipped_bit_of_the_approximate_index(folder: Path) -> None:
    (path,) = folder.glob("versions/*/search.faiss")
    whole = path.read_bytes()
    try:
        path.write_bytes(bytes([*whole[:-9], whole[-9] ^ 1, *whole[-8:]]))
        with pytest.raises(GalleryError, match=r"search\.faiss is damaged"):
            load_gallery(folder)
        path.unlink()
        with pytest.raises(GalleryError, match=r"search\.faiss is missing"):
            load_gallery(folder)
    finally:
        path.write_bytes(whole)


def test_one_photo_each(tmp_path: Path) -> None:
    people = campus(1_500, 1)
    manifest, _ = publish(tmp_path, people, model="m", traits=traits_of("m"), encoding_size=SIZE, exact_up_to=1_000)
    assert manifest.search.get("recall", 1) >= LEAST_RECALL
    gallery = load_gallery(tmp_path)
    for name in ("s0", "s700", "s1499"):
        assert gallery.nearest(people[name])[0][0].student == name


def test_where_means_say_nothing_the_search_stays_exact(tmp_path: Path) -> None:
    """Photos of one student that lie as far apart as those of different ones."""
    people = {f"s{place}": RANDOM.normal(size=(8, SIZE)).astype(np.float32) for place in range(900)}
    manifest, _ = publish(tmp_path, people, model="m", traits=traits_of("m"), encoding_size=SIZE, exact_up_to=1_000)
    assert manifest.search == {"kind": "exact"}
    assert sorted(manifest.files) == ["encodings.npy", "labels.json"]
    assert load_gallery(tmp_path).encodings == 7_200


def test_an_index_of_before_strangers_were_measured_is_searched(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest is not None
    (path,) = folder.glob("versions/*/search.faiss")
    before = {name: value for name, value in manifest.search.items() if name != "recall_strangers"}
    proposals = Proposals.from_parts(faiss.read_index(str(path)), before)
    assert proposals.tuning.proposals == manifest.search["proposals"]


def test_nobody_needs_no_index() -> None:
    with pytest.raises(GalleryError, match="an empty gallery"):
        Gallery.empty("m", SIZE).build_proposals(usual_distance=0.35)


def test_parts_that_do_not_fit(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest is not None
    (path,) = folder.glob("versions/*/search.faiss")
    index = faiss.read_index(str(path))
    for wrong in ({"kind": "ivf"}, {**manifest.search, "lists": 3}, {**manifest.search, "probes": 0}):
        with pytest.raises(ValueError, match="manifest"):
            Proposals.from_parts(index, wrong)
    with pytest.raises(ValueError, match="inverted file"):
        Proposals.from_parts(faiss.IndexFlatL2(SIZE), manifest.search)
    with pytest.raises(GalleryError, match="built over other encodings"):
        Gallery(
            version="v",
            model="m",
            encoding_size=SIZE,
            students=["s0"],
            counts=[5],
            rows=PEOPLE["s0"],
            proposals=Proposals.from_parts(index, manifest.search),
        )
