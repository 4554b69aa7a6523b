"""Frames that are none among good ones, and cameras whose clocks are an hour off."""

import asyncio
import io
import random
from collections import Counter
from datetime import timedelta

import pytest
from PIL import Image

from protos.attendance.v1 import attendance_pb2 as pb
from tests.faults.camera import SteadyCamera
from tests.faults.conftest import Begin, scraped
from tests.faults.faces import Faces
from tests.faults.service import PATIENCE_S, ServiceProgram
from tests.faults.university import University

SEED = 20261126
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.timeout(900)


class SpoilingCamera(SteadyCamera):
    """Of its frames, half are damaged, each in another way."""

    chance = random.Random(SEED)
    spoilt = 0

    def frame(self, **known: object) -> pb.StreamFramesRequest:
        if self.chance.random() < 0.5:
            return super().frame()
        self.spoilt += 1
        good = self._next_jpeg()
        request = super().frame(jpeg=self.chance.choice(DAMAGES)(self.chance, good))
        if self.chance.random() < 0.2:
            request.ClearField("capture_time")
        elif self.chance.random() < 0.2:
            request.capture_time.nanos = -5
        return request


def _cut(chance: random.Random, good: bytes) -> bytes:
    return good[: chance.randrange(len(good))]


def _noise(chance: random.Random, good: bytes) -> bytes:
    return chance.randbytes(len(good))


def _scratched(chance: random.Random, good: bytes) -> bytes:
    place = chance.randrange(len(good) - 100)
    return good[:place] + chance.randbytes(100) + good[place + 100 :]


def _huge(chance: random.Random, good: bytes) -> bytes:
    place = good.index(b"\xff\xc0") + 5  # height and width of the picture, section B.2.2 of the JPEG standard
    return good[:place] + b"\xff\xff\xff\xff" + good[place + 4 :]


def _long(chance: random.Random, good: bytes) -> bytes:
    return good + bytes(8_000_000)


def _png(chance: random.Random, good: bytes) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(good)).save(file, "PNG")
    return file.getvalue()


DAMAGES = (_cut, _noise, _scratched, _huge, _long, _png, lambda chance, good: b"")


async def test_damaged_frames_among_good_ones_are_told_apart(
    university: University, service: ServiceProgram, faces: Faces, begin: Begin
) -> None:
    line = begin("damaged frames among good ones", short=1, long=20)
    for _ in line:
        camera = SpoilingCamera(service.address, university.add_lesson(), faces)
        async with asyncio.timeout(PATIENCE_S):
            await camera.run()
        assert camera.connections == 1
        assert camera.spoilt > 5
        assert set(camera.outcomes) <= {"recognized", "invalid_image", "too_large", "invalid_capture_time"}
        await line.register(university, camera)


class ShiftedCamera(SteadyCamera):
    """A camera whose clock is off; it sends what it sees now."""

    shift = timedelta(0)

    def frame(self, **known: object) -> pb.StreamFramesRequest:
        request = super().frame()
        now = pb.StreamFramesRequest().capture_time
        now.GetCurrentTime()
        request.capture_time.FromDatetime(now.ToDatetime() + self.shift)
        return request


async def test_a_clock_an_hour_off_is_refused_and_reported(
    university: University, service: ServiceProgram, faces: Faces, begin: Begin
) -> None:
    line = begin("cameras' clocks an hour ahead and behind", short=1, long=5)
    for _ in line:
        right = SteadyCamera(service.address, university.add_lesson(), faces)
        for shift in (HOUR, -HOUR):
            wrong = ShiftedCamera(service.address, university.add_lesson(), faces, pause_s=0.01)
            wrong.shift = shift
            watching = asyncio.create_task(wrong.run())
            async with asyncio.timeout(PATIENCE_S):
                while wrong.answered < 40:
                    await asyncio.sleep(0.01)
            skew = (await scraped(service))[f"camera_clock_skew_seconds {wrong.lesson.camera}"]
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            assert abs(skew - shift.total_seconds()) < 60
            assert set(wrong.outcomes) == {"invalid_capture_time"}, wrong.details
            assert all("set the camera's clock" in detail for detail in wrong.details)
            line.count(Counter(), university.rows(wrong.lesson))
        async with asyncio.timeout(PATIENCE_S):
            await right.run()
        await line.register(university, right)
