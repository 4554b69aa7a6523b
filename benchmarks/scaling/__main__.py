"""`python -m benchmarks.scaling`: how many cameras a machine takes, and the hour's first minutes as cameras grow.

Measures what a JPEG of a lecture room costs to decode, takes the other costs from what `make bench` and
`python -m benchmarks.service` wrote last, and simulates. Without --quick it writes results.json beside this file, from
which `python -m benchmarks.document` fills docs/scaling.md.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2

from attendance.face_engine.images import decode_image
from attendance.settings.families import Family
from benchmarks import costs
from benchmarks.scaling.hour import Hour, simulate
from benchmarks.scaling.measured import SIZES, frame_costs, read_results
from benchmarks.scaling.table import tables
from operations.demo.classroom import write_frames
from operations.demo.pictures import fetch_pictures

RESULTS = Path(__file__).with_name("results.json")
CAMERAS = (10, 20, 40, 80, 160)
"""At one service process of two cores."""
_QUICK = (10, 160)
_QUALITY = 90
_FRAME = 20


def main() -> None:
    """Measure, simulate, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two simulations only: does it work at all")
    options = parser.parse_args()
    results = {**costs.circumstances(), "jpeg": measure_jpeg()}
    results["hours"] = simulate_hours(results["jpeg"], _QUICK if options.quick else CAMERAS)
    if not options.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(f"Written: {RESULTS}")
    print(tables(results))


def measure_jpeg() -> dict[str, float]:
    """The bytes of a 1080p frame of a lecture room, and how long decoding one takes, seconds of one core a pixel."""
    width, height = SIZES["1080p"]
    with tempfile.TemporaryDirectory(prefix="scaling-") as folder:
        write_frames(fetch_pictures(print), Path(folder))
        frame = cv2.imread(str(Path(folder) / f"{_FRAME:05d}.jpg"), cv2.IMREAD_COLOR)
    if frame is None:
        raise SystemExit(f"the demo has no frame {_FRAME}")
    large = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", large, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    data = bytes(encoded)
    took = min(_processor_s(lambda: decode_image(data, max_pixels=width * height)) for _ in range(40))
    return {"bytes": len(data), "decode_s_a_pixel": took / (width * height)}


def _processor_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def simulate_hours(jpeg: dict[str, float], cameras: tuple[int, ...]) -> list[dict[str, Any]]:
    """The hour's beginning with more and more cameras, with and without encoding every face of every frame."""
    engine, service = read_results(), read_results("service")
    of_frame = frame_costs(
        Family.OPENCV, "1080p", engine=engine, service=service, decode_s_a_pixel=jpeg["decode_s_a_pixel"]
    )
    hours = [Hour(cameras=count, costs=of_frame, every_face=every) for every in (True, False) for count in cameras]
    print(f"{time.strftime('%H:%M:%S')} {len(hours)} hours, {of_frame}", flush=True)
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(simulate, hours))
    return [
        {"every_face": hour.every_face, "costs": asdict(of_frame), **one.as_dict()}
        for hour, one in zip(hours, found, strict=True)
    ]


if __name__ == "__main__":
    main()
