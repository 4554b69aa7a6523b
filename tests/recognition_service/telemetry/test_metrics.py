"""The metrics as Prometheus reads them, of the running service, over HTTP; and the dashboard that shows them."""

import asyncio
import json
import re
import threading
import urllib.request
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
import sqlalchemy as sa
import trustme
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import QueuedMail, WebhookEndpoint
from attendance.database.upkeep.checks import CERTIFICATE, ENDS, SEALS, WORK, note_check
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.app import RecognitionService
from recognition_service.outbox.store import Outbox
from recognition_service.telemetry.metrics import Metrics, StateCollector
from recognition_service.telemetry.outgoing import OutgoingCollector
from recognition_service.telemetry.server import MetricsServer
from recognition_service.telemetry.sources import Sources
from tests.recognition_service.access.test_server import start_error
from tests.recognition_service.campus import STRANGER, CameraCall, Campus, bearer, calling, face_of, running, until
from tests.recognition_service.engines import encoded, picture

if TYPE_CHECKING:
    from recognition_service.replication.fetching import IndexReplica

DASHBOARD = Path(__file__).parents[3] / "deploy" / "grafana" / "attendance.json"
ALERTS = Path(__file__).parents[3] / "deploy" / "prometheus" / "attendance.rules.yml"


async def scraped(service: RecognitionService) -> dict[str, Metric]:
    """Every metric, parsed by Prometheus's own client."""

    def fetch() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{service.metrics_port}/metrics", timeout=30) as answer:
            return str(answer.read().decode())

    return {metric.name: metric for metric in text_string_to_metric_families(await asyncio.to_thread(fetch))}


def value(metrics: dict[str, Metric], sample: str, **labels: str) -> float:
    """One sample's value."""
    (found,) = [
        item.value
        for metric in metrics.values()
        for item in metric.samples
        if item.name == f"attendance_{sample}" and labels.items() <= item.labels.items()
    ]
    return float(found)


async def test_what_the_service_does_is_counted(campus: Campus) -> None:
    async with running(campus.settings) as service, calling(service) as stub:
        before = await scraped(service)
        assert value(before, "frames_received_total") == 0
        assert value(before, "frames_total", outcome="overloaded") == 0
        assert value(before, "stage_seconds_count", stage="commit") == 0
        call = CameraCall(stub, campus.front, "front", campus.now)
        await call.opened()
        for _ in range(4):
            await call.ask(face_of("red"))
        await call.ask(picture(STRANGER))
        await call.ask(b"")
        await until(lambda: campus.register() == {"red": "present"})
        await until(lambda: service.engine)
        metrics = await scraped(service)
        call.call.cancel()

    assert value(metrics, "frames_received_total") == 6
    assert value(metrics, "frames_total", outcome="recognized") == 5
    assert value(metrics, "frames_total", outcome="invalid_image") == 1
    assert value(metrics, "frame_seconds_count") == 5
    assert value(metrics, "batch_frames_count") == value(metrics, "batch_frames_sum") == 5
    for stage in ("decode", "wait", "engine", "match"):
        assert value(metrics, "stage_seconds_count", stage=stage) == 5
    assert value(metrics, "stage_seconds_count", stage="commit") >= 1
    assert value(metrics, "faces_total") == 5
    assert value(metrics, "matches_total", kind="student") == 4
    assert value(metrics, "matches_total", kind="unknown") == 1
    assert value(metrics, "confirmations_total") == 1
    assert (value(metrics, "queue_frames"), value(metrics, "streams")) == (0, 1)
    assert (value(metrics, "outbox_sightings"), value(metrics, "outbox_oldest_seconds")) == (0, 0)
    assert (value(metrics, "index_students"), value(metrics, "index_encodings")) == (3, 3)
    assert value(metrics, "index_info", version=service.gallery.version if service.gallery else "") == 1
    assert value(metrics, "engine_info", name="colours") == 1
    assert value(metrics, "camera_last_frame_timestamp_seconds", camera="front") >= campus.now.timestamp()
    assert value(metrics, "camera_in_flight_frames", camera="front") == 0
    assert value(metrics, "camera_window_frames", camera="front") == campus.settings.service.window
    assert value(metrics, "camera_clock_skew_seconds", camera="front") > -60
    assert not [name for name in metrics if "token" in name]


async def test_calls_without_a_right_token_are_counted(campus: Campus) -> None:
    async with running(campus.settings) as service, calling(service) as stub:
        for metadata in ((), bearer("cam_wrong"), bearer(campus.monitoring)):
            with pytest.raises(Exception, match=r"token|authorization"):
                await stub.Recognize(pb.RecognizeRequest(image=encoded(picture())), metadata=metadata)
        metrics = await scraped(service)
    for reason in ("no_token", "wrong_token", "no_right"):
        assert value(metrics, "refused_calls_total", reason=reason) == 1


async def test_readiness_is_seen(campus: Campus) -> None:
    async with running(campus.settings) as service:
        async with asyncio.timeout(60):
            while value(await scraped(service), "ready") != 1:
                await asyncio.sleep(0.05)
        outbox = campus.settings.outbox_path
        outbox.rename(outbox.with_suffix(".away"))
        async with asyncio.timeout(60):
            while value(await scraped(service), "ready") != 0:
                await asyncio.sleep(0.05)
        outbox.with_suffix(".away").rename(outbox)


def test_an_outbox_that_cannot_be_read_leaves_the_other_gauges(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.close()
    sources = Sources(outbox, lambda: None, lambda: None, lambda: 7, lambda: (), lambda: False)
    names = {metric.name for metric in StateCollector(sources).collect()}
    assert "attendance_queue_frames" in names
    assert "attendance_outbox_sightings" not in names


def names_of_a_replica(folder: Path) -> set[str]:
    """The gauges that a service has besides, when its index comes from another machine."""
    with closing(Outbox(folder / "replica.db")) as outbox:
        sources = Sources(outbox, lambda: None, lambda: None, lambda: 0, lambda: (), lambda: False)
        replica = cast("IndexReplica", SimpleNamespace(in_step_at=None))
        alone = {metric.name for metric in StateCollector(sources).collect()}
        return {metric.name for metric in StateCollector(replace(sources, replica=replica)).collect()} - alone


def look_after_the_certificate(campus: Campus) -> datetime:
    """Have the worker know when the dashboard's certificate ends."""
    ends = datetime(2027, 3, 1, tzinfo=UTC)
    with campus.sessions.begin() as db:
        note_check(db, CERTIFICATE, None, found={ENDS: ends.isoformat()}, now=datetime.now(UTC))
    return ends


async def test_what_the_database_says_of_the_rest(campus: Campus) -> None:
    ends = look_after_the_certificate(campus)
    began = datetime.now(UTC).replace(microsecond=0)
    with campus.sessions.begin() as db:
        late = datetime.now(UTC) - timedelta(hours=1)
        db.add(QueuedMail(kind="x", recipient="a@example.edu", data={}, not_before=late))
        hook = WebhookEndpoint(name="h", url="https://example.edu", secret="whsec_AA==", events=[], failing_since=late)
        db.add(hook)
        note_check(db, WORK, None, now=datetime.now(UTC))
        note_check(db, SEALS, "They cannot be opened.", now=datetime.now(UTC))
    own = trustme.CA().issue_cert("localhost", not_after=ends + timedelta(days=30))
    file = campus.settings.data.directory / "own.pem"
    own.cert_chain_pems[0].write_to_path(file)
    collector = OutgoingCollector(campus.sessions, file)
    registry = CollectorRegistry()
    registry.register(collector)
    metrics = {metric.name: metric for metric in text_string_to_metric_families(generate_latest(registry).decode())}
    assert value(metrics, "work_due", work="mail") == 1
    assert value(metrics, "work_oldest_due_seconds", work="mail") == pytest.approx(3600, abs=60)
    assert value(metrics, "work_due", work="webhooks") == value(metrics, "work_oldest_due_seconds", work="rates") == 0
    assert value(metrics, "work_seen_timestamp_seconds") >= began.timestamp()
    assert value(metrics, "webhook_receivers", state="failing") == 1
    assert value(metrics, "webhook_receivers", state="off") == value(metrics, "lti_courses_refused") == 0
    assert value(metrics, "sendings_failed", work="mail") == value(metrics, "calendars", state="failing") == 0
    assert (value(metrics, "check_failing", check="seals"), value(metrics, "check_failing", check="provider")) == (1, 0)
    assert value(metrics, "provider_changed_timestamp_seconds") == 0
    assert value(metrics, "certificate_expiry_timestamp_seconds", certificate="dashboard") == ends.timestamp()
    assert (
        value(metrics, "certificate_expiry_timestamp_seconds", certificate="service")
        == (ends + timedelta(days=30)).timestamp()
    )
    file.write_text("no certificate")
    assert [
        sample.labels for family in collector.collect() for sample in family.samples if "expiry" in sample.name
    ] == [{"certificate": "dashboard"}]


def test_a_database_that_is_away_leaves_the_services_certificate(tmp_path: Path) -> None:
    file = tmp_path / "own.pem"
    trustme.CA().issue_cert("localhost").cert_chain_pems[0].write_to_path(file)
    away = sessionmaker(sa.create_engine(f"sqlite:///{tmp_path / 'none' / 'at-all.db'}"))
    (family,) = OutgoingCollector(away, file).collect()
    assert [sample.labels for sample in family.samples] == [{"certificate": "service"}]


async def test_a_database_that_answers_late_is_told_at_the_next_scrape(campus: Campus) -> None:
    answers, looks = threading.Event(), []

    def slow() -> Session:
        looks.append(1)
        answers.wait(10)
        return campus.sessions()

    collector = OutgoingCollector(cast("sessionmaker[Session]", slow), None)
    for _ in range(2):
        assert len(list(collector.collect())) == 1, "nothing but the certificates"
    answers.set()
    assert "attendance_work_due" in {family.name for family in collector.collect()}
    assert len(looks) == 1, "and nobody asked meanwhile"


async def test_the_dashboard_names_metrics_that_exist(campus: Campus, tmp_path: Path) -> None:
    look_after_the_certificate(campus)
    async with running(campus.settings) as service, calling(service) as stub:
        call = CameraCall(stub, campus.front, "front", campus.now)
        await call.opened()
        await call.ask(picture())
        metrics = await scraped(service)
        call.call.cancel()
    samples = {sample.name for metric in metrics.values() for sample in metric.samples}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    named = {name for query in queries for name in re.findall(r"\b(?:attendance|process)_\w+", query)}
    assert named
    assert named - samples == set()
    rules = {name for line in ALERTS.read_text().splitlines() if "summary" not in line and "action" not in line
             for name in re.findall(r"\b(?:attendance|process)_\w+", line)}  # fmt: skip
    assert rules
    assert rules - samples == names_of_a_replica(tmp_path), "and so do the rules of alerts"
    # And what is measured is shown.
    families = {re.sub(r"_(total|bucket|sum|count|created)$", "", name) for name in samples if "attendance" in name}
    assert families - {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in named} == set()


async def test_the_endpoint_can_be_off(campus: Campus) -> None:
    off = campus.settings.service.model_copy(update={"metrics_listen": "off"})
    async with running(campus.settings.model_copy(update={"service": off})) as service:
        assert service.metrics_port is None


@pytest.mark.parametrize("listen", ["9464", "127.0.0.1:", "127.0.0.1:70000"])
async def test_an_address_of_metrics_that_is_none_is_refused(campus: Campus, listen: str) -> None:
    sentence = await start_error(campus, metrics_listen=listen)
    assert "ATTENDANCE_SERVICE_METRICS_LISTEN" in sentence
    assert listen in sentence


async def test_a_metrics_port_in_use_is_an_error_that_says_what_to_do(campus: Campus) -> None:
    with MetricsServer("127.0.0.1:0", Metrics()) as other:
        sentence = await start_error(campus, metrics_listen=f"127.0.0.1:{other.port}")
    assert "ATTENDANCE_SERVICE_METRICS_LISTEN" in sentence
    assert "off" in sentence
