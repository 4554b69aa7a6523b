"""`python -m benchmarks.matching`: what searching enrolled students costs, and where exact search gives way.

Galleries of a thousand to ten million encodings around real ones, beside a loop of face_recognition's face_distance and
a bare FAISS flat index in the same run. Without --quick it writes results.json beside this file, from which
`python -m benchmarks.document` fills docs/performance.md.
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path
from typing import Any

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.gallery.format import EXACT_UP_TO
from benchmarks import costs
from benchmarks.matching.crossover import crossover, measure_crossover
from benchmarks.matching.people import People, measure_people
from benchmarks.matching.sizes import measure, memory_available, memory_needed
from benchmarks.matching.table import tables, targets

RESULTS = Path(__file__).with_name("results.json")
SIZES = (1_000, 50_000, 1_000_000, 10_000_000)
CROSSOVER = (10_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 300_000, 500_000)
QUICK_SIZES = (1_000, 50_000)
QUICK_CROSSOVER = (25_000, 50_000, 100_000)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two small galleries, few calls: does it work at all")
    parser.add_argument("--sizes", type=int, nargs="+", help="encodings of the galleries")
    parser.add_argument("--json", type=Path, help=f"write the results here (default: {RESULTS.name}, unless --quick)")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="face_recognition_models")
    people = measure_people(AcceleratedEngine(precision="fp32"))
    print(f"Around {people.faces} real faces. Load of the machine before: {os.getloadavg()[0]:.2f}", flush=True)
    sizes = options.sizes or (QUICK_SIZES if options.quick else SIZES)
    results = _measure(people, sizes, QUICK_CROSSOVER if options.quick else CROSSOVER, calls=5 if options.quick else 20)
    print(tables(results))
    print("\n".join(targets(results)))
    target = options.json or (None if options.quick else RESULTS)
    if target is not None:
        target.write_text(json.dumps(_rounded(results), indent=1) + "\n")
        print(f"Written: {target}")


def _measure(people: People, sizes: tuple[int, ...], crossing: tuple[int, ...], *, calls: int) -> dict[str, Any]:
    results: dict[str, Any] = {
        **costs.circumstances(),
        "exact_up_to": EXACT_UP_TO,
        "galleries": [],
        "skipped": {},
    }
    for size in sizes:
        start = time.perf_counter()
        if memory_needed(size) > memory_available():
            reason = f"it takes {memory_needed(size) / 1e9:.0f} GB, and {memory_available() / 1e9:.0f} GB are free"
            results["skipped"][str(size)] = reason
            print(f"{size:,} encodings: skipped, {reason}", flush=True)
            continue
        results["galleries"].append(measure(people, size, calls=calls, sample=500 if calls <= 5 else 5_000))
        print(f"{size:,} encodings: measured in {time.perf_counter() - start:.0f} s", flush=True)
    results["crossover"] = measure_crossover(people, crossing, calls=calls)
    results["crossover_at"] = crossover(results["crossover"])
    return results


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
