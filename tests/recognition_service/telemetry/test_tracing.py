"""Traces of frames, by the real SDK of OpenTelemetry."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.telemetry.tracing import (
    NOT_TRACED,
    NoTracing,
    OpenTelemetryTracing,
    TracingError,
    open_tracing,
)
from tests.recognition_service.campus import CameraCall, Campus, calling, face_of, running
from tests.recognition_service.engines import encoded, picture

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
STAGES = {"decode", "wait and find faces", "match and store"}


async def spans_of(campus: Campus, *, ratio: float = 1.0, parent: str | None = None) -> list[ReadableSpan]:
    """The spans of a frame with a student, and of one that is damaged."""
    exporter = InMemorySpanExporter()
    async with (
        running(campus.settings, tracing=OpenTelemetryTracing(exporter, ratio)) as service,
        calling(service) as stub,
    ):
        metadata = (("traceparent", parent),) if parent is not None else ()
        call = CameraCall(stub, campus.front, "front", campus.now, *metadata)
        await call.opened()
        assert (await call.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED
        assert (await call.ask(encoded(picture())[:-200])).outcome == pb.FRAME_OUTCOME_INVALID_IMAGE
        call.call.cancel()
    return list(exporter.get_finished_spans())


def attribute_of(span: ReadableSpan, name: str) -> Any:
    assert span.attributes is not None
    return span.attributes[name]


async def test_each_frame_is_a_trace_of_its_stages(campus: Campus) -> None:
    spans = await spans_of(campus)
    good, bad = sorted(
        (span for span in spans if span.name == "frame"), key=lambda span: attribute_of(span, "attendance.sequence")
    )
    assert [attribute_of(span, "attendance.outcome") for span in (good, bad)] == ["recognized", "invalid_image"]
    assert good.context.trace_id != bad.context.trace_id
    inside = [span for span in spans if span.parent and span.parent.span_id == good.context.span_id]
    assert {span.name for span in inside} == STAGES
    for span in inside:
        times = [good.start_time or 0, span.start_time or 0, span.end_time or 0, good.end_time or 0]
        assert times == sorted(times)
        assert times[0] > 0


async def test_nothing_tells_who_was_seen(campus: Campus) -> None:
    text = "".join(span.to_json() for span in await spans_of(campus))
    assert "front" in text
    assert "red" not in text.replace("expired", "").replace("shared", "")
    assert campus.front not in text


async def test_a_camera_may_have_a_trace_of_its_own(campus: Campus) -> None:
    spans = [span for span in await spans_of(campus, parent=PARENT, ratio=0.0) if span.name == "frame"]
    assert {format(span.context.trace_id, "032x") for span in spans} == {PARENT.split("-")[1]}
    assert len(spans) == 2  # the camera's decision to trace goes before the ratio


@pytest.mark.parametrize("parent", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "00-" + "f" * 1000])
async def test_what_is_no_parent_is_passed_over(campus: Campus, parent: str) -> None:
    assert len({span.context.trace_id for span in await spans_of(campus, parent=parent) if span.name == "frame"}) == 2


async def test_a_ratio_of_nothing_traces_nothing(campus: Campus) -> None:
    assert await spans_of(campus, ratio=0.0) == []


def test_a_collector_gets_them_over_http() -> None:
    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        tracing = open_tracing(f"http://127.0.0.1:{server.server_port}/v1/traces", 1.0)
        trace = tracing.frame("front", 1, None)
        with trace.stage("decode"):
            pass
        trace.end("recognized")
        tracing.close()
        server.shutdown()
        thread.join()
    message = ExportTraceServiceRequest.FromString(received[0])
    names = {span.name for part in message.resource_spans for scope in part.scope_spans for span in scope.spans}
    assert names == {"frame", "decode"}


def test_without_an_endpoint_nothing_is_traced() -> None:
    tracing = open_tracing(None, 1.0)
    assert isinstance(tracing, NoTracing)
    assert tracing.frame("front", 1, None) is NOT_TRACED


def test_without_the_packages_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(TracingError, match="`sudo deploy/install --tracing` on a server; or remove the setting"):
        open_tracing("http://127.0.0.1:1", 1.0)
