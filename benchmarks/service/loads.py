"""The loads, one function a figure. Each returns a plain dictionary, as it is written to the results."""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attendance.settings.model import ServiceSettings
from benchmarks.service.cameras import CameraLoad, Load, Seen
from benchmarks.service.campus import Campus
from benchmarks.service.program import Service, own_cpu_s

BATCH = ServiceSettings().max_batch
DEADLINE_S = ServiceSettings().frame_deadline_ms / 1000
_LATE_BY_S = 2.0
"""What an engine call and its neighbours may take beyond a frame's deadline, which ends the waiting, not the work."""
_TLS = {
    "plaintext": ("", False),
    "TLS": ("tls", False),
    "mutual TLS": ("tls", True),
}


@dataclass
class Answers:
    """What the cameras of one load saw, and what it cost."""

    seen: list[Seen]
    seconds: float
    service_cpu_s: float
    """Of the whole run, warm-up and connecting included; so are the two below."""
    cameras_cpu_s: float
    engine_s: float
    whole_s: float

    @property
    def outcomes(self) -> Counter[str]:
        """Answers by outcome."""
        return sum((one.outcomes for one in self.seen), Counter())

    @property
    def rate(self) -> float:
        """Frames recognized a second."""
        return self.outcomes["recognized"] / self.seconds

    @property
    def failed(self) -> int:
        """Cameras whose stream ended before its time."""
        return sum(1 for one in self.seen if one.failed)

    def latencies_ms(self) -> dict[str, float]:
        """Percentiles over all cameras, milliseconds; empty when no frame was recognized."""
        every = [1e3 * latency for one in self.seen for latency in one.latencies]
        return {f"p{p}": float(np.percentile(every, p)) for p in (50, 95, 99)} if every else {}


@dataclass(frozen=True)
class Bench:
    """The campus, a service at work, and how long everything takes."""

    campus: Campus
    service: Service
    seconds: float
    warm_up_s: float

    def run(self, cameras: Sequence[CameraLoad], *, seconds: float = 0, frames: Path | None = None) -> Answers:
        """Let cameras send for a while."""
        return run_load(self, cameras, seconds or self.seconds, frames or self.campus.frames)

    def cameras(self, count: int, rate: float | None = None, *, rude: bool = False) -> list[CameraLoad]:
        """The first cameras, all alike."""
        return [CameraLoad(name, token, rate, rude) for name, token in list(self.campus.tokens.items())[:count]]


def run_load(
    bench: Bench, cameras: Sequence[CameraLoad], seconds: float, frames: Path, *, tls: tuple[str, bool] = ("", False)
) -> Answers:
    """Run the cameras in a process of their own and gather what they saw."""
    service = bench.service
    certificates = str(bench.campus.certificates) if tls[0] else ""
    load = Load(service.address, str(frames), cameras, bench.warm_up_s, seconds, certificates, tls[1])
    before = service.cpu_s, own_cpu_s(), service.engine_s(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.service.cameras"],
        input=json.dumps(asdict(load)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    after = service.cpu_s, own_cpu_s(), service.engine_s(), time.perf_counter()
    seen = [Seen(**one | {"outcomes": Counter(one["outcomes"])}) for one in json.loads(done.stdout)]
    return Answers(seen, seconds, *(late - early for early, late in zip(before, after, strict=True)))


def saturation(bench: Bench, rounds: int, cameras: int) -> dict[str, Any]:
    """The bare engine and the service in turns, the latter with cameras that send whenever they may."""
    measured = []
    for _ in range(rounds):
        engine = _engine_rate(bench)
        answers = bench.run(bench.cameras(cameras))
        frames = max(1, answers.outcomes["recognized"] * answers.whole_s / answers.seconds)
        measured.append(
            {
                "engine_rate": engine["rate"],
                "service_rate": answers.rate,
                "ratio": answers.rate / engine["rate"],
                "engine_cpu_ms": 1e3 * engine["cpu_s"],
                "service_cpu_ms": 1e3 * answers.service_cpu_s / frames,
                "cameras_cpu_ms": 1e3 * answers.cameras_cpu_s / frames,
                "engine_busy": answers.engine_s / answers.whole_s,
                "cores_busy": (answers.service_cpu_s + answers.cameras_cpu_s) / answers.whole_s,
            }
        )
    medians = {name: statistics.median(one[name] for one in measured) for name in measured[0]}
    return {"cameras": cameras, "rounds": measured, **medians}


def latency(bench: Bench, peak: float, share: float, cameras: int) -> dict[str, Any]:
    """From sending a frame to its answer, at a share of what the service can do."""
    answers = bench.run(bench.cameras(cameras, share * peak / cameras))
    held_back = sum(one.held_back for one in answers.seen)
    return {"share": share, "rate": answers.rate, "held_back": held_back, **answers.latencies_ms()}


def fairness(bench: Bench, peak: float, cameras: int) -> dict[str, Any]:
    """One camera sends ten times what the others send, window or not; each alone asks for more than its share."""
    usual = 1.2 * peak / cameras
    greedy, *others = bench.cameras(cameras, usual)
    greedy = CameraLoad(greedy.name, greedy.token, 10 * usual, rude=True)
    answers = bench.run([greedy, *others])
    recognized = [one.outcomes["recognized"] for one in answers.seen]
    return {
        "cameras": cameras,
        "asked": (10 + cameras - 1) * usual / peak,
        "greedy": recognized[0],
        "slowest": min(recognized[1:]),
        "share": min(recognized[1:]) / statistics.mean(recognized),
    }


def overload(bench: Bench, peak: float, cameras: int, seconds: float) -> dict[str, Any]:
    """Twice what the service can do, from cameras that keep to no window."""
    memory: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1):
            memory.append(bench.service.memory_mib)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        answers = bench.run(bench.cameras(cameras, 2 * peak / cameras, rude=True), seconds=seconds)
    finally:
        over.set()
        watching.join()
    third = max(1, len(memory) // 3)
    late = sum(one.longest_service_s > DEADLINE_S + _LATE_BY_S for one in answers.seen)
    return {
        "seconds": seconds,
        "sent_rate": sum(one.sent for one in answers.seen) / seconds,
        "rate": answers.rate,
        "of_peak": answers.rate / peak,
        "outcomes": dict(answers.outcomes),
        "memory_first_mib": statistics.median(memory[third // 2 : third + third // 2]),
        "memory_last_mib": statistics.median(memory[-third:]),
        "longest_s": max(one.longest_service_s for one in answers.seen),
        "cameras_beyond_deadline": late,
        "streams_lost": answers.failed,
        **answers.latencies_ms(),
    }


def idle(bench: Bench, cameras: int, frames: Path) -> dict[str, Any]:
    """Many cameras of one frame in five seconds each."""
    answers = bench.run(bench.cameras(cameras, 0.2), seconds=max(10.0, bench.seconds), frames=frames)
    asked = sum(one.sent + one.held_back for one in answers.seen)
    return {
        "cameras": cameras,
        "frames": frames.name,
        "asked_rate": asked / answers.seconds,
        "rate": answers.rate,
        "held_back": sum(one.held_back for one in answers.seen),
        "outcomes": dict(answers.outcomes),
        "streams_lost": answers.failed,
        "memory_mib": bench.service.memory_mib,
        "service_cores": answers.service_cpu_s / answers.whole_s,
        **answers.latencies_ms(),
    }


def tls_cost(campus: Campus, folder: Path, rounds: int, *, seconds: float, warm_up_s: float) -> dict[str, Any]:
    """The same load at saturation over each kind of connection, in turns."""
    kept = campus.certificates
    service = {"ATTENDANCE_SERVICE_TLS_CERTIFICATE": str(kept / "service.pem")}
    service |= {"ATTENDANCE_SERVICE_TLS_KEY": str(kept / "service.key")}
    environs = {
        "plaintext": campus.environ,
        "TLS": campus.environ | service,
        "mutual TLS": campus.environ | service | {"ATTENDANCE_SERVICE_TLS_CLIENT_CA": str(kept / "ca.pem")},
    }
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in environs}
    for number in range(rounds):
        for name, environ in environs.items():
            with Service(environ, folder / f"tls-{number}-{name.replace(' ', '-')}.log") as program:
                bench = Bench(campus, program, seconds, warm_up_s)
                answers = run_load(bench, bench.cameras(8), seconds, campus.frames, tls=_TLS[name])
                frames = max(1, answers.outcomes["recognized"] * answers.whole_s / answers.seconds)
                cpu_ms = 1e3 * (answers.service_cpu_s + answers.cameras_cpu_s) / frames
                measured[name].append((answers.rate, cpu_ms))
    plain = measured["plaintext"]
    return {
        name: {
            "rate": statistics.median(rate for rate, _ in values),
            "of_plaintext": statistics.median(rate / base for (rate, _), (base, _) in zip(values, plain, strict=True)),
            "cpu_ms": statistics.median(cpu_ms for _, cpu_ms in values),
        }
        for name, values in measured.items()
    }


def _engine_rate(bench: Bench) -> dict[str, float]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.service.engine_rate"),
            *(str(bench.campus.frames), str(BATCH), str(bench.seconds)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("ATTENDANCE_")},
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found
