"""`python -m benchmarks.flood`: nine honest cameras without and with a hostile one beside them, in turns, in one run.

The hostile camera has a token and keeps to its window; every frame of it is as costly as the service lets it be. The
honest ones send frames of a lecture room at four fifths of what the service can do, and then whenever they may. Prints
the share of their frames that they keep. Without --quick it writes results.json beside this file, from which
`python -m benchmarks.document` fills docs/performance.md.
"""

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path

from benchmarks import costs
from benchmarks.flood.attack import CAMERAS, KINDS, measure_flood, write_hostile_frames
from benchmarks.flood.table import tables, targets
from benchmarks.service.campus import FULL, make_campus

RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round of each: does it work at all")
    parser.add_argument("--rounds", type=int, help="rounds of each kind")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="face_recognition_models")
    rounds = options.rounds or (1 if options.quick else 3)
    results = {**costs.circumstances(), "frame": FULL, "rounds": rounds}
    with tempfile.TemporaryDirectory(prefix="flood-") as folder:
        _tell("making a campus: frames, gallery, database")
        campus = make_campus(Path(folder), cameras=CAMERAS, students=500, certificates=False)
        write_hostile_frames(campus)
        seconds = 5.0 if options.quick else 25.0
        results |= measure_flood(campus, KINDS, rounds=rounds, seconds=seconds, tell=_tell)
    print(f"{tables(results)}\n\n" + "\n".join(targets(results)))
    if not options.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(f"Written: {RESULTS}")


def _tell(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


if __name__ == "__main__":
    main()
