"""`python -m benchmarks.service`: the service and simulated cameras that replay real frames over real gRPC, in one run.

Prints throughput at saturation beside the bare engine's, latency below it, fairness, twice saturation, many idle-ish
cameras and the cost of TLS. Without --quick it writes results.json beside this file, from which
`python -m benchmarks.document` fills docs/performance.md.
"""

import argparse
import json
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import costs
from benchmarks.service import loads
from benchmarks.service.campus import FULL, Campus, make_campus
from benchmarks.service.program import Service
from benchmarks.service.table import tables, targets

RESULTS = Path(__file__).with_name("results.json")
_CAMERAS = 10


@dataclass(frozen=True)
class _Lengths:
    """How long and how often."""

    seconds: float
    warm_up_s: float
    rounds: int
    overload_s: float
    idle_cameras: int
    students: int


_LONG = _Lengths(20, 4, 5, 600, 500, 10_000)
_QUICK = _Lengths(4, 1, 1, 12, 60, 500)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="everything shortly: does it work at all")
    parser.add_argument("--overload-minutes", type=float, help="minutes of twice saturation (default: 10)")
    parser.add_argument("--json", type=Path, help=f"write the results here (default: {RESULTS.name}, unless --quick)")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="face_recognition_models")
    lengths = _QUICK if options.quick else _LONG
    overload_s = 60 * options.overload_minutes if options.overload_minutes else lengths.overload_s
    with tempfile.TemporaryDirectory(prefix="service-") as folder:
        _tell("making a campus: frames, gallery, database, certificates")
        campus = make_campus(Path(folder), cameras=lengths.idle_cameras, students=lengths.students)
        results = _measure(campus, lengths, overload_s)
    print(tables(results))
    print("\n".join(targets(results)))
    target = options.json or (None if options.quick else RESULTS)
    if target is not None:
        target.write_text(json.dumps(_rounded(results), indent=1) + "\n")
        print(f"Written: {target}")


def _measure(campus: Campus, lengths: _Lengths, overload_s: float) -> dict[str, Any]:
    results: dict[str, Any] = {
        **costs.circumstances(),
        "frame": FULL,
        "batch": loads.BATCH,
        "encodings": campus.encodings,
    }
    with Service(campus.environ, campus.folder / "service.log") as service:
        bench = loads.Bench(campus, service, lengths.seconds, lengths.warm_up_s)
        _tell("saturation, in turns with the bare engine")
        results["saturation"] = loads.saturation(bench, lengths.rounds, _CAMERAS)
        peak = results["saturation"]["service_rate"]
        _tell("latency below saturation")
        results["latency"] = [loads.latency(bench, peak, share, _CAMERAS) for share in (0.5, 0.8)]
        _tell("fairness")
        results["fairness"] = loads.fairness(bench, peak, _CAMERAS)
        _tell(f"{lengths.idle_cameras} cameras")
        folders = (campus.frames, campus.small_frames)
        results["idle"] = [loads.idle(bench, lengths.idle_cameras, frames) for frames in folders]
        _tell(f"twice saturation for {overload_s:.0f} s")
        results["overload"] = loads.overload(bench, peak, 2 * _CAMERAS, overload_s)
    _tell("TLS")
    results["tls"] = loads.tls_cost(
        campus, campus.folder, min(3, lengths.rounds), seconds=lengths.seconds, warm_up_s=lengths.warm_up_s
    )
    return results


def _tell(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
