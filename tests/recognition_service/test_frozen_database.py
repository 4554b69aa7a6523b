"""MariaDB frozen under a running service: health, metrics and status are told within two seconds, as before."""

import asyncio
import signal
import time
import urllib.request
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from grpc_health.v1 import health_pb2, health_pb2_grpc

from attendance.settings import Settings
from protos.attendance.v1 import attendance_pb2 as pb
from tests.recognition_service.campus import bearer, calling, found_campus, running

WITHIN_S = 2.0


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
async def test_a_frozen_mariadb(
    service_settings: Settings, engine: sa.Engine, database_url: str, mariadb_server: Any
) -> None:
    engine.dispose()
    database = service_settings.database.model_validate({"url": database_url})
    campus = found_campus(service_settings.model_copy(update={"database": database}))
    try:
        async with running(campus.settings) as service, calling(service) as stub:
            token = bearer(campus.monitoring)
            await stub.GetStatus(pb.GetStatusRequest(), metadata=token)
            mariadb_server.process.send_signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(6)  # until the token would be looked up again
                begun = time.monotonic()
                async with grpc.aio.insecure_channel(service.address) as channel:
                    stub_of_health: Any = health_pb2_grpc.HealthStub(channel)
                    answer = await stub_of_health.Check(health_pb2.HealthCheckRequest(), timeout=WITHIN_S)
                assert answer.status == health_pb2.HealthCheckResponse.SERVING, "rooms that are known go on"
                assert "attendance_ready 1.0" in await asyncio.to_thread(_metrics, service.metrics_port)
                assert time.monotonic() - begun < WITHIN_S
                status = await stub.GetStatus(pb.GetStatusRequest(), metadata=token, timeout=WITHIN_S)
                assert status.index.identities == 3
            finally:
                mariadb_server.process.send_signal(signal.SIGCONT)
    finally:
        campus.engine.dispose()


def _metrics(port: int | None) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=WITHIN_S) as answer:
        return str(answer.read().decode())
