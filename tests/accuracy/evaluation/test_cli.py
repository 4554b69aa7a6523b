"""`attendance evaluate` as an operator runs it: real faces, the real engine, and models from outside."""

import json
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image

from accuracy.evaluation.photo_reading import PhotoReader
from accuracy.evaluation.photo_sets import SetError, read_answers
from attendance.database.engine import create_database_engine
from attendance.face_engine.factory import create_engine
from attendance.face_engine.interface import FaceBoxes, ImageError
from attendance.face_engine.reference import ReferenceEngine
from attendance.gallery.store import Store
from operations.cli.main import attendance
from tests.databases import make_tables
from tests.stores import write_store

# Faces of t1.jpg, each alone.
BOXES = {"1003": (40, 230, 215, 440), "1004": (430, 250, 600, 450)}
pytestmark = pytest.mark.usefixtures("one_engine", "no_plots")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(attendance, ["evaluate", *map(str, arguments)], catch_exceptions=False)


def figures(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "evaluation.json").read_text("utf-8"))
    return found


def test_leave_one_out_on_real_faces_writes_a_private_report(faces: Path, tmp_path: Path) -> None:
    output = tmp_path / "report"
    done = run(faces, "--output", output, "--bootstrap", 100)
    assert done.exit_code == 0, done.output
    assert "Leave-one-out" in done.output
    assert "Identification rate, rank 1  100.0 %" in done.output
    assert "at least 1,000 searches of strangers are needed; there are 6" in done.output
    for photo, why in {
        "1003/3 copy.png": "the same file as 1003/1.png",
        "1003/4 three.png": "3 faces; the person must be alone",
        "1004/3 wall.png": "no face",
        "1004/4 cut.png": "the PNG is truncated",
    }.items():
        assert f"{photo}: {why}" in done.output
    found = figures(output)
    assert found["mated_searches"] == {"count": 6, "people": 3}
    assert found["nonmated_searches"] == {"count": 6, "people": 3, "in_turn": True}
    assert len(found["left_out"]) == 4  # type: ignore[arg-type]
    assert (found["photos"], found["failures_to_acquire"]) == (10, 3)
    assert "Photos in people's folders: 10; unreadable or without exactly one face: 3 (30.0 %)." in done.output
    for file in output.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(output.stat().st_mode) == 0o700
    assert "encoding" not in json.dumps(found).replace('"encodings": 6', "")


def test_misidentified_pairs_are_pictures_in_the_page_only(faces: Path, tmp_path: Path, six: Image.Image) -> None:
    six.crop(BOXES["1004"]).resize((300, 353)).save(faces / "1003" / "9 mislabelled.jpg")
    output = tmp_path / "report"
    done = run(faces, "--output", output, "--bootstrap", 100)
    assert "Photos of enrolled people nearest to somebody else: 2. Strangers named: 1." in done.output
    confusions = figures(output)["confusions"]
    assert isinstance(confusions, list)
    assert len(confusions) == 3
    assert ("1003/9 mislabelled.jpg", "1004") in {(one["photo"], one["nearest_to"]) for one in confusions}
    page = (output / "evaluation.html").read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 2 * len(confusions)
    assert "named wrongly" in page
    assert "base64" not in (output / "evaluation.json").read_text("utf-8")
    assert "base64" not in done.output


def test_enrolled_and_searched_from_two_folders_with_strangers(faces: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    for person in ("1001", "1003", "1004"):
        photos = sorted((faces / person).iterdir())[:2]
        for half, photo in zip(("known", "seen"), photos, strict=True):
            (both / half / person).mkdir(parents=True)
            (both / half / person / photo.name).write_bytes(photo.read_bytes())
    (both / "seen" / "1004").rename(both / "seen" / "2222")
    (both / "known" / "1004" / "1.png").rename(both / "known" / "1001" / "wrong.png")
    (both / "known" / "1004").rmdir()
    (both / "known" / "1001" / "wrong.png").unlink()
    done = run(both, "--split", "known/seen", "--output", tmp_path / "report", "--bootstrap", 100)
    assert done.exit_code == 0, done.output
    found = figures(tmp_path / "report")
    assert found["gallery"] == {"people": 2, "encodings": 2}
    assert found["mated_searches"] == {"count": 2, "people": 2}
    assert found["nonmated_searches"] == {"count": 1, "people": 1, "in_turn": False}
    assert "Strangers named: 0" in done.output


def test_the_gallery_that_is_there_is_searched(faces: Path, tmp_path: Path, data: Path) -> None:
    data.mkdir()
    engine = create_database_engine(f"sqlite:///{data / 'attendance.db'}")
    make_tables(engine)
    engine.dispose()
    enrolling = tmp_path / "enrolling" / "1001"
    enrolling.mkdir(parents=True)
    (enrolling / "1.jpg").write_bytes((faces / "1001" / "1.jpg").read_bytes())
    arguments = [str(enrolling.parent), "--consent", "form", "--publish", "--new", "add"]
    enrolled = CliRunner().invoke(attendance, ["enrol", *arguments], catch_exceptions=False)
    assert enrolled.exit_code == 0, enrolled.output
    for gallery in (data / "gallery" / "encodings.pickle", data / "gallery" / "index"):
        done = run(faces, "--gallery", gallery, "--output", tmp_path / "report", "--bootstrap", 100)
        assert done.exit_code == 0, done.output
        assert "1001/1.jpg: the gallery was made from this photo" in done.output
        found = figures(tmp_path / "report")
        assert found["mated_searches"] == {"count": 1, "people": 1}
        assert found["nonmated_searches"] == {"count": 4, "people": 2, "in_turn": False}


def test_a_misidentified_photo_stands_beside_the_one_in_the_store(faces: Path, tmp_path: Path, data: Path) -> None:
    data.mkdir()
    engine = create_database_engine(f"sqlite:///{data / 'attendance.db'}")
    make_tables(engine)
    engine.dispose()
    (faces / "1003" / "2.jpg").unlink()
    (faces / "1003" / "4 three.png").unlink()
    enrolling = tmp_path / "enrolling" / "9999"
    enrolling.mkdir(parents=True)
    Image.open(faces / "1004" / "2.jpg").save(enrolling / "1.png")
    assert (
        CliRunner().invoke(attendance, ["enrol", str(enrolling.parent), "--consent", "form", "--new", "add"]).exit_code
        == 0
    )
    store = data / "gallery" / "encodings.pickle"
    for shown in (2, 1):
        done = run(faces, "--gallery", store, "--output", tmp_path / "report", "--bootstrap", 100)
        assert "Strangers named: 2." in done.output
        page = (tmp_path / "report" / "evaluation.html").read_text("utf-8")
        assert page.count("data:image/jpeg;base64,") == 2 * shown
        assert ("no picture" in page) == (shown == 1)
        # Another file under the same name is not shown as the one enrolled.
        six_bytes = (faces / "1003" / "1.png").read_bytes()
        (enrolling / "1.png").write_bytes(six_bytes)


def test_a_photo_that_the_engine_refuses_does_not_take_its_batch_along(
    faces: Path, face_engine: ReferenceEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    detect = face_engine.detect

    def refuse(images: Sequence[NDArray[np.uint8]], **options: int | None) -> list[FaceBoxes]:
        for place, image in enumerate(images):
            if image.shape == (200, 200, 3):
                raise ImageError(f"image {place} is not to its taste")
        return detect(images, **options)

    monkeypatch.setattr(face_engine, "detect", refuse)
    paths = [(faces / "1003" / "1.png", "good"), (faces / "1004" / "3 wall.png", "bad"), (faces / "gone.png", "gone")]
    told: list[int] = []
    reading = PhotoReader(face_engine, max_pixels=1_000_000, advance=told.append).read(paths)
    faults = {seen.shown: seen.fault for seen in reading.photos.values()}
    assert faults == {"good": "", "bad": "image 0 is not to its taste", "gone": "No such file or directory"}
    assert told == [3]


def test_a_store_of_another_model_is_refused(faces: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.pickle"
    write_store(store, Store({"1": np.ones((1, 128))}, model="other-model"))
    done = run(faces, "--gallery", store)
    assert done.exit_code == 1
    assert "was made with the model other-model" in done.output


def test_one_person_and_no_probes_are_errors(faces: Path, tmp_path: Path, six: Image.Image) -> None:
    one = tmp_path / "one"
    (one / "1003").mkdir(parents=True)
    six.crop(BOXES["1003"]).save(one / "1003" / "1.png")
    done = run(one)
    assert done.exit_code == 1
    assert "at least 2 people" in done.output
    (one / "1004").mkdir()
    six.crop(BOXES["1004"]).save(one / "1004" / "1.png")
    done = run(one, "--split", "0.5", "--strangers", "none")
    assert done.exit_code == 1
    assert "no photo is left to search with" in done.output
    # Everybody may still be a stranger in turn.
    done = run(one, "--bootstrap", 100)
    assert done.exit_code == 0, done.output
    assert "Nobody enrolled is searched for" in done.output
    assert "2 people have one usable photo only" in done.output


def test_no_strangers_is_a_said_omission(faces: Path) -> None:
    done = run(faces, "--strangers", "none", "--bootstrap", 100)
    assert done.exit_code == 0, done.output
    assert "There are no strangers" in done.output


def test_a_folder_of_strangers(faces: Path, tmp_path: Path, pictures: Path) -> None:
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    Image.open(pictures / "astronaut.png").convert("RGB").crop((120, 20, 320, 260)).save(strangers / "she.png")
    done = run(faces, "--strangers", strangers, "--output", tmp_path / "report", "--bootstrap", 100)
    assert done.exit_code == 0, done.output
    assert figures(tmp_path / "report")["nonmated_searches"] == {"count": 1, "people": 1, "in_turn": False}
    assert "Strangers named: 0" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "enrol"], "neither two folders"),
        (["--split", "../x"], "neither two folders"),
        (["--split", "1.5"], "neither two folders"),
        (["--split", "a/b"], "there is no folder"),
        (["--strangers", "some"], "neither each, none"),
        (["--strangers", "0.9"], "too few stay enrolled"),
        (["--normalise"], "--normalise is for --embedding"),
        (["--gallery", ".", "--split", "0.5"], "name one of them"),
        (["--gallery", ".", "--strangers", "0.5"], "no share of them"),
        (["--gallery", ".", "--embedding", "a:b"], "cannot search it"),
        (["--gallery", "."], "there is no index"),
    ],
)
def test_wrong_options(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    for spare in ("1001/1.jpg", "1001/2.PNG", "1003/2.jpg", "1003/4 three.png", "1004/3 wall.png"):
        (faces / spare).unlink()
    done = run(faces, *arguments)
    assert done.exit_code != 0
    assert message in done.output


def test_ctrl_c_says_that_nothing_was_written(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> list[FaceBoxes]:
        raise KeyboardInterrupt

    monkeypatch.setattr("accuracy.evaluation.photo_reading.find_faces", stop)
    done = run(faces, "--output", tmp_path / "report")
    assert done.exit_code == 130
    assert "Stopped" in done.output
    assert not (tmp_path / "report").exists()


def test_where_no_report_can_be_written_is_said_before_the_work(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(faces, "--output", tmp_path / "file" / "report")
    assert done.exit_code == 1
    assert "the report cannot be written" in done.output
    done = run(faces, "--output", faces / "report")
    assert done.exit_code == 2
    assert "would be taken for photos" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "0.5"], "a share is for one folder for each person"),
        (["--gallery", "."], "name the one that is searched"),
        (["--split", "enrol/nowhere"], "there is no folder"),
        ([], "holds no photos in people's folders"),
    ],
)
def test_two_folders_are_not_taken_for_people(tmp_path: Path, arguments: list[str], message: str) -> None:
    for half in ("enrol", "probe"):
        (tmp_path / "both" / half).mkdir(parents=True)
    done = run(tmp_path / "both", *arguments)
    assert done.exit_code == 1
    assert message in done.output


def test_answers_need_photos_that_are_searched(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "answers.csv").write_text("photo,people\n")
    done = run(faces, "--answers", tmp_path / "answers.csv")
    assert done.exit_code == 1
    assert "use --split ENROL/PROBE or --gallery" in done.output


def test_without_a_terminal_a_line_tells_now_and_then_how_far_it_is(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accuracy.evaluation.progress.SAID_EVERY", 8)
    done = run(faces, "--bootstrap", 100)
    assert "8 of 10 photos" in done.stderr
    assert "8 of 10 photos" not in done.stdout


def test_a_table_of_answers_that_cannot_be_used(tmp_path: Path, faces: Path) -> None:
    table = tmp_path / "answers.csv"
    table.write_text("file,who\n1.jpg,1001\n")
    with pytest.raises(SetError, match="columns photo and people"):
        read_answers(table)
    table.write_bytes(b"photo,people\n\xff\xfe,x\n")
    with pytest.raises(SetError, match="no table"):
        read_answers(table)
    table.write_text('photo,people\na.jpg,"1001\nb.jpg,1002\n')
    with pytest.raises(SetError, match=r"answers.csv, line 2: The quotation marks do not match"):
        read_answers(table)
    table.write_bytes("photo,people\nä.jpg,1001\n".encode("cp1252"))
    with pytest.raises(SetError, match="Save it again as UTF-8"):
        read_answers(table)
    table.write_bytes('\ufeffphoto;people\r\na.jpg;"1001; 1002"\r\n'.encode("utf-16"))
    assert read_answers(table) == {"a.jpg": {"1001", "1002"}}
    table.write_text("photo,people\nmissing.jpg,1001\n")
    (tmp_path / "both" / "enrol").mkdir(parents=True)
    (faces / "1001").rename(tmp_path / "both" / "enrol" / "1001")
    faces.rename(tmp_path / "both" / "probe")
    done = run(tmp_path / "both", "--answers", table)
    assert done.exit_code == 1
    assert "'missing.jpg', which is no photo" in done.output


def test_the_faces_beside_the_repository_have_their_names(
    shared_faces: Path, shared_answers: Path, tmp_path: Path
) -> None:
    done = run(shared_faces, "--answers", shared_answers, "--output", tmp_path / "report", "--bootstrap", 100)
    assert done.exit_code == 0, done.output
    found = figures(tmp_path / "report")
    scenes = found["scenes"]
    assert isinstance(scenes, list)
    assert len(scenes) == 11
    assert [scene["photo"] for scene in scenes if not scene["right"]] == []
    decisions = found["decisions"]
    assert isinstance(decisions, list)
    for rule in decisions:
        assert rule["mated"] == {"named rightly": 7}
        assert rule["strangers"] == {"named nobody": 1}


@pytest.mark.usefixtures("opencv_models")
def test_they_have_them_with_family_opencv_too(
    shared_faces: Path, shared_answers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the accelerated engine, and not the one that the other tests have loaded."""
    monkeypatch.setattr("attendance.models_in_use.create_engine", create_engine)
    for name, value in (("NAME", "accelerated"), ("DETECTOR", "cnn"), ("MODELS", "opencv")):
        monkeypatch.setenv(f"ATTENDANCE_ENGINE_{name}", value)
    done = run(shared_faces, "--answers", shared_answers, "--output", tmp_path / "report", "--bootstrap", 100)
    assert done.exit_code == 0, done.output
    assert "sface-2021dec" in done.output
    scenes = figures(tmp_path / "report")["scenes"]
    assert isinstance(scenes, list)
    assert [scene["photo"] for scene in scenes if not scene["right"]] == []


def test_scenes_alone_are_named(faces: Path, tmp_path: Path, six: Image.Image, pictures: Path) -> None:
    """Nobody is alone in a photo of `probe`, and everybody has one photo: there is no search to count, but names."""
    both = tmp_path / "both"
    for person in ("1003", "1004"):
        (both / "enrol" / person).mkdir(parents=True)
        (both / "enrol" / person / "1.png").write_bytes((faces / person / "1.png").read_bytes())
    (both / "probe").mkdir()
    six.save(both / "probe" / "six.png")
    (tmp_path / "answers.csv").write_text("photo,people\nsix.png,1003;1004\n")
    done = run(both, "--answers", tmp_path / "answers.csv", "--output", tmp_path / "report", "--bootstrap", 100)
    assert done.exit_code == 0, done.output
    scenes = figures(tmp_path / "report")["scenes"]
    assert isinstance(scenes, list)
    assert [(scene["photo"], scene["right"]) for scene in scenes] == [("probe/six.png", True)]
    assert "Searches: 0 of enrolled people (0 people)" in done.output
    assert "Nobody enrolled is searched for" in done.output


def test_a_pickle_of_face_recognition_works_on_dlib_and_only_there(
    shared_faces: Path, shared_answers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickle = shared_faces / "encodings.pickle"
    arguments = [shared_faces / "probe", "--gallery", pickle, "--answers", shared_answers, "--bootstrap", 100]
    done = run(*arguments, "--output", tmp_path / "report")
    assert done.exit_code == 0, done.output
    found = figures(tmp_path / "report")
    assert found["model"] == "dlib-resnet-v1"
    assert found["gallery"] == {"people": 5, "encodings": 9}
    scenes = found["scenes"]
    assert isinstance(scenes, list)
    assert len(scenes) == 11
    assert [scene["photo"] for scene in scenes if not scene["right"]] == []
    monkeypatch.setenv("ATTENDANCE_ENGINE_NAME", "accelerated")
    monkeypatch.setenv("ATTENDANCE_ENGINE_MODELS", "opencv")
    done = run(*arguments)
    assert done.exit_code == 1
    assert "holds encodings of family dlib (dlib-resnet-v1), which cannot be compared with those of family opencv" in (
        done.output
    )
