"""What the service's parts tell metrics and GetStatus of themselves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from attendance.face_engine.interface import EngineInfo
from attendance.gallery.gallery import Gallery
from recognition_service.outbox.store import Outbox
from recognition_service.replication.fetching import IndexReplica


@dataclass(frozen=True, slots=True)
class CameraState:
    """One camera with an open stream, at one moment."""

    name: str
    last_frame: datetime | None
    """When its last frame came, by the service's clock."""
    in_flight: int
    window: int
    clock_skew_s: float | None
    """How far its clock is ahead, seconds; None while no live frame has come."""
    blind: bool = False
    """Its pictures show nothing."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the gauges are read from, by the thread that serves a scrape."""

    outbox: Outbox
    engine: Callable[[], EngineInfo | None]
    gallery: Callable[[], Gallery | None]
    waiting: Callable[[], int]
    """Frames in the queue."""
    cameras: Callable[[], Sequence[CameraState]]
    """Those with an open stream."""
    ready: Callable[[], bool]
    replica: IndexReplica | None = None
    """Fetches the index from another machine; None: it is built here."""
