"""Publishing a store's index: one model in a gallery, one family after the other only where somebody means to."""

from pathlib import Path

import numpy as np
import pytest

from attendance.gallery.format import GalleryError, load_gallery, read_manifest
from attendance.gallery.provenance import Provenance
from attendance.gallery.publishing import build_index
from attendance.gallery.removal import erase_from_gallery
from attendance.gallery.store import Store, read_store
from attendance.settings.families import DLIB_MODEL, SFACE_MODEL, traits_of
from tests.stores import write_store

ROWS = {"1001": np.full((2, 128), 0.1), "1002": np.full((1, 128), 0.2)}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store.pickle"
    write_store(path, Store(ROWS))
    return path


def family_of_index(folder: Path) -> tuple[str, str]:
    manifest = read_manifest(folder)
    assert manifest is not None
    return manifest.family, manifest.model


@pytest.mark.parametrize(
    ("model", "family"), [(DLIB_MODEL, "dlib"), (SFACE_MODEL, "opencv"), ("w600k-0123456789ab", "custom")]
)
def test_the_manifest_names_the_family(store: Path, tmp_path: Path, model: str, family: str) -> None:
    write_store(store, Store(ROWS, model))
    build_index(store, tmp_path / "index", traits_of=traits_of)
    assert family_of_index(tmp_path / "index") == (family, model)


def test_a_store_of_another_family_than_the_index_in_use_is_refused(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    build_index(store, folder, traits_of=traits_of)
    write_store(store, Store(ROWS, SFACE_MODEL))
    with pytest.raises(GalleryError, match=r"of family opencv .* the index in use, 000001-.* of family dlib"):
        build_index(store, folder, traits_of=traits_of)
    assert family_of_index(folder) == ("dlib", DLIB_MODEL)
    build_index(store, folder, traits_of=traits_of, other_family=True)
    assert family_of_index(folder) == ("opencv", SFACE_MODEL)


def test_a_damaged_index_is_mended_by_publishing(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    build_index(store, folder, traits_of=traits_of)
    (path,) = folder.glob("versions/*/manifest.json")
    path.write_text("{}")
    build_index(store, folder, traits_of=traits_of)
    assert load_gallery(folder).identities == ("1001", "1002")


def test_an_encoding_of_another_model_in_a_store_is_named(store: Path, tmp_path: Path) -> None:
    """Two stores merged by hand."""
    origins = [Provenance(model=DLIB_MODEL), Provenance(model=SFACE_MODEL)]
    write_store(store, Store(ROWS, provenance={"1001": origins}))
    with pytest.raises(GalleryError, match=f"an encoding of '1001' was made with {SFACE_MODEL}"):
        build_index(store, tmp_path / "index", traits_of=traits_of)
    assert read_manifest(tmp_path / "index") is None


def test_an_erasure_is_not_held_up_by_it(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    build_index(store, folder, traits_of=traits_of)
    origins = [Provenance(model=DLIB_MODEL), Provenance(model=SFACE_MODEL)]
    write_store(store, Store(ROWS, provenance={"1001": origins}))
    erase_from_gallery(["1002"], store_path=store, index_path=folder, traits_of=traits_of)
    assert load_gallery(folder).identities == ("1001",)


def test_a_store_of_a_model_with_more_numbers(tmp_path: Path) -> None:
    path = tmp_path / "store.pickle"
    write_store(path, Store({"1001": np.full((2, 512), 0.04)}, "w600k-0123456789ab", 512))
    assert read_store(path).encoding_size == 512
    build_index(path, tmp_path / "index", traits_of=traits_of)
    assert load_gallery(tmp_path / "index").encoding_size == 512
