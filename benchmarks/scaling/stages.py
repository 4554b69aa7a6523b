"""Which stage of a machine ends first, as cameras are added."""

import math
from dataclasses import dataclass, replace

from benchmarks.scaling.measured import FrameCosts, GpuCosts, GpuRun

FREE = 1 / 3
"""Share of every capacity that is left free: lectures begin on the hour."""
GIGABIT = 1e9
_TLS_CORES_A_GIGABIT = 2.0
"""Of nginx, without hardware for it."""
CORES_A_SERVICE = 2
"""Measured on 16 cores (`python -m benchmarks.scaling.machine`): eight services did half as much again as four."""
_STUDENTS = 60
"""In a room."""
_ENTER_S = 600.0
"""They are confirmed within so many seconds, and each is a row."""


@dataclass(frozen=True, slots=True)
class CameraKind:
    """A camera, and what it sees."""

    name: str
    size: str
    """Of its frames, see `measured.SIZES`."""
    rate: float
    """Frames a second."""
    faces: float
    """Faces in a frame that are encoded."""
    frame_bytes: float
    smallest_face: int | None = None
    """Pixels that it is set to look for; None: the models' own."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What is bought."""

    name: str
    cores: int
    gigabits: float
    gpus: int = 0


MACHINES = (
    Machine("2 cores", 2, 1),
    Machine("16 cores", 16, 10),
    Machine("64 cores", 64, 10),
    Machine("16 cores and a GPU", 16, 10, gpus=1),
    Machine("64 cores and 4 GPUs", 64, 25, gpus=4),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Cameras of one kind that each stage of a machine takes, a third left free."""

    processor: float
    """All stages together, on its cores; without the networks where a GPU runs them."""
    gpu: float
    """Endless where there is none."""
    services_on_gpu: float
    """What services on a GPU were measured to answer, and what they were measured to gain by it, whichever is less;
    endless where there is none."""
    network: float
    database: float
    interpreter: float
    """What Python does in one service process: more processes take more."""
    largest_stage: str
    """On the processor."""
    cores: int

    @property
    def cameras(self) -> int:
        """That the machine takes."""
        return math.floor(min(self.processor, self.gpu, self.services_on_gpu, self.network, self.database))

    @property
    def processes(self) -> int:
        """Service processes that take so many: one for each two cores, or more where Python asks for it."""
        return max(1, self.cores // CORES_A_SERVICE, math.ceil(self.cameras / self.interpreter))

    @property
    def ends_first(self) -> str:
        """What a further camera would need more of."""
        by = {
            "network": self.network,
            "database": self.database,
            "GPU": self.gpu,
            "services, as measured": self.services_on_gpu,
            f"processor: {self.largest_stage}": self.processor,
        }
        return min(by, key=lambda name: by[name])


def limits(
    costs: FrameCosts,
    machine: Machine,
    kind: CameraKind,
    *,
    rows_a_second: float,
    gpu: GpuCosts | None = None,
    gpu_run: GpuRun | None = None,
) -> Limits:
    """What each stage takes.

    Args:
        costs: of a frame of that kind.
        machine: on which everything but the database runs.
        kind: of all cameras.
        rows_a_second: that the database takes.
        gpu: what a frame costs with a GPU, for a machine that has one.
        gpu_run: what services on a GPU were measured to do, for such a machine.

    Raises:
        ValueError: the machine has a GPU, and nobody says what a frame costs with it, or what services did.
    """
    if machine.gpus and (gpu is None or gpu_run is None):
        raise ValueError(f"{machine.name}: what does a frame cost with a GPU, and how many did services answer?")
    usable = (1 - FREE) * machine.cores
    tls_s = kind.frame_bytes * 8 / GIGABIT * _TLS_CORES_A_GIGABIT
    on_cores = {"decoding": costs.decode_s, "Python": costs.rest_s, "TLS": tls_s}
    on_gpu = services_on_gpu = math.inf
    if machine.gpus and gpu is not None and gpu_run is not None:
        on_cores |= {"frames for the GPU": gpu.search_s, "landmarks and chips": kind.faces * gpu.face_s}
        on_gpu = (1 - FREE) * machine.gpus / (gpu.gpu_s(kind.faces) * kind.rate)
        alone = limits(costs, replace(machine, gpus=0), kind, rows_a_second=rows_a_second)
        services_on_gpu = _as_measured(gpu_run, machine, kind, alone)
    else:
        on_cores |= {"search": costs.search_s, "encoding": kind.faces * costs.face_s}
    return Limits(
        processor=usable / (sum(on_cores.values()) * kind.rate),
        gpu=on_gpu,
        services_on_gpu=services_on_gpu,
        network=(1 - FREE) * machine.gigabits * GIGABIT / (8 * kind.frame_bytes * kind.rate),
        database=(1 - FREE) * rows_a_second * _ENTER_S / _STUDENTS,
        interpreter=(1 - FREE) / (costs.rest_s * kind.rate) if costs.rest_s else math.inf,
        largest_stage=max(on_cores, key=lambda name: on_cores[name]),
        cores=machine.cores,
    )


def _as_measured(run: GpuRun, machine: Machine, kind: CameraKind, alone: Limits) -> float:
    """Cameras that services on GPUs take by what was measured: their rate, and their gain over the same cores alone."""
    at_that_rate = (1 - FREE) * run.rate_of(machine.cores, machine.gpus) / kind.rate
    return min(at_that_rate, run.gain * alone.processor)
