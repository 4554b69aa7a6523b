"""`python -m benchmarks.presentation`: photos and screens held before a camera, and living faces, through the service.

Attacks are made from real pictures: prints that stand, are moved, tilted and bent, tablets with a border, glare, moire
and recompression, videos. Living faces are clips. Prints APCER by kind and BPCER (ISO/IEC 30107-3) with intervals, and
what the check costs beside detection. Without --quick it writes results.json beside this file, from which
`python -m benchmarks.document` fills docs/performance.md.

What it cannot show: real paper and real screens before real cameras. Prints here are evenly lit and flat, glare and
moire are drawn, and the living are four people in short clips, none of whom sits in a lecture hall. No mask, and
no face made by a computer, is among the attacks. The figures say what the check does; the rates of a room are its own.
"""

import argparse
import json
import logging
import time
from pathlib import Path

import structlog

from attendance.face_engine.factory import create_engine
from attendance.settings.families import Family
from attendance.settings.model import EngineSettings, MatchingSettings
from benchmarks import costs
from benchmarks.pictures import face_pictures
from benchmarks.presentation.clips import living
from benchmarks.presentation.measuring import (
    STILLS,
    VIDEOS,
    bench,
    measure_attacks,
    measure_cost,
    measure_living,
    photo_instrument,
    video_instrument,
)
from benchmarks.presentation.table import tables, targets

RESULTS = Path(__file__).with_name("results.json")
_SEED = 14


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round of each: does it work at all")
    parser.add_argument("--models", choices=["dlib", "opencv"], default="opencv", help="the family of models")
    parser.add_argument("--photos", type=int, default=12, help="photos that are held up in every way")
    parser.add_argument("--each", type=int, default=2, help="times that each photo and video is held up in every way")
    parser.add_argument("--living", type=int, default=30, help="tracks of each living face")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    results = measure(
        options.models,
        photos=2 if options.quick else options.photos,
        each=1 if options.quick else options.each,
        windows=2 if options.quick else options.living,
    )
    print(f"{tables(results)}\n\n" + "\n".join(targets(results)))
    if not options.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(f"Written: {RESULTS}")


def measure(family: str, *, photos: int, each: int, windows: int) -> dict[str, object]:
    """Everything, with one family of models."""
    results: dict[str, object] = {**costs.circumstances(), "family": family}
    engine = create_engine(**(EngineSettings().arguments() | {"models": family}))
    rules = MatchingSettings().rules(Family(family))
    try:
        clips = living()
        found = (photo_instrument(engine, name, picture) for name, picture in face_pictures().items())
        shown = [one for one in found if one is not None and "clip" not in one.name][:photos]
        videos = [video_instrument(engine, clip) for clip in clips]
        with bench(engine, rules) as to:
            results["living"] = measure_living(to, clips, windows, _SEED, _tell)
            attacks = measure_attacks(to, STILLS, shown, each, _SEED, _tell)
            attacks |= measure_attacks(to, VIDEOS, videos, 2 * each, _SEED, _tell)
            results |= {"attacks": attacks, "photos": len(shown), "videos": len(videos)}
            results["cost"] = measure_cost(to, shown[0], 40)
    finally:
        engine.close()
    return results


def _tell(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


if __name__ == "__main__":
    main()
