"""The server's socket: TLS, addresses, ports in use."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from structlog.testing import capture_logs

from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.app import RecognitionService, StartError
from tests.recognition_service.campus import CameraCall, Campus, bearer, calling, face_of, running
from tests.recognition_service.engines import ColourEngine


@dataclass(frozen=True)
class Pair:
    """A certificate of localhost, its key, and the authority that signed it."""

    certificate: Path
    key: Path
    authority: bytes


def make_pair(folder: Path) -> Pair:
    folder.mkdir()
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    pair = Pair(folder / "chain.pem", folder / "key.pem", authority.cert_pem.bytes())
    issued.cert_chain_pems[0].write_to_path(pair.certificate)
    issued.private_key_pem.write_to_path(pair.key)
    return pair


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path / "pair")


async def start_error(campus: Campus, build: Callable[[], ColourEngine] = ColourEngine, **changes: Any) -> str:
    """The sentence with which the service refuses to start."""
    service_settings = campus.settings.service.model_copy(update=changes)
    service = RecognitionService(campus.settings.model_copy(update={"service": service_settings}), build_engine=build)
    try:
        with pytest.raises(StartError) as caught:
            await service.start()
    finally:
        await service.stop()
    return str(caught.value)


@pytest.mark.parametrize("encrypted", [False, True])
async def test_what_everybody_in_the_network_can_read_is_said_in_the_log(
    campus: Campus, pair: Pair, encrypted: bool
) -> None:
    changes: dict[str, Any] = {"listen": "0.0.0.0:0", "metrics_listen": "0.0.0.0:0"}
    if encrypted:
        changes |= {"tls_certificate": pair.certificate, "tls_key": pair.key}
    settings = campus.settings.service.model_copy(update=changes)
    with capture_logs() as events:
        async with running(campus.settings.model_copy(update={"service": settings})):
            pass
    said = [event["setting"] for event in events if event["event"] == "listening_without_tls"]
    assert sorted(said) == [*([] if encrypted else ["ATTENDANCE_SERVICE_LISTEN"]), "ATTENDANCE_SERVICE_METRICS_LISTEN"]


async def test_with_certificate_and_key_it_speaks_tls_only(campus: Campus, pair: Pair) -> None:
    service_settings = campus.settings.service.model_copy(
        update={"tls_certificate": pair.certificate, "tls_key": pair.key}
    )
    async with running(campus.settings.model_copy(update={"service": service_settings})) as service:
        async with calling(service, grpc.ssl_channel_credentials(pair.authority)) as stub:
            call = CameraCall(stub, campus.front, "front", campus.now)
            await call.opened()
            assert (await call.ask(face_of("red"))).outcome == pb.FRAME_OUTCOME_RECOGNIZED
            call.call.cancel()
        async with calling(service) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.GetStatus(pb.GetStatusRequest(), metadata=bearer(campus.monitoring), timeout=10)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(("given", "missing"), [("tls_certificate", "TLS_KEY"), ("tls_key", "TLS_CERTIFICATE")])
async def test_a_certificate_needs_a_key_and_a_key_a_certificate(
    campus: Campus, pair: Pair, given: str, missing: str
) -> None:
    sentence = await start_error(campus, **dict[str, Any]({given: pair.certificate}))
    assert f"ATTENDANCE_SERVICE_{given.upper()} is set" in sentence
    assert f"ATTENDANCE_SERVICE_{missing} is not" in sentence


async def test_a_key_of_another_certificate_is_refused_at_the_start(campus: Campus, pair: Pair, tmp_path: Path) -> None:
    other = make_pair(tmp_path / "other")
    sentence = await start_error(campus, tls_certificate=pair.certificate, tls_key=other.key)
    assert "ATTENDANCE_SERVICE_TLS_KEY" in sentence
    assert "mismatch" in sentence.lower()


async def test_an_encrypted_key_is_refused_without_asking_for_its_password(campus: Campus, pair: Pair) -> None:
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    assert "unencrypted" in await start_error(campus, tls_certificate=pair.certificate, tls_key=pair.key)


async def test_files_that_are_none_are_named(campus: Campus, pair: Pair, tmp_path: Path) -> None:
    sentence = await start_error(campus, tls_certificate=tmp_path / "absent.pem", tls_key=pair.key)
    assert "ATTENDANCE_SERVICE_TLS_CERTIFICATE: cannot read" in sentence
    assert "absent.pem" in sentence
    sentence = await start_error(campus, tls_certificate=pair.certificate, tls_key=tmp_path)
    assert "ATTENDANCE_SERVICE_TLS_KEY: cannot read" in sentence
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no PEM")
    assert "no PEM certificate" in await start_error(campus, tls_certificate=nonsense, tls_key=pair.key)


async def test_a_port_in_use_is_an_error_that_names_the_setting(campus: Campus) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        sentence = await start_error(campus, listen=address)
    assert "ATTENDANCE_SERVICE_LISTEN" in sentence
    assert address in sentence


async def test_two_services_do_not_share_a_port(campus: Campus) -> None:
    async with running(campus.settings) as service:
        assert "another program" in await start_error(campus, listen=service.address)


@pytest.mark.parametrize(
    "listen", ["", "localhost", "localhost:", ":50051", "127.0.0.1:http", "127.0.0.1:65536", "127.0.0.1:-1"]
)
async def test_an_address_that_is_none_is_refused(campus: Campus, listen: str) -> None:
    sentence = await start_error(campus, listen=listen)
    assert "ATTENDANCE_SERVICE_LISTEN" in sentence
    assert repr(listen) in sentence


async def test_a_database_that_was_not_upgraded_is_said_with_what_to_do(campus: Campus) -> None:
    with campus.engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
        connection.commit()
    assert "attendance db upgrade" in await start_error(campus)


async def test_an_outbox_that_is_something_else_is_said(campus: Campus) -> None:
    campus.settings.outbox_path.write_bytes(b"something else entirely" * 100)
    assert str(campus.settings.outbox_path) in await start_error(campus)


async def test_an_engine_that_cannot_be_built_is_said(campus: Campus) -> None:
    from tests.recognition_service.engines import build_broken  # noqa: PLC0415

    assert "colours.dat is missing" in await start_error(campus, build_broken)


async def test_a_data_folder_that_cannot_be_made_is_said(campus: Campus, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    data = campus.settings.data.model_copy(update={"directory": tmp_path / "file" / "data"})
    service = RecognitionService(campus.settings.model_copy(update={"data": data}), build_engine=ColourEngine)
    with pytest.raises(StartError, match="data folder"):
        await service.start()
    await service.stop()
