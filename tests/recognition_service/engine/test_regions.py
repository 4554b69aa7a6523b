"""What of a frame is searched again, and what becomes of the faces that are not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from attendance.face_engine.interface import FaceBoxes
from attendance.zones import EVERYWHERE, Zones
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.engine.looks import reduced
from recognition_service.engine.regions import Regions, RegionSearch
from tests.recognition_service.campus import Campus, face_of, until
from tests.recognition_service.engines import ColourEngine, encoded, picture

Start = Callable[..., Any]
OpenStream = Callable[..., Any]
SIZE = (1280, 720)
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
LEFT, RIGHT = (100.0, 300.0, 180.0, 380.0), (1000.0, 300.0, 1080.0, 380.0)


def frame(*bright: tuple[float, float, float, float], level: int = 200, noise: int = 0) -> np.ndarray:
    picture = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    for left, top, right, bottom in bright:
        picture[int(top) : int(bottom), int(left) : int(right)] = level
    if noise:
        grain = np.random.default_rng(noise).normal(0, 3, picture.shape)
        picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
    return picture


def boxes(*found: tuple[float, float, float, float]) -> FaceBoxes:
    return FaceBoxes(np.array(found, np.float32).reshape(-1, 4), np.linspace(0.9, 0.8, len(found), dtype=np.float32))


def look(regions: Regions, picture: np.ndarray, second: float, zones: Zones = EVERYWHERE) -> RegionSearch:
    return regions.search(reduced(picture), SIZE, captured=NOON + timedelta(seconds=second), zones=zones)


@pytest.fixture
def known() -> Regions:
    """A camera whose first frame was searched and showed two faces."""
    regions = Regions(10)
    regions.found(look(regions, frame(LEFT, RIGHT, noise=1), 0), boxes(LEFT, RIGHT))
    return regions


def test_the_first_frame_is_searched_whole() -> None:
    assert look(Regions(10), frame(), 0).areas is None


def test_noise_is_no_change(known: Regions) -> None:
    search = look(known, frame(LEFT, RIGHT, noise=2), 1)
    assert search.areas == ()
    assert known.found(search, boxes()).boxes.tolist() == [list(LEFT), list(RIGHT)]


def test_who_comes_is_looked_for_and_nobody_else(known: Regions) -> None:
    newcomer = (500.0, 500.0, 560.0, 560.0)
    search = look(known, frame(LEFT, RIGHT, newcomer, noise=2), 1)
    (area,) = search.areas or ()
    assert area.left <= newcomer[0] - 60
    assert area.right >= newcomer[2] + 60
    assert (area.right - area.left) * (area.bottom - area.top) < 0.1 * SIZE[0] * SIZE[1]
    assert area.has(boxes(newcomer).boxes).all()
    assert not area.has(boxes(LEFT, RIGHT).boxes).any()
    together = known.found(search, boxes(newcomer))
    assert sorted(together.boxes.tolist()) == sorted([list(LEFT), list(RIGHT), list(newcomer)])
    assert (np.diff(together.scores) <= 0).all()
    again = look(known, frame(LEFT, RIGHT, newcomer, noise=3), 2)
    assert again.areas == (), "what was searched is known"
    assert len(again.kept.scores) == 3


def test_who_moves_is_looked_for_whole(known: Regions) -> None:
    """A face that is touched by a change is searched with all of its box, and not kept."""
    picture = frame(LEFT, RIGHT, noise=2)
    picture[320:330, 120:150] = 20
    search = look(known, picture, 1)
    (area,) = search.areas or ()
    assert area.has(boxes(LEFT).boxes).all()
    assert area.core[0] <= LEFT[0]
    assert area.core[3] >= LEFT[3]
    assert search.kept.boxes.tolist() == [list(RIGHT)]
    assert known.found(search, boxes()).boxes.tolist() == [list(RIGHT)], "who is gone is gone"


def test_who_leaves_is_forgotten(known: Regions) -> None:
    search = look(known, frame(RIGHT, noise=2), 1)
    assert len(search.areas or ()) == 1
    assert known.found(search, boxes()).boxes.tolist() == [list(RIGHT)]


def test_slow_changes_add_up(known: Regions) -> None:
    levels = []
    for second, level in enumerate(range(196, 160, -4), start=1):
        search = look(known, frame(LEFT, RIGHT, level=level), second)
        levels.append(search.areas != ())
        known.found(search, boxes(LEFT, RIGHT))
    assert any(levels), "nobody's face fades away unseen"
    assert not levels[0]


def test_a_change_everywhere_is_one_search(known: Regions) -> None:
    brighter = np.clip(frame(LEFT, RIGHT).astype(int) + 40, 0, 255).astype(np.uint8)
    search = look(known, brighter, 1)
    assert search.areas is None
    assert not len(search.kept.scores)


def test_the_whole_is_searched_every_few_seconds(known: Regions) -> None:
    for second in range(1, 10):
        search = look(known, frame(LEFT, RIGHT), second)
        assert search.areas == ()
        known.found(search, boxes())
    assert look(known, frame(LEFT, RIGHT), 10).areas is None
    assert look(known, frame(LEFT, RIGHT), -1).areas is None, "a frame from before is compared with nothing"


def test_frames_under_way_do_not_mix(known: Regions) -> None:
    """Two frames are searched at once: each is compared with what was known when it came; the later one stays."""
    newcomer, other = (500.0, 500.0, 560.0, 560.0), (700.0, 80.0, 760.0, 140.0)
    first = look(known, frame(LEFT, RIGHT, newcomer), 1)
    second = look(known, frame(LEFT, RIGHT, newcomer, other), 2)
    assert len(second.areas or ()) == 2
    known.found(second, boxes(newcomer, other))
    assert len(known.found(first, boxes(newcomer)).scores) == 3
    assert len(look(known, frame(LEFT, RIGHT, newcomer, other), 3).kept.scores) == 4


def test_what_moves_where_no_face_counts_is_no_change() -> None:
    zones = Zones(skip=(((0.0, 0.0), (0.3, 0.0), (0.3, 1.0), (0.0, 1.0)),))
    regions = Regions(10)
    regions.found(look(regions, frame(RIGHT), 0, zones), boxes(RIGHT))
    assert look(regions, frame(LEFT, RIGHT), 1, zones).areas == ()
    assert len(look(regions, frame(RIGHT, (600, 400, 700, 500)), 1, zones).areas or ()) == 1


def test_another_size_and_forgetting_begin_anew(known: Regions) -> None:
    small = frame(LEFT)[:480, :640]
    assert (
        known.search(reduced(small), (640, 480), captured=NOON + timedelta(seconds=1), zones=EVERYWHERE).areas is None
    )
    known.forget()
    assert look(known, frame(LEFT, RIGHT), 1).areas is None


def test_a_face_found_again_is_one(known: Regions) -> None:
    newcomer = (200.0, 300.0, 260.0, 380.0)
    search = look(known, frame(LEFT, RIGHT, newcomer), 1)
    moved = (102.0, 301.0, 182.0, 381.0)
    together = known.found(search, boxes(moved, newcomer))
    assert len(together.scores) == 3


def test_faces_at_the_edge_have_their_centres_beyond_it(known: Regions) -> None:
    edge = (-50.0, 600.0, 30.0, 680.0)
    search = look(known, frame(LEFT, RIGHT, (0.0, 600.0, 30.0, 680.0)), 1)
    (area,) = search.areas or ()
    assert area.has(boxes(edge).boxes).all()
    assert (area.left, area.right % 32) == (0, 0)


def test_many_small_changes_are_searched_as_one() -> None:
    regions = Regions(10)
    spots = [(float(x), float(y), x + 16.0, y + 16.0) for x in range(20, 1240, 120) for y in range(20, 700, 120)]
    regions.found(look(regions, frame(), 0), boxes())
    assert look(regions, frame(*spots), 1).areas is None


async def test_a_stream_searches_what_has_changed(campus: Campus, start: Start, open_stream: OpenStream) -> None:
    engine = ColourEngine()
    call = await open_stream(await start(engine=engine, full_look_s=30.0))
    red, green, nobody = (encoded(face_of("red")), encoded(face_of("green")), encoded(picture()))
    assert [face.student for face in (await call.ask(red)).faces] == ["red"]
    searched = len(engine.batches)
    again = await call.ask(red)
    assert again.outcome == pb.FRAME_OUTCOME_RECOGNIZED
    assert [face.student for face in again.faces] == ["red"], "who sits still is encoded from the new frame"
    assert len(engine.batches) == searched, "and not looked for"
    assert [face.student for face in (await call.ask(green)).faces] == ["green"]
    assert not (await call.ask(nobody)).faces
    assert len(engine.batches) == searched + 2


@pytest.mark.parametrize("full_look_s", [0.0, 2.0])
async def test_the_register_is_the_same(
    campus: Campus, start: Start, open_stream: OpenStream, full_look_s: float
) -> None:
    call = await open_stream(await start(full_look_s=full_look_s))
    for colour in ("red", "red", None, None, "green", "green", "green", "blue", None, "red", "red"):
        await call.ask(picture() if colour is None else face_of(colour))
    await until(lambda: campus.register() == {"red": "present", "green": "present"})
