import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from attendance.face_engine.faces import find_faces
from attendance.face_engine.interface import FaceBoxes
from attendance.face_engine.reference import ReferenceEngine
from attendance.gallery.gallery import Gallery
from attendance.settings.families import DLIB, OPENCV
from attendance.settings.matching import DistanceSettings, MatchingSettings
from index_builder.photos.comparing import BatchOthers, compare_own, find_outliers
from index_builder.photos.judging import FORGIVABLE, Known, compare, judge_and_encode, look_at
from index_builder.photos.quality import FaceMeasures, judge_quality
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict

MOST = 16_000_000
OK, UNLIKE, SHARED = PhotoOutcome.OK, PhotoOutcome.UNLIKE_OWN, PhotoOutcome.SHARED


def jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture(scope="module")
def files(pictures: Path, six_people: Image.Image) -> dict[str, bytes]:
    return {
        "obama": jpeg(Image.open(pictures / "obama.jpg").crop((200, 50, 760, 560))),
        "obama smaller": jpeg(Image.open(pictures / "obama.jpg").crop((200, 50, 760, 560)).resize((280, 255))),
        "obama2": jpeg(Image.open(pictures / "obama2.jpg").crop((60, 180, 560, 680))),
        "biden": jpeg(Image.open(pictures / "biden.jpg").crop((200, 20, 960, 780)).resize((380, 380))),
        "marta": jpeg(six_people.crop((40, 230, 215, 440))),
    }


def judge(engine: ReferenceEngine, files: dict[str, bytes], *names: str, **options: Any) -> list[PhotoVerdict]:
    options = {"gallery": None, "own": None, "max_pixels": MOST, "numbers": DLIB} | options
    return judge_and_encode(engine, "1001", [(name, files[name]) for name in names], **options)


@pytest.fixture(scope="module")
def known(face_engine: ReferenceEngine, files: dict[str, bytes]) -> dict[str, np.ndarray]:
    encodings = {name: judge(face_engine, files, name)[0].encoding for name in files}
    return {name: encoding for name, encoding in encodings.items() if encoding is not None}


def gallery(**students: np.ndarray) -> Gallery:
    rows = {name: row[np.newaxis] for name, row in students.items()}
    return Gallery.from_encodings(rows, model="dlib-resnet-v1", encoding_size=128)


def test_a_verdict_has_what_a_report_needs(face_engine: ReferenceEngine, files: dict[str, bytes]) -> None:
    (verdict,) = judge(face_engine, files, "obama")
    assert (verdict.name, verdict.outcome, verdict.detail) == ("obama", OK, "")
    assert verdict.encoding is not None
    assert (verdict.encoding.shape, verdict.encoding.dtype) == ((128,), np.float64)
    thumbnail = Image.open(io.BytesIO(verdict.thumbnail or b""))
    assert max(thumbnail.size) <= 112
    assert len(verdict.thumbnail or b"") < 8_000
    assert judge(face_engine, files) == []


def test_a_mislabelled_photo_among_several(face_engine: ReferenceEngine, files: dict[str, bytes]) -> None:
    verdicts = judge(face_engine, files, "obama", "biden", "obama2")
    assert [verdict.outcome for verdict in verdicts] == [OK, UNLIKE, OK]
    assert verdicts[1].detail == "it shows somebody else than the student's other photos"
    assert verdicts[1].encoding is None


def test_of_two_different_people_neither_is_taken(
    face_engine: ReferenceEngine, files: dict[str, bytes], known: dict[str, np.ndarray]
) -> None:
    verdicts = judge(face_engine, files, "obama", "biden")
    assert [verdict.outcome for verdict in verdicts] == [UNLIKE, UNLIKE]
    assert "cannot be told" in verdicts[0].detail
    # What is enrolled already decides; so does another student who is known.
    own = judge(face_engine, files, "obama", "biden", own=known["obama2"][np.newaxis])
    assert [verdict.outcome for verdict in own] == [OK, UNLIKE]
    other = judge(face_engine, files, "obama", "biden", gallery=gallery(joe=known["biden"]))
    assert [(verdict.outcome, verdict.other) for verdict in other] == [(OK, None), (SHARED, "joe")]


def test_another_students_face(
    face_engine: ReferenceEngine, files: dict[str, bytes], known: dict[str, np.ndarray]
) -> None:
    (same,) = judge(face_engine, files, "obama smaller", gallery=gallery(barack=known["obama"]))
    assert (same.outcome, same.other, same.detail) == (SHARED, "barack", "the same picture is one of barack")
    (like,) = judge(face_engine, files, "obama2", gallery=gallery(barack=known["obama"], joe=known["biden"]))
    assert (like.outcome, like.other) == (PhotoOutcome.LIKE_ANOTHER, "barack")
    assert like.detail.endswith("to barack: one of the two may have the wrong photo")
    # Somebody looked at them: they are twins.
    (twin,) = judge(
        face_engine, files, "obama2", gallery=gallery(barack=known["obama"]), accept=[PhotoOutcome.LIKE_ANOTHER]
    )
    assert (twin.outcome, twin.other) == (PhotoOutcome.DOUBTFUL, "barack")
    assert twin.encoding is not None
    # The student's own encodings in the gallery say nothing.
    own = Gallery.from_encodings({"1001": known["obama"][np.newaxis]}, model="dlib-resnet-v1", encoding_size=128)
    assert judge(face_engine, files, "obama2", gallery=own)[0].outcome is OK


def test_the_same_file_again_counts_once(face_engine: ReferenceEngine, files: dict[str, bytes]) -> None:
    twice = judge_and_encode(
        face_engine,
        "1001",
        [("a.jpg", files["obama"]), ("b.jpg", files["obama"])],
        gallery=None,
        own=None,
        max_pixels=MOST,
        numbers=DLIB,
    )
    assert [verdict.outcome for verdict in twice] == [OK, PhotoOutcome.REPEATED]
    assert twice[1].detail == "the same file as a.jpg"


def test_a_fault_that_somebody_looked_at(face_engine: ReferenceEngine, files: dict[str, bytes]) -> None:
    blurred = Image.open(io.BytesIO(files["obama"])).filter(ImageFilter.GaussianBlur(9))
    photos = {"blurred": jpeg(blurred), "wall": jpeg(Image.new("RGB", (200, 200), (90, 90, 90)))}
    refused = judge(face_engine, photos, "blurred", "wall")
    assert [verdict.outcome for verdict in refused] == [PhotoOutcome.BLURRED, PhotoOutcome.NO_FACE]
    every = judge(face_engine, photos, "blurred", "wall", accept=list(PhotoOutcome))
    assert [verdict.outcome for verdict in every] == [PhotoOutcome.DOUBTFUL, PhotoOutcome.NO_FACE]
    assert every[0].detail.startswith("blurred, but accepted: ")


def around(centre: np.ndarray, radius: float, count: int) -> list[np.ndarray]:
    random = np.random.default_rng(5)
    steps = random.normal(size=(count, 128))
    return list(centre + radius * steps / np.linalg.norm(steps, axis=1, keepdims=True))


def test_an_outlier_among_five_is_set_aside_and_kept() -> None:
    rows = around(np.zeros(128), 0.15, 5) + around(np.zeros(128), 0.5, 1)
    verdicts = [PhotoVerdict(str(place), OK, encoding=row) for place, row in enumerate(rows)]
    judged = compare("1001", verdicts, known=Known(DLIB))
    assert [verdict.outcome for verdict in judged] == [OK] * 5 + [PhotoOutcome.SET_ASIDE]
    assert judged[5].encoding is not None
    assert judged[5].detail.startswith("median distance 0.5")
    # Four are too few to say what is usual.
    assert {verdict.outcome for verdict in compare("1001", verdicts[2:], known=Known(DLIB))} == {OK}


def test_photos_of_one_sitting_make_no_outliers_of_each_other() -> None:
    assert (
        find_outliers(np.array([0.1, 0.1, 0.1, 0.1, 0.15]), smallest_deviation=DLIB.smallest_deviation) == frozenset()
    )
    assert find_outliers(np.array([0.3, 0.3, 0.3, 0.3, np.nan, 0.05, 0.55]), smallest_deviation=0.02) == {6}


def test_two_against_two_is_undecided() -> None:
    far = np.zeros(128)
    far[0] = 2
    rows = np.array(around(np.zeros(128), 0.1, 2) + around(far, 0.1, 2))
    agreement = compare_own(rows, 0, unlike=0.6)
    assert (agreement.undecided, agreement.unlike) == (True, {0, 1, 2, 3})
    assert compare_own(rows, 2, unlike=0.6).unlike == {2, 3}
    assert compare_own(np.empty((0, 0)), 0, unlike=0.6).unlike == frozenset()


def test_a_batch_finds_what_a_loop_finds() -> None:
    random = np.random.default_rng(8)
    rows = {f"{number}": random.normal(size=(number % 4 + 1, 128)) for number in range(60)}
    batch = BatchOthers(128)
    assert batch.nearest_other(rows["0"][0], "0") is None
    for student, each in rows.items():
        batch.add(student, each)
    for student in ("0", "17", "nobody"):
        probe = random.normal(size=128)
        expected = min(
            (np.linalg.norm(each - probe, axis=1).min(), name) for name, each in rows.items() if name != student
        )
        found = batch.nearest_other(probe, student)
        assert found is not None
        assert (found.student, pytest.approx(found.distance, abs=1e-5)) == (expected[1], expected[0])


def test_other_models_have_other_bounds() -> None:
    settings = MatchingSettings(threshold=0.4, custom=DistanceSettings(threshold=1.1))
    assert settings.numbers_of("dlib-resnet-v1") == replace(DLIB, threshold=0.4)
    assert settings.numbers_of("arcface").unlike_own == pytest.approx(1.2)
    assert settings.numbers_of("sface-2021dec") == OPENCV


class _Certain:
    """An engine that is less certain of every face but the first, by half."""

    def __init__(self, engine: ReferenceEngine, score: float) -> None:
        self._engine, self._score = engine, score
        self.info, self.blocks_interpreter = engine.info, True
        self.align, self.encode, self.close = engine.align, engine.encode, engine.close

    def detect(self, *arguments: Any, **options: Any) -> list[FaceBoxes]:
        found = self._engine.detect(*arguments, **options)
        return [
            FaceBoxes(boxes.boxes, np.linspace(self._score, self._score / 2, len(boxes.boxes), dtype=np.float32))
            for boxes in found
        ]


@pytest.mark.parametrize(
    ("score", "outcome"), [(0.9, OK), (2.0, PhotoOutcome.SEVERAL_FACES), (0.6, PhotoOutcome.NO_FACE)]
)
def test_what_the_detector_is_hardly_sure_of_is_no_second_face(
    face_engine: ReferenceEngine, six_people: Image.Image, score: float, outcome: PhotoOutcome
) -> None:
    photo = six_people.crop((40, 150, 420, 480))
    two = jpeg(photo)
    assert len(find_faces(face_engine, [np.asarray(photo)])[0]) == 2
    numbers = replace(DLIB, photo_score=OPENCV.photo_score)
    seen = look_at(_Certain(face_engine, score), "a.jpg", two, max_pixels=MOST, numbers=numbers, accept=FORGIVABLE)
    assert seen.outcome in ((outcome,) if outcome is not OK else (OK, PhotoOutcome.DOUBTFUL))


def test_how_large_and_sharp_a_photo_must_be_depends_on_the_family() -> None:
    measures = FaceMeasures(50, 200, 50, 40, 0, 0, 0.4)
    assert judge_quality(measures, OPENCV)[0] is PhotoOutcome.DOUBTFUL
    assert judge_quality(measures, DLIB)[0] is PhotoOutcome.TOO_SMALL
    soft = replace(measures, width=200, sharpness=20)
    assert judge_quality(soft, DLIB)[0] is PhotoOutcome.DOUBTFUL
    assert judge_quality(soft, OPENCV)[:2] == (
        PhotoOutcome.BLURRED, "sharpness 20; 36 is needed, and 300 is good: hold the camera still and near",
    )  # fmt: skip
