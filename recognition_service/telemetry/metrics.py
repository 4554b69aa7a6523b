"""What Prometheus reads: counters and histograms that the parts feed, and gauges that are asked for at each scrape."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from attendance.face_engine.interface import Face
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.evidence.observing import MinuteKind
from recognition_service.evidence.seen import MatchKind, SeenFace
from recognition_service.outbox.store import OutboxError
from recognition_service.replies import outcome_name
from recognition_service.telemetry.sources import CameraState, Sources

_STAGES = ("decode", "wait", "engine", "match", "commit")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

log = structlog.get_logger()


class Metrics:
    """One service's numbers, in a registry of its own. Every method may be called from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        own: dict[str, Any] = {"namespace": "attendance", "registry": self.registry}
        self._received = Counter("frames_received", "Frames that cameras sent.", **own)
        self._answered = Counter(
            "frames", "Frames answered, by outcome; all but recognized were dropped.", ["outcome"], **own
        )
        self._frame_seconds = Histogram(
            "frame_seconds", "From a recognized frame's arrival to its result.", buckets=_SECONDS, **own
        )
        self._stages = Histogram(
            "stage_seconds",
            "Time of one stage: decode, wait (in the queue) and match a frame; engine: a batch of frames, or of faces; "
            "commit: a transaction.",
            ["stage"],
            buckets=_SECONDS,
            **own,
        )
        self._batches = Histogram("batch_frames", "Frames of a batch.", buckets=_SIZES, **own)
        self._faces = Counter("faces", "Faces found in cameras' frames.", **own)
        self._encoded = Counter(
            "faces_encoded",
            "Of those, the ones encoded: not too small, and not of a student who stays in place.",
            **own,
        )
        self._matches = Counter("matches", "Faces of cameras' frames, by whom they were matched with.", ["kind"], **own)
        self._confirmations = Counter("confirmations", "Students confirmed, once for each stream and session.", **own)
        self._minutes = Counter(
            "camera_minutes", "Minutes of cameras in which a class session counted: watched, or blind.", ["kind"], **own
        )
        self._refusals = Counter("refused_calls", "Calls that were refused, by reason.", ["reason"], **own)
        self._index_asked = Counter(
            "index_asked",
            "Questions for a newer index to the machine that holds the store: unchanged, fetched, refused or failed.",
            ["outcome"],
            **own,
        )
        self._index_bytes = Counter("index_fetched_bytes", "Bytes of indexes that were fetched.", **own)
        # Series that exist from the start read as zero, not as missing.
        for outcome in pb.FrameOutcome.values()[1:]:
            self._answered.labels(outcome_name(outcome))
        for stage in _STAGES:
            self._stages.labels(stage)
        for kind in MatchKind:
            self._matches.labels(kind.value)
        for minute in MinuteKind:
            self._minutes.labels(minute.value)
        for reason in ("no_token", "wrong_token", "no_right", "too_many", "malformed"):
            self._refusals.labels(reason)
        for asked in ("unchanged", "fetched", "refused", "failed"):
            self._index_asked.labels(asked)

    def frame_received(self) -> None:
        """Count a frame that came."""
        self._received.inc()

    def frame_answered(self, outcome: pb.FrameOutcome, seconds: float) -> None:
        """Count an answer, `seconds` after the frame's arrival."""
        self._answered.labels(outcome_name(outcome)).inc()
        if outcome == pb.FRAME_OUTCOME_RECOGNIZED:
            self._frame_seconds.observe(seconds)

    def stage(self, name: str, seconds: float) -> None:
        """Count the time of one stage."""
        self._stages.labels(name).observe(seconds)

    def batch(self, waits: Sequence[float], seconds: float) -> None:
        """Count a batch: how long each item had waited for it, and how long it took, seconds."""
        self._batches.observe(len(waits))
        for wait in waits:
            self.stage("wait", wait)
        self.stage("engine", seconds)

    def faces_seen(self, seen: Sequence[SeenFace], confirmations: int) -> None:
        """Count a frame's faces, and the students that it confirmed."""
        self._faces.inc(len(seen))
        self._encoded.inc(sum(isinstance(face.face, Face) for face in seen))
        for face in seen:
            self._matches.labels(face.match.kind.value).inc()
        self._confirmations.inc(confirmations)

    def minute_observed(self, kind: MinuteKind) -> None:
        """Count a minute of a camera."""
        self._minutes.labels(kind.value).inc()

    def call_refused(self, reason: str) -> None:
        """Count a call that was not let in: no_token, wrong_token, no_right, too_many or malformed."""
        self._refusals.labels(reason).inc()

    def index_asked(self, outcome: str, received: int) -> None:
        """Count a question for a newer index, and the bytes that came."""
        self._index_asked.labels(outcome).inc()
        self._index_bytes.inc(received)


class StateCollector(Collector):
    """Gauges, read when they are asked for, so that they are never stale."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def describe(self) -> list[Metric]:
        """Nothing: registering must read nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All gauges; those of an outbox that cannot be read are left out, which an alert on absence sees."""
        sources = self._sources
        yield _gauge("ready", "1 when the engine is warm, an index loaded and the outbox writable.", sources.ready())
        yield _gauge("queue_frames", "Frames waiting for the engine or being decoded for it.", sources.waiting())
        yield from self._outbox()
        yield from self._models()
        cameras = sources.cameras()
        yield _gauge("streams", "Cameras with an open stream.", len(cameras))
        yield from _camera_gauges(cameras)

    def _outbox(self) -> Iterator[Metric]:
        try:
            depth = self._sources.outbox.depth()
            hours = self._sources.outbox.depth_observed()
            oldest = self._sources.outbox.oldest_age(datetime.now(UTC)).total_seconds()
        except OutboxError as error:
            log.error("outbox_not_read", reason=str(error))
            return
        yield _gauge("outbox_sightings", "Sightings not yet in the database.", depth)
        yield _gauge("outbox_oldest_seconds", "Age of the oldest of them.", oldest)
        yield _gauge("outbox_camera_hours", "Hours of cameras, of what they watched, not yet in the database.", hours)

    def _models(self) -> Iterator[Metric]:
        gallery, engine = self._sources.gallery(), self._sources.engine()
        index = {"version": gallery.version, "model": gallery.model} if gallery else {"version": "", "model": ""}
        yield InfoMetricFamily("attendance_index", "The index in use; no version: none.", value=index)
        yield _gauge("index_students", "Students in the index in use.", len(gallery.identities) if gallery else 0)
        yield _gauge("index_encodings", "Encodings in the index in use.", gallery.encodings if gallery else 0)
        if self._sources.replica is not None:
            meaning = "When the index was last that of the machine with the store, Unix time; 0: never since the start."
            in_step = self._sources.replica.in_step_at
            yield _gauge("index_in_step_timestamp_seconds", meaning, in_step.timestamp() if in_step else 0)
        if engine is not None:
            about = {"name": engine.name, "runtime": engine.runtime, "device": engine.device}
            yield InfoMetricFamily("attendance_engine", "The face engine.", value=about)


def _camera_gauges(cameras: Sequence[CameraState]) -> Iterator[Metric]:
    last = _by_camera("camera_last_frame_timestamp_seconds", "When the camera's last frame came, Unix time.")
    in_flight = _by_camera("camera_in_flight_frames", "Frames of the camera that have no result yet.")
    window = _by_camera("camera_window_frames", "Frames that the camera is told it may have in flight.")
    skew = _by_camera("camera_clock_skew_seconds", "How far the camera's clock is ahead, judged from live frames.")
    blind = _by_camera("camera_blind", "1 when the camera's pictures show nothing.")
    for camera in cameras:
        blind.add_metric([camera.name], camera.blind)
        if camera.last_frame is not None:
            last.add_metric([camera.name], camera.last_frame.timestamp())
        in_flight.add_metric([camera.name], camera.in_flight)
        window.add_metric([camera.name], camera.window)
        if camera.clock_skew_s is not None:
            skew.add_metric([camera.name], camera.clock_skew_s)
    yield from (last, in_flight, window, skew, blind)


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"attendance_{name}", meaning, value=float(value))


def _by_camera(name: str, meaning: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"attendance_{name}", meaning, labels=["camera"])
