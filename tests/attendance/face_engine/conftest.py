import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PIL import ImageFile

from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Image
from attendance.face_engine.reference import ReferenceEngine


@pytest.fixture(scope="session")
def face_recognition() -> ModuleType:
    """The package itself, which warns when imported and tells Pillow to forgive truncated files."""
    forgiving = ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import face_recognition  # noqa: PLC0415

    ImageFile.LOAD_TRUNCATED_IMAGES = forgiving
    return face_recognition


@pytest.fixture(scope="session")
def hog_engine() -> Iterator[ReferenceEngine]:
    engine = ReferenceEngine(detector="hog", upsample=1)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def cnn_engine() -> Iterator[ReferenceEngine]:
    engine = ReferenceEngine(detector="cnn", upsample=0)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def six_people(pictures: Path) -> Image:
    return decode_image((pictures / "t1.jpg").read_bytes(), max_pixels=16_000_000)
