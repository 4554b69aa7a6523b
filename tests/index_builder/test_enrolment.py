import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_engine.interface import EngineError
from face_engine.reference import ReferenceEngine
from index_builder.enrolment import (
    Enrolment,
    PhotoReport,
    Photos,
    encode_photos,
    find_photos,
    save_enrolment,
)
from index_builder.photos import PhotoOutcome
from index_builder.store import Store, StoreError, read_store, write_store

MOST = 16_000_000


def enrol(engine: ReferenceEngine, folder: Path) -> Enrolment:
    return encode_photos(engine, find_photos(folder), max_pixels=MOST)


def test_every_photo_is_judged_by_itself(photos: Path, face_engine: ReferenceEngine) -> None:
    told: list[PhotoReport] = []
    enrolment = encode_photos(face_engine, find_photos(photos), max_pixels=MOST, tell=told.append)
    assert told == enrolment.reports
    outcomes = {str(report.path.relative_to(photos)): report.outcome for report in told}
    assert outcomes == {
        "list.csv": PhotoOutcome.MISPLACED,
        "1002/7 notes.txt": PhotoOutcome.MISPLACED,
        "1001/front.jpg": PhotoOutcome.OK,
        "1001/side.PNG": PhotoOutcome.OK,
        "1002/1 good.jpg": PhotoOutcome.OK,
        "1002/2 three people.jpg": PhotoOutcome.SEVERAL_FACES,
        "1002/3 wall.jpg": PhotoOutcome.NO_FACE,
        "1002/4 cut.jpg": PhotoOutcome.UNREADABLE,
        "1002/5 text.png": PhotoOutcome.UNREADABLE,
        "1002/6 small.png": PhotoOutcome.TOO_SMALL,
        "1003/me.jpeg": PhotoOutcome.OK,
        "1004/wall.png": PhotoOutcome.NO_FACE,
    }
    details = {report.path.name: report.detail for report in told}
    assert details["2 three people.jpg"] == "3 faces; the student must be alone"
    assert details["4 cut.jpg"] == "the JPEG is truncated: it stops before the end of the image"
    assert details["5 text.png"] == "not a JPEG or PNG image"
    assert details["6 small.png"].endswith("pixels wide; 60 are needed")
    assert {student: len(rows) for student, rows in enrolment.encodings.items()} == {"1001": 2, "1002": 1, "1003": 1}
    assert enrolment.without == ["1004"]
    a, b = enrolment.encodings["1001"]
    assert np.linalg.norm(a - b) < 0.5 < np.linalg.norm(a - enrolment.encodings["1002"][0])


def test_encodings_are_those_of_face_recognition(shared_faces: Path, face_engine: ReferenceEngine) -> None:
    enrolment = enrol(face_engine, shared_faces / "enrol")
    expected = read_store(shared_faces / "encodings.pickle").encodings
    assert enrolment.without == []
    assert list(enrolment.encodings) == list(expected)
    for student, rows in expected.items():
        assert np.abs(enrolment.encodings[student] - rows).max() <= 1e-6


def one_photo(tmp_path: Path, data: bytes) -> Path:
    (tmp_path / "many" / "1001").mkdir(parents=True)
    (tmp_path / "many" / "1001" / "photo.jpg").write_bytes(data)
    return tmp_path / "many"


def jpeg(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def test_a_phones_photo_is_turned_upright(
    tmp_path: Path, six_people: Image.Image, face_engine: ReferenceEngine
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = six_people.crop((40, 230, 215, 440)).transpose(Image.Transpose.ROTATE_90)
    enrolment = enrol(face_engine, one_photo(tmp_path, jpeg(lying, exif=exif, quality=95)))
    assert [report.outcome for report in enrolment.reports] == [PhotoOutcome.OK]


def test_a_large_photo_is_shrunk(tmp_path: Path, six_people: Image.Image, face_engine: ReferenceEngine) -> None:
    face = six_people.crop((40, 230, 215, 440))
    large = face.resize((4000, 4800), Image.Resampling.BICUBIC)
    enrolment = enrol(face_engine, one_photo(tmp_path, jpeg(large, quality=95)))
    assert [report.outcome for report in enrolment.reports] == [PhotoOutcome.OK]
    (faces,) = enrol(face_engine, one_photo(tmp_path / "again", jpeg(face, quality=95))).encodings.values()
    assert np.linalg.norm(enrolment.encodings["1001"] - faces) < 0.2


def test_a_bomb_is_refused_by_its_header(tmp_path: Path, face_engine: ReferenceEngine) -> None:
    data = jpeg(Image.new("RGB", (64, 64)))
    at = data.index(b"\xff\xc0") + 5
    enrolment = enrol(face_engine, one_photo(tmp_path, data[:at] + struct.pack(">HH", 60_000, 60_000) + data[at + 4 :]))
    (report,) = enrolment.reports
    assert report.outcome is PhotoOutcome.UNREADABLE
    assert "declares 60000 x 60000 pixels" in report.detail


def test_a_huge_file_is_not_read(tmp_path: Path, face_engine: ReferenceEngine) -> None:
    folder = one_photo(tmp_path, b"")
    with (folder / "1001" / "photo.jpg").open("r+b") as file:
        file.truncate(10**10)  # sparse: it takes no room
    (report,) = enrol(face_engine, folder).reports
    assert report.outcome is PhotoOutcome.UNREADABLE
    assert "larger than" in report.detail


def test_a_photo_that_vanished(tmp_path: Path, face_engine: ReferenceEngine) -> None:
    gone = tmp_path / "gone.jpg"
    enrolment = encode_photos(face_engine, Photos({"1001": [gone]}, []), max_pixels=MOST)
    assert enrolment.reports[0].outcome is PhotoOutcome.UNREADABLE
    assert enrolment.reports[0].detail == "No such file or directory"


@pytest.mark.parametrize(
    ("name", "words"),
    [("a\nb", "control or invisible"), ("x" * 65, "65 characters"), (" 1001", "starts or ends with a space")],
)
def test_folders_that_name_nobody(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).mkdir()
    photos = find_photos(tmp_path)
    assert photos.by_student == {}
    (report,) = photos.misplaced
    assert report.outcome is PhotoOutcome.MISPLACED
    assert words in report.detail


def test_letters_with_accents_are_one_letter(tmp_path: Path) -> None:
    (tmp_path / "ze\u0301ta").mkdir()
    (tmp_path / "ze\u0301ta" / "a.jpg").touch()
    assert list(find_photos(tmp_path).by_student) == ["z\u00e9ta"]


def test_folders_in_a_students_folder_are_not_searched(tmp_path: Path) -> None:
    (tmp_path / "1001" / "old.jpg").mkdir(parents=True)
    photos = find_photos(tmp_path)
    assert photos.by_student == {"1001": []}
    assert photos.misplaced[0].path.name == "old.jpg"


def test_an_engine_that_fails_stops_the_work(photos: Path) -> None:
    closed = ReferenceEngine()
    closed.close()
    with pytest.raises(EngineError, match="closed"):
        enrol(closed, photos)


def rows(value: float, count: int = 1) -> np.ndarray:
    return np.full((count, 128), value)


def save(path: Path, encodings: dict[str, np.ndarray], model: str = "dlib-resnet-v1") -> Store:
    return save_enrolment(path, Enrolment(encodings, [], []), model=model, encoding_size=128)


def test_enrolling_again_replaces_that_student_only(tmp_path: Path) -> None:
    path = tmp_path / "store.pickle"
    save(path, {"1001": rows(0.1, 3), "1002": rows(0.2)})
    save(path, {"1001": rows(0.3), "1003": rows(0.4)})
    store = read_store(path)
    assert list(store.encodings) == ["1001", "1002", "1003"]
    for student, value in (("1001", 0.3), ("1002", 0.2), ("1003", 0.4)):
        assert np.array_equal(store.encodings[student], rows(value))


def test_two_models_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "store.pickle"
    save(path, {"1001": rows(0.1)})
    with pytest.raises(StoreError, match="made with the model dlib-resnet-v1, but the engine uses other"):
        save(path, {"1002": rows(0.1)}, model="other")
    assert list(read_store(path).encodings) == ["1001"]


def test_a_store_of_face_recognition_is_extended(tmp_path: Path) -> None:
    path = tmp_path / "store.pickle"
    write_store(path, Store({"1001": rows(0.1, 2)}))
    assert save(path, {"1002": rows(0.2)}).count == 3
