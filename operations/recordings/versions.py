"""What a machine runs with: code, models and index, each by a name that differs where they do."""

import hashlib
import os
import platform
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from attendance.face_engine.interface import EngineInfo
from attendance.gallery.versions import current_version
from operations.recordings.looking import engine_of
from operations.runners.ray_cluster import Admission, Refusal
from recognition_service.engine.work import BuildEngine

_PACKAGES = ("attendance", "camera_client", "index_builder", "operations", "recognition_service")
_DIGITS = 12
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
        yield "the code", self.code, wanted.code
        yield "the Python", self.python, wanted.python
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
    return MachineFacts(machine, name_of_code(), models, index, platform.python_version())


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
