"""What every stream of a camera works with, and the error with which one ends."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import grpc

from attendance.errors import AttendanceError
from recognition_service.access.auth import CameraIdentity
from recognition_service.aiming.views import AimingViews
from recognition_service.engine.pipeline import Pipeline
from recognition_service.evidence.flow import CameraFlow
from recognition_service.status import Statistics
from recognition_service.streams.health import HealthLog
from recognition_service.telemetry.metrics import Metrics
from recognition_service.telemetry.tracing import Tracing


class StreamRefusedError(AttendanceError):
    """The call ends with a status; the message is for people."""

    def __init__(self, status: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.status = status


@dataclass(frozen=True, slots=True)
class StreamTools:
    """What every stream works with."""

    pipeline: Pipeline
    flow_of: Callable[[CameraIdentity], CameraFlow]
    """A fresh flow for a camera that stands in a room."""
    executor: Executor
    """Where flows are called, which block."""
    statistics: Statistics
    metrics: Metrics
    window: int
    deadline_s: float
    replay_age_s: float
    """Frames captured longer ago than this, seconds, are no live ones."""
    max_clock_ahead_s: float
    max_clock_behind_s: float
    max_rate: float
    """Frames a second accepted of one camera."""
    skip_unchanged_s: float
    """How long frames that show the same are skipped, seconds; 0: not at all."""
    full_look_s: float
    """At least once in so many seconds all of a frame is searched, else what has changed; 0: always all of it."""
    tracing: Tracing
    health: HealthLog
    aiming: AimingViews
    follows: bool = True
    """Whether the faces of those who are confirmed and stay where they are need not be encoded in every frame."""
    keeps_views: bool = True
    """Whether the pixels of faces are looked at, to tell persons from pictures."""
