import pickle
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import AuditEntry, Student
from attendance.gallery.provenance import Provenance
from attendance.gallery.store import Store, StoreError, read_store
from attendance.settings.families import DLIB, SFACE_MODEL
from index_builder.importing.pickles import merge_import, read_import
from operations.cli.main import attendance
from tests.stores import write_store

RANDOM = np.random.default_rng(11)


def compare_faces(known: list[np.ndarray] | np.ndarray, face: np.ndarray) -> list[bool]:
    """As in face_recognition 1.3.0, `api.py`, with its `face_distance`."""
    return list(np.linalg.norm(known - face, axis=1) <= 0.6)


def face(count: int = 1) -> np.ndarray:
    """Encodings of somebody, near each other."""
    centre = RANDOM.normal(size=128)
    return centre / np.linalg.norm(centre) + RANDOM.normal(size=(count, 128)) * 0.01


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(attendance, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    path = tmp_path / "faces.pickle"
    names = ["1001", "1001", "1002", "../x", "=cmd", "fru\u0308h"]
    path.write_bytes(pickle.dumps({"encodings": [*face(2), *face(), *face(), *face(), *face()], "names": names}))
    return path


def test_a_pickle_comes_in_with_consent_and_provenance(
    data: Path, foreign: Path, database: sessionmaker[Session], consenting: Callable[..., None]
) -> None:
    consenting("1001")
    done = run("index", "import", foreign)
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert "left out  ../x: '../x' is a path" in lines
    assert "left out  =cmd: '=cmd' would be a formula in a spreadsheet" in lines
    assert "left out  1002: the database does not know the student, and no consent is recorded" in lines
    store_path = data / "gallery" / "encodings.pickle"
    assert f"1 student imported with 2 encodings, 4 students left out. Store: {store_path}" in lines
    store = read_store(store_path)
    assert np.array_equal(store.encodings["1001"], read_store(foreign).encodings["1001"])
    origin = store.provenance["1001"][0]
    assert (origin.source, origin.model) == ("import:faces.pickle", "dlib-resnet-v1")
    assert origin.enrolled_at is not None
    with database() as db:
        assert db.scalars(sa.select(Student)).one().gallery_encodings == 2

    done = run("index", "import", foreign, "--consent", "signed form", "--new", "add")
    assert done.exit_code == 1, "two names cannot be index numbers"
    assert list(read_store(store_path).encodings) == ["1001", "1002", "früh"]
    with database() as db:
        assert set(db.scalars(sa.select(Student.consent_means))) == {"form", "signed form"}


def test_an_import_is_noted_by_its_counts_and_not_by_the_file_s_name(
    data: Path, foreign: Path, database: sessionmaker[Session], consenting: Callable[..., None]
) -> None:
    consenting("1001")
    run("index", "import", foreign)
    with database() as db:
        entry = db.scalars(sa.select(AuditEntry).where(AuditEntry.subject == "attendance index import")).one()
        assert entry.details == {"students": 1, "encodings": 2}


def test_what_cannot_come_in_is_one_sentence(data: Path, tmp_path: Path, foreign: Path) -> None:
    done = run("index", "import", foreign)
    assert done.exit_code == 1
    assert done.output.startswith("Error: whether students consented cannot be seen, so nobody is enrolled: ")
    assert not (data / "gallery").exists()
    (tmp_path / "bad.pickle").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert "it holds code" in run("index", "import", tmp_path / "bad.pickle").output


def test_one_bad_entry_is_left_out_and_named_never_the_whole(
    data: Path, tmp_path: Path, database: sessionmaker[Session]
) -> None:
    one, other = face(2), face()
    short = one[0][:100]
    path = tmp_path / "faces.pickle"
    first = {"encodings": [*one, short, *other], "names": ["1001", "1001", "1003", "fru\u0308h"]}
    second = {"früh": other[0], 1002: other, "1004": []}
    path.write_bytes(pickle.dumps(first) + pickle.dumps(second))
    dry = run("index", "import", path, "--consent", "form", "--dry-run")
    assert "A dry run: nothing was written." in dry.stdout
    assert not (data / "gallery").exists()
    with database() as db:
        assert db.scalars(sa.select(Student)).all() == []
    done = run("index", "import", path, "--consent", "form", "--new", "add")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert "left out  1003: its encoding has 100 numbers, not 128" in lines
    assert "left out  1004: it has no encodings" in lines
    assert "left out  früh: the file spells the index number 'früh' in two ways; the first counts" in lines
    assert any(line.startswith("3 students imported with 4 encodings, 3 students left out.") for line in lines)
    assert set(read_store(data / "gallery" / "encodings.pickle").encodings) == {"1001", "1002", "früh"}


def test_encodings_of_two_people_and_outliers_are_told(tmp_path: Path) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    somebody = face(5)
    far = somebody[0] + 0.045 * RANDOM.normal(size=128)
    write_store(tmp_path / "in", Store({"1001": np.vstack([face(), face()]), "1002": np.vstack([somebody, far])}))
    imported = merge_import(tmp_path / "store", read_import(tmp_path / "in", now=now), refused={}, numbers=DLIB)
    assert imported.warnings == ["1001: its encodings look like those of different people; enrol it from photos"]
    assert imported.saved == {"1001": 2, "1002": 5}
    assert [origin.set_aside for origin in read_store(tmp_path / "store").provenance["1002"]] == [False] * 5 + [True]
    write_store(tmp_path / "other", Store({"1003": face()}, "arcface"))
    with pytest.raises(StoreError, match="made with the model dlib-resnet-v1"):
        merge_import(tmp_path / "store", read_import(tmp_path / "other", now=now), refused={}, numbers=DLIB)


def test_face_recognition_users_can_go_back(data: Path, tmp_path: Path) -> None:
    one, two = face(2), face()
    aside = (Provenance(), Provenance(set_aside=True))
    write_store(data / "gallery" / "encodings.pickle", Store({"1001": one, "1002": two}, provenance={"1001": aside}))
    file = tmp_path / "back.pickle"
    done = run("index", "export-pickle", file)
    assert done.exit_code == 0
    assert done.stdout.startswith(f"Wrote 2 encodings of 2 students to {file}.")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = pickle.loads(file.read_bytes())  # noqa: S301
    assert content["names"] == ["1001", "1002"]
    assert type(content["encodings"]) is list
    assert compare_faces(content["encodings"], two[0]) == [False, True]
    assert list(content) == ["encodings", "names"]
    # Their code works on the store itself too.
    whole = pickle.loads((data / "gallery" / "encodings.pickle").read_bytes())  # noqa: S301
    assert compare_faces(whole["encodings"], two[0]) == [False, False, True]

    again = run("index", "export-pickle", file)
    assert (again.exit_code, "is there already" in again.output) == (1, True)
    assert run("index", "export-pickle", file, "--force").exit_code == 0
    assert "there is no store" in run("index", "export-pickle", tmp_path / "b", "--store", tmp_path / "none").output


def test_a_pickle_of_face_recognition_and_a_gallery_of_another_family(
    data: Path, foreign: Path, database: sessionmaker[Session], consenting: Callable[..., None]
) -> None:
    consenting("1001")
    path = data / "gallery" / "encodings.pickle"
    write_store(path, Store({"2001": np.full((1, 128), 0.09)}, SFACE_MODEL))
    done = run("index", "import", foreign)
    assert done.exit_code == 1
    assert "faces.pickle holds encodings of family dlib (dlib-resnet-v1)" in done.output
    assert "holds those of family opencv" in done.output
    assert list(read_store(path).encodings) == ["2001"]


def test_an_exported_pickle_of_another_family_says_so_and_cannot_come_back_as_dlibs(
    data: Path, tmp_path: Path, database: sessionmaker[Session]
) -> None:
    store, file = tmp_path / "opencv.pickle", tmp_path / "out.pickle"
    write_store(store, Store({"1001": np.full((1, 128), 0.09)}, SFACE_MODEL))
    assert run("index", "export-pickle", file, "--store", store).exit_code == 0
    assert read_store(file).model == SFACE_MODEL
    write_store(data / "gallery" / "encodings.pickle", Store({"2001": np.full((1, 128), 0.1)}))
    done = run("index", "import", file, "--consent", "form", "--new", "add")
    assert done.exit_code == 1
    assert "out.pickle holds encodings of family opencv" in done.output


def test_likely_damage_and_the_pattern_are_told(
    data: Path, tmp_path: Path, database: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.begin() as db:
        db.add(Student(index_number="007123", name="Ann"))
    path = tmp_path / "faces.pickle"
    path.write_bytes(pickle.dumps({"encodings": [*face(), *face()], "names": ["7123", "guest"]}))
    monkeypatch.setenv("ATTENDANCE_INSTITUTION_INDEX_PATTERN", "[0-9]{4,6}")
    done = run("index", "import", path)
    assert done.exit_code == 1
    assert "left out  guest: 'guest' does not look like the index numbers here ([0-9]{4,6})" in done.stdout
    assert "Please check: 7123 is like 007123 but for zeros" in done.stderr
