"""What the service tells about itself: counts, the answer to GetStatus, and whether it is ready."""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version

import structlog
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from attendance.face_engine.interface import EngineInfo
from attendance.gallery.gallery import Gallery
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.access.auth import SERVICE
from recognition_service.outbox.store import Outbox, OutboxError
from recognition_service.replies import duration

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

log = structlog.get_logger()


class Statistics:
    """Counts since the start. Used by the event loop's thread only."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self.outcomes: Counter[pb.FrameOutcome] = Counter()


def product_version() -> str:
    """The installed version of the product."""
    try:
        return version("class-attendance")
    except PackageNotFoundError:
        return "unknown"


def status_message(
    statistics: Statistics,
    *,
    engine: EngineInfo | None,
    gallery: Gallery | None,
    outbox: tuple[int, timedelta],
    cameras: int,
    waiting: int,
    batches: int,
) -> pb.GetStatusResponse:
    """The answer to GetStatus.

    Args:
        statistics: the counts.
        engine: None while it starts.
        gallery: None while there is no published index in use.
        outbox: sightings in it, and the age of the oldest.
        cameras: with an open stream.
        waiting: frames waiting for the engine.
        batches: handed to the engine.
    """
    message = pb.GetStatusResponse(
        version=product_version(),
        started_at=statistics.started_at,
        outbox=pb.OutboxStatus(depth=outbox[0], oldest=duration(outbox[1].total_seconds())),
        cameras_connected=cameras,
        frames_waiting=waiting,
        outcomes=[
            pb.OutcomeCount(outcome=outcome, frames=frames) for outcome, frames in sorted(statistics.outcomes.items())
        ],
        batches=batches,
    )
    if engine is not None:
        message.engine.CopyFrom(
            pb.EngineStatus(
                name=engine.name,
                detector=engine.detector,
                runtime=engine.runtime,
                device=engine.device,
                precision=engine.precision,
                models=[pb.ModelFile(name=file.name, sha256=file.sha256) for file in engine.models],
            )
        )
    if gallery is not None:
        message.index.CopyFrom(
            pb.IndexStatus(
                version=gallery.version,
                identities=len(gallery.identities),
                encodings=gallery.encodings,
                model=gallery.model,
                loaded_at=gallery.loaded_at,
            )
        )
    return message


class Readiness:
    """Keeps the health service's answer: serving only with the engine warm, an index loaded and the outbox writable."""

    def __init__(
        self,
        health: health_aio.HealthServicer,
        outbox: Outbox,
        executor: Executor,
        *,
        engine_ready: Callable[[], bool],
        gallery: Callable[[], Gallery | None],
        index_problem: Callable[[], str | None] = lambda: None,
        interval_s: float = 0.5,
        outbox_every: int = 4,
    ) -> None:
        """Prepare; the health service says NOT_SERVING from `begin` on.

        Args:
            health: whose answers are set.
            outbox: looked at every `outbox_every` rounds, which costs a synced write.
            executor: where the outbox is looked at.
            engine_ready: whether the engine answers.
            gallery: the index in use.
            index_problem: why no index comes from another machine; None: it comes, or is built here.
            interval_s: from one look to the next, seconds.
            outbox_every: see `outbox`.
        """
        self._health = health
        self._outbox = outbox
        self._executor = executor
        self._engine_ready = engine_ready
        self._gallery = gallery
        self._index_problem = index_problem
        self._interval_s = interval_s
        self._outbox_every = outbox_every
        self._outbox_problem: str | None = "the outbox was not looked at yet"
        self._reasons: list[str] | None = None

    async def begin(self) -> None:
        """Say NOT_SERVING."""
        for name in ("", SERVICE):
            await self._health.set(name, _NOT_SERVING)

    async def watch(self) -> None:
        """Keep the answer true for ever."""
        rounds = 0
        while True:
            if rounds % self._outbox_every == 0:
                await self._look_at_outbox()
            rounds += 1
            await self.refresh()
            await asyncio.sleep(self._interval_s)

    async def refresh(self) -> None:
        """Set the answer by what is known now."""
        reasons = self.missing()
        if reasons == self._reasons:
            return
        self._reasons = reasons
        for name in ("", SERVICE):
            await self._health.set(name, _NOT_SERVING if reasons else _SERVING)
        if reasons:
            log.warning("not_ready", reasons=reasons)
        else:
            log.info("ready")

    def missing(self) -> list[str]:
        """What keeps the service from being ready; empty when it is."""
        reasons = []
        if not self._engine_ready():
            reasons.append("the engine is not ready")
        if self._gallery() is None:
            reasons.append(f"no index is loaded: {self._index_problem() or 'run `attendance index build`'}")
        if self._outbox_problem is not None:
            reasons.append(self._outbox_problem)
        return reasons

    async def _look_at_outbox(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._outbox.check_writable)
        except OutboxError as error:
            self._outbox_problem = str(error)
        else:
            self._outbox_problem = None
