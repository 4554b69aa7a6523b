"""The NVIDIA GPU of this machine, as its driver's program tells of it."""

import subprocess

from attendance.face_engine.runtimes.runtime import best_installed


def gpu_in_use() -> str | None:
    """The GPU's name, if engines compute there where the settings leave it open."""
    return _asked("name") if best_installed() == "cuda" else None


def driver() -> str:
    """The version of its driver."""
    return _asked("driver_version")


def memory_mib() -> float:
    """Of the GPU, what all processes together take now."""
    return float(_asked("memory.used"))


def _asked(what: str) -> str:
    command = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0].strip()
