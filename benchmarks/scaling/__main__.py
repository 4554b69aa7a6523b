"""`python -m benchmarks.scaling`: how many cameras a machine takes, and the hour's first minutes as cameras grow.

Measures how large a JPEG of a lecture room is, takes all costs from what `make bench` and
`python -m benchmarks.service` wrote last, and simulates. Without --quick it writes results.json beside this file, from
which `python -m benchmarks.document` fills docs/scaling.md.
"""

import argparse
import json
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2

from attendance.settings.families import Family
from benchmarks import costs
from benchmarks.scaling.hour import Hour, simulate
from benchmarks.scaling.measured import SIZES, SMALLEST, frame_costs, read_results
from benchmarks.scaling.table import tables
from operations.demo.classroom import write_frames
from operations.demo.pictures import fetch_pictures

RESULTS = Path(__file__).with_name("results.json")
CAMERAS = (20, 60, 160, 320, 640, 1280)
"""At one service process of two cores."""
_QUICK = (5, 20)
_QUALITY = 90
_FRAME = 20


def main() -> None:
    """Measure, simulate, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two simulations only: does it work at all")
    options = parser.parse_args()
    results = {**costs.circumstances(), "jpeg_bytes": measure_jpeg()}
    results["hours"] = simulate_hours(_QUICK if options.quick else CAMERAS)
    if not options.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(f"Written: {RESULTS}")
    print(tables(results))


def measure_jpeg() -> dict[str, int]:
    """The bytes of a frame of a lecture room, by its size."""
    with tempfile.TemporaryDirectory(prefix="scaling-") as folder:
        write_frames(fetch_pictures(print), Path(folder))
        frame = cv2.imread(str(Path(folder) / f"{_FRAME:05d}.jpg"), cv2.IMREAD_COLOR)
    if frame is None:
        raise SystemExit(f"the demo has no frame {_FRAME}")
    found = {}
    for name, size in SIZES.items():
        scaled = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        _, encoded = cv2.imencode(".jpg", scaled, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        found[name] = len(encoded)
    return found


def simulate_hours(cameras: tuple[int, ...]) -> list[dict[str, Any]]:
    """The hour's beginning with more and more cameras, with and without encoding every face of every frame."""
    engine, service = read_results(), read_results("service")
    of_frame = frame_costs(Family.OPENCV, "1080p", engine=engine, service=service, smallest_face=SMALLEST["1080p"])
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
