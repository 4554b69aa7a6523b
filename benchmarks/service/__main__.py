"""`python -m benchmarks.service`: the service and simulated cameras that replay real frames over real gRPC, in one run.

Prints what is to be reached, each line with its aim: throughput at saturation beside decoding and the engine alone,
cameras that look at seats and at doors, latency, fairness and memory; and besides where the processor's time goes,
twice saturation, many idle-ish cameras and the cost of TLS. Without --quick it writes results.json beside this file,
from which `python -m benchmarks.document` fills docs/performance.md.
"""

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attendance.settings.families import Family
from benchmarks import costs
from benchmarks.service import loads
from benchmarks.service.campus import FULL, Campus, make_campus
from benchmarks.service.program import Fleet
from benchmarks.service.table import tables, targets

RESULTS = Path(__file__).with_name("results.json")
_CAMERAS = 10
"""At each service."""
_SEATS, _DOORS = 60, 8
"""Cameras that are to be served."""


@dataclass(frozen=True)
class _Lengths:
    """How long and how often."""

    seconds: float
    warm_up_s: float
    rounds: int
    seats_s: float
    """Of cameras that look at seats: a settled face is looked at anew once a minute."""
    settles_s: float
    overload_s: float
    idle_cameras: int
    students: int


_LONG = _Lengths(20, 4, 5, 90, 120, 600, 500, 10_000)
_QUICK = _Lengths(4, 1, 1, 10, 21, 12, 62, 500)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="everything shortly: does it work at all")
    parser.add_argument(
        "--hours", type=float, help="hours of twice saturation, over which memory is watched (default: ten minutes)"
    )
    parser.add_argument(
        "--services", type=int, default=1, help="services that share the cameras and the cores (default: one)"
    )
    parser.add_argument(
        "--only", choices=[*_PARTS, "tls"], nargs="+", help="measure these and what they need; writes nothing"
    )
    parser.add_argument("--json", type=Path, help=f"write the results here (default: {RESULTS.name}, unless --quick)")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="face_recognition_models")
    lengths = _QUICK if options.quick else _LONG
    overload_s = 3600 * options.hours if options.hours else lengths.overload_s
    with tempfile.TemporaryDirectory(prefix="service-") as folder:
        _tell("making a campus: frames, gallery, database, certificates")
        campus = make_campus(
            Path(folder),
            cameras=lengths.idle_cameras,
            students=lengths.students,
            family=Family.OPENCV,
            doors=_DOORS,
            seats=_SEATS,
            halls=True,
        )
        results = _measure(campus, lengths, overload_s, options.services, options.only or [*_PARTS, "tls"])
    print(tables(results))
    print("\n".join(targets(results)))
    target = options.json or (None if options.quick or options.only else RESULTS)
    if target is not None:
        target.write_text(json.dumps(_rounded(results), indent=1) + "\n")
        print(f"Written: {target}")


def _measure(
    campus: Campus, lengths: _Lengths, overload_s: float, services: int, wanted: Sequence[str]
) -> dict[str, Any]:
    results: dict[str, Any] = {
        **costs.circumstances(),
        "frame": FULL,
        "batch": loads.BATCH,
        "encodings": campus.encodings,
        "services": services,
        "models": campus.family.value,
    }
    with Fleet(campus.environ, campus.folder, services) as fleet:
        bench = loads.Bench(campus, fleet, lengths.seconds, lengths.warm_up_s)
        known: list[str] = []
        for name, part in _PARTS.items():
            if name in wanted or name == "saturation":
                _tell(name)
                results[name] = part(bench, lengths, results, overload_s)
                for line in targets(results):
                    if line not in known:
                        known.append(line)
                        print(line, flush=True)
                if not results["saturation"]["service_rate"]:
                    raise SystemExit(f"The service recognised no frame; see {campus.folder}/service-1.log")
    if "tls" in wanted:
        _tell("TLS")
        results["tls"] = loads.tls_cost(
            campus, campus.folder, min(3, lengths.rounds), seconds=lengths.seconds, warm_up_s=lengths.warm_up_s
        )
    return results


_Part = Callable[[loads.Bench, _Lengths, dict[str, Any], float], Any]


def _seats(bench: loads.Bench, lengths: _Lengths, _results: dict[str, Any], _overload_s: float) -> Any:
    return loads.many(bench, _SEATS, kind="seat", settles_s=lengths.settles_s, seconds=lengths.seats_s)


def _doors(bench: loads.Bench, lengths: _Lengths, _results: dict[str, Any], _overload_s: float) -> Any:
    return loads.many(bench, _DOORS, kind="door", settles_s=2 * lengths.warm_up_s, seconds=2 * lengths.seconds)


def _latency(bench: loads.Bench, _lengths: _Lengths, results: dict[str, Any], _overload_s: float) -> Any:
    peak = results["saturation"]["service_rate"]
    return [loads.latency(bench, peak, share, _CAMERAS) for share in (0.5, 0.8)]


def _idle(bench: loads.Bench, lengths: _Lengths, _results: dict[str, Any], _overload_s: float) -> Any:
    folders = (bench.campus.frames, bench.campus.small_frames)
    return [loads.idle(bench, lengths.idle_cameras, frames) for frames in folders]


# What is compared is measured one after the other: a machine that others share has slow hours. Memory is watched before
# there are hundreds of cameras and huge frames, after which it can only shrink.
_PARTS: dict[str, _Part] = {
    "saturation": lambda bench, lengths, results, _s: loads.saturation(
        bench, lengths.rounds, _CAMERAS * results["services"]
    ),
    "alone": lambda bench, _lengths, _results, _s: loads.alone(bench),
    "latency": _latency,
    "overload": lambda bench, _lengths, results, overload_s: loads.overload(
        bench, results["saturation"]["service_rate"], 2 * _CAMERAS, overload_s
    ),
    "seats": _seats,
    "doors": _doors,
    "fairness": lambda bench, _l, results, _s: loads.fairness(bench, results["saturation"]["service_rate"], _CAMERAS),
    "idle": _idle,
}


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
