"""Cameras at work against services, in a process of their own, and what came of it and cost while it was counted."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.service.cameras import BEGINS, ENDS, CameraLoad, Load, Seen
from benchmarks.service.program import Programs, cpu_s

FACES, ENCODED = "attendance_faces_total", "attendance_faces_encoded_total"


@dataclass
class Answers:
    """What the cameras of one load saw, and what it cost. Costs are of the counted time, without connecting."""

    seen: list[Seen]
    seconds: float
    measured_s: float
    """Between the two moments at which costs were read, which are a little more than `seconds` apart."""
    service_cpu_s: float
    cameras_cpu_s: float
    stages_cpu_s: Mapping[str, float]
    """The services' processor time, by what threads do."""
    engine_s: float
    """How long the engine had a batch."""
    faces: float
    encoded: float
    """Of the faces."""

    @property
    def outcomes(self) -> Counter[str]:
        """Answers by outcome."""
        return sum((one.outcomes for one in self.seen), Counter())

    @property
    def recognized(self) -> int:
        """Frames recognized."""
        return self.outcomes["recognized"]

    @property
    def rate(self) -> float:
        """Frames recognized a second."""
        return self.recognized / self.seconds

    @property
    def encoded_share(self) -> float:
        """Of the faces that were found, those that were encoded."""
        return self.encoded / self.faces if self.faces else 1.0

    @property
    def failed(self) -> int:
        """Cameras whose stream ended before its time."""
        return sum(1 for one in self.seen if one.failed)

    def cpu_ms(self, seconds: float) -> float:
        """Processor time of the counted time as milliseconds a frame."""
        return 1e3 * seconds / max(1.0, self.rate * self.measured_s)

    def latencies_ms(self) -> dict[str, float]:
        """Percentiles over all cameras, milliseconds; empty when no frame was recognized."""
        every = [1e3 * latency for one in self.seen for latency in one.latencies]
        return {f"p{p}": float(np.percentile(every, p)) for p in (50, 95, 99)} if every else {}


@dataclass(frozen=True)
class _Costs:
    """What had been spent at a moment."""

    at: float
    service_s: float
    cameras_s: float
    stages_s: Mapping[str, float]
    engine_s: float
    faces: float
    encoded: float

    @classmethod
    def now(cls, service: Programs, cameras: int) -> "_Costs":
        return cls(
            time.perf_counter(),
            service.cpu_s,
            cpu_s(cameras),
            service.cpu_by_stage(),
            service.total("attendance_stage_seconds_sum", stage="engine"),
            service.total(FACES),
            service.total(ENCODED),
        )


def run_load(
    service: Programs,
    cameras: Sequence[CameraLoad],
    seconds: float,
    warm_up_s: float,
    frames: Path,
    *,
    certificates: str = "",
    own_certificate: bool = False,
) -> Answers:
    """Run the cameras in a process of their own and gather what they saw.

    Args:
        service: that they send to.
        cameras: what each does.
        seconds: counted.
        warm_up_s: before.
        frames: folder of what they send.
        certificates: folder of the authority's files; empty: no TLS.
        own_certificate: whether each camera shows one of its own.
    """
    load = Load(service.addresses[0], str(frames), cameras, warm_up_s, seconds, certificates, own_certificate)
    costs: dict[str, _Costs] = {}
    seen: list[Seen] = []
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.service.cameras"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        if program.stdin is None or program.stdout is None:
            raise RuntimeError("the cameras' program has no pipes")
        json.dump(asdict(load), program.stdin)
        program.stdin.close()
        for line in program.stdout:
            if line.strip() in (BEGINS, ENDS):
                costs[line.strip()] = _Costs.now(service, program.pid)
            else:
                seen = [Seen(**one | {"outcomes": Counter(one["outcomes"])}) for one in json.loads(line)]
    if not seen or len(costs) != 2:
        raise SystemExit("the cameras' program has failed")
    before, after = costs[BEGINS], costs[ENDS]
    stages = {name: spent - before.stages_s.get(name, 0.0) for name, spent in after.stages_s.items()}
    faces, encoded = after.faces - before.faces, after.encoded - before.encoded
    return Answers(
        seen,
        seconds,
        after.at - before.at,
        after.service_s - before.service_s,
        after.cameras_s - before.cameras_s,
        stages,
        after.engine_s - before.engine_s,
        faces,
        encoded if after.encoded else faces,
    )
