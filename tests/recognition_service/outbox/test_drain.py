"""Stopping: streams are told, frames in flight are answered, what was seen is committed."""

import asyncio
from datetime import timedelta

import grpc
import pytest

from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.app import RecognitionService
from recognition_service.outbox.store import Outbox
from tests.recognition_service.campus import CameraCall, Campus, bearer, calling, face_of, running, until
from tests.recognition_service.engines import ColourEngine, encoded


async def test_streams_are_told_frames_in_flight_answered_and_sightings_committed(campus: Campus) -> None:
    engine = ColourEngine()
    async with running(campus.settings, lambda: engine) as service, calling(service) as stub:
        front = CameraCall(stub, campus.front, "front", campus.now)
        back = CameraCall(stub, campus.back, "back", campus.now)
        for call in (front, back):
            await call.opened()
        for _ in range(2):
            await front.ask(face_of("red"))
        engine.gate.clear()
        await front.send(face_of("red"))
        await until(lambda: engine.batches.count(1) == 4)
        stopping = asyncio.create_task(service.stop())
        for call in (front, back):
            closing = (await call.read()).closing
            assert "stopping" in closing.reason
            assert closing.reconnect_after.ToTimedelta() > timedelta(0)
        assert (await back.ending())[0] == grpc.StatusCode.OK
        engine.gate.set()
        result = await front.result()
        assert (result.outcome, result.faces[0].confirmed) == (pb.FRAME_OUTCOME_RECOGNIZED, True)
        assert (await front.ending())[0] == grpc.StatusCode.OK
        await stopping
    assert campus.register() == {"red": "present"}
    assert engine.closed


async def test_a_unary_call_in_flight_is_finished_and_new_ones_are_not_begun(campus: Campus) -> None:
    engine = ColourEngine()
    async with running(campus.settings, lambda: engine) as service, calling(service) as stub:
        engine.gate.clear()
        request = pb.RecognizeRequest(image=encoded(face_of("red")))
        running_call = asyncio.ensure_future(stub.Recognize(request, metadata=bearer(campus.enrolment)))
        await until(lambda: len(engine.batches) == 2)
        stopping = asyncio.create_task(service.stop())
        await asyncio.sleep(0.2)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Recognize(request, metadata=bearer(campus.enrolment), timeout=5)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        engine.gate.set()
        assert (await running_call).faces[0].student == "red"
        await stopping


async def test_an_engine_that_hangs_does_not_hold_up_the_end_for_ever(campus: Campus) -> None:
    engine = ColourEngine()
    service_settings = campus.settings.service.model_copy(update={"drain_s": 0.3})
    settings = campus.settings.model_copy(update={"service": service_settings})
    async with running(settings, lambda: engine) as service, calling(service) as stub:
        call = CameraCall(stub, campus.front, "front", campus.now)
        await call.opened()
        engine.gate.clear()
        await call.send(face_of("red"))
        await until(lambda: len(engine.batches) == 2)
        stopping = asyncio.create_task(service.stop())
        assert (await call.ending())[0] != grpc.StatusCode.OK
        engine.gate.set()
        await stopping


async def test_an_operator_who_cannot_wait_ends_the_drain(campus: Campus) -> None:
    engine = ColourEngine()
    async with running(campus.settings, lambda: engine) as service, calling(service) as stub:
        call = CameraCall(stub, campus.front, "front", campus.now)
        await call.opened()
        engine.gate.clear()
        await call.send(face_of("red"))
        await until(lambda: len(engine.batches) == 2)
        stopping = asyncio.create_task(service.stop())
        assert (await call.read()).HasField("closing")
        await service.hurry()
        assert (await call.ending())[0] != grpc.StatusCode.OK
        engine.gate.set()
        await stopping


async def test_with_the_database_away_the_outbox_keeps_what_the_next_start_commits(campus: Campus) -> None:
    service_settings = campus.settings.service.model_copy(update={"drain_s": 0.5})
    settings = campus.settings.model_copy(update={"service": service_settings})
    async with running(settings) as service, calling(service) as stub:
        call = CameraCall(stub, campus.front, "front", campus.now)
        await call.opened()
        await call.ask(face_of("red"))
        with campus.engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE attendance RENAME TO attendance_gone")
            connection.commit()
        for _ in range(3):
            assert (await call.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED
        call.call.cancel()
    outbox = Outbox(campus.settings.outbox_path)
    assert outbox.depth() == 1
    outbox.close()
    with campus.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE attendance_gone RENAME TO attendance")
        connection.commit()
    async with running(campus.settings):
        await until(lambda: campus.register() == {"red": "present"})


async def test_a_service_that_was_never_started_stops(campus: Campus) -> None:
    service = RecognitionService(campus.settings, build_engine=ColourEngine)
    await service.hurry()
    await service.stop()


async def test_stopping_during_the_start_stops(campus: Campus) -> None:
    engine = ColourEngine()
    engine.gate.clear()
    service = RecognitionService(campus.settings, build_engine=lambda: engine)
    starting = asyncio.create_task(service.start())
    await until(lambda: service.port)
    starting.cancel()
    engine.gate.set()
    await asyncio.gather(starting, return_exceptions=True)
    await service.stop()
