"""The service and the family of its models: what it starts with, and faces too small for them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from attendance.face_engine.interface import EngineInfo, FaceBoxes
from attendance.gallery.format import publish
from attendance.settings.families import DLIB, SFACE_MODEL, Family, traits_of
from attendance.settings.matching import DistanceSettings
from attendance.settings.model import EngineSettings, ModelsName
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.app import RecognitionService, StartError
from tests.recognition_service import engines
from tests.recognition_service.campus import COLOURS, Campus, bearer, face_of
from tests.recognition_service.engines import ColourEngine, encoded

Start = Callable[..., Any]


class SmallFaces(ColourEngine):
    """Sees the same face, and says that it is smaller."""

    def __init__(self, width: float) -> None:
        super().__init__()
        self._width = width

    def detect(self, *arguments: Any, **options: Any) -> list[FaceBoxes]:
        shrink = np.array([[8, 8, 8 + self._width, 72]], np.float32)
        found = super().detect(*arguments, **options)
        return [replace(boxes, boxes=shrink) if len(boxes.boxes) else boxes for boxes in found]


class OpenCvColours(ColourEngine):
    """Says that family opencv sees colours."""

    @property
    def info(self) -> EngineInfo:
        return replace(super().info, model=SFACE_MODEL)


def publish_opencv(campus: Campus) -> None:
    rows = {student: engines.encoding_of(colour)[np.newaxis] for student, colour in COLOURS.items()}
    publish(
        campus.settings.index_path, rows, model=SFACE_MODEL, traits=traits_of(SFACE_MODEL), encoding_size=engines.SIZE
    )


@pytest.mark.parametrize(
    ("width", "match"), [(DLIB.smallest_named - 1, pb.MATCH_TOO_SMALL), (DLIB.smallest_named, pb.MATCH_STUDENT)]
)
async def test_a_face_too_small_is_told_from_one_that_is_not(
    campus: Campus, start: Start, width: float, match: pb.Match
) -> None:
    stub = await start(engine=SmallFaces(width))
    answer = await stub.Recognize(
        pb.RecognizeRequest(image=encoded(face_of("blue"))), metadata=bearer(campus.enrolment)
    )
    (face,) = answer.faces
    assert face.match == match
    assert bool(face.student) == (match == pb.MATCH_STUDENT)
    assert (face.distance == float("inf")) == (match == pb.MATCH_TOO_SMALL)


async def test_models_that_were_not_asked_for_are_no_start(campus: Campus) -> None:
    settings = campus.settings.model_copy(update={"engine": EngineSettings(models=ModelsName.OPENCV)})
    service = RecognitionService(settings)
    try:
        with pytest.raises(StartError, match=r"engine\.models is opencv, but the index .* of family dlib"):
            await service.start()
    finally:
        await service.stop()


async def test_an_engine_of_another_family_is_no_start(campus: Campus) -> None:
    service = RecognitionService(campus.settings, build_engine=OpenCvColours)
    try:
        with pytest.raises(StartError, match="sface-2021dec, which is none of family dlib"):
            await service.start()
    finally:
        await service.stop()


async def test_a_model_of_ones_own_without_distances_is_no_start(campus: Campus) -> None:
    service = RecognitionService(campus.settings, build_engine=ColourEngine, family=Family.CUSTOM)
    try:
        with pytest.raises(StartError, match=r"set matching\.custom\.threshold"):
            await service.start()
    finally:
        await service.stop()


@pytest.mark.parametrize(
    ("distances", "named"),
    [
        ({}, False),
        ({"opencv": DistanceSettings(campus_threshold=1.9)}, True),
        ({"dlib": DistanceSettings(campus_threshold=1.9)}, False),
    ],
)
async def test_the_familys_own_distances_are_decided_by(
    campus: Campus, distances: dict[str, DistanceSettings], named: bool
) -> None:
    publish_opencv(campus)
    red = COLOURS["red"]
    probe = engines.encoding_of((red[0], red[1], red[2] + 80))  # 1.25 away
    matching = campus.settings.matching.model_copy(update=distances)
    settings = campus.settings.model_copy(update={"matching": matching})
    service = RecognitionService(settings, build_engine=OpenCvColours, family=Family.OPENCV)
    try:
        await service.start()
        (match,) = service._gallery.matcher.match(probe[np.newaxis], None)
        assert match.student == ("red" if named else None)
        assert match.distance == pytest.approx(1.25)
    finally:
        await service.stop()


async def test_an_index_of_another_family_is_not_taken_up(campus: Campus) -> None:
    service = RecognitionService(campus.settings, build_engine=ColourEngine)
    try:
        await service.start()
        assert service.gallery is not None
        before = service.gallery.version
        publish_opencv(campus)
        with capture_logs() as logs:
            await service._gallery.refresh()
        assert service.gallery.version == before
        (event,) = [log for log in logs if log["event"] == "index_not_loaded"]
        assert event["in_use"] == before
        assert "made with the model sface-2021dec, but" in event["reason"]
        assert "this index is of family opencv" in event["reason"]
        assert "Start the program again" in event["reason"]
    finally:
        await service.stop()
