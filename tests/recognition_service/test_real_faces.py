"""The attendance flow on real faces: the demo's pictures, and further ones when they lie beside the repository."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.face_engine.faces import find_faces
from attendance.face_engine.factory import create_engine
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Face, FaceEngine
from attendance.gallery.gallery import Gallery
from attendance.gallery.store import read_store
from recognition_service.evidence.matching import Matcher
from tests.factories import NINE
from tests.recognition_service.scenes import RULES, Scene

Encodings = Mapping[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def engine() -> Iterator[FaceEngine]:
    engine = create_engine(name="reference", detector="hog", upsample=1, max_pixels=16_000_000)
    yield engine
    engine.close()


def faces_of(engine: FaceEngine, path: Path) -> list[Face]:
    [faces] = find_faces(engine, [decode_image(path.read_bytes(), max_pixels=16_000_000)])
    return faces


def watch(folder: Path, enrolled: Encodings, frames: Sequence[Sequence[Face]], *, every_s: float = 0.5) -> set[str]:
    """Who is recorded when a camera sees these frames, with everybody who is enrolled on the roster."""
    folder.mkdir()
    scene = Scene(folder, list(enrolled))
    scene.matcher = Matcher(Gallery.from_encodings(enrolled, model="dlib", encoding_size=128), RULES)
    scene.add(students=range(len(enrolled)))
    for number, faces in enumerate(frames):
        scene.see(NINE + timedelta(seconds=every_s * number), *faces)
    present = scene.present()
    scene.close()
    return present


@pytest.fixture(scope="module")
def faces(pictures: Path, engine: FaceEngine) -> dict[str, list[Face]]:
    """The faces of the demo's pictures."""
    names = ["astronaut.png", "biden.jpg", "obama.jpg", "obama2.jpg", "obama3.jpg", "t1.jpg"]
    return {name.split(".")[0]: faces_of(engine, pictures / name) for name in names}


def enrol_photos(faces: Mapping[str, Sequence[Face]], **photos: str) -> dict[str, NDArray[np.float32]]:
    return {student: faces[photo][0].encoding[np.newaxis] for student, photo in photos.items()}


def test_students_in_view_are_recorded_and_nobody_else(tmp_path: Path, faces: dict[str, list[Face]]) -> None:
    enrolled = enrol_photos(faces, obama="obama", biden="biden", astronaut="astronaut")
    for photo in ("obama2", "obama3"):
        assert watch(tmp_path / photo, enrolled, [faces[photo]] * 10) == {"obama"}
    # She is seen on the very photo that enrolled her, and held.
    assert watch(tmp_path / "both", enrolled, [faces["obama2"], faces["astronaut"]] * 10) == {"obama"}


@pytest.mark.parametrize("photo", ["obama2", "t1", "astronaut"])
def test_strangers_however_long_they_stay_are_not(tmp_path: Path, faces: dict[str, list[Face]], photo: str) -> None:
    others = {"obama": "obama", "biden": "biden", "astronaut": "astronaut"}
    enrolled = enrol_photos(faces, **{who: of for who, of in others.items() if not photo.startswith(who)})
    assert len(faces["t1"]) == 6
    assert watch(tmp_path / "scene", enrolled, [faces[photo]] * 100) == set()


# The rest is extra: pictures that may lie beside the repository.


@pytest.fixture(scope="module")
def enrolled(shared_faces: Path) -> Encodings:
    store = read_store(shared_faces / "encodings.pickle")
    return {name: np.asarray(rows, np.float32) for name, rows in store.encodings.items()}


@pytest.fixture(scope="module")
def clip(shared_faces: Path, engine: FaceEngine) -> list[list[Face]]:
    """The faces of the clip, four frames a second."""
    video = cv2.VideoCapture(str(shared_faces / "hamilton_clip.mp4"))
    images = []
    while (frame := video.read())[0]:
        images.append(cv2.cvtColor(frame[1], cv2.COLOR_BGR2RGB).astype(np.uint8))
    video.release()
    return find_faces(engine, images[::7])


@pytest.fixture(scope="module")
def probe(shared_faces: Path, engine: FaceEngine) -> Callable[[str], list[Face]]:
    """Gives the faces of a photo."""
    return lambda name: faces_of(engine, shared_faces / "probe" / name)


def test_the_one_man_of_the_clip_is_recorded(tmp_path: Path, enrolled: Encodings, clip: list[list[Face]]) -> None:
    every_s = 7 / 29.97
    assert watch(tmp_path / "all", enrolled, clip, every_s=every_s) == {"lin_manuel_miranda"}
    for start in (0, 1):  # two frames a second, from either of the first two on
        seen = watch(tmp_path / f"from {start}", enrolled, clip[start::2], every_s=2 * every_s)
        assert seen == {"lin_manuel_miranda"}


def test_without_him_in_the_gallery_the_clip_records_nobody(
    tmp_path: Path, enrolled: Encodings, clip: list[list[Face]]
) -> None:
    others = {name: rows for name, rows in enrolled.items() if name != "lin_manuel_miranda"}
    assert watch(tmp_path / "others", others, clip, every_s=7 / 29.97) == set()


@pytest.mark.parametrize(
    ("photo", "present"),
    [
        ("obama_and_biden.jpg", {"obama", "biden"}),
        ("stranger_with_rose.jpg", {"rose_leslie"}),
        ("stranger_and_rose.jpg", set()),
        ("alex_lacamoire.jpg", {"alex_lacamoire"}),
        ("obama_240p.jpg", set()),  # the photo that enrolled him, smaller: it is held
    ],
)
def test_a_still_before_the_camera(
    tmp_path: Path, probe: Callable[[str], list[Face]], enrolled: Encodings, photo: str, present: set[str]
) -> None:
    seen = probe(photo)
    assert watch(tmp_path / "enrolled", enrolled, [seen] * 100) == present
    others = {name: rows for name, rows in enrolled.items() if name not in present}
    assert watch(tmp_path / "not enrolled", others, [seen] * 100) == set()
