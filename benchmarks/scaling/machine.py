"""`python -m benchmarks.scaling.machine NAME`: what the service does on this machine, by cores and by services.

On a machine of many cores: with two of them, four, eight and all, with a service for each two (`docs/operations.md`);
then with all of them and other numbers of services. Each is measured at saturation, in turns with decoding and the
engine alone in as many processes. Then, with all cores, cameras that look at seats and cameras at doors.

With onnxruntime-gpu and a GPU the services compute there, all on the same one. It writes machines.json beside this
file, an entry a name, from which `python -m benchmarks.document` fills docs/scaling.md.
"""

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attendance.face_engine.runtimes.runtime import usable_cores
from attendance.settings.families import Family
from benchmarks import costs
from benchmarks.gpu.device import gpu_in_use
from benchmarks.scaling.stages import CORES_A_SERVICE
from benchmarks.service import loads
from benchmarks.service.campus import FULL, Campus, make_campus
from benchmarks.service.program import Fleet

RESULTS = Path(__file__).with_name("machines.json")
_CAMERAS = 10
"""At each service, at saturation."""
_SEATS_A_CORE, _DOORS_A_CORE = 20, 4
_SETTLES_S = 120.0
"""Of cameras that look at seats, as in `python -m benchmarks.service`."""


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help='of the entry, such as "16 cores" or "16 cores and a GPU"')
    parser.add_argument("--runs", nargs="+", type=_run, metavar="CORES:SERVICES", help="in place of those above")
    parser.add_argument("--seats", type=int, help="cameras that look at seats (default: 20 a core); 0: none")
    parser.add_argument("--doors", type=int, help="cameras at doors (default: 4 a core); 0: none")
    parser.add_argument("--seconds", type=float, default=20.0, help="counted, each time")
    parser.add_argument("--rounds", type=int, default=3, help="at saturation")
    parser.add_argument("--students", type=int, default=10_000, help="with five encodings each")
    parser.add_argument("--json", type=Path, default=RESULTS, help="write here")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="face_recognition_models")
    cores = usable_cores()
    runs = options.runs or usual_runs(cores)
    seats = _SEATS_A_CORE * cores if options.seats is None else options.seats
    doors = _DOORS_A_CORE * cores if options.doors is None else options.doors
    with tempfile.TemporaryDirectory(prefix="machine-") as folder:
        _tell("making a campus")
        campus = make_campus(
            Path(folder),
            cameras=max(_CAMERAS * services for _, services in runs),
            students=options.students,
            certificates=False,
            family=Family.OPENCV,
            doors=doors,
            seats=seats,
            halls=True,
        )
        results: dict[str, Any] = {**costs.circumstances(), "gpu": gpu_in_use(), "frame": FULL, "runs": []}
        for some, services in runs:
            results["runs"].append(_saturation(campus, some, services, options.seconds, options.rounds))
            _keep(options.json, options.name, results)
        results |= _many(campus, seats, doors, options.seconds)
        _keep(options.json, options.name, results)
    print(json.dumps(results, indent=1))


def usual_runs(cores: int) -> list[tuple[int, int]]:
    """How many cores and services are measured on a machine of so many cores."""
    fewer = [some for some in (2, 4, 8, 16, 32, 64) if some < cores]
    growing = [(some, services_for(some)) for some in [*fewer, cores]]
    others = [(cores, services) for services in (1, 2, 4, 8, 16) if services <= cores]
    return [*growing, *(run for run in others if run not in growing)]


def services_for(cores: int) -> int:
    """How many services a machine of so many cores runs, as docs/operations.md recommends."""
    return max(1, cores // CORES_A_SERVICE)


def _run(text: str) -> tuple[int, int]:
    cores, _, services = text.partition(":")
    return int(cores), int(services)


def _saturation(campus: Campus, cores: int, services: int, seconds: float, rounds: int) -> dict[str, Any]:
    _tell(f"saturation, {cores} cores, {services} services")
    with _only(cores), Fleet(campus.environ, campus.folder, services) as fleet:
        bench = loads.Bench(campus, fleet, seconds, seconds / 5)
        found = loads.saturation(bench, rounds, _CAMERAS * services)
        _tell(f"{found['service_rate']:.1f} frames a second")
        return {"used": cores, "services": services, "memory_mib": fleet.memory_mib, **found}


def _many(campus: Campus, seats: int, doors: int, seconds: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    services = services_for(usable_cores())
    with Fleet(campus.environ, campus.folder, services) as fleet:
        bench = loads.Bench(campus, fleet, seconds, seconds / 5)
        if doors:
            _tell(f"{doors} cameras at doors")
            found["doors"] = loads.many(bench, doors, kind="door", settles_s=seconds / 2, seconds=seconds)
        if seats:
            _tell(f"{seats} cameras that look at seats")
            found["seats"] = loads.many(bench, seats, kind="seat", settles_s=_SETTLES_S, seconds=2 * seconds)
    return {**found, "services": services}


@contextmanager
def _only(cores: int) -> Iterator[None]:
    """Keep this process, and those it starts, to the first cores."""
    every: Sequence[int] = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, every[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)


def _keep(path: Path, name: str, results: dict[str, Any]) -> None:
    """Write the entry; those of other names stay."""
    entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(entries | {name: results}, indent=1) + "\n", encoding="utf-8")


def _tell(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


if __name__ == "__main__":
    main()
