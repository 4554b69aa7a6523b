"""The loads, one function a figure. Each returns a plain dictionary, as it is written to the results."""

import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from attendance.face_engine.runtimes.runtime import usable_cores
from attendance.settings.model import ServiceSettings
from benchmarks.service.cameras import CameraLoad
from benchmarks.service.campus import Campus
from benchmarks.service.program import Programs, Service, engine_threads
from benchmarks.service.running import Answers, run_load

BATCH = ServiceSettings().max_batch
DEADLINE_S = ServiceSettings().frame_deadline_ms / 1000
FREE = 1 / 3
"""Of the machine: lectures begin on the hour."""
_LATE_BY_S = 2.0
"""What an engine call and its neighbours may take beyond a frame's deadline, which ends the waiting, not the work."""
_SEAT_RATE, _DOOR_RATE = 0.2, 4.0
"""Frames a second of a camera that looks at seats, and of one at a door."""
_MINUTE_S = 60.0
_TLS = {
    "plaintext": ("", False),
    "TLS": ("tls", False),
    "mutual TLS": ("tls", True),
}


@dataclass(frozen=True)
class Bench:
    """The campus, services at work, and how long everything takes."""

    campus: Campus
    service: Programs
    seconds: float
    warm_up_s: float

    def run(
        self, cameras: Sequence[CameraLoad], *, seconds: float = 0, warm_up_s: float = 0, frames: Path | None = None
    ) -> Answers:
        """Let cameras send for a while."""
        warm_up_s, seconds = warm_up_s or self.warm_up_s, seconds or self.seconds
        return run_load(self.service, cameras, seconds, warm_up_s, frames or self.campus.frames)

    def cameras(
        self, count: int, rate: float | None = None, *, rude: bool = False, kind: str = "camera"
    ) -> list[CameraLoad]:
        """The first cameras of a kind, all alike, each at a service of its own as far as there are enough."""
        tokens = [one for one in self.campus.tokens.items() if one[0].startswith(kind)][:count]
        addresses = self.service.addresses
        return [
            CameraLoad(name, token, rate, rude, address=addresses[place % len(addresses)])
            for place, (name, token) in enumerate(tokens)
        ]


def saturation(bench: Bench, rounds: int, cameras: int) -> dict[str, Any]:
    """The service, with cameras that send whenever they may, and decoding and the engine alone, in turns."""
    measured = []
    for _ in range(rounds):
        answers = bench.run(bench.cameras(cameras))
        bare = _bare(bench, answers.encoded_share)
        # The simulated cameras have cores of their own elsewhere; here they take what the service could have.
        theirs = answers.cameras_cpu_s / (usable_cores() * answers.measured_s)
        measured.append(
            {
                "bare_rate": bare["rate"],
                "service_rate": answers.rate,
                "ratio": answers.rate / bare["rate"],
                "ratio_apart": answers.rate / (1 - theirs) / bare["rate"],
                "bare_cpu_ms": 1e3 * bare["cpu_s"],
                "service_cpu_ms": answers.cpu_ms(answers.service_cpu_s),
                "cameras_cpu_ms": answers.cpu_ms(answers.cameras_cpu_s),
                "encoded_share": answers.encoded_share,
                "engine_busy": answers.engine_s / answers.measured_s,
                "cores_busy": (answers.service_cpu_s + answers.cameras_cpu_s) / answers.measured_s,
                **{f"stage {name}": answers.cpu_ms(seconds) for name, seconds in answers.stages_cpu_s.items()},
            }
        )
    medians = {name: statistics.median(one.get(name, 0.0) for one in measured) for name in measured[0]}
    return {"cameras": cameras, "rounds": measured, **medians}


def many(bench: Bench, cameras: int, *, kind: str, settles_s: float, seconds: float) -> dict[str, Any]:
    """Cameras that look at seats, or that hang at doors, each at its usual rate: what is held back, and what is free.

    Args:
        bench: with a campus that has so many.
        cameras: how many.
        kind: seat; door.
        settles_s: before counting begins, seconds.
        seconds: counted.
    """
    door = kind == "door"
    frames = bench.campus.door if door else bench.campus.hall
    senders = bench.cameras(cameras, _DOOR_RATE if door else _SEAT_RATE, kind=kind)
    answers = bench.run(senders, warm_up_s=settles_s, seconds=seconds, frames=frames)
    cores = answers.service_cpu_s / answers.measured_s
    return {
        "cameras": cameras,
        "seconds": seconds,
        "asked_rate": sum(one.sent + one.held_back for one in answers.seen) / seconds,
        "rate": answers.rate,
        "held_back": sum(one.held_back for one in answers.seen),
        "outcomes": dict(answers.outcomes),
        "streams_lost": answers.failed,
        "faces_a_frame": answers.faces / max(1, answers.recognized),
        "encoded_share": answers.encoded_share,
        "cores": cores,
        "free": 1 - cores / usable_cores(),
        "room_for": cameras * (1 - FREE) * usable_cores() / max(cores, 1e-9),
        "cpu_ms": answers.cpu_ms(answers.service_cpu_s),
        "cameras_cpu_ms": answers.cpu_ms(answers.cameras_cpu_s),
        "stages_cpu_ms": {name: answers.cpu_ms(spent) for name, spent in answers.stages_cpu_s.items()},
        **answers.latencies_ms(),
    }


def alone(bench: Bench) -> dict[str, Any]:
    """One camera that sends a frame a second: how long a frame takes when nothing else is to be done."""
    return bench.run(bench.cameras(1, 1.0)).latencies_ms()


def latency(bench: Bench, peak: float, share: float, cameras: int) -> dict[str, Any]:
    """From sending a frame to its answer, at a share of what the service can do, once it knows who is there.

    Until then every face is encoded, which is more work than the share of what it can do afterwards.
    """
    answers = bench.run(
        bench.cameras(cameras, share * peak / cameras), warm_up_s=4 * bench.warm_up_s, seconds=2 * bench.seconds
    )
    held_back = sum(one.held_back for one in answers.seen)
    return {"share": share, "rate": answers.rate, "held_back": held_back, **answers.latencies_ms()}


def fairness(bench: Bench, peak: float, cameras: int) -> dict[str, Any]:
    """Cameras that each ask for more than their share, beside a greedy one and one of 16 megapixels.

    The greedy one sends ten times what the others send, and beyond its window; the large one whenever it may.
    """
    usual = 1.2 * peak / cameras
    greedy, large, *others = bench.cameras(cameras + 2, usual)
    greedy = replace(greedy, rate=10 * usual, rude=True)
    large = replace(large, rate=None, frames=str(bench.campus.large))
    # The large frames are few and long: only over a while are they as many for each of the others.
    answers = bench.run([greedy, large, *others], seconds=3 * bench.seconds)
    recognized = [one.outcomes["recognized"] for one in answers.seen]
    mean = statistics.mean([recognized[0], *recognized[2:]])
    return {
        "cameras": cameras,
        "asked": (10 + cameras) * usual / peak,
        "greedy": recognized[0],
        "large": recognized[1],
        "slowest": min(recognized[2:]),
        "share": min(recognized[2:]) / max(1.0, mean),
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
    began = memory[min(len(memory) // 4, round(0.9 * _MINUTE_S)) : round(1.1 * _MINUTE_S)]
    late = sum(one.longest_service_s > DEADLINE_S + _LATE_BY_S for one in answers.seen)
    return {
        "seconds": seconds,
        "sent_rate": sum(one.sent for one in answers.seen) / seconds,
        "rate": answers.rate,
        "of_peak": answers.rate / peak,
        "outcomes": dict(answers.outcomes),
        "memory_first_mib": statistics.median(began),
        "memory_last_mib": statistics.median(memory[-len(began) :]),
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
        "service_cores": answers.service_cpu_s / answers.measured_s,
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
                cameras = Bench(campus, program, seconds, warm_up_s).cameras(8)
                certificates, own = (str(campus.folder / _TLS[name][0]) if _TLS[name][0] else ""), _TLS[name][1]
                answers = run_load(
                    program, cameras, seconds, warm_up_s, campus.frames, certificates=certificates, own_certificate=own
                )
                cpu_ms = answers.cpu_ms(answers.service_cpu_s + answers.cameras_cpu_s)
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


def _bare(bench: Bench, encoded_share: float) -> dict[str, float]:
    """Decoding and the engine alone on the same frames, in as many processes as there are services."""
    count = len(bench.service.addresses)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ATTENDANCE_")}
    command = [
        *(sys.executable, "-m", "benchmarks.service.bare"),
        *(str(bench.campus.frames), str(BATCH), str(bench.seconds), str(encoded_share), str(engine_threads(count))),
    ]
    programs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) for _ in range(count)]
    written = [program.communicate()[0] for program in programs]
    if any(program.returncode for program in programs):
        raise SystemExit("decoding and the engine alone have failed")
    found: list[dict[str, float]] = [json.loads(text) for text in written]
    rate = sum(one["rate"] for one in found)
    return {"rate": rate, "cpu_s": sum(one["cpu_s"] * one["rate"] for one in found) / rate}
