"""The accelerated engine decides as dlib decides, on every picture of faces that the tests have."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.faces import find_faces
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Face, FaceBoxes, Image
from attendance.face_engine.models.quantisation import RANGES
from attendance.face_engine.reference import ReferenceEngine

SHARED = Path(__file__).parents[3] / "../shared/faces"
DEMO = [
    "astronaut.png", "biden.jpg", "obama.jpg", "obama2.jpg", "obama3.jpg", "obama_partial_face.jpg",
    "obama_partial_face2.jpg", "t1.jpg", "Tom_Hanks_54745.png",
]  # fmt: skip
CLIP_FRAMES = (0, 90, 120, 180, 240)
BESIDE = [
    *sorted(str(path.relative_to(SHARED)) for path in SHARED.glob("*/**/*.*g")),
    *(f"frame{number}" for number in CLIP_FRAMES),
]
beside = pytest.mark.skipif(not SHARED.is_dir(), reason="no folder of further faces beside the repository")
# dlib takes three microseconds a pixel, and four times that with upsampling: pictures are scaled to so many pixels.
PIXELS = {0: 160_000, 1: 60_000}
CROWD_PIXELS = {0: 1_200_000, 1: 300_000}


@dataclass(frozen=True)
class Case:
    """A picture, and what dlib says of it."""

    image: Image
    upsample: int
    faces: list[Face]


def load(name: str, pictures: Path, upsample: int) -> Image:
    if name.startswith("frame"):
        video = cv2.VideoCapture(str(SHARED / "hamilton_clip.mp4"))
        video.set(cv2.CAP_PROP_POS_FRAMES, int(name.removeprefix("frame")))
        _, frame = video.read()
        image = np.ascontiguousarray(frame[:, :, ::-1])
    else:
        path = pictures / name if name in DEMO else SHARED / name
        image = decode_image(path.read_bytes(), max_pixels=16_000_000)
    pixels = (CROWD_PIXELS if name == "t1.jpg" else PIXELS)[upsample]
    scale = min(1.0, (pixels / (image.shape[0] * image.shape[1])) ** 0.5)
    return np.ascontiguousarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


@pytest.fixture(scope="session")
def dlib_engine() -> Iterator[ReferenceEngine]:
    engine = ReferenceEngine(detector="cnn", upsample=0)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def asked(dlib_engine: ReferenceEngine, pictures: Path) -> Callable[[str, int], Case]:
    """dlib's answers, asked for once: pytest makes a fixture of many parameters again and again."""

    @cache
    def ask(name: str, upsample: int) -> Case:
        image = load(name, pictures, upsample)
        return Case(image, upsample, find_faces(dlib_engine, [image], upsample=upsample)[0])

    return ask


@pytest.fixture(
    scope="session",
    params=[
        pytest.param((DEMO, 0), id="upsample0"),
        pytest.param((DEMO, 1), id="upsample1"),
        pytest.param(([*DEMO, *BESIDE], 0), id="all-upsample0", marks=[pytest.mark.exhaustive, beside]),
        pytest.param(([*DEMO, *BESIDE], 1), id="all-upsample1", marks=[pytest.mark.exhaustive, beside]),
    ],
)
def cases(request: pytest.FixtureRequest, asked: Callable[[str, int], Case]) -> dict[str, Case]:
    """The pictures with dlib's answers, for every precision's test; those beside the repository are many."""
    names, upsample = request.param
    answers: dict[str, Case] = {}
    for name in names:
        case = asked(name, upsample)
        if not any(np.array_equal(case.image, other.image) for other in answers.values()):
            answers[name] = case
    assert sum(len(case.faces) for case in answers.values()) >= 6
    return answers


@pytest.fixture(scope="session")
def fp32() -> Iterator[AcceleratedEngine]:
    engine = AcceleratedEngine(precision="fp32")
    yield engine
    engine.close()


@pytest.fixture(scope="session", params=["auto", "bf16", "int8"])
def inexact(request: pytest.FixtureRequest) -> Iterator[AcceleratedEngine]:
    engine = AcceleratedEngine(precision=request.param)
    yield engine
    engine.close()


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union."""
    width, height = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]) + 1
    common = float(max(width, 0) * max(height, 0))
    return common / float(sum(np.prod(box[2:] - box[:2] + 1) for box in (one, other)) - common)


def nearest(encoding: np.ndarray, gallery: list[Face], own: Face) -> int:
    """The nearest face of the gallery but the probe's own and its copies in other files."""
    distances = np.array([np.linalg.norm(encoding - face.encoding) for face in gallery])
    copies = [np.array_equal(face.encoding, own.encoding) for face in gallery]
    return int(np.argmin(np.where(copies, np.inf, distances)))


def test_fp32_gives_dlib_s_faces(cases: dict[str, Case], fp32: AcceleratedEngine) -> None:
    gallery = [face for case in cases.values() for face in case.faces]
    for name, case in cases.items():
        (faces,) = find_faces(fp32, [case.image], upsample=case.upsample)
        assert len(faces) == len(case.faces), name
        for ours, theirs in zip(faces, case.faces, strict=True):
            assert overlap(ours.box, theirs.box) >= 0.98, name
            assert abs(ours.score - theirs.score) <= 0.01, name
            assert np.linalg.norm(ours.encoding - theirs.encoding) <= 0.02, name
            assert nearest(ours.encoding, gallery, theirs) == nearest(theirs.encoding, gallery, theirs), name


def test_lower_precision_decides_the_same(cases: dict[str, Case], inexact: AcceleratedEngine) -> None:
    calibration = json.loads(RANGES.read_text())["pictures"] if "int8" in inexact.info.precision else []
    gallery = [face for case in cases.values() for face in case.faces]
    for name, case in cases.items():
        if name in calibration:
            continue
        (faces,) = find_faces(inexact, [case.image], upsample=case.upsample)
        assert len(faces) == len(case.faces), name
        for ours, theirs in zip(faces, case.faces, strict=True):
            # 0.90 is asked for; what could decide is computed again in float32, so the boxes are the same.
            assert overlap(ours.box, theirs.box) >= 0.98, name
            assert abs(ours.score - theirs.score) <= 0.01, name
            assert np.linalg.norm(ours.encoding - theirs.encoding) <= 0.02, name
            assert nearest(ours.encoding, gallery, theirs) == nearest(theirs.encoding, gallery, theirs), name


def test_encodings_of_the_same_chips(
    cases: dict[str, Case], fp32: AcceleratedEngine, dlib_engine: ReferenceEngine
) -> None:
    chips = []
    for case in cases.values():
        boxes = np.array([face.box for face in case.faces], np.float32).reshape(-1, 4)
        (cut,) = dlib_engine.align([case.image], [FaceBoxes(boxes, np.zeros(len(boxes), np.float32))])
        (ours,) = fp32.align([case.image], [FaceBoxes(boxes, np.zeros(len(boxes), np.float32))])
        assert np.array_equal(cut.chips, ours.chips)
        assert np.array_equal(cut.landmarks, ours.landmarks)
        chips.append(cut.chips)
    together = np.concatenate(chips)
    expected = np.array([face.encoding for case in cases.values() for face in case.faces])
    assert np.abs(fp32.encode(together) - expected).max() <= 1e-5


def test_bfloat16_encodings_stay_near(cases: dict[str, Case], fp32: AcceleratedEngine) -> None:
    engine = AcceleratedEngine(precision="fp32", encoder_precision="bf16")
    chips = np.concatenate(
        [
            fp32.align([case.image], [FaceBoxes(np.array([face.box]), np.zeros(1, np.float32))])[0].chips
            for case in cases.values()
            for face in case.faces
        ]
    )
    exact, inexact = fp32.encode(chips), engine.encode(chips)
    engine.close()
    assert np.linalg.norm(exact - inexact, axis=1).max() <= 0.02
    apart, inexactly_apart = (np.linalg.norm(all_[:, None] - all_, axis=2) for all_ in (exact, inexact))
    assert np.abs(apart - inexactly_apart).max() <= 0.01, "distances are what decides"
