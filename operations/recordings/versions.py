"""What a machine runs with: code, libraries, models and index, each by a name that differs where they do."""

import hashlib
import os
import platform
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import cv2

from attendance.face_engine.interface import EngineInfo
from attendance.gallery.versions import current_version
from operations.recordings.looking import engine_of
from operations.runners.ray_cluster import Admission, Refusal
from recognition_service.engine.work import BuildEngine

_PACKAGES = ("attendance", "camera_client", "index_builder", "operations", "recognition_service")
_DIGITS = 12
_RUNTIMES = {"OpenVINO": ("openvino",), "ONNX Runtime": ("onnxruntime", "onnxruntime-gpu")}
"""Libraries that run the networks, and what packages they come in."""
_INDEX = "the index"
_INDEX_VARIABLE = "ATTENDANCE_GALLERY_INDEX"


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What a machine runs with."""

    machine: str
    code: str
    models: str
    index: str | None
    """None: there is none, or nobody asked."""
    python: str
    libraries: tuple[tuple[str, str | None], ...]
    """Those that decode and compute, in the same order everywhere, and their versions; None: it is not installed."""

    def differs(self, wanted: "MachineFacts") -> Refusal | None:
        """What is other than it is to be; an index that alone is another may be on its way. None: nothing is."""
        for what, own, theirs in self._beside(wanted):
            if own != theirs:
                return Refusal(
                    f"{self.machine} has another version of {what}: {own or 'none'}, where the run has "
                    f"{theirs or 'none'}",
                    passes=what == _INDEX,
                )
        return None

    def _beside(self, wanted: "MachineFacts") -> Iterator[tuple[str, str | None, str | None]]:
        """What is compared, its version there, and the one it is to be."""
        yield "the code", self.code, wanted.code  # first and alone: facts that other code tells may lack the rest
        yield "the Python", self.python, wanted.python
        for (name, own), (_, theirs) in zip(self.libraries, wanted.libraries, strict=True):
            yield name, own, theirs
        yield "the models", self.models, wanted.models
        yield _INDEX, self.index, wanted.index  # last: whatever else differs does not pass


@dataclass(frozen=True, slots=True)
class FactsJob:
    """What is asked of a machine."""

    build: BuildEngine
    index_path: Path | None
    """The folder of indexes; None: it is not needed."""


def facts(job: FactsJob) -> tuple[MachineFacts, None]:
    """What this machine runs with: a piece of work.

    Raises:
        EngineError: the engine cannot be made here.
        GalleryError: the folder of indexes is damaged.
    """
    index = None if job.index_path is None else current_version(own_index(job.index_path))
    models = name_of_models(engine_of(job.build).info)
    return _facts_of(socket.gethostname(), models, index), None


def _facts_of(machine: str, models: str, index: str | None) -> MachineFacts:
    return MachineFacts(machine, name_of_code(), models, index, platform.python_version(), libraries())


def admission_of(
    build: BuildEngine,
    info: EngineInfo,
    index_path: Path | None,
    index: Callable[[], str] | None,
    tell: Callable[[str], None],
) -> Admission:
    """Lets those machines work that run with what this one does.

    Args:
        build: makes the engine, there.
        info: of the engine here.
        index_path: the folder of indexes; None: it is not needed.
        index: that is searched now; asked whenever a machine is judged, for one may be published during a run. None:
            it is not needed.
        tell: told in a sentence which machine is not used and why, which is gone, and which joins later.
    """
    models = name_of_models(info)
    return Admission(
        facts,
        FactsJob(build, index_path),
        lambda told: told.differs(_facts_of("", models, None if index is None else index())),
        tell,
    )


def own_index(index_path: Path) -> Path:
    """The folder of indexes on this machine: its own setting, where its environment has one."""
    own = os.environ.get(_INDEX_VARIABLE)
    return Path(own) if own else index_path


def name_of_models(info: EngineInfo) -> str:
    """The engine's models, and a digest of their files."""
    digest = hashlib.sha256("\n".join(sorted(f"{one.name} {one.sha256}" for one in info.models)).encode())
    return f"{info.model} {digest.hexdigest()[:_DIGITS]}"


@lru_cache(maxsize=1)
def libraries() -> tuple[tuple[str, str | None], ...]:
    """What decodes videos and runs the networks, by name, and its version here; None: it is not installed.

    Which runtime an engine takes is each machine's choice, by what it measures; all must be the same versions.
    """
    # Systems build both against an FFmpeg of their own, and that is what decodes.
    codec = re.search(r"avcodec:\s+YES \(([^)]+)\)", cv2.getBuildInformation())
    opencv = f"{cv2.__version__} with avcodec {codec[1]}" if codec else cv2.__version__
    return (
        ("OpenCV", opencv),
        ("PyAV", _pyav()),
        *((name, _packaged(packages)) for name, packages in _RUNTIMES.items()),
    )


def _pyav() -> str | None:
    try:
        import av  # noqa: PLC0415 - an extra
    except ImportError:  # also one whose FFmpeg is gone
        return None
    return f"{av.__version__} with avcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"


def _packaged(packages: Sequence[str]) -> str | None:
    for package in packages:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return None


@lru_cache(maxsize=1)
def name_of_code() -> str:
    """The product's version, and a digest of its code: what was changed by hand is another version, too."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        found = find_spec(package)
        for folder in sorted(found.submodule_search_locations or ()) if found else ():
            for path in sorted(Path(folder).rglob("*.py")):
                digest.update(f"{package}/{path.relative_to(folder)}\n".encode())
                digest.update(path.read_bytes())
    return f"{version('class-attendance')} {digest.hexdigest()[:_DIGITS]}"
