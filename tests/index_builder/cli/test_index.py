import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from attendance.database.engine import create_database_engine
from attendance.gallery.format import load_gallery
from attendance.gallery.store import Store, read_store
from operations.cli.main import attendance
from tests.databases import make_tables
from tests.stores import write_store


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(attendance, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_from_photos_to_an_index(data: Path, photos: Path, consenting: Callable[..., None]) -> None:
    consenting("1001", "1002", "1003", "1004")
    done = run("enrol", photos)
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert "ok                     1001/front.jpg" in lines
    assert "several faces          1002/2 three people.jpg: 3 faces; the student must be alone" in lines
    assert "not used               list.csv: it lies outside any student's folder" in lines
    rows = [line.split()[:3] for line in lines if line.startswith(("Student", "100"))]
    assert rows == [
        ["Student", "Used", "Doubtful"],
        ["1001", "2"],
        ["1002", "1", "5"],
        ["1003", "1"],
        ["1004", "0", "1"],
    ]
    store = data / "gallery" / "encodings.pickle"
    assert f"3 students enrolled with 4 encodings, 8 files not used. Store: {store}" in lines
    assert done.stderr == "Without a good photo: 1004\n"
    assert list(read_store(store).encodings) == ["1001", "1002", "1003"], "the good ones are saved"

    (photos / "1004" / "wall.png").unlink()
    (photos / "1004").rmdir()
    for bad in sorted((photos / "1002").glob("[2-6]*")):
        bad.unlink()
    done = run("enrol", photos)
    assert done.exit_code == 0
    assert "Next: attendance index build" in done.stdout
    assert read_store(store).count == 4

    done = run("index", "build")
    assert done.exit_code == 0
    gallery = load_gallery(data / "gallery" / "index")
    assert done.stdout.splitlines() == [
        f"Published index {gallery.version}: 3 students, 4 encodings, model dlib-resnet-v1. "
        f"Folder: {data / 'gallery' / 'index'}",
    ]
    done = run("index", "info")
    assert done.exit_code == 0
    for words in (gallery.version, "dlib-resnet-v1, 128 numbers", "Students:   3", "Encodings:  4"):
        assert words in done.stdout


def test_build_records_where_there_is_a_database(data: Path) -> None:
    write_store(data / "gallery" / "encodings.pickle", Store({"1001": np.full((1, 128), 0.1)}))
    engine = create_database_engine(f"sqlite:///{data / 'attendance.db'}")
    make_tables(engine)
    done = run("index", "build")
    assert done.exit_code == 0
    assert len(done.output.splitlines()) == 1
    assert "1 student, 1 encoding," in done.output
    with engine.connect() as connection:
        versions = connection.exec_driver_sql("select version from index_version").scalars().all()
    engine.dispose()
    assert versions == [load_gallery(data / "gallery" / "index").version]


def test_other_places(data: Path, tmp_path: Path) -> None:
    store, output = tmp_path / "my.pickle", tmp_path / "my index"
    write_store(store, Store({"1001": np.full((1, 128), 0.1)}))
    assert run("index", "build", "--store", store, "--output", output).exit_code == 0
    assert load_gallery(output).identities == ("1001",)
    assert run("index", "info", "--output", output).exit_code == 0
    assert not data.exists()
    assert "Not recorded in the database: there is no database yet" in run("index", "build", "--store", store).stdout


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"encodings": [Hostile()], "names": ["a"]}, "it holds code: it wants to use 'posix.mkdir'"),
        ({"encodings": [[0.1] * 127], "names": ["a"]}, "encoding 0 (of 'a') has 127 numbers, not 128"),
        ({"encodings": [[float("nan")] * 128], "names": ["a"]}, "holds NaN or infinity"),
        ({"encodings": [[0.1] * 128], "names": ["a", "b"]}, "1 encodings and 2 names"),
    ],
)
def test_a_bad_store_is_one_sentence(  # noqa: PLR0917
    data: Path,
    content: object,
    words: str,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    consenting: Callable[..., None],
) -> None:
    consenting("1001")
    monkeypatch.chdir(photos.parent)
    store = data / "gallery" / "encodings.pickle"
    store.parent.mkdir(parents=True)
    store.write_bytes(pickle.dumps(content))
    for command in (("index", "build"), ("enrol", photos)):
        done = run(*command)
        assert done.exit_code == 1
        assert f"Error: the store {store} cannot be used: " in done.output
        assert words in done.output
        assert len(done.output.splitlines()) == 1
    assert store.read_bytes() == pickle.dumps(content)
    assert not Path("ran").exists()


def test_what_is_missing_is_one_sentence(data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for command, words in (
        (("index", "build"), "there is no store"),
        (("index", "info"), "there is no index in"),
        (("enrol", tmp_path / "empty"), "holds no student's folder"),
        (("enrol", tmp_path / "none"), "does not exist"),
    ):
        done = run(*command)
        assert done.exit_code in (1, 2)
        assert words in done.output
    assert not data.exists()


def test_a_name_that_would_move_the_cursor_is_spelt_out(
    data: Path, tmp_path: Path, consenting: Callable[..., None]
) -> None:
    consenting("1001")
    photo = tmp_path / "photos" / "1001" / "\x1b[2J.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"")
    done = run("enrol", tmp_path / "photos")
    assert "\x1b" not in done.output
    assert r"unreadable             '1001/\x1b[2J.jpg': the image is empty (no bytes)" in done.output
    assert not (data / "gallery" / "encodings.pickle").exists()
