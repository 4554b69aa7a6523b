"""One hostile camera beside nine honest ones, over real sockets; the engine's work is waiting, so that it is the same
on every machine. `python -m benchmarks.flood` measures it with real faces.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from attendance.database.access.tokens import hash_token, new_token
from attendance.database.engine import begin_writing
from attendance.database.models import Camera
from attendance.face_engine.interface import FaceBoxes, Image
from attendance.face_engine.pieces import Known, Search
from protos.attendance.v1 import attendance_pb2 as pb
from tests.recognition_service.campus import CameraCall, Campus, face_of
from tests.recognition_service.engines import ColourEngine, encoded, picture

HONEST = [f"honest-{number}" for number in range(9)]
HOSTILE = "hostile"
PIECE_PIXELS, PIECE_S = 100_000, 0.02
WINDOW = 4
SECONDS = 2.5
ROUNDS = 2
Start = Callable[..., Any]


class WaitingEngine(ColourEngine):
    """Takes a fiftieth of a second for each hundred thousand pixels, as pieces."""

    def detect_in_pieces(
        self,
        images: Sequence[Image],
        *,
        upsample: int | None = None,
        smallest_face: int | None = None,
        known: Known,
    ) -> Search:
        found: list[FaceBoxes] = []
        for place, image in enumerate(images):
            for _ in range(-(-image.shape[0] * image.shape[1] // PIECE_PIXELS)):
                time.sleep(PIECE_S)
                yield [place]
            found += self.detect([image])
        return found


@pytest.fixture
def tokens(campus: Campus) -> dict[str, str]:
    """Of ten more cameras in the hall."""
    tokens = {name: new_token("cam") for name in (*HONEST, HOSTILE)}
    with campus.sessions.begin() as db:
        begin_writing(db)
        hall = campus.camera("front").room_id
        db.add_all(Camera(name=name, room_id=hall, token_hash=hash_token(token)) for name, token in tokens.items())
    return tokens


async def frames_answered(call: CameraCall, jpeg: bytes) -> int:
    """How many frames a camera that fills its window has recognised in so many seconds."""
    await call.opened()
    count, ends = 0, time.monotonic() + SECONDS
    for _ in range(WINDOW):
        await call.send(jpeg)
    while time.monotonic() < ends:
        try:
            async with asyncio.timeout(max(0.01, ends - time.monotonic())):
                message = await call.call.read()
        except TimeoutError:
            break
        count += message.result.outcome == pb.FRAME_OUTCOME_RECOGNIZED
        await call.send(jpeg)
    call.call.cancel()
    return count


async def honest_frames(stub: Any, campus: Campus, tokens: dict[str, str], attack: bytes | None) -> list[int]:
    """What each honest camera has answered, with the hostile one beside them or without."""
    honest = encoded(face_of("red"))
    loads = [(name, honest) for name in HONEST] + ([(HOSTILE, attack)] if attack is not None else [])
    every = await asyncio.gather(
        *(frames_answered(CameraCall(stub, tokens[name], name, campus.now), jpeg) for name, jpeg in loads)
    )
    return every[: len(HONEST)]


@pytest.mark.long("a flood takes some seconds to be one")
async def test_large_frames_of_one_camera_cost_the_others_little(
    campus: Campus, start: Start, tokens: dict[str, str]
) -> None:
    """Frames of four megapixels keep this engine for 0.8 s each; in turns by frames the others would keep a tenth."""
    stub = await start(engine=WaitingEngine(), window=WINDOW, max_batch=4)
    large = encoded(picture((200, 60, 60), size=(2_000, 2_000)))
    alone, beside = [0] * len(HONEST), [0] * len(HONEST)
    for _ in range(ROUNDS):  # in turns, because other programs are at work on the machine, too
        for attack, counts in ((None, alone), (large, beside)):
            for place, count in enumerate(await honest_frames(stub, campus, tokens, attack)):
                counts[place] += count
    assert sum(alone) > 50
    assert sum(beside) > 0.5 * sum(alone), ("nine tenths are theirs", alone, beside)
    assert min(beside) > 0.25 * sum(alone) / len(alone), "each of them"
