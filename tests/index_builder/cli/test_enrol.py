import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from PIL import Image, ImageFilter
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import Student
from attendance.gallery.format import load_gallery
from attendance.gallery.store import Store, read_store
from attendance.settings.families import SFACE_MODEL
from index_builder.enrolment import Enroller
from index_builder.photos.verdicts import PhotoVerdict
from operations.cli.main import attendance
from tests.stores import write_store


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(attendance, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def table(photos: Path) -> Path:
    """A table beside the photos; one line leads out of the folder."""
    path = photos / "photos.csv"
    path.write_text(
        "index_number;photo;name;consent_means;consent_date\n"
        "1001;1001/front.jpg;Ana Özil;signed form;2026-09-30\n"
        "1001;1001\\side.PNG;;;\n"
        "1003;1003/me.jpeg;;;\n"
        "1003;../secret.jpg;;;\n",
        encoding="utf-8",
    )
    return path


def test_from_a_table_to_the_service(data: Path, table: Path, database: sessionmaker[Session], tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    done = run("enrol", "--csv", table, "--report", report, "--publish", "--new", "add")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert any(line.startswith("not used") and "line 5: the photo '../secret.jpg' must be" in line for line in lines)
    assert (
        "no consent             1003/me.jpeg: the database does not know the student, and no consent is recorded"
        in lines
    )
    assert done.stderr == "Without a good photo: 1003\n"
    with database() as db:
        (student,) = db.scalars(sa.select(Student))
    assert (student.index_number, student.name, student.consent_means) == ("1001", "Ana Özil", "signed form")
    assert (student.gallery_encodings, student.gallery_updated_at is not None) == (2, True)
    assert load_gallery(data / "gallery" / "index").identities == ("1001",)
    assert read_store(data / "gallery" / "encodings.pickle").provenance["1001"][1].source == "csv:1001/side.PNG"
    page = report.read_text("utf-8")
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert f"Report: {report} (it holds photos; only you can read it)" in lines
    assert page.count("data:image/jpeg;base64,") == 2, "who did not consent is not shown"
    assert "line 5" in page


def test_consent_by_option_and_going_on(
    data: Path, photos: Path, database: sessionmaker[Session], tmp_path: Path
) -> None:
    for bad in ("1002", "1004"):
        (photos / bad).rename(tmp_path / bad)
    assert "Without a good photo: 1001, 1003" in run("enrol", photos).stderr
    assert not (data / "gallery").exists()
    done = run("enrol", photos, "--consent", "signed form 2026", "--new", "add")
    assert done.exit_code == 0
    with database() as db:
        students = db.scalars(sa.select(Student)).all()
    assert {(each.index_number, each.name, each.consent_means) for each in students} == {
        ("1001", "1001", "signed form 2026"),
        ("1003", "1003", "signed form 2026"),
    }
    again = run("enrol", photos, "--resume")
    assert again.exit_code == 0
    assert "Enrolled before and passed over: 2 students" in again.stdout


def test_a_fault_is_accepted_by_name(
    data: Path, tmp_path: Path, pictures: Path, consenting: Callable[..., None]
) -> None:
    consenting("1001")
    (tmp_path / "photos" / "1001").mkdir(parents=True)
    portrait = Image.open(pictures / "obama.jpg").convert("RGB").crop((200, 50, 760, 560))
    portrait.filter(ImageFilter.GaussianBlur(9)).save(tmp_path / "photos" / "1001" / "a.jpg")
    done = run("enrol", tmp_path / "photos")
    assert (done.exit_code, "blurred                1001/a.jpg: sharpness" in done.stdout) == (1, True)
    done = run("enrol", tmp_path / "photos", "--accept", "blurred")
    assert (done.exit_code, "doubtful               1001/a.jpg: blurred, but accepted" in done.stdout) == (0, True)
    assert run("enrol", tmp_path / "photos", "--accept", "no face").exit_code == 2


@pytest.mark.parametrize(
    ("line", "status"),
    [("=1+1;1001/front.jpg", 1), ("1003;../secret.jpg", 1), ("7;1001/side.PNG", 1), ("1001;1001/front.jpg", 0)],
)
def test_a_line_that_names_nobody_is_told_by_the_status(  # noqa: PLR0917 - a fixture each
    data: Path,
    photos: Path,
    database: sessionmaker[Session],
    line: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A photo that is named twice is no loss."""
    monkeypatch.setenv("ATTENDANCE_INSTITUTION_INDEX_PATTERN", "[0-9]{4}")
    table = photos / "photos.csv"
    table.write_text(f"index_number;photo\n1001;1001/front.jpg\n{line}\n", encoding="utf-8")
    done = run("enrol", "--csv", table, "--consent", "form", "--new", "add")
    assert "1 student enrolled with 1 encoding" in done.stdout
    assert done.exit_code == status


def test_a_folder_that_names_nobody_is_told_by_the_status(
    data: Path, photos: Path, database: sessionmaker[Session], tmp_path: Path
) -> None:
    for bad in ("1002", "1004"):
        (photos / bad).rename(tmp_path / bad)
    (photos / "1003").rename(photos / "=1+1")
    done = run("enrol", photos, "--consent", "form", "--new", "add")
    assert "it cannot be an index number: '=1+1' would be a formula" in done.stdout
    assert done.exit_code == 1


def test_without_a_database_nobody_is_enrolled(data: Path, photos: Path) -> None:
    done = run("enrol", photos, "--consent", "form", "--new", "add")
    assert done.exit_code == 1
    assert done.output == (
        "Error: whether students consented cannot be seen, so nobody is enrolled: there is no database yet\n"
    )
    assert not data.exists()


def test_the_database_goes_away_in_the_middle(
    data: Path,
    photos: Path,
    database: sessionmaker[Session],
    *,
    consenting: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for bad in ("1002", "1004"):
        (photos / bad).rename(tmp_path / bad)
    consenting("1001", "1003")

    def rename(old: str, new: str) -> None:
        with database.begin() as db:
            db.execute(sa.text(f"ALTER TABLE {old} RENAME TO {new}"))

    def that_loses_it(*args: Any, tell: Callable[..., None], **options: Any) -> Enroller:
        def tell_and_lose(student: str, verdict: PhotoVerdict) -> None:
            tell(student, verdict)
            if student == "1003":
                rename("student", "gone")

        return Enroller(*args, tell=tell_and_lose, save_every_s=0, **options)

    with monkeypatch.context() as patched:
        patched.setattr("index_builder.cli.enrol.Enroller", that_loses_it)
        done = run("enrol", photos)
    assert done.exit_code == 1
    assert done.stderr == (
        "Error: the database went away during the work (OperationalError), and nobody is saved without a look at their "
        "consent. Saved before: 1 student; judged since and not saved: 1 student. When the database is back, give the "
        "same command with --resume: it goes on from there\n"
    )
    store = data / "gallery" / "encodings.pickle"
    assert list(read_store(store).encodings) == ["1001"]
    rename("gone", "student")
    again = run("enrol", photos, "--resume")
    assert again.exit_code == 0
    assert "Enrolled before and passed over: 1 student" in again.stdout
    assert list(read_store(store).encodings) == ["1001", "1003"]
    with database() as db:
        noted = {each.index_number: each.gallery_encodings for each in db.scalars(sa.select(Student))}
    assert noted == {"1001": 2, "1003": 1}


def test_what_makes_no_sense(data: Path, photos: Path, table: Path, tmp_path: Path) -> None:
    assert "name either FOLDER or --csv FILE" in run("enrol").output
    assert "name either FOLDER or --csv FILE" in run("enrol", photos, "--csv", table).output
    assert "for the report" in run("enrol", photos, "--report", tmp_path / "none" / "r.html").output
    empty = tmp_path / "empty.csv"
    empty.write_text("index_number,photo\n")
    assert re.search(r"empty.csv names no photos", run("enrol", "--csv", empty).output)


def test_a_table_without_a_line_that_can_be_used(data: Path, photos: Path, database: sessionmaker[Session]) -> None:
    (photos / "photos.csv").write_text("index_number,photo\n../x,1001/front.jpg\n=1,1001/front.jpg\n")
    done = run("enrol", "--csv", photos / "photos.csv")
    assert "line 3: index_number '=1' would be a formula" in done.stdout
    assert done.exit_code == 1


def test_index_numbers_that_a_spreadsheet_may_have_damaged_are_asked_about(
    data: Path, photos: Path, database: sessionmaker[Session]
) -> None:
    with database.begin() as db:
        db.add_all([Student(index_number="01001", name="Ana"), Student(index_number="s7", name="Bo")])
    (photos / "photos.csv").write_text(
        "index_number;photo\n1001;1001/front.jpg\nS7;1003/me.jpeg\n2.4E+05;1001/front.jpg\n=1+1;1001/front.jpg\n"
        'x1;"1003/me.jpeg\n'
        "x2;1003/me.jpeg\n"
    )
    done = run("enrol", "--csv", photos / "photos.csv")
    zeros = "1001 is like 01001 but for zeros, which spreadsheets drop and add"
    assert f"Please check: {zeros}. Is this another student?" in done.stderr
    assert "Please check: S7 is like s7 but for capitals. Is this another student?" in done.stderr
    refused = [line for line in done.stdout.splitlines() if line.startswith("not used")]
    assert [line.split()[2:4] for line in refused] == [["line", "4:"], ["line", "5:"], ["line", "6:"]]
    assert "what is left after a spreadsheet rounded the index number" in refused[0]
    assert "'=1+1' would be a formula" in refused[1]
    assert "quotation marks do not match" in refused[2]


def test_a_table_of_unknown_letters_is_refused_whole(data: Path, table: Path, database: sessionmaker[Session]) -> None:
    table.write_bytes(table.read_bytes().decode("utf-8").encode("cp1252"))
    done = run("enrol", "--csv", table)
    assert done.exit_code == 1
    assert f"{table}: The file is not in UTF-8 (line 2 holds the byte 0xD6)" in done.stderr
    assert "Save it again as UTF-8" in done.stderr
    assert not (data / "gallery").exists()


def test_photos_for_a_gallery_of_another_family(
    data: Path, photos: Path, database: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said before consent is recorded."""
    path = data / "gallery" / "encodings.pickle"
    write_store(path, Store({"2001": np.full((1, 128), 0.09)}, SFACE_MODEL))
    done = run("enrol", photos, "--consent", "form", "--new", "add")
    assert done.exit_code == 1
    assert "the reference engine has dlib's models only, but family opencv is in use: the store" in done.output
    monkeypatch.delenv("ATTENDANCE_ENGINE_NAME")
    monkeypatch.delenv("ATTENDANCE_ENGINE_DETECTOR")
    monkeypatch.setenv("ATTENDANCE_ENGINE_MODELS", "dlib")
    done = run("enrol", photos, "--consent", "form", "--new", "add")
    assert done.exit_code == 1
    assert "engine.models is dlib, but the store" in done.output
    assert list(read_store(path).encodings) == ["2001"]
    with database() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(Student)) == 0


def test_an_index_of_another_family_is_not_built(data: Path, tmp_path: Path) -> None:
    path = data / "gallery" / "encodings.pickle"
    write_store(path, Store({"2001": np.full((1, 128), 0.1)}))
    assert run("index", "build").exit_code == 0
    write_store(path, Store({"2001": np.full((1, 128), 0.09)}, SFACE_MODEL))
    done = run("index", "build")
    assert done.exit_code == 1
    assert "attendance gallery convert" in done.output
    assert "Family:     dlib" in run("index", "info").output
    assert run("index", "build", "--other-family").exit_code == 0
    assert "Family:     opencv" in run("index", "info").output
