"""Photos that do not say how they lie."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attendance.face_engine.factory import create_engine
from attendance.face_engine.interface import FaceEngine
from attendance.settings.families import DLIB, OPENCV
from index_builder.photos.judging import look_at
from index_builder.photos.upright import STEADY, UNSTEADY, find_upright
from index_builder.photos.verdicts import PhotoOutcome

FAMILIES = {"dlib": DLIB, "opencv": OPENCV}
LAY = {0: "", 90: "it lay on its left side", 180: "it lay upside down", 270: "it lay on its right side"}


@pytest.fixture(scope="module", params=["opencv", pytest.param("dlib", marks=pytest.mark.exhaustive)])
def family(request: pytest.FixtureRequest, opencv_models: Path) -> Iterator[tuple[FaceEngine, str]]:
    engine = create_engine(
        name="accelerated", detector="cnn", upsample=None, max_pixels=16_000_000, models=request.param
    )
    yield engine, request.param
    engine.close()


def portraits(pictures: Path) -> list[Image.Image]:
    return [
        Image.open(pictures / "obama.jpg").convert("RGB").crop((200, 50, 760, 560)).reduce(2),
        Image.open(pictures / "t1.jpg").convert("RGB").crop((430, 250, 600, 450)),
        Image.open(pictures / "obama_partial_face.jpg").convert("RGB"),
    ]


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_a_turned_photo_gives_the_same_encoding_in_both_families(
    pictures: Path, family: tuple[FaceEngine, str], angle: int
) -> None:
    engine, name = family
    for portrait in portraits(pictures):
        verdicts = []
        for turned in (portrait, portrait.rotate(angle, expand=True)):
            file = io.BytesIO()
            turned.save(file, "PNG")
            verdicts.append(look_at(engine, "a", file.getvalue(), max_pixels=16_000_000, numbers=FAMILIES[name]))
        as_it_was, lying = verdicts
        assert as_it_was.outcome is lying.outcome
        assert LAY[angle] in lying.detail
        assert "it lay" not in as_it_was.detail
        if as_it_was.encoding is not None:
            assert lying.encoding is not None
            assert np.linalg.norm(as_it_was.encoding - lying.encoding) < 0.05


def test_several_faces_are_left_as_they_are(pictures: Path, family: tuple[FaceEngine, str]) -> None:
    engine, name = family
    image = np.asarray(Image.open(pictures / "t1.jpg").convert("RGB"))
    found = find_upright(engine, image, FAMILIES[name].photo_score)
    assert (len(found.faces), found.turned) == (6, 0)


def test_what_has_no_face_in_any_direction_has_none(family: tuple[FaceEngine, str]) -> None:
    found = find_upright(family[0], np.full((200, 300, 3), 90, np.uint8), 0.5)
    assert (found.faces, found.turned, found.unsteadiness) == ([], 0, 0.0)


def test_a_face_of_which_nothing_can_be_told_is_refused(
    pictures: Path, family: tuple[FaceEngine, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index_builder.photos.upright.unsteadiness", lambda *_: UNSTEADY + 0.01)
    file = io.BytesIO()
    portraits(pictures)[0].save(file, "PNG")
    verdict = look_at(family[0], "a", file.getvalue(), max_pixels=16_000_000, numbers=FAMILIES[family[1]])
    assert (verdict.outcome, verdict.encoding) == (PhotoOutcome.NOT_UPRIGHT, None)
    assert STEADY < UNSTEADY
