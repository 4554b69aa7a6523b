"""`python -m benchmarks.service.engine_rate FRAMES BATCH SECONDS`: the bare engine on decoded frames.

It prints frames a second and processor seconds a frame, as JSON.
"""

import itertools
import json
import sys
import time
from pathlib import Path

from attendance.face_engine.faces import find_faces
from attendance.face_engine.factory import create_engine
from attendance.face_engine.images import decode_image
from attendance.settings.model import EngineSettings
from benchmarks.service.campus import UPSAMPLE

_MAX_PIXELS = 50_000_000


def main() -> None:
    """Find and encode the faces of one batch after the other, as the service does with the same settings."""
    folder, batch, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    images = [decode_image(path.read_bytes(), max_pixels=_MAX_PIXELS) for path in sorted(folder.iterdir())]
    engine = create_engine(**EngineSettings(upsample=UPSAMPLE).arguments())
    endless = itertools.cycle(images)
    find_faces(engine, list(itertools.islice(endless, len(images))), upsample=UPSAMPLE)
    count, begins, cpu_s = 0, time.perf_counter(), time.process_time()
    while (passed := time.perf_counter() - begins) < seconds:
        find_faces(engine, list(itertools.islice(endless, batch)), upsample=UPSAMPLE)
        count += batch
    print(json.dumps({"rate": count / passed, "cpu_s": (time.process_time() - cpu_s) / count}))
    engine.close()


if __name__ == "__main__":
    main()
