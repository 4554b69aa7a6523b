"""Nobody becomes a student by a folder's name alone."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import AuditEntry, Student
from attendance.gallery.store import read_store
from index_builder.cli.newcomers import listed
from operations.cli.main import attendance


def run(*arguments: object, answer: str | None = None) -> Result:
    return CliRunner().invoke(attendance, [str(argument) for argument in arguments], input=answer)


def students(database: sessionmaker[Session]) -> dict[str, str | None]:
    with database() as db:
        return {one.index_number: one.consent_means for one in db.scalars(sa.select(Student))}


@pytest.fixture
def export(photos: Path) -> Path:
    """What an archive of photos holds beside students: nobody may come of it."""
    for name in ("__MACOSX", "$RECYCLE.BIN", "New folder", "Unknown", "240101.jpg", "Jan Kowalski"):
        (photos / name).mkdir()
        (photos / name / "me.jpg").write_bytes((photos / "1003" / "me.jpeg").read_bytes() + name.encode())
    (photos / "1005").mkdir()
    return photos


def test_only_good_photos_and_a_word_make_students(data: Path, export: Path, database: sessionmaker[Session]) -> None:
    """1004's photo shows a wall, and 1005 has none: neither they nor their consent are recorded."""
    (export / "1003" / "me.jpeg").unlink()
    asked = run("enrol", export, "--consent", "form", answer="n\n")
    assert asked.exit_code == 1
    assert "Not in the database yet: 6. Enrolling adds them as students, with their consent:" in asked.stdout
    assert "  Jan Kowalski   (has no digit: is it a person's index number?)" in asked.stdout
    for name in ("__MACOSX", "$RECYCLE.BIN", "New folder", "Unknown", "240101.jpg"):
        assert f"{name}: it cannot be an index number: '{name}' is " in asked.stdout
    assert "1001: the database does not know the student, who was left out" in asked.stdout
    assert students(database) == {}
    assert not (data / "gallery").exists()
    (export / "Jan Kowalski" / "me.jpg").unlink()
    (export / "Jan Kowalski").rmdir()
    done = run("enrol", export, "--consent", "form", answer="y\n")
    assert students(database) == {"1001": "form", "1002": "form"}
    assert list(read_store(data / "gallery" / "encodings.pickle").encodings) == ["1001", "1002"]
    assert "Without a good photo: 1003, 1004, 1005" in done.stderr


def test_where_nobody_can_answer_nothing_is_done(data: Path, photos: Path, database: sessionmaker[Session]) -> None:
    done = run("enrol", photos, "--consent", "form")
    assert done.exit_code == 1
    assert "give --new add or --new leave-out, or look first with --dry-run" in done.output
    assert students(database) == {}
    with database.begin() as db:
        db.add(Student(index_number="1003", name="Ana"))
    done = run("enrol", photos, "--consent", "form", "--new", "leave-out")
    assert students(database) == {"1003": "form"}
    assert "1 student enrolled with 1 encoding" in done.stdout


def test_a_dry_run_says_it_all_and_writes_nothing(data: Path, photos: Path, database: sessionmaker[Session]) -> None:
    done = run("enrol", photos, "--consent", "form", "--dry-run", "--publish")
    assert "Not in the database yet: 4." in done.stdout
    assert "ok                     1001/front.jpg" in done.stdout
    assert "no face                1004/wall.png" in done.stdout
    assert "A dry run: nothing was written." in done.stdout
    assert students(database) == {}
    assert not (data / "gallery").exists()
    with database() as db:
        assert db.scalars(sa.select(AuditEntry)).all() == []


def test_many_are_listed_by_how_they_look() -> None:
    new = [f"{240101 + place}" for place in range(300)] + ["S7", "Jan"]
    assert listed(new) == [
        "S7",
        "Jan   (has no digit: is it a person's index number?)",
        "240101 to 240400 (300 that look alike)",
    ]
