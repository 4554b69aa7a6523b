"""A camera before a flow, as a stream is: faces are found first, and encoded when the flow asks for them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from attendance.database.models import Origin
from attendance.face_engine.interface import DetectedFace, Face
from recognition_service.engine.layouts import GRID, Layout
from recognition_service.evidence.flow import CameraFlow
from recognition_service.evidence.frame_plan import FramePlan
from recognition_service.evidence.seen import SeenFace
from recognition_service.presentation.views import FaceView
from tests.factories import NINE
from tests.recognition_service.living import living_view
from tests.recognition_service.scenes import face


@dataclass(frozen=True, eq=False)
class Shown:
    """Somebody before the camera."""

    face: Face
    layout: Layout
    """What is seen at their place."""

    def at(self, left: float, top: float = 0.0, side: float = 80.0) -> "Shown":
        """The same, elsewhere."""
        return replace(self, face=replace(self.face, box=np.array([left, top, left + side, top + side], np.float32)))


@lru_cache
def layout_of(number: int) -> Layout:
    """What is seen of one person; of any two it is far apart."""
    return np.random.default_rng(number).uniform(40, 200, (GRID, GRID, 3)).astype(np.float32)


def shown(person: int, *, left: float = 0.0, distance: float = 0.3, looks_like: int | None = None) -> Shown:
    """One of `scenes.PEOPLE`, who looks like another, or like themselves, where nothing but the place is compared."""
    return Shown(face(person, distance, left=left), layout_of(person if looks_like is None else looks_like))


class Camera:
    """Shows frames to a flow, and counts the faces that it has encoded."""

    def __init__(self, flow: CameraFlow, *, follows: bool = True) -> None:
        self.flow = flow
        self.faces = 0
        self.encoded = 0
        self.last: list[int] = []
        """The places of the faces encoded in the last frame."""
        self.plan: FramePlan | None = None
        """Of its frames; asked for once."""
        self._follows = follows

    def see(self, seconds: float, *people: Shown, origin: Origin = Origin.LIVE) -> list[SeenFace]:
        """Show the people at a time, in seconds from nine o'clock on."""
        time = NINE + timedelta(seconds=seconds)
        self.plan = plan = self.plan or self.flow.plan(time)
        assert plan is not None
        faces = [one.face for one in people]
        layouts = [one.layout for one in people]
        self.faces += len(faces)
        if not (self._follows and self.flow.follows):
            self._count(list(range(len(faces))))
            known = layouts if self._follows else None
            views = [_view(time, face) for face in faces]
            return self.flow.observe(plan, time, faces, views=views, origin=origin, layouts=known)
        found: list[Face | DetectedFace] = [DetectedFace(one.box, one.score) for one in faces]
        kept: list[FaceView | None] = [None] * len(faces)
        choice = self.flow.choose(plan, time, _detected(found), lambda _: layouts, origin=origin)
        places, encoded = choice.to_encode, []
        while places:
            encoded += places
            for place in places:
                found[place], kept[place] = faces[place], _view(time, faces[place])
            places = self.flow.choose_more(choice, {place: faces[place] for place in places})
        self._count(encoded)
        return self.flow.observe(plan, time, found, views=kept, origin=origin, choice=choice)

    def settle(self, *people: Shown, until: float = 10.0, every: float = 0.5, **how: Origin) -> None:
        """Show people side by side until nobody of them is encoded any more."""
        for number in range(round(until / every) + 1):
            self.see(number * every, *people, **how)
        assert self.last == [], "they are settled"

    def _count(self, places: Sequence[int]) -> None:
        self.last = sorted(places)
        self.encoded += len(places)


def _view(time: datetime, face: Face) -> FaceView:
    return living_view(time.timestamp(), left=float(face.box[0]))


def _detected(faces: Sequence[Face | DetectedFace]) -> list[DetectedFace]:
    return [one for one in faces if isinstance(one, DetectedFace)]


def encodings_of(people: int, seed: int = 0) -> NDArray[np.float32]:
    """Encodings of that many people, about 0.8 apart, as strangers' are."""
    vectors = np.random.default_rng(seed).normal(size=(people, 128))
    return (0.57 * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
