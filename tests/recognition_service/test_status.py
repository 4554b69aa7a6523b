"""Health, reflection and GetStatus over real sockets."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from attendance.settings import Settings
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.access.auth import SERVICE
from recognition_service.app import RecognitionService
from tests.recognition_service import engines
from tests.recognition_service.campus import Campus, bearer, calling, face_of, publish_index, running, until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
Start = Callable[..., Any]


async def health(service: RecognitionService, name: str = "") -> int:
    async with grpc.aio.insecure_channel(service.address) as channel:
        request = health_pb2.HealthCheckRequest(service=name)
        return int((await health_pb2_grpc.HealthStub(channel).Check(request)).status)  # type: ignore[attr-defined]


async def until_health(service: RecognitionService, expected: int) -> None:
    async with asyncio.timeout(60):
        while await health(service) != expected:
            await asyncio.sleep(0.02)


async def test_it_serves_when_everything_is_there(campus: Campus) -> None:
    async with running(campus.settings) as service:
        await until_health(service, SERVING)
        assert await health(service, SERVICE) == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health(service, "no.such.Service")
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_it_does_not_serve_while_the_engine_warms_up(campus: Campus) -> None:
    engine = engines.ColourEngine()
    engine.gate.clear()
    service = RecognitionService(campus.settings, build_engine=lambda: engine)
    starting = asyncio.create_task(service.start())
    try:
        await until(lambda: service.port)
        assert await health(service) == NOT_SERVING
        assert await health(service, SERVICE) == NOT_SERVING
        async with calling(service) as stub:
            status = await stub.GetStatus(pb.GetStatusRequest(), metadata=bearer(campus.monitoring))
            assert not status.HasField("engine")
            for name, request in (("Recognize", pb.RecognizeRequest()), ("EncodeFaces", pb.EncodeFacesRequest())):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await getattr(stub, name)(request, metadata=bearer(campus.enrolment))
                assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        engine.gate.set()
        await starting
        await until_health(service, SERVING)
    finally:
        engine.gate.set()
        await asyncio.gather(starting, return_exceptions=True)
        await service.stop()


async def test_without_an_index_it_answers_but_does_not_serve_until_one_is_published(
    service_settings: Settings, campus: Campus
) -> None:
    (campus.settings.index_path / "CURRENT").unlink()
    async with running(campus.settings) as service, calling(service) as stub:
        await asyncio.sleep(0.6)
        assert await health(service) == NOT_SERVING
        status = await stub.GetStatus(pb.GetStatusRequest(), metadata=bearer(campus.monitoring))
        assert not status.HasField("index")
        version = publish_index(campus.settings)
        await until_health(service, SERVING)
        status = await stub.GetStatus(pb.GetStatusRequest(), metadata=bearer(campus.monitoring))
        assert (status.index.version, status.index.identities) == (version, 3)


async def test_it_does_not_serve_while_the_outbox_cannot_be_written(
    campus: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = campus.settings.outbox_path
    async with running(campus.settings) as service:
        await until_health(service, SERVING)
        outbox.rename(outbox.with_suffix(".away"))
        await until_health(service, NOT_SERVING)
        outbox.with_suffix(".away").rename(outbox)
        await until_health(service, SERVING)


async def test_it_does_not_serve_while_the_engine_is_started_again(campus: Campus) -> None:
    async with running(campus.settings, engines.build_blocking) as service:
        await until_health(service, SERVING)
        async with calling(service) as stub:
            image = engines.encoded(engines.picture(corner=engines.DIE))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Recognize(pb.RecognizeRequest(image=image), metadata=bearer(campus.enrolment))
            assert caught.value.code() == grpc.StatusCode.INTERNAL
        await until_health(service, NOT_SERVING)
        await until_health(service, SERVING)


async def test_watchers_are_told_when_the_service_stops(campus: Campus) -> None:
    async with running(campus.settings) as service:
        await until_health(service, SERVING)
        async with grpc.aio.insecure_channel(service.address) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())  # type: ignore[attr-defined]
            assert (await watch.read()).status == SERVING
            stopping = asyncio.create_task(service.stop())
            assert (await watch.read()).status == NOT_SERVING
            async with asyncio.timeout(campus.settings.service.drain_s / 2):  # they hold up nothing
                await stopping


async def test_reflection_describes_the_contract_without_a_token(campus: Campus) -> None:
    async with running(campus.settings) as service:
        described = await asyncio.to_thread(_reflect, service.address)
    assert described["services"] == {SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    assert described["methods"] == ["StreamFrames", "Recognize", "EncodeFaces", "GetIndex", "GetStatus"]
    assert "jpeg" in described["frame"]


def _reflect(address: str) -> dict[str, Any]:
    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        service = pool.FindServiceByName(SERVICE)
        frame = pool.FindMessageTypeByName("attendance.v1.StreamFramesRequest")
        return {
            "services": set(database.get_services()),
            "methods": [method.name for method in service.methods],
            "frame": [field.name for field in frame.fields],
        }


async def test_status_tells_what_the_service_runs_on_and_how_it_fares(
    campus: Campus, start: Start, open_stream: Callable[..., Any]
) -> None:
    stub = await start()
    camera = await open_stream(stub)
    await camera.ask(face_of("red"))
    await camera.ask(b"")
    await camera.ask(b"")
    status = await stub.GetStatus(pb.GetStatusRequest(), metadata=bearer(campus.front))

    assert status.version
    assert datetime.now(UTC) - status.started_at.ToDatetime(tzinfo=UTC) < timedelta(minutes=5)
    assert (status.engine.name, status.engine.detector, status.engine.device) == ("colours", "squares", "CPU")
    assert (status.index.identities, status.index.encodings, status.index.model) == (3, 3, engines.MODEL)
    assert status.index.HasField("loaded_at")
    assert (status.cameras_connected, status.frames_waiting, status.batches) == (1, 0, 1)
    assert {count.outcome: count.frames for count in status.outcomes} == {
        pb.FRAME_OUTCOME_RECOGNIZED: 1,
        pb.FRAME_OUTCOME_INVALID_IMAGE: 2,
    }
    assert (status.outbox.depth, status.outbox.oldest.seconds) == (0, 0)


async def test_the_depth_of_the_outbox_is_told_while_the_database_is_away(
    campus: Campus, start: Start, open_stream: Callable[..., Any]
) -> None:
    stub = await start()
    camera = await open_stream(stub)
    await camera.ask(face_of("red"))
    with campus.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE attendance RENAME TO attendance_gone")
        connection.commit()
    for _ in range(3):
        assert (await camera.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED
    status = await stub.GetStatus(pb.GetStatusRequest(), metadata=bearer(campus.monitoring))
    assert status.outbox.depth == 1
    with campus.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE attendance_gone RENAME TO attendance")
        connection.commit()
    await until(lambda: campus.register() == {"red": "present"})


async def test_a_newly_published_index_is_used_without_a_dropped_frame(
    campus: Campus, start: Start, open_stream: Callable[..., Any]
) -> None:
    publish_index(campus.settings, ("green", "blue"))
    stub = await start()
    camera = await open_stream(stub)
    (face,) = (await camera.ask(face_of("red"))).faces
    assert face.match == pb.MATCH_UNKNOWN
    version = publish_index(campus.settings)
    async with asyncio.timeout(60):
        while not face.student:
            result = await camera.ask(face_of("red"))
            assert result.outcome == pb.FRAME_OUTCOME_RECOGNIZED
            (face,) = result.faces
    assert face.student == "red"
    status = await stub.GetStatus(pb.GetStatusRequest(), metadata=bearer(campus.monitoring))
    assert status.index.version == version
    broken = publish_index(campus.settings)
    (campus.settings.index_path / "versions" / broken / "labels.json").write_text(json.dumps([]))
    await asyncio.sleep(1.5)
    assert (await camera.ask(face_of("red"))).faces[0].student == "red"
    status = await stub.GetStatus(pb.GetStatusRequest(), metadata=bearer(campus.monitoring))
    assert status.index.version == version
