"""Encoding the faces of a frame that the flow asks for."""

import asyncio
import functools
from dataclasses import dataclass
from datetime import datetime

from attendance.database.models import Origin
from attendance.face_engine.interface import DetectedFace, Face
from recognition_service.engine.found import DetectedFaces
from recognition_service.evidence.flow import CameraFlow
from recognition_service.evidence.following import FaceChoice
from recognition_service.evidence.frame_plan import FramePlan
from recognition_service.presentation.views import FaceView
from recognition_service.streams.tools import StreamTools
from recognition_service.telemetry.tracing import FrameTrace


@dataclass(frozen=True, slots=True)
class ChosenFaces:
    """The faces of a frame, those encoded that had to be."""

    faces: list[Face | DetectedFace]
    views: list[FaceView | None]
    """The pixels of those encoded, where they are wanted."""
    choice: FaceChoice


async def encode_chosen(
    detected: DetectedFaces,
    flow: CameraFlow,
    tools: StreamTools,
    *,
    plan: FramePlan,
    capture_time: datetime,
    origin: Origin,
    trace: FrameTrace,
) -> ChosenFaces:
    """Ask the flow which faces must be encoded, and encode them. The frames before must have been observed.

    Raises:
        ServiceError: as for `Pipeline.encode`.
    """
    loop = asyncio.get_running_loop()
    choose = functools.partial(flow.choose, plan, capture_time, detected.faces, detected.layouts, origin=origin)
    choice = await loop.run_in_executor(tools.executor, choose)
    faces: list[Face | DetectedFace] = [*detected.faces]
    views: list[FaceView | None] = [None] * len(faces)
    places = choice.to_encode
    while places:
        encoded, seen = await tools.pipeline.encode(detected, places, views=tools.keeps_views, trace=trace)
        for number, place in enumerate(places):
            faces[place] = encoded[number]
            views[place] = seen[number] if seen else None
        if not choice.followed:
            break
        more = functools.partial(flow.choose_more, choice, dict(zip(places, encoded, strict=True)))
        places = await loop.run_in_executor(tools.executor, more)
    return ChosenFaces(faces, views if tools.keeps_views else [], choice)
