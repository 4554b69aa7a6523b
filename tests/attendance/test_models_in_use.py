"""Which family of models is used: by what is set, what the gallery holds, and which files are here."""

import dataclasses
import hashlib
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from attendance.face_engine.interface import EngineInfo, FaceEngine, ModelError
from attendance.gallery.conversion import store_of_family
from attendance.gallery.format import current_version
from attendance.gallery.manifest import Manifest
from attendance.gallery.publishing import build_index
from attendance.gallery.store import Store
from attendance.models_in_use import KeptEngine, models_for_photos, models_in_use, models_of, require_family
from attendance.settings import Settings, load_settings
from attendance.settings.families import DLIB_MODEL, SFACE_MODEL, Family, FamilyError, traits_of
from tests.recognition_service.engines import ColourEngine
from tests.stores import write_store

ROWS = {"1001": np.full((1, 128), 0.1)}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Parts of family opencv that are here; none unless a test adds them."""
    here: set[str] = set()
    monkeypatch.setattr("attendance.models_in_use.find_file", lambda _folder, part: part if part in here else None)
    return here


def settings(data: Path, **environ: str) -> Settings:
    return load_settings(
        {"ATTENDANCE_DATA_DIRECTORY": str(data)}
        | {f"ATTENDANCE_{name.upper()}": value for name, value in environ.items()}
    )


def put(data: Path, model: str, *, index: bool = True) -> Path:
    """A gallery made with a model; gives its store."""
    store = data / "gallery" / "encodings.pickle"
    write_store(store, Store(ROWS, model))
    if index:
        build_index(store, data / "gallery" / "index", traits_of=traits_of, other_family=True)
    return store


def test_the_index_decides_and_else_the_store(data: Path, files: set[str]) -> None:
    store = put(data, SFACE_MODEL, index=False)
    found = models_in_use(settings(data))
    assert (found.family, found.why) == (Family.OPENCV, f"the store {store} was made with it")
    put(data, DLIB_MODEL)
    write_store(store, Store(ROWS, SFACE_MODEL))
    found = models_in_use(settings(data))
    assert found.family is Family.DLIB
    assert found.why == f"the index {current_version(data / 'gallery' / 'index')} was made with it"


def test_a_store_that_names_no_model_is_dlibs(data: Path, files: set[str]) -> None:
    files |= {"detector", "encoder"}
    store = data / "gallery" / "encodings.pickle"
    store.parent.mkdir(parents=True)
    store.write_bytes(pickle.dumps({"encodings": list(ROWS["1001"]), "names": ["1001"]}))
    assert models_in_use(settings(data)).family is Family.DLIB


def test_an_index_of_before_there_were_families_is_told_by_its_model(data: Path, files: set[str]) -> None:
    put(data, SFACE_MODEL)
    folder = data / "gallery" / "index"
    (path,) = folder.glob("versions/*/manifest.json")
    manifest = Manifest.from_json(path.read_bytes())
    assert manifest.family == "opencv"
    values = {name: value for name, value in dataclasses.asdict(manifest).items() if name != "family"}
    path.write_text(json.dumps(values))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "CURRENT").write_text(f"{manifest.version} {digest}\n")
    assert models_in_use(settings(data)).family is Family.OPENCV


@pytest.mark.parametrize(
    ("here", "family", "note"),
    [
        ({"detector", "encoder"}, Family.OPENCV, ""),
        ({"encoder"}, Family.DLIB, "its detector is not in"),
        (set(), Family.DLIB, "its detector and encoder are not in"),
    ],
)
def test_the_first_enrolment_takes_opencv_if_its_files_are_here(
    data: Path, files: set[str], here: set[str], family: Family, note: str
) -> None:
    files |= here
    found = models_in_use(settings(data))
    assert (found.family, note in found.note) == (family, True)
    assert bool(found.note) == bool(note)


def test_what_is_set_counts_where_there_is_no_gallery(data: Path, files: set[str]) -> None:
    files |= {"detector", "encoder"}
    found = models_in_use(settings(data, engine_models="dlib"))
    assert (found.family, found.why, found.note) == (Family.DLIB, "engine.models is dlib", "")
    assert models_in_use(settings(data, engine_embedding="/models/own.onnx")).family is Family.CUSTOM


@pytest.mark.parametrize(
    ("model", "environ", "says"),
    [
        (
            SFACE_MODEL,
            {"engine_models": "dlib"},
            r"engine\.models is dlib, but the index .* holds encodings of family op",
        ),
        (
            DLIB_MODEL,
            {"engine_models": "opencv"},
            r"engine\.models is opencv, but .* of family dlib .* gallery convert",
        ),
        (DLIB_MODEL, {"engine_embedding": "/own.onnx"}, r"engine\.embedding is /own\.onnx, but .* of family dlib"),
        ("arcface", {}, "made with the model arcface, which is none of dlib's or OpenCV's: .*ENGINE_EMBEDDING"),
        (SFACE_MODEL, {"engine_name": "reference"}, "the reference engine has dlib's models only"),
        (None, {"engine_models": "opencv", "engine_embedding": "/own.onnx"}, "leave one out"),
        (None, {"engine_models": "opencv", "engine_name": "reference"}, "the reference engine has dlib's models only"),
    ],
)
def test_what_does_not_go_together_is_said(
    data: Path, files: set[str], model: str | None, environ: dict[str, str], says: str
) -> None:
    if model is not None:
        put(data, model)
    with pytest.raises(FamilyError, match=says):
        models_in_use(settings(data, **environ))


def test_the_reference_engine_begins_with_dlib(data: Path, files: set[str]) -> None:
    files |= {"detector", "encoder"}
    assert models_in_use(settings(data, engine_name="reference")).family is Family.DLIB


def test_a_store_that_is_named_counts_alone(data: Path, files: set[str], tmp_path: Path) -> None:
    put(data, DLIB_MODEL)
    other = tmp_path / "other.pickle"
    write_store(other, Store(ROWS, SFACE_MODEL))
    assert models_in_use(settings(data), store=other).family is Family.OPENCV
    assert models_in_use(settings(data), store=tmp_path / "none").family is Family.DLIB, "the first enrolment into it"
    assert models_in_use(settings(data), store=data / "gallery" / "encodings.pickle").family is Family.DLIB


def test_a_folder_of_indexes_that_is_named_counts_alone(data: Path, files: set[str], tmp_path: Path) -> None:
    put(data, DLIB_MODEL)
    put(tmp_path / "other", SFACE_MODEL)
    assert models_in_use(settings(data), index=tmp_path / "other" / "gallery" / "index").family is Family.OPENCV


def test_work_on_photos_alone_does_not_ask_the_gallery_where_a_family_is_set(data: Path, files: set[str]) -> None:
    put(data, DLIB_MODEL)
    assert models_for_photos(settings(data, engine_models="opencv")).family is Family.OPENCV
    assert models_for_photos(settings(data)).family is Family.DLIB


def test_a_damaged_gallery_stops_nobody_here(data: Path, files: set[str]) -> None:
    store = put(data, SFACE_MODEL)
    (data / "gallery" / "index" / "CURRENT").write_text("nonsense")
    assert models_in_use(settings(data)).family is Family.OPENCV
    store.write_bytes(b"nonsense")
    assert models_in_use(settings(data)).family is Family.DLIB


def test_encodings_that_are_brought_must_be_of_the_family_in_use(data: Path, files: set[str], tmp_path: Path) -> None:
    store, file = put(data, SFACE_MODEL), tmp_path / "faces.pickle"
    with pytest.raises(
        FamilyError, match=r"faces\.pickle holds encodings of family dlib .* the index .* of family opencv"
    ):
        require_family(settings(data), DLIB_MODEL, file, store=store)
    require_family(settings(data), SFACE_MODEL, file, store=store)
    elsewhere = tmp_path / "elsewhere.pickle"
    require_family(settings(data), DLIB_MODEL, file, store=elsewhere)
    with pytest.raises(FamilyError, match=r"family dlib .* engine\.models is opencv"):
        require_family(settings(data, engine_models="opencv"), DLIB_MODEL, file, store=elsewhere)


class _Engine(ColourEngine):
    def __init__(self, family: str) -> None:
        super().__init__()
        self._model = SFACE_MODEL if family == "opencv" else DLIB_MODEL

    @property
    def info(self) -> EngineInfo:
        return dataclasses.replace(super().info, model=self._model)


def test_an_engine_that_is_kept_is_made_anew_when_the_family_changes(
    data: Path, files: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[FaceEngine | _Engine] = []

    def make(models: str = "dlib", **_: object) -> _Engine:
        made.append(_Engine(models))
        return made[-1]  # type: ignore[return-value]

    monkeypatch.setattr("attendance.models_in_use.create_engine", make)
    put(data, DLIB_MODEL)
    kept = KeptEngine(settings(data))
    first = kept.current()
    assert kept.current() is first
    put(data, SFACE_MODEL)
    second = kept.current()
    assert second is not first
    assert first.closed  # type: ignore[attr-defined]
    kept.close()
    assert second.closed  # type: ignore[attr-defined]
    assert len(made) == 2


def test_an_engine_of_other_models_than_were_asked_for_is_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attendance.models_in_use.create_engine", lambda **_: _Engine("dlib"))
    with pytest.raises(ModelError, match="dlib-resnet-v1, which is none of family opencv"):
        models_of(settings(data), Family.OPENCV, "asked for").create_engine(settings(data).engine)


def test_the_models_of_a_family_that_is_asked_for(data: Path) -> None:
    put(data, DLIB_MODEL)
    assert models_of(settings(data, engine_models="dlib"), Family.OPENCV, "asked for").family is Family.OPENCV


def test_the_second_store_lies_beside_the_file_that_a_link_leads_to(tmp_path: Path) -> None:
    real = tmp_path / "disk" / "store.pickle"
    write_store(real, Store(ROWS))
    (tmp_path / "link.pickle").symlink_to(real)
    assert store_of_family(tmp_path / "link.pickle", "opencv") == tmp_path / "disk" / "store.of-opencv.pickle"
