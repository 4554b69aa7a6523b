"""Traces of frames for OpenTelemetry, where a collector is set: what each frame waited for, and for how long.

A trace is one frame: a span from its arrival to its answer, and in it one for each stage. It is part of the camera's
trace where the camera sends a `traceparent` (W3C Trace Context) with its call. Attributes name the camera, the frame's
number and the outcome; nothing tells who was seen.

Nothing of OpenTelemetry is imported unless it is switched on.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

from attendance.errors import AttendanceError
from attendance.parts import how_to_install

_SERVICE_NAME = "attendance-recognition"
_TRACEPARENT = "traceparent"


class TracingError(AttendanceError):
    """Tracing was asked for and cannot be had; the message says why."""


class FrameTrace(Protocol):
    """The trace of one frame."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """A span of one stage while the block runs."""

    def end(self, outcome: str) -> None:
        """The frame is answered."""


class Tracing(Protocol):
    """Begins traces."""

    def frame(self, camera: str, sequence: int, parent: str | None) -> FrameTrace:
        """Begin the trace of a frame.

        Args:
            camera: its name.
            sequence: the frame's number.
            parent: the camera's `traceparent`, if it sent one; what is none is passed over.
        """

    def close(self) -> None:
        """Send what waits, and stop."""


class NoTrace:
    """The trace of a frame where there are no traces."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()

    def end(self, outcome: str) -> None:
        """Nothing."""


class NoTracing:
    """Traces nothing, and costs nothing."""

    def frame(self, camera: str, sequence: int, parent: str | None) -> FrameTrace:
        """See `Tracing`."""
        return NOT_TRACED

    def close(self) -> None:
        """Nothing."""


NOT_TRACED = NoTrace()


class _Frame:
    def __init__(self, tracer: Any, span: Any, context: Any) -> None:
        self._tracer, self._span, self._context = tracer, span, context

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        with self._tracer.start_as_current_span(name, context=self._context, record_exception=False):
            yield

    def end(self, outcome: str) -> None:
        self._span.set_attribute("attendance.outcome", outcome)
        self._span.end()


class OpenTelemetryTracing:
    """Traces by the SDK of OpenTelemetry."""

    def __init__(self, exporter: Any, ratio: float) -> None:
        """Begin.

        Args:
            exporter: an `opentelemetry.sdk.trace.export.SpanExporter`; called by a thread of its own.
            ratio: share of the frames traced, from 0 to 1; a camera's own decision goes first.
        """
        from opentelemetry import propagate, trace  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415

        self._trace, self._propagate = trace, propagate
        resource = Resource.create({SERVICE_NAME: _SERVICE_NAME})
        self._provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(ratio)))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(_SERVICE_NAME)

    def frame(self, camera: str, sequence: int, parent: str | None) -> FrameTrace:
        """See `Tracing`."""
        context = self._propagate.extract({_TRACEPARENT: parent}) if parent else None
        attributes: dict[str, Any] = {"attendance.camera": camera, "attendance.sequence": sequence}
        kind = self._trace.SpanKind.SERVER
        span = self._tracer.start_span("frame", context=context, kind=kind, attributes=attributes)
        return _Frame(self._tracer, span, self._trace.set_span_in_context(span, context))

    def close(self) -> None:
        """See `Tracing`."""
        self._provider.shutdown()


def open_tracing(endpoint: str | None, ratio: float) -> Tracing:
    """What traces, as the settings say.

    Args:
        endpoint: URL of a collector that takes OTLP over HTTP; None: nothing is traced.
        ratio: share of the frames traced.

    Raises:
        TracingError: the packages are not installed.
    """
    if endpoint is None:
        return NoTracing()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
    except ImportError:
        raise TracingError(
            f"ATTENDANCE_SERVICE_TRACING_ENDPOINT is set, but {how_to_install('tracing')}; or remove the setting"
        ) from None
    return OpenTelemetryTracing(OTLPSpanExporter(endpoint=endpoint), ratio)


def traceparent_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> str | None:
    """The camera's `traceparent` in a call's metadata."""
    return next((value for key, value in metadata or () if key == _TRACEPARENT and isinstance(value, str)), None)
