"""Bytes that are no message, to every call, with and without a token: who calls is asked before anything is read."""

import asyncio
import logging
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from attendance.database.access.tokens import new_token
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.access.auth import SERVICE
from tests.recognition_service.campus import PATIENCE_S, Campus, bearer, running

NONSENSE = b"\xff\xff\xff"
RIGHT = {
    f"/{SERVICE}/StreamFrames": "front",
    f"/{SERVICE}/Recognize": "enrolment",
    f"/{SERVICE}/EncodeFaces": "enrolment",
    f"/{SERVICE}/GetIndex": "replica",
    f"/{SERVICE}/GetStatus": "monitoring",
}
"""Whose token opens a call."""
OPEN = (
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)


async def ending(address: str, method: str, metadata: Any, message: bytes | None = NONSENSE) -> grpc.StatusCode:
    """How a call of bytes ends, whatever its kind; None: it brings none.

    By gRPC's own threads: a call of `grpc.aio` that was ended while it wrote may call that INTERNAL by itself.
    """

    def call() -> grpc.StatusCode:
        with grpc.insecure_channel(address) as channel:
            sent: Any = iter([] if message is None else [message])
            answers: Any = channel.stream_stream(method)(sent, metadata=metadata, timeout=PATIENCE_S)
            try:
                for _ in answers:
                    pass
            except grpc.RpcError:
                pass  # told by its code
            code: grpc.StatusCode = answers.code()
            return code

    return await asyncio.to_thread(call)


def quiet(caplog: pytest.LogCaptureFixture, logs: Any) -> bool:
    """Whether neither gRPC nor the service logged an error."""
    loud = [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]
    return not loud and not [entry for entry in logs if entry["log_level"] == "error" or "exc_info" in entry]


def test_every_call_of_the_contract_is_tried() -> None:
    assert set(RIGHT) == {
        f"/{SERVICE}/{name}" for name in pb.DESCRIPTOR.services_by_name["RecognitionService"].methods_by_name
    }


@pytest.mark.parametrize("method", RIGHT)
@pytest.mark.parametrize("metadata", [None, bearer(new_token("cam"))], ids=["none", "wrong"])
async def test_bytes_without_a_right_token_are_not_read(
    campus: Campus, method: str, metadata: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logs:
        async with running(campus.settings) as service:
            assert await ending(service.address, method, metadata) == grpc.StatusCode.UNAUTHENTICATED
    lines = [entry for entry in logs if entry.get("method") == method]
    assert [line["event"] for line in lines] == ["token_refused" if metadata else "token_missing"]
    assert quiet(caplog, logs)


@pytest.mark.parametrize("method", [*RIGHT, *OPEN])
async def test_bytes_of_one_who_may_call_are_told_to_be_no_message(
    campus: Campus, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    metadata = bearer(getattr(campus, RIGHT[method])) if method in RIGHT else None
    with capture_logs() as logs:
        async with running(campus.settings) as service:
            assert await ending(service.address, method, metadata) == grpc.StatusCode.INVALID_ARGUMENT
            assert await ending(service.address, "/grpc.health.v1.Health/Check", None, b"") == grpc.StatusCode.OK
    lines = [entry for entry in logs if entry["event"] == "message_not_understood"]
    assert [line["method"] for line in lines] == [method]
    assert quiet(caplog, logs)


@pytest.mark.parametrize("method", [method for method, owner in RIGHT.items() if owner != "monitoring"])
async def test_bytes_for_which_a_token_has_no_right_are_not_read(campus: Campus, method: str) -> None:
    async with running(campus.settings) as service:
        assert await ending(service.address, method, bearer(campus.monitoring)) == grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("method", "event"), [(f"/{SERVICE}/GetStatus", "token_missing"), (OPEN[0], "message_not_understood")]
)
async def test_a_flood_of_them_leaves_a_few_lines(
    campus: Campus, method: str, event: str, caplog: pytest.LogCaptureFixture
) -> None:
    service_settings = campus.settings.service.model_copy(update={"max_refusals": 3})
    settings = campus.settings.model_copy(update={"service": service_settings})
    with capture_logs() as logs:
        async with running(settings) as service:
            endings = {await ending(service.address, method, None) for _ in range(40)}
            assert (
                await ending(service.address, f"/{SERVICE}/GetStatus", bearer(campus.monitoring), b"")
                == grpc.StatusCode.OK
            )
    assert endings <= {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INVALID_ARGUMENT}
    assert len([entry for entry in logs if entry["event"] == event]) <= 6  # 3, and what comes back while it lasts
    assert quiet(caplog, logs)


async def test_a_call_of_one_message_that_brings_none_ends(campus: Campus, caplog: pytest.LogCaptureFixture) -> None:
    async with running(campus.settings) as service:
        for method in RIGHT:
            assert await ending(service.address, method, None, None) == grpc.StatusCode.UNAUTHENTICATED
        for name in ("Recognize", "EncodeFaces"):
            code = await ending(service.address, f"/{SERVICE}/{name}", bearer(campus.enrolment), None)
            assert code == grpc.StatusCode.INVALID_ARGUMENT
        assert await ending(service.address, OPEN[0], None, None) == grpc.StatusCode.INVALID_ARGUMENT
    assert quiet(caplog, [])


async def test_who_may_not_call_is_told_before_the_message_has_come(campus: Campus) -> None:
    async with running(campus.settings) as service, grpc.aio.insecure_channel(service.address) as channel:
        for method in RIGHT:
            call: Any = channel.stream_stream(method)()  # says nothing, and does not end
            async with asyncio.timeout(PATIENCE_S):
                assert await call.code() == grpc.StatusCode.UNAUTHENTICATED
