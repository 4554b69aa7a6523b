"""`python -m benchmarks.service.bare FRAMES BATCH SECONDS SHARE THREADS`: decoding and the engine alone, together.

What a service without network, cameras' turns, tracks and matching would do: threads decode JPEG files ahead of the
engine, which finds the faces of one batch after the other and encodes a share of them, as many as the service did. It
prints frames a second and processor seconds a frame, as JSON.
"""

import itertools
import json
import sys
import time
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from attendance.face_engine.faces import detect_faces, encode_faces
from attendance.face_engine.factory import create_engine
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import FaceEngine, Image
from attendance.settings.families import OPENCV
from attendance.settings.model import EngineSettings, ServiceSettings
from recognition_service.telemetry.threads import switch_soon

_MAX_PIXELS = 50_000_000


def main() -> None:
    """Decode, find and encode as the service does with the same settings."""
    folder, batch, seconds, share = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    settings = EngineSettings(threads=int(sys.argv[5]))
    switch_soon()
    engine = create_engine(**settings.arguments() | {"models": "opencv"})
    files = [path.read_bytes() for path in sorted(folder.iterdir())]
    with ThreadPoolExecutor(ServiceSettings().decode_threads) as decoders:
        batches = _decoded(files, batch, decoders)
        work = _Work(engine, share)
        for _ in range(3):
            work.do(next(batches))
        count, begins, cpu_s = 0, time.perf_counter(), time.process_time()
        while (passed := time.perf_counter() - begins) < seconds:
            work.do(next(batches))
            count += batch
        print(json.dumps({"rate": count / passed, "cpu_s": (time.process_time() - cpu_s) / count}))
        batches.close()
    engine.close()


def _decoded(files: list[bytes], batch: int, decoders: ThreadPoolExecutor) -> Generator[list[Image], None, None]:
    """Batches for ever, the next two of them being decoded meanwhile."""
    endless = itertools.cycle(files)
    ahead: deque[Future[Image]] = deque()
    while True:
        while len(ahead) < 3 * batch:
            ahead.append(decoders.submit(decode_image, next(endless), max_pixels=_MAX_PIXELS, formats=("JPEG",)))
        yield [ahead.popleft().result() for _ in range(batch)]


class _Work:
    """The engine's part, which encodes a share of the faces it finds."""

    def __init__(self, engine: FaceEngine, share: float) -> None:
        self._engine, self._share = engine, share
        self._owed = 0.0

    def do(self, images: list[Image]) -> None:
        found = detect_faces(self._engine, images, smallest_face=OPENCV.smallest_sought)
        self._owed += self._share * sum(len(boxes.scores) for boxes in found)
        chosen = []
        for boxes in found:
            some = min(int(self._owed), len(boxes.scores))
            self._owed -= some
            chosen.append(boxes.chosen(np.arange(some)))
        encode_faces(self._engine, images, chosen)


if __name__ == "__main__":
    main()
