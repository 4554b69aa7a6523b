import io
import struct
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PIL import Image

from attendance.face_engine.interface import AlignedFaces, EngineError, FaceBoxes, FaceEngine
from attendance.face_engine.reference import ReferenceEngine
from attendance.gallery.format import load_gallery, publish
from attendance.gallery.store import Store, StoreError, read_store
from attendance.settings.families import DLIB, traits_of
from index_builder.enrolment import Enroller, EnrolmentResult
from index_builder.photos.sources import Photos, find_photos
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict
from index_builder.report_page import write_report
from tests.stores import write_store

MOST = 16_000_000


def everybody(_: Collection[str]) -> Mapping[str, str]:
    return {}


def enrol(
    engine: FaceEngine,
    photos: Path | Photos,
    store: Path | None = None,
    *,
    resume: bool = False,
    **options: Any,
) -> EnrolmentResult:
    found = find_photos(photos) if isinstance(photos, Path) else photos
    options = {"max_pixels": MOST, "numbers": DLIB, "allow": everybody, **options}
    return Enroller(engine, store or found.folder.parent / "store.pickle", found, **options).run(resume=resume)


def outcomes(enrolment: EnrolmentResult) -> dict[str, PhotoOutcome]:
    every = [*enrolment.misplaced, *(each for verdicts in enrolment.verdicts.values() for each in verdicts)]
    return {verdict.name: verdict.outcome for verdict in every}


def test_every_photo_is_judged_by_itself(photos: Path, face_engine: ReferenceEngine) -> None:
    told: list[tuple[str, PhotoVerdict]] = []
    advanced: list[None] = []
    enrolment = enrol(face_engine, photos, tell=lambda *args: told.append(args), advance=lambda: advanced.append(None))
    assert [verdict for _, verdict in told] == [each for verdicts in enrolment.verdicts.values() for each in verdicts]
    assert len(advanced) == 10
    assert outcomes(enrolment) == {
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
    details = {verdict.name: verdict.detail for _, verdict in told}
    assert details["1002/2 three people.jpg"] == "3 faces; the student must be alone"
    assert details["1002/4 cut.jpg"] == "the JPEG is truncated: it stops before the end of the image"
    assert details["1002/5 text.png"] == "no picture: neither JPEG, PNG, WebP, AVIF nor HEIC"
    assert details["1002/6 small.png"].endswith("pixels wide; 60 are needed")
    assert enrolment.without == ["1004"]
    assert enrolment.saved == {"1001": 2, "1002": 1, "1003": 1}
    store = read_store(photos.parent / "store.pickle")
    assert {student: len(rows) for student, rows in store.encodings.items()} == enrolment.saved
    a, b = store.encodings["1001"]
    assert np.linalg.norm(a - b) < 0.5 < np.linalg.norm(a - store.encodings["1002"][0])
    origin = store.provenance["1001"][0]
    assert (origin.source, origin.model, origin.set_aside) == ("folder:1001/front.jpg", "dlib-resnet-v1", False)
    assert origin.quality is not None
    assert origin.photo_sha256 is not None


def test_encodings_are_those_of_face_recognition(
    shared_faces: Path, face_engine: ReferenceEngine, tmp_path: Path
) -> None:
    enrolment = enrol(face_engine, shared_faces / "enrol", tmp_path / "store.pickle")
    assert set(outcomes(enrolment).values()) == {PhotoOutcome.OK}
    expected = read_store(shared_faces / "encodings.pickle").encodings
    found = read_store(tmp_path / "store.pickle").encodings
    assert list(found) == list(expected)
    for student, rows in expected.items():
        assert np.abs(found[student] - rows).max() <= 1e-6


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
    assert set(outcomes(enrolment).values()) == {PhotoOutcome.OK}


def test_a_large_photo_is_shrunk(tmp_path: Path, six_people: Image.Image, face_engine: ReferenceEngine) -> None:
    face = six_people.crop((40, 230, 215, 440))
    large = face.resize((4000, 4800), Image.Resampling.BICUBIC)
    assert enrol(face_engine, one_photo(tmp_path, jpeg(large, quality=95))).saved == {"1001": 1}
    assert enrol(face_engine, one_photo(tmp_path / "again", jpeg(face, quality=95))).saved == {"1001": 1}
    (a,), (b,) = (read_store(folder / "store.pickle").encodings["1001"] for folder in (tmp_path, tmp_path / "again"))
    assert np.linalg.norm(a - b) < 0.2


def refusal(engine: ReferenceEngine, photos: Path | Photos) -> str:
    ((verdict,),) = enrol(engine, photos).verdicts.values()
    assert verdict.outcome is PhotoOutcome.UNREADABLE
    return verdict.detail


def test_a_bomb_is_refused_by_its_header(tmp_path: Path, face_engine: ReferenceEngine) -> None:
    data = jpeg(Image.new("RGB", (64, 64)))
    at = data.index(b"\xff\xc0") + 5
    bomb = one_photo(tmp_path, data[:at] + struct.pack(">HH", 60_000, 60_000) + data[at + 4 :])
    assert "declares 60000 x 60000 pixels" in refusal(face_engine, bomb)


def test_a_huge_file_is_not_read(tmp_path: Path, face_engine: ReferenceEngine) -> None:
    folder = one_photo(tmp_path, b"")
    with (folder / "1001" / "photo.jpg").open("r+b") as file:
        file.truncate(10**10)  # sparse: it takes no room
    assert "larger than" in refusal(face_engine, folder)


def test_a_photo_that_vanished(tmp_path: Path, face_engine: ReferenceEngine) -> None:
    photos = Photos(tmp_path, {"1001": [tmp_path / "gone.jpg"]})
    assert refusal(face_engine, photos) == "No such file or directory"


def test_an_engine_that_fails_stops_the_work(photos: Path) -> None:
    closed = ReferenceEngine()
    closed.close()
    with pytest.raises(EngineError, match="closed"):
        enrol(closed, photos)


def rows(value: float, count: int = 1) -> np.ndarray:
    return np.full((count, 128), value)


def only(photos: Path, *students: str) -> Photos:
    found = find_photos(photos)
    return Photos(photos, {student: found.by_student[student] for student in students})


def test_enrolling_again_replaces_that_student_only(photos: Path, face_engine: ReferenceEngine, tmp_path: Path) -> None:
    path = tmp_path / "store.pickle"
    write_store(path, Store({"1003": rows(0.3, 3), "1004": rows(0.4), "1009": rows(0.9)}))
    enrol(face_engine, only(photos, "1003", "1004"), path)
    store = read_store(path)
    assert {student: len(each) for student, each in store.encodings.items()} == {"1003": 1, "1004": 1, "1009": 1}
    assert np.array_equal(store.encodings["1004"], rows(0.4)), "without a good photo it keeps what it had"
    assert store.provenance["1003"][0].source == "folder:1003/me.jpeg"


def test_two_models_do_not_mix(photos: Path, face_engine: ReferenceEngine, tmp_path: Path) -> None:
    path = tmp_path / "store.pickle"
    write_store(path, Store({"1009": rows(0.1)}, "other"))
    with pytest.raises(StoreError, match="made with the model other, but the engine uses dlib-resnet-v1"):
        enrol(face_engine, photos, path)
    assert list(read_store(path).encodings) == ["1009"]


def test_who_may_not_is_not_looked_at(photos: Path, face_engine: ReferenceEngine) -> None:
    def allow(students: Collection[str]) -> Mapping[str, str]:
        return {"1001": "no consent is recorded"} if "1001" in students else {}

    enrolment = enrol(face_engine, only(photos, "1001", "1003"), allow=allow)
    assert [verdict.outcome for verdict in enrolment.verdicts["1001"]] == [PhotoOutcome.NO_CONSENT] * 2
    assert enrolment.verdicts["1001"][0].thumbnail is None
    assert enrolment.saved == {"1003": 1}


def test_consent_that_is_withdrawn_during_the_work_counts(photos: Path, face_engine: ReferenceEngine) -> None:
    asked: list[Collection[str]] = []

    def allow(students: Collection[str]) -> Mapping[str, str]:
        asked.append(students)
        return {"1001": "consent was withdrawn meanwhile"} if len(asked) > 1 else {}

    enrolment = enrol(face_engine, only(photos, "1001", "1003"), allow=allow)
    assert list(read_store(photos.parent / "store.pickle").encodings) == ["1003"]
    assert {verdict.outcome for verdict in enrolment.verdicts["1001"]} == {PhotoOutcome.NO_CONSENT}


def test_one_photo_of_two_students_is_nobodys(photos: Path, face_engine: ReferenceEngine, tmp_path: Path) -> None:
    path = tmp_path / "store.pickle"
    (photos / "1004" / "mine.jpg").write_bytes((photos / "1003" / "me.jpeg").read_bytes())
    dry = enrol(face_engine, only(photos, "1003", "1004"), path, save_every_s=0, dry=True)
    assert dry.without == ["1003", "1004"], "a dry run says what a real one does"
    assert not path.exists()
    told: list[tuple[str, PhotoVerdict]] = []
    enrolment = enrol(
        face_engine, only(photos, "1003", "1004"), path, save_every_s=0, tell=lambda *args: told.append(args)
    )
    assert outcomes(enrolment)["1003/me.jpeg"] is PhotoOutcome.SHARED
    assert outcomes(enrolment)["1004/mine.jpg"] is PhotoOutcome.SHARED
    assert [student for student, verdict in told if verdict.outcome is PhotoOutcome.SHARED] == ["1004", "1003"]
    assert enrolment.without == ["1003", "1004"]
    assert read_store(path).encodings == {}, "what was saved before the other student's was seen is taken back"
    # Enrolled before, it stays that student's.
    enrol(face_engine, only(photos, "1003"), path)
    later = enrol(face_engine, only(photos, "1004"), path)
    (verdict, _) = later.verdicts["1004"]
    assert (verdict.outcome, verdict.other) == (PhotoOutcome.SHARED, "1003")
    assert "1003" in verdict.detail
    assert list(read_store(path).encodings) == ["1003"]


def test_ctrl_c_keeps_what_is_done_and_resume_goes_on(photos: Path, face_engine: ReferenceEngine) -> None:
    def stop(student: str, _: PhotoVerdict) -> None:
        if student == "1003":
            raise KeyboardInterrupt

    photos_of = only(photos, "1001", "1002", "1003")
    enrolment = enrol(face_engine, photos_of, tell=stop)
    assert enrolment.interrupted
    assert list(read_store(photos.parent / "store.pickle").encodings) == ["1001", "1002", "1003"]
    advanced: list[None] = []
    again = enrol(face_engine, photos_of, resume=True, advance=lambda: advanced.append(None))
    assert again.unchanged == ["1001", "1002", "1003"]
    assert again.verdicts == {}
    assert len(advanced) == photos_of.count
    (photos / "1001" / "front.jpg").unlink()
    assert enrol(face_engine, only(photos, "1001", "1003"), resume=True).unchanged == ["1003"]


def test_two_at_once_both_end_in_the_store(photos: Path, face_engine: ReferenceEngine, tmp_path: Path) -> None:
    path = tmp_path / "store.pickle"
    other = ReferenceEngine(detector="hog")
    thread = threading.Thread(target=enrol, args=(other, only(photos, "1001"), path))
    thread.start()
    enrol(face_engine, only(photos, "1002", "1003"), path, save_every_s=0)
    thread.join()
    other.close()
    assert sorted(read_store(path).encodings) == ["1001", "1002", "1003"]


class OneFace:
    """An engine that finds the same face in every large picture, at no cost, and encodes it otherwise each time."""

    blocks_interpreter = False

    def __init__(self, engine: ReferenceEngine, image: np.ndarray) -> None:
        self.info = engine.info
        self._shape = image.shape
        (self._boxes,) = engine.detect([image])
        (self._cut,) = engine.align([image], [self._boxes])
        (self._none,) = engine.detect([np.zeros((80, 80, 3), np.uint8)])
        (self._nothing,) = engine.align([image], [self._none])
        self._random = np.random.default_rng(3)

    def detect(
        self, images: Sequence[np.ndarray], *, upsample: int | None = None, smallest_face: int | None = None
    ) -> list[FaceBoxes]:
        return [self._boxes if len(image) > 16 else self._none for image in images]

    def align(self, images: Sequence[np.ndarray], faces: object) -> list[AlignedFaces]:
        return [self._cut_of(image) if len(image) > 16 else self._nothing for image in images]

    def _cut_of(self, image: np.ndarray) -> AlignedFaces:
        if image.shape == self._shape:
            return self._cut
        # A view that is turned around the face's middle, where all landmarks are: they stay, the face is upright.
        middle = np.full_like(self._cut.landmarks, image.shape[0] / 2)
        return AlignedFaces(chips=self._cut.chips, landmarks=middle)

    def encode(self, chips: np.ndarray) -> np.ndarray:
        row = self._random.normal(size=(len(chips), 128))
        return (row / np.linalg.norm(row)).astype(np.float32)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("count", [1_200, pytest.param(10_000, marks=pytest.mark.exhaustive)])
def test_many_photos_with_one_bad_in_the_middle(
    photos: Path, face_engine: ReferenceEngine, tmp_path: Path, count: int
) -> None:
    with_face = 40  # every fortieth: a face takes five milliseconds to judge
    image = np.asarray(Image.open(photos / "1003" / "me.jpeg"))
    face, wall = jpeg(Image.fromarray(image), quality=80), jpeg(Image.new("RGB", (16, 16)))
    folder = tmp_path / "campus"
    by_student = {}
    for number in range(count):
        (folder / f"{number:05d}").mkdir(parents=True)
        path = folder / f"{number:05d}" / "a.jpg"
        good = wall if number % with_face else face
        # Bytes after a JPEG's end are ignored; they make it another file.
        path.write_bytes(good[:100] if number == count // 2 else good + number.to_bytes(4, "big"))
        by_student[path.parent.name] = [path]
    advanced: list[None] = []
    enrolment = enrol(
        OneFace(face_engine, image),
        Photos(folder, by_student),
        tmp_path / "store.pickle",
        save_every_s=1,
        advance=lambda: advanced.append(None),
    )
    assert len(advanced) == len(enrolment.verdicts) == count
    (bad,) = enrolment.verdicts[f"{count // 2:05d}"]
    assert bad.outcome is PhotoOutcome.UNREADABLE
    assert "truncated" in bad.detail
    assert enrolment.count(PhotoOutcome.UNREADABLE) == 1
    assert enrolment.count(PhotoOutcome.NO_FACE) == count - count // with_face
    assert read_store(tmp_path / "store.pickle").count == count // with_face - 1
    write_report(tmp_path / "report.html", enrolment, institution="Łódź", zone=ZoneInfo("UTC"))
    assert f"{count // 2:05d}/a.jpg" in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize("name", ["学生一", "Zoë Łuczak", "عمر", "Ω-1"])
def test_students_of_any_script(photos: Path, face_engine: ReferenceEngine, tmp_path: Path, name: str) -> None:
    (photos / "1003").rename(photos / name)
    enrolment = enrol(face_engine, only(photos, name), tmp_path / "store.pickle")
    assert enrolment.saved == {name: 1}
    store = read_store(tmp_path / "store.pickle")
    assert list(store.encodings) == [name]
    assert store.provenance[name][0].source == f"folder:{name}/me.jpeg"
    publish(
        tmp_path / "index",
        store.in_use,
        model=store.model,
        traits=traits_of(store.model),
        encoding_size=store.encoding_size,
    )
    assert load_gallery(tmp_path / "index").identities == (name,)
