"""Converting a gallery: from photos that are kept, into a second store, from anywhere on."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import IndexVersion, Student
from attendance.face_engine.interface import EngineInfo
from attendance.gallery.conversion import stores_beside
from attendance.gallery.format import load_gallery, read_manifest
from attendance.gallery.provenance import Provenance
from attendance.gallery.publishing import build_index
from attendance.gallery.removal import erase_from_gallery, is_in_gallery
from attendance.gallery.store import Store, read_store
from attendance.settings.families import DLIB_MODEL, OPENCV, SFACE_MODEL, Family, traits_of
from index_builder.photos.judging import FORGIVABLE
from index_builder.photos.looks import Looks, OwnLooks
from index_builder.photos.verdicts import PhotoVerdict
from operations.cli.main import attendance
from operations.conversion import Conversion, ConversionTools, Telling, convert
from operations.photo_looks import LookSettings, RunnerLooks
from operations.runners.interface import Runner
from operations.runners.local import LocalRunner
from tests.databases import make_tables
from tests.recognition_service.engines import ColourEngine, encoded, picture
from tests.stores import write_store

COLOURS = {"1001": (200, 60, 60), "1002": (60, 200, 60), "1003": (60, 60, 200)}
ENROLLED_AT = datetime(2025, 10, 1, 9, tzinfo=UTC)


class OpenCvColours(ColourEngine):
    """Sees the same, and says that family opencv does."""

    @property
    def info(self) -> EngineInfo:
        return replace(super().info, model=SFACE_MODEL)


class Folder:
    """A gallery of dlib's, two photos each, on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = path / "gallery" / "encodings.pickle"
        self.index = path / "gallery" / "index"
        self.second = path / "gallery" / "encodings.of-opencv.pickle"
        self.former = path / "gallery" / "encodings.of-dlib.pickle"
        self.withdrawn: set[str] = set()
        write_store(self.store, Store({}))
        for student in COLOURS:
            self.enrol(student, 2)
        self.publish()

    def photo(self, student: str, number: int) -> Path:
        return self.path / "photos" / student / f"{number}.jpg"

    def enrol(self, student: str, photos: int) -> None:
        origins = []
        for number in range(photos):
            path = self.photo(student, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_bytes(encoded(picture(COLOURS[student], seed=number, size=(160, 160))))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            source = f"folder:{student}/{number}.jpg"
            origins.append(Provenance(source, digest, ENROLLED_AT, DLIB_MODEL, 0.9, str(path)))
        rows = np.random.default_rng(int(student)).normal(0, 0.1, (photos, 128))
        write_store(self.store, read_store(self.store).with_students({student: rows}, {student: origins}))

    def publish(self) -> None:
        build_index(self.store, self.index, traits_of=traits_of)

    @property
    def gallery(self) -> ConversionTools:
        def without_consent(students: Collection[str]) -> Collection[str]:
            return frozenset(students) & self.withdrawn

        return ConversionTools(self.store, self.index, OpenCvColours(), OPENCV, 16_000_000, without_consent)

    def convert(self, *, partial: bool = False, telling: Telling | None = None) -> Conversion:
        return convert(self.gallery, partial=partial, telling=telling)

    @property
    def family(self) -> str:
        manifest = read_manifest(self.index)
        assert manifest is not None
        return manifest.family

    def is_of_dlib(self) -> None:
        """Neither the store in use nor the index was touched."""
        assert read_store(self.store).model == DLIB_MODEL
        assert self.family == "dlib"
        assert len(load_gallery(self.index, model=DLIB_MODEL).identities) == 3

    def is_of_opencv(self, *students: str) -> None:
        store = read_store(self.store)
        assert store.model == SFACE_MODEL
        assert sorted(store.encodings) == sorted(students)
        assert self.family == "opencv"
        assert sorted(load_gallery(self.index, model=SFACE_MODEL).identities) == sorted(students)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "data")


def test_every_kept_photo_is_encoded_anew_and_published(folder: Folder) -> None:
    photos: list[tuple[int, int]] = []
    done = folder.convert(telling=Telling(begins=lambda *counts: photos.append(counts)))
    assert (done.encodings, done.needed, done.left_out) == (dict.fromkeys(COLOURS, 2), {}, [])
    assert photos == [(6, 0)]
    folder.is_of_opencv(*COLOURS)
    assert stores_beside(folder.store) == [], "the former store is gone"
    origin = read_store(folder.store).provenance["1001"][0]
    assert (origin.source, origin.enrolled_at, origin.model) == ("folder:1001/0.jpg", ENROLLED_AT, SFACE_MODEL)
    assert origin.path == str(folder.photo("1001", 0)), "so that it is erased with the student"


def test_of_whom_photos_are_gone_new_ones_are_needed_and_nothing_is_published(folder: Folder) -> None:
    for number in range(2):
        folder.photo("1002", number).unlink()
    folder.photo("1003", 0).write_bytes(encoded(picture((250, 250, 60), seed=9, size=(160, 160))))
    folder.photo("1003", 1).write_bytes(b"no picture any more")
    done = folder.convert()
    assert sorted(done.needed) == ["1002", "1003"]
    assert "are gone, for example" in done.needed["1002"]
    assert "something else than when it was enrolled" in done.needed["1003"]
    assert (done.built, done.second) == (None, folder.second)
    folder.is_of_dlib()
    assert sorted(read_store(folder.second).encodings) == ["1001"]


def test_photos_that_were_never_kept_are_said_to_be_needed(folder: Folder) -> None:
    store = read_store(folder.store)
    origins = [Provenance("dashboard:a.jpg", "0" * 64, ENROLLED_AT)] * 2
    write_store(folder.store, store.with_students({"1002": store.encodings["1002"]}, {"1002": origins}))
    assert folder.convert().needed == {"1002": "no photos were kept"}


def test_a_part_is_published_and_the_rest_follows(folder: Folder) -> None:
    away = [folder.photo("1002", number).rename(folder.path / f"away{number}") for number in range(2)]
    done = folder.convert(partial=True)
    assert done.built is not None
    assert done.kept == folder.former
    folder.is_of_opencv("1001", "1003")
    assert "1002" in read_store(folder.former).encodings, "nothing of who is not converted is lost"
    for number, path in enumerate(away):
        path.rename(folder.photo("1002", number))
    done = folder.convert()
    assert (done.needed, done.kept) == ({}, None)
    folder.is_of_opencv(*COLOURS)
    assert stores_beside(folder.store) == []


def test_somebody_enrolled_anew_into_the_second_store_is_complete(folder: Folder) -> None:
    for number in range(2):
        folder.photo("1002", number).unlink()
    folder.convert()
    second = read_store(folder.second)
    new = {"1002": np.full((1, 128), 0.5)}
    write_store(folder.second, second.with_students(new, {"1002": [Provenance(photo_sha256="1" * 64)]}))
    done = folder.convert()
    assert (done.needed, done.encodings["1002"]) == ({}, 1)
    folder.is_of_opencv(*COLOURS)


def test_who_did_not_consent_is_left_out_and_no_obstacle(folder: Folder) -> None:
    folder.withdrawn.add("1002")
    done = folder.convert()
    assert (done.left_out, done.needed) == (["1002"], {})
    folder.is_of_opencv("1001", "1003")


def test_who_withdraws_meanwhile_is_not_saved(folder: Folder) -> None:
    def withdraw(student: str, _: PhotoVerdict) -> None:
        folder.withdrawn.add(student)

    folder.convert(telling=Telling(verdict=withdraw))
    assert not read_store(folder.second).encodings
    folder.is_of_dlib()


def test_a_student_enrolled_meanwhile_is_converted_too(folder: Folder) -> None:
    four = COLOURS | {"1004": (200, 200, 60)}
    left = [1]

    def enrol_another() -> None:
        if left:
            left.clear()
            path = folder.photo("1004", 0)
            path.parent.mkdir()
            path.write_bytes(encoded(picture(four["1004"], size=(160, 160))))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            origin = Provenance("folder:1004/0.jpg", digest, ENROLLED_AT, DLIB_MODEL, 0.9, str(path))
            store = read_store(folder.store)
            write_store(folder.store, store.with_students({"1004": np.full((1, 128), 0.1)}, {"1004": [origin]}))

    done = folder.convert(telling=Telling(photo_done=enrol_another))
    assert done.needed == {}
    folder.is_of_opencv(*four)


def test_ctrl_c_keeps_what_is_done_and_the_command_goes_on(folder: Folder) -> None:
    count = [0]

    def interrupt() -> None:
        count[0] += 1
        if count[0] == 3:
            raise KeyboardInterrupt

    done = folder.convert(telling=Telling(photo_done=interrupt))
    assert done.interrupted
    folder.is_of_dlib()
    assert sorted(read_store(folder.second).encodings) == ["1001"]
    photos: list[tuple[int, int]] = []
    folder.convert(telling=Telling(begins=lambda *counts: photos.append(counts)))
    assert photos == [(4, 0)], "who is done is not encoded again"
    folder.is_of_opencv(*COLOURS)


class RememberedLooks:
    """Looks, and remembers at what."""

    def __init__(self, looks: Looks) -> None:
        self.looks = looks
        self.asked: list[tuple[str, str]] = []

    def ahead(self, photos: Iterable[tuple[str, Path]]) -> None:
        self.asked += [("ahead", name) for name, _ in photos]

    def look_at(self, name: str, path: Path) -> PhotoVerdict:
        self.asked.append(("now", name))
        return self.looks.look_at(name, path)


def test_of_a_student_with_a_photo_that_cannot_be_used_only_that_one_is_tried_again(folder: Folder) -> None:
    folder.photo("1001", 0).write_bytes(b"no picture")
    folder.enrol("1001", 3)
    away = [folder.photo("1003", number).rename(folder.path / f"away{number}") for number in range(2)]
    assert folder.convert().encodings == {"1001": 2, "1002": 2, "1003": 0}
    before = read_store(folder.second)
    for number, path in enumerate(away):
        path.rename(folder.photo("1003", number))
    tools = folder.gallery
    looks = RememberedLooks(OwnLooks(tools.engine, tools.max_pixels, tools.numbers, FORGIVABLE))
    assert convert(replace(tools, looks=looks)).encodings == {"1001": 2, "1002": 2, "1003": 2}
    names = [str(folder.photo(student, number))[1:] for student, number in (("1001", 0), ("1003", 0), ("1003", 1))]
    assert looks.asked == [*(("ahead", name) for name in names), *(("now", name) for name in names)]
    folder.is_of_opencv(*COLOURS)
    after = read_store(folder.store)
    np.testing.assert_array_equal(after.encodings["1001"], before.encodings["1001"])
    assert after.provenance["1001"] == before.provenance["1001"]


def test_a_photo_that_was_taken_along_and_is_another_by_now_is_not_used(folder: Folder) -> None:
    folder.photo("1001", 0).write_bytes(b"no picture")
    folder.enrol("1001", 3)
    folder.photo("1003", 0).unlink()
    folder.photo("1003", 1).unlink()
    folder.convert()
    folder.photo("1001", 1).write_bytes(encoded(picture((250, 250, 60), seed=9, size=(160, 160))))
    told: dict[str, str] = {}
    done = folder.convert(telling=Telling(verdict=lambda _, one: told.update({Path(one.name).name: one.detail})))
    assert done.encodings["1001"] == 1
    assert told["1.jpg"] == "the file holds something else than when it was enrolled"


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from operations import conversion as module
from attendance.gallery import conversion, publishing
from tests.operations.test_conversion import Folder

place, when = sys.argv[3], sys.argv[4]
folder = Folder.__new__(Folder)
folder.path = Path(sys.argv[1])
folder.store, folder.index = folder.path / "gallery" / "encodings.pickle", folder.path / "gallery" / "index"
folder.withdrawn = set()

def killing(real):
    def wrapped(*arguments, **options):
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)
        return result
    return wrapped

if place == "link":
    os.link = killing(os.link)
elif place == "unlink":
    Path.unlink = killing(Path.unlink)
else:
    setattr(module, place, killing(getattr(module, place)))
folder.convert()
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("place", ["change_stores", "link", "build_index"])
def test_killed_anywhere_the_gallery_is_whole_and_asking_again_completes(folder: Folder, place: str, when: str) -> None:
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder.path), root, place, when],
        check=False,
        cwd=root,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": root},
    )
    assert done.returncode == -signal.SIGKILL
    store, index = read_store(folder.store), load_gallery(folder.index)
    assert sorted(store.encodings) == sorted(index.identities) == sorted(COLOURS)
    assert folder.convert().needed == {}
    folder.is_of_opencv(*COLOURS)
    assert stores_beside(folder.store) == []


def test_a_student_erased_half_way_is_erased_from_both_stores(folder: Folder) -> None:
    folder.photo("1003", 0).unlink()
    folder.photo("1003", 1).unlink()
    folder.convert()
    paths = {"store_path": folder.store, "index_path": folder.index}
    erased = erase_from_gallery(["1001"], traits_of=traits_of, store_path=folder.store, index_path=folder.index)
    assert erased.encodings == 4
    assert "1001" not in read_store(folder.second).encodings
    assert not is_in_gallery("1001", **paths)
    assert is_in_gallery("1002", **paths)
    folder.convert(partial=True)
    folder.is_of_opencv("1002")
    erase_from_gallery(["1003"], traits_of=traits_of, store_path=folder.store, index_path=folder.index)
    assert "1003" not in read_store(folder.former).encodings, "the former store is looked into as well"


def test_a_gallery_that_is_converted_already_is_published_if_need_be(folder: Folder) -> None:
    folder.convert()
    before = read_manifest(folder.index)
    done = folder.convert()
    assert done.built is not None
    assert before is not None
    assert done.built.manifest.files == before.files


# The command.


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def database(data: Path) -> Iterator[sessionmaker[Session]]:
    engine = create_database_engine(f"sqlite:///{data / 'attendance.db'}")
    make_tables(engine)
    yield session_factory(engine)
    engine.dispose()


@pytest.fixture
def installation(data: Path, database: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The same, with the students' consent in a database, and engines that see colours."""

    def create(models: str = "dlib", **_: object) -> ColourEngine:
        return OpenCvColours() if models == "opencv" else ColourEngine()

    monkeypatch.setattr("attendance.models_in_use.create_engine", create)
    folder = Folder(data)
    with database.begin() as db:
        for student in COLOURS:
            db.add(Student(index_number=student, name=student, consent_given_at=ENROLLED_AT, gallery_encodings=2))
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(attendance, ["gallery", "convert", *arguments])


def test_the_command_converts_and_tells(installation: Folder, database: sessionmaker[Session]) -> None:
    done = run()
    assert done.exit_code == 0, done.output
    assert "Students of family opencv" in done.output
    assert "Start the recognition service again." in done.output
    installation.is_of_opencv(*COLOURS)
    with database() as db:
        assert [row.model for row in db.query(IndexVersion)] == [SFACE_MODEL]


def test_the_command_says_who_needs_photos_and_goes_on_with_a_part(
    installation: Folder, database: sessionmaker[Session]
) -> None:
    for number in range(2):
        installation.photo("1002", number).unlink()
    done = run()
    assert done.exit_code == 1
    assert "new photos needed  1002: the photos are gone" in done.output
    assert f"attendance enrol FOLDER --store {installation.second}" in done.output
    installation.is_of_dlib()
    done = run("--partial")
    assert done.exit_code == 0, done.output
    assert f"kept as {installation.former}" in done.output
    with database() as db:
        assert {one.index_number: one.gallery_encodings for one in db.query(Student)} == {
            "1001": 2,
            "1002": 0,
            "1003": 2,
        }


def test_the_command_asks_the_database_for_consent(installation: Folder, database: sessionmaker[Session]) -> None:
    with database.begin() as db:
        db.query(Student).filter_by(index_number="1002").one().consent_withdrawn_at = ENROLLED_AT
    done = run()
    assert done.exit_code == 0, done.output
    assert "no consent         1002" in done.output
    installation.is_of_opencv("1001", "1003")


def test_without_a_database_nobody_is_converted(data: Path) -> None:
    folder = Folder(data)
    done = run()
    assert done.exit_code == 1
    assert "nobody is enrolled" in done.output
    folder.is_of_dlib()


def test_a_setting_that_would_hinder_the_service_is_named(
    installation: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTENDANCE_ENGINE_MODELS", "dlib")
    done = run()
    assert done.exit_code == 0, done.output
    assert "ATTENDANCE_ENGINE_MODELS is dlib: set it to auto or opencv" in done.output


def test_there_and_back_again(installation: Folder) -> None:
    assert run().exit_code == 0
    assert run("--to", Family.DLIB.value).exit_code == 0
    installation.is_of_dlib()
    assert stores_beside(installation.store) == []


def runner_looks(runner: Runner) -> RunnerLooks:
    return RunnerLooks(runner, LookSettings(OpenCvColours, 16_000_000, OPENCV, frozenset(FORGIVABLE)))


@pytest.mark.exhaustive
def test_photos_are_looked_at_by_processes_in_order(folder: Folder) -> None:
    folder.photo("1002", 0).write_bytes(b"no picture")
    alone = folder.convert(partial=True)
    shutil.rmtree(folder.path)
    again = Folder(folder.path)
    again.photo("1002", 0).write_bytes(b"no picture")
    with closing(LocalRunner(2)) as runner:
        by_processes = convert(replace(again.gallery, looks=runner_looks(runner)), partial=True)
    assert by_processes.encodings == alone.encodings == {"1001": 2, "1002": 1, "1003": 2}
    again.is_of_opencv(*COLOURS)
