"""Photos before the camera of a running service: held, with the reason, and nobody is entered."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from attendance.database.models import HeldReason, HeldSighting
from attendance.face_engine.interface import Image
from attendance.settings import Settings
from attendance.settings.matching import Presentation
from recognition_service.app import RecognitionService, StartError
from tests.recognition_service.campus import CameraCall, Campus, calling, face_of, found_campus, running, until
from tests.recognition_service.engines import ColourEngine, alive, encoded


def held(campus: Campus) -> list[set[str]]:
    """The reasons of each sighting that is held."""
    with campus.sessions() as db:
        return [set(reasons) for reasons in db.scalars(sa.select(HeldSighting.reasons))]


def sent_again(number: int) -> Image:
    del number
    return alive(face_of("red"), 3)


def filmed_anew(number: int) -> Image:
    noise = np.random.default_rng(number).normal(0, 2, (96, 128, 3))
    return np.clip(sent_again(number) + noise, 0, 255).astype(np.uint8)


def moved(number: int) -> Image:
    return np.roll(filmed_anew(number), (number % 3 - 1, number % 2), axis=(0, 1))


@pytest.mark.parametrize(
    ("show", "reason"),
    [
        (sent_again, HeldReason.SAME_PICTURE),
        (filmed_anew, HeldReason.NO_VARIANCE),
        (moved, HeldReason.NO_VARIANCE),
    ],
)
async def test_one_photo_sent_six_times_or_moved_is_held(
    campus: Campus, start: Any, open_stream: Any, show: Callable[[int], Image], reason: HeldReason
) -> None:
    call: CameraCall = await open_stream(await start())
    for number in range(6):
        (face,) = (await call.ask(encoded(show(number)))).faces
        assert (face.student, face.confirmed) == ("red", False)
    await call.call.done_writing()
    await until(lambda: held(campus) == [{reason.value}])
    assert campus.register() == {}


async def test_off_means_off(service_settings: Settings) -> None:
    """What the demo shows; the service says so in its log."""
    matching = service_settings.matching.model_copy(update={"presentation": Presentation.OFF})
    campus = found_campus(service_settings.model_copy(update={"matching": matching}))
    async with running(campus.settings) as service, calling(service) as stub:
        call = CameraCall(stub, campus.front, "front", campus.now)
        await call.opened()
        for number in range(4):
            (face,) = (await call.ask(encoded(sent_again(number)))).faces
        assert face.confirmed
        call.call.cancel()
    campus.engine.dispose()


async def test_a_liveness_model_that_is_none_is_named_at_the_start(campus: Campus, tmp_path: Path) -> None:
    matching = campus.settings.matching.model_copy(update={"liveness_model": tmp_path / "nowhere.onnx"})
    settings = campus.settings.model_copy(update={"matching": matching})
    service = RecognitionService(settings, build_engine=ColourEngine)
    try:
        with pytest.raises(StartError, match=r"matching\.liveness_model: .*nowhere\.onnx cannot be read"):
            await service.start()
    finally:
        await service.stop()
