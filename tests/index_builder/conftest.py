from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import Student
from attendance.face_engine.images import decode_image
from attendance.face_engine.reference import ReferenceEngine
from tests.databases import make_tables

# Where the faces of t1.jpg are, each with nobody else: left, top, right, bottom.
ALONE = {"1003": (40, 230, 215, 440), "1004": (430, 250, 600, 450)}


@pytest.fixture(scope="session")
def face_engine() -> Iterator[ReferenceEngine]:
    engine = ReferenceEngine(detector="hog", upsample=1)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def six_people(pictures: Path) -> Image.Image:
    return Image.fromarray(decode_image((pictures / "t1.jpg").read_bytes(), max_pixels=16_000_000))


@pytest.fixture
def photos(tmp_path: Path, pictures: Path, six_people: Image.Image) -> Path:
    """Four students: one with two good photos, one with good and bad ones, one with one, one with none that is good."""
    folder = tmp_path / "photos"
    for student in ("1001", "1002", "1003", "1004"):
        (folder / student).mkdir(parents=True)
    obama = Image.open(pictures / "obama.jpg").crop((200, 50, 760, 560))
    obama.save(folder / "1001" / "front.jpg", quality=95)
    Image.open(pictures / "obama2.jpg").crop((60, 180, 560, 680)).save(folder / "1001" / "side.PNG")
    mixed = folder / "1002"
    six_people.crop(ALONE["1003"]).save(mixed / "1 good.jpg", quality=95)
    six_people.crop((40, 150, 620, 480)).save(mixed / "2 three people.jpg")
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(mixed / "3 wall.jpg")
    (mixed / "4 cut.jpg").write_bytes((mixed / "1 good.jpg").read_bytes()[:2000])
    (mixed / "5 text.png").write_text("not a picture")
    six_people.crop(ALONE["1004"]).resize((72, 85)).save(mixed / "6 small.png")
    (mixed / "7 notes.txt").write_text("taken in March")
    (mixed / ".DS_Store").write_text("")
    six_people.crop(ALONE["1004"]).save(folder / "1003" / "me.jpeg", quality=95)
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(folder / "1004" / "wall.png")
    (folder / "list.csv").write_text("1001,Obama\n")
    return folder


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of the settings; it is not made."""
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.setenv("ATTENDANCE_ENGINE_NAME", "reference")
    monkeypatch.setenv("ATTENDANCE_ENGINE_DETECTOR", "hog")
    return tmp_path / "data"


@pytest.fixture
def database(data: Path) -> Iterator[sessionmaker[Session]]:
    """The database of the data folder."""
    engine = create_database_engine(f"sqlite:///{data / 'attendance.db'}")
    make_tables(engine)
    yield session_factory(engine)
    engine.dispose()


@pytest.fixture
def consenting(database: sessionmaker[Session]) -> Callable[..., None]:
    """Adds students who consented."""

    def add(*index_numbers: str) -> None:
        with database.begin() as db:
            for index_number in index_numbers:
                db.add(
                    Student(
                        index_number=index_number,
                        name=f"Student {index_number}",
                        consent_given_at=datetime(2026, 9, 1, tzinfo=UTC),
                        consent_means="form",
                    )
                )

    return add
