"""Mutual TLS and certificates that change while the service runs, over real sockets, with `attendance tls`'s own."""

import shutil
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner
from grpc_health.v1 import health_pb2, health_pb2_grpc

from attendance.settings import Settings
from operations.cli.main import attendance
from recognition_service.app import RecognitionService
from tests.recognition_service.access.test_server import start_error
from tests.recognition_service.campus import CameraCall, Campus, calling, running


def make(folder: Path, *options: str) -> Path:
    result = CliRunner().invoke(attendance, ["tls", "make-test-ca", str(folder), *options])
    assert result.exit_code == 0, result.output
    assert str(folder / "service.pem") in result.output
    return folder


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    return make(tmp_path / "trial")


def secured(campus: Campus, folder: Path, *, mutual: bool = True) -> Settings:
    files = {"tls_certificate": folder / "service.pem", "tls_key": folder / "service.key"}
    files |= {"tls_client_ca": folder / "ca.pem"} if mutual else {}
    return campus.settings.model_copy(update={"service": campus.settings.service.model_copy(update=files)})


def credentials(trusted: Path, own: Path | None = None, name: str = "camera") -> grpc.ChannelCredentials:
    pair = ((own / f"{name}.key").read_bytes(), (own / f"{name}.pem").read_bytes()) if own else (None, None)
    return grpc.ssl_channel_credentials((trusted / "ca.pem").read_bytes(), *pair)


async def reaches(service: RecognitionService, client: grpc.ChannelCredentials) -> bool:
    """Whether a new connection is let in."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.secure_channel(f"localhost:{service.port}", client, options) as channel:
        try:
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=30)  # type: ignore[attr-defined]
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return False
    return True


async def test_only_clients_with_a_certificate_of_the_authority_connect(
    campus: Campus, trial: Path, tmp_path: Path
) -> None:
    other = make(tmp_path / "other")
    async with running(secured(campus, trial)) as service:
        assert await reaches(service, credentials(trial, trial))
        assert not await reaches(service, credentials(trial))
        assert not await reaches(service, credentials(trial, other))
        assert not await reaches(service, credentials(trial, trial, "service"))  # not made for clients
        assert not await reaches(service, credentials(other, trial))
        # A certificate is no token.
        async with calling(service, credentials(trial, trial)) as stub:
            call = CameraCall(stub, "cam_wrong", "front", campus.now)
            assert (await call.ending())[0] == grpc.StatusCode.UNAUTHENTICATED


async def test_renewed_certificates_are_used_without_a_restart_and_broken_ones_are_not(
    campus: Campus, trial: Path, tmp_path: Path
) -> None:
    renewed = make(tmp_path / "renewed")
    async with running(secured(campus, trial)) as service, calling(service, credentials(trial, trial)) as stub:
        open_call = CameraCall(stub, campus.front, "front", campus.now)
        await open_call.opened()
        shutil.copy(renewed / "service.pem", trial / "service.pem")  # not its key yet: the old pair stays
        assert await reaches(service, credentials(trial, trial))
        shutil.copy(renewed / "service.key", trial / "service.key")
        assert await reaches(service, credentials(renewed, trial))
        assert not await reaches(service, credentials(trial, trial))
        original = (trial / "ca.pem").read_bytes()
        shutil.copy(renewed / "ca.pem", trial / "ca.pem")
        assert await reaches(service, credentials(renewed, renewed))
        (trial / "ca.pem").write_text("no certificate")
        assert await reaches(service, credentials(renewed, renewed))
        (trial / "ca.pem").write_bytes(original)
        assert (await open_call.ask(b"")).sequence == 1  # connections that are open go on
        open_call.call.cancel()


async def test_a_client_authority_needs_a_certificate_and_must_be_one(
    campus: Campus, trial: Path, tmp_path: Path
) -> None:
    sentence = await start_error(campus, tls_client_ca=trial / "ca.pem")
    assert "ATTENDANCE_SERVICE_TLS_CLIENT_CA is set" in sentence
    files: dict[str, Any] = {"tls_certificate": trial / "service.pem", "tls_key": trial / "service.key"}
    sentence = await start_error(campus, **files, tls_client_ca=tmp_path / "absent.pem")
    assert "ATTENDANCE_SERVICE_TLS_CLIENT_CA: cannot read" in sentence
    (tmp_path / "nonsense.pem").write_text("nonsense")
    sentence = await start_error(campus, **files, tls_client_ca=tmp_path / "nonsense.pem")
    assert "nonsense.pem holds no PEM certificate" in sentence


def test_trial_files_are_private_and_never_overwritten(tmp_path: Path) -> None:
    folder = make(tmp_path / "new" / "trial", "--host", "attendance.example.org", "--host", "192.0.2.7")
    assert {file.name: file.stat().st_mode & 0o077 for file in folder.glob("*.key")} == {
        "ca.key": 0,
        "service.key": 0,
        "camera.key": 0,
    }
    before = (folder / "ca.pem").read_bytes()
    again = CliRunner().invoke(attendance, ["tls", "make-test-ca", str(folder)])
    assert again.exit_code == 1
    assert "there already" in again.output
    assert (folder / "ca.pem").read_bytes() == before
    refused = CliRunner().invoke(attendance, ["tls", "make-test-ca", str(tmp_path / "odd"), "--host", "zażółć"])
    assert refused.exit_code == 1
    assert "--host" in refused.output
    assert not (tmp_path / "odd").exists()
