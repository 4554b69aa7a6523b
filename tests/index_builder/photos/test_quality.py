from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

from attendance.face_engine.faces import find_faces
from attendance.face_engine.interface import Face
from attendance.face_engine.reference import ReferenceEngine
from attendance.settings.families import DLIB
from index_builder.photos.quality import judge_quality, measure_face
from index_builder.photos.verdicts import PhotoOutcome
from operations.demo.classroom import write_photos

Spoil = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def portrait(pictures: Path) -> np.ndarray:
    return np.asarray(Image.open(pictures / "obama.jpg").convert("RGB").crop((200, 50, 760, 560)))


def judge(engine: ReferenceEngine, picture: np.ndarray) -> tuple[PhotoOutcome, str, float]:
    picture = np.ascontiguousarray(picture, np.uint8)
    (faces,) = find_faces(engine, [picture])
    (face,) = faces
    return judge_quality(measure_face(picture, face), DLIB)


def test_a_good_portrait(face_engine: ReferenceEngine, portrait: np.ndarray) -> None:
    outcome, detail, quality = judge(face_engine, portrait)
    assert (outcome, detail) == (PhotoOutcome.OK, "")
    assert quality > 0.9


@pytest.mark.parametrize(
    ("spoil", "outcome", "words"),
    [
        (lambda picture: picture * 0.25, PhotoOutcome.TOO_DARK, "better light"),
        (lambda picture: picture * 0.28 + 184, PhotoOutcome.TOO_BRIGHT, "softer light"),
        (lambda picture: picture * 0.2 + 90, PhotoOutcome.LOW_CONTRAST, "foggy"),
        (
            lambda picture: np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(9))),
            PhotoOutcome.BLURRED,
            "hold the camera still",
        ),
    ],
)
def test_what_spoils_a_portrait_is_named(
    face_engine: ReferenceEngine,
    portrait: np.ndarray,
    spoil: Callable[[np.ndarray], np.ndarray],
    outcome: PhotoOutcome,
    words: str,
) -> None:
    found, detail, quality = judge(face_engine, spoil(portrait))
    assert (found, quality) == (outcome, 0)
    assert words in detail


def test_a_face_somewhat_dark_is_doubtful(face_engine: ReferenceEngine, portrait: np.ndarray) -> None:
    outcome, detail, quality = judge(face_engine, portrait * 0.47)
    assert outcome is PhotoOutcome.DOUBTFUL
    assert detail.startswith("nearly too dark: ")
    assert 0 < quality < 0.5


def closed(picture: np.ndarray, face: Face) -> np.ndarray:
    """The picture with both eyes' openings squeezed to a line, as lids would close them."""
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    source = rows.copy()
    for outer, inner in ((face.landmarks[2], face.landmarks[3]), (face.landmarks[0], face.landmarks[1])):
        middle, width = (outer + inner) / 2, float(np.linalg.norm(outer - inner))
        below = rows - (middle[1] - 0.06 * width)
        opened, shut, reach = 0.2 * width, 0.025 * width, 0.5 * width
        beyond = np.sign(below) * (opened + (np.abs(below) - shut) * (reach - opened) / (reach - shut))
        moved = np.where(np.abs(below) < shut, below * opened / shut, beyond)
        weight = np.clip((0.75 * width - np.abs(columns - middle[0])) / (0.15 * width), 0, 1) * (np.abs(below) < reach)
        source += (moved - below) * weight
    return np.asarray(cv2.remap(picture, columns, source, cv2.INTER_LINEAR), np.uint8)


@pytest.mark.parametrize(
    ("name", "edges"),
    [
        ("obama.jpg", (200, 50, 760, 560)),
        ("obama3.jpg", (494, 160, 1094, 760)),
        ("biden.jpg", (200, 20, 960, 780)),
    ],
)
def test_eyes_closed_are_told_from_open_ones(
    face_engine: ReferenceEngine, pictures: Path, name: str, edges: tuple[int, int, int, int]
) -> None:
    picture = np.asarray(Image.open(pictures / name).convert("RGB").crop(edges))
    ((face,),) = find_faces(face_engine, [picture])
    assert judge(face_engine, picture)[0] is PhotoOutcome.OK
    shut = measure_face(closed(picture, face), face)
    assert measure_face(picture, face).openness > 0.25
    assert shut.openness <= 0.16
    assert judge_quality(shut, DLIB)[:2] == (PhotoOutcome.EYES_CLOSED, "no open eye is seen")


def turned(face: Face, yaw: float, pitch: float) -> np.ndarray:
    """Five landmarks of a head turned so many degrees, seen from afar."""
    # Millimetres, x to the picture's right, y down, z away: corners of the eyes (Farkas 1994), base of the nose.
    head = np.array([(45, 0, 0), (17, 0, -10), (-45, 0, 0), (-17, 0, -10), (0, 50, -34)], float)
    a, b = np.radians((yaw, pitch))
    around_y = np.array([(np.cos(a), 0, -np.sin(a)), (0, 1, 0), (np.sin(a), 0, np.cos(a))])
    around_x = np.array([(1, 0, 0), (0, np.cos(b), np.sin(b)), (0, -np.sin(b), np.cos(b))])
    return (head @ (around_y @ around_x).T)[:, :2] * 2 + face.box[:2] + 150


@pytest.mark.parametrize(
    ("yaw", "pitch", "expected"),
    [(0, 0, "ok"), (15, 0, "ok"), (-40, 0, "doubtful"), (60, 0, "turned away"), (-60, 5, "turned away")],
)
def test_how_far_a_head_is_turned(
    face_engine: ReferenceEngine, portrait: np.ndarray, yaw: float, pitch: float, expected: str
) -> None:
    (faces,) = find_faces(face_engine, [portrait])
    measures = measure_face(portrait, faces[0])
    points = turned(faces[0], yaw, pitch).astype(np.float32)
    face = Face(faces[0].box, faces[0].score, points, faces[0].encoding, faces[0].sharpness)
    angle = measure_face(portrait, face).yaw
    assert abs(abs(angle) - abs(yaw)) < 8
    assert measures.openness > 0.2
    replaced = {name: getattr(measures, name) for name in measures.__slots__} | {"yaw": angle}
    assert judge_quality(type(measures)(**replaced), DLIB)[0] == expected


def test_the_demos_pictures_are_good_enough(face_engine: ReferenceEngine, pictures: Path, tmp_path: Path) -> None:
    write_photos(pictures, tmp_path)
    outcomes = [
        judge(face_engine, np.asarray(Image.open(path).convert("RGB")))[0] for path in sorted(tmp_path.glob("*/*.jpg"))
    ]
    assert set(outcomes) <= {PhotoOutcome.OK, PhotoOutcome.DOUBTFUL}
    assert outcomes.count(PhotoOutcome.DOUBTFUL) == 2, "two of the group look aside"
