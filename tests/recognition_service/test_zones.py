"""Zones of a camera, in the running service: when it opens its stream, and when they are drawn anew."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import sqlalchemy as sa

from attendance.database.models import Camera, Observation
from attendance.database.watching.observation import counts_of
from attendance.zones import Zones, dump
from protos.attendance.v1 import attendance_pb2 as pb
from tests.recognition_service.campus import COLOURS, CameraCall, Campus, until
from tests.recognition_service.engines import alive, encoded, picture

LEFT = ((0, 0), (0.5, 0), (0.5, 1), (0, 1))
DOOR = ((0.6, 0), (0.9, 0), (0.9, 0.9), (0.6, 0.9))
MASKED, FREE = dump(Zones(skip=(LEFT,))), dump(Zones(skip=(DOOR,)))


def draw(campus: Campus, zones: str | None, camera: str = "front") -> None:
    with campus.sessions.begin() as db:
        db.execute(sa.update(Camera).where(Camera.name == camera).values(zones=zones))


def frames(student: str = "red") -> Iterator[bytes]:
    """A student in the left of a wide frame, who lives."""
    for moment in itertools.count(1):
        frame = picture(size=(480, 640), seed=moment)
        frame[:96, :128] = alive(picture(COLOURS[student], seed=moment), moment)
        yield encoded(frame)


def names(result: pb.FrameResult) -> list[str]:
    return [face.student for face in result.faces]


def seen(campus: Campus) -> list[int]:
    """The largest number of faces of each minute of which there is one."""
    with campus.sessions() as db:
        rows = db.scalars(sa.select(Observation)).all()
        counts = [counts_of(row.counts, minute) for row in rows for minute in range(60) if row.watched >> minute & 1]
    return [count.seen for count in counts]


async def test_zones_are_taken_in_when_the_stream_opens(start: Any, open_stream: Any, campus: Campus) -> None:
    draw(campus, MASKED)
    film = frames()
    call = await open_stream(await start())
    results = [await call.ask(next(film)) for _ in range(8)]
    assert [len(result.faces) for result in results] == [0] * 8
    assert {result.outcome for result in results} == {pb.FRAME_OUTCOME_RECOGNIZED}
    # Nobody is there: not named, not unknown, not held; but the room was watched.
    call.call.cancel()
    await until(lambda: seen(campus))
    assert set(seen(campus)) == {0}
    assert campus.register() == {}


async def test_zones_drawn_anew_count_within_seconds_and_the_stream_goes_on(
    start: Any, open_stream: Any, campus: Campus
) -> None:
    film = frames()
    call = await open_stream(await start())
    results = [await call.ask(next(film)) for _ in range(3)]
    assert all(names(result) == ["red"] for result in results)

    async def until_there_are(count: int) -> None:
        async with asyncio.timeout(5):
            while len((await call.ask(next(film))).faces) != count:
                await asyncio.sleep(0.05)

    draw(campus, MASKED)
    await until_there_are(0)
    assert [len((await call.ask(next(film))).faces) for _ in range(3)] == [0, 0, 0]
    draw(campus, FREE)
    await until_there_are(1)
    draw(campus, MASKED)
    await until_there_are(0)
    draw(campus, None)
    await until_there_are(1)
    for _ in range(4):
        await call.ask(next(film))
    await until(lambda: campus.status_of("red") == "present")


async def test_a_still_picture_is_looked_at_again_when_zones_are_drawn_anew(
    start: Any, open_stream: Any, campus: Campus
) -> None:
    """And what moves where nobody counts makes no frame a new one."""
    draw(campus, MASKED)
    film = frames()
    call = await open_stream(await start(skip_unchanged_s=3600))
    assert len((await call.ask(next(film))).faces) == 0
    moving = [await call.ask(next(film)) for _ in range(3)]
    assert {result.outcome for result in moving} == {pb.FRAME_OUTCOME_UNCHANGED}
    draw(campus, None)
    still = next(film)
    async with asyncio.timeout(5):
        while not (await call.ask(still)).faces:
            await asyncio.sleep(0.05)


async def test_zones_that_cannot_be_read_keep_a_camera_out_and_disturb_no_other(
    start: Any, open_stream: Any, campus: Campus
) -> None:
    stub = await start()
    film = frames()
    call, other = await open_stream(stub), await open_stream(stub, "back")
    draw(campus, MASKED)
    async with asyncio.timeout(5):
        while (await call.ask(next(film))).faces:
            await asyncio.sleep(0.05)
    draw(campus, '{"look": 7}')
    await asyncio.sleep(1.5)  # a look of the watch, and more
    assert not (await call.ask(next(film))).faces  # as they were
    assert (await other.ask(next(film))).faces
    call.call.cancel()
    again = CameraCall(stub, campus.front, "front", campus.now)
    status, words = await again.ending()
    assert status is grpc.StatusCode.FAILED_PRECONDITION
    assert words == (
        "the zones of the camera front cannot be read; draw them anew on the dashboard: “look” and “skip” are lists of "
        "polygons, each a list of points."
    )


@pytest.mark.parametrize("zones", [None, FREE])
async def test_faces_have_the_pixels_of_the_whole_frame(
    start: Any, open_stream: Any, campus: Campus, zones: str | None
) -> None:
    draw(campus, zones)
    call = await open_stream(await start())
    (face,) = (await call.ask(next(frames()))).faces
    assert (face.box.left, face.box.top, face.box.right, face.box.bottom) == (8, 8, 72, 72)
