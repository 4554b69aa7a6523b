from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attendance.face_engine.images import decode_image
from attendance.face_engine.reference import ReferenceEngine

# Faces of t1.jpg, each alone.
BOXES = {"1003": (40, 230, 215, 440), "1004": (430, 250, 600, 450)}

# Who of the enrolled is in the photos beside the repository.
ANSWERS = """photo,people
alex_lacamoire.jpg,alex_lacamoire
obama.jpg,obama
obama3.jpg,obama
obama_1080p.jpg,obama
obama_240p.jpg,obama
obama_partial.jpg,obama
obama_partial2.jpg,obama
obama_and_biden.jpg,obama;biden
stranger_with_rose.jpg,rose_leslie
stranger_and_rose.jpg,
two_people.jpg,biden;obama
"""


@pytest.fixture
def shared_answers(tmp_path: Path) -> Path:
    """The table of answers for the photos beside the repository."""
    answers = tmp_path / "answers of the photos beside the repository.csv"
    answers.write_text(ANSWERS)
    return answers


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.setenv("ATTENDANCE_ENGINE_NAME", "reference")
    monkeypatch.setenv("ATTENDANCE_ENGINE_DETECTOR", "hog")
    return tmp_path / "data"


@pytest.fixture(scope="session")
def face_engine() -> Iterator[ReferenceEngine]:
    engine = ReferenceEngine(detector="hog", upsample=1, max_pixels=16_000_000)
    yield engine
    engine.close()


@pytest.fixture
def one_engine(data: Path, face_engine: ReferenceEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a fresh installation, and the real engine, loaded once."""
    monkeypatch.setattr(face_engine, "close", lambda: None)
    monkeypatch.setattr("attendance.models_in_use.create_engine", lambda **_: face_engine)


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without curves, which take two seconds to draw; tests of the report and of the plots have them."""
    monkeypatch.setattr("accuracy.evaluation.report.draw_plots", lambda _: {})


@pytest.fixture
def six(pictures: Path) -> Image.Image:
    return Image.fromarray(decode_image((pictures / "t1.jpg").read_bytes(), max_pixels=16_000_000))


@pytest.fixture
def faces(tmp_path: Path, pictures: Path, six: Image.Image) -> Path:
    """Three people with two or three photos each, and what no photo of one person is."""
    folder = tmp_path / "faces"
    for person in ("1001", *BOXES):
        (folder / person).mkdir(parents=True)
    Image.open(pictures / "obama.jpg").crop((200, 50, 760, 560)).reduce(2).save(folder / "1001" / "1.jpg", quality=95)
    Image.open(pictures / "obama2.jpg").crop((60, 180, 560, 680)).reduce(2).save(folder / "1001" / "2.PNG")
    for person, box in BOXES.items():
        alone = six.crop(box)
        alone.save(folder / person / "1.png")
        alone.resize((alone.width * 5 // 4, alone.height * 5 // 4)).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
            folder / person / "2.jpg", quality=90
        )
    (folder / "1003" / "3 copy.png").write_bytes((folder / "1003" / "1.png").read_bytes())
    six.crop((40, 150, 620, 480)).save(folder / "1003" / "4 three.png")
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(folder / "1004" / "3 wall.png")
    (folder / "1004" / "4 cut.png").write_bytes((folder / "1004" / "1.png").read_bytes()[:3000])
    return folder


@pytest.fixture
def both_families(data: Path, opencv_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings of an installation that can run both families, whose models are there."""
    for name in ("NAME", "DETECTOR"):
        monkeypatch.delenv(f"ATTENDANCE_ENGINE_{name}")
    return data
