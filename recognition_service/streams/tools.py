"""What every stream of a camera works with, and the error with which one ends."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import grpc

from attendance.errors import AttendanceError
from attendance.settings.matching import MatchingRules, Presentation
from attendance.settings.service import ServiceSettings
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
    settings: ServiceSettings
    rules: MatchingRules
    tracing: Tracing
    health: HealthLog
    aiming: AimingViews

    @property
    def deadline_s(self) -> float:
        """How long a frame may take, seconds, from its arrival."""
        return self.settings.frame_deadline_ms / 1000

    @property
    def follows(self) -> bool:
        """Whether the faces of those who are confirmed and stay where they are need not be encoded in every frame."""
        return self.rules.encode_interval_s > 0

    @property
    def keeps_views(self) -> bool:
        """Whether the pixels of faces are looked at, to tell persons from pictures."""
        return self.rules.presentation is Presentation.HOLD
