"""The nginx site: TLS, static files, pages, limits, and what of gRPC it lets through."""

import http.client
import ssl
import urllib.error
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from protos.attendance.v1 import attendance_pb2 as pb
from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc
from tests.deploy.machine import Machine


@pytest.fixture
def channel(machine: Machine) -> Iterator[grpc.Channel]:
    credentials = grpc.ssl_channel_credentials(machine.ca.read_bytes())
    with grpc.secure_channel(f"localhost:{machine.grpc_port}", credentials) as channel:
        yield channel


def https(machine: Machine) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=machine.ca)
    return http.client.HTTPSConnection("localhost", machine.https_port, context=context, timeout=60)


def test_plain_http_is_sent_to_https(machine: Machine) -> None:
    connection = http.client.HTTPConnection("localhost", machine.http_port, timeout=60)
    connection.request("GET", "/courses")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (301, "https://localhost/courses")
    connection.close()


def test_old_tls_is_refused(machine: Machine) -> None:
    context = ssl.create_default_context(cafile=machine.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    connection = http.client.HTTPSConnection("localhost", machine.https_port, context=context)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        http.client.HTTPSConnection("localhost", machine.https_port, context=context).request("GET", "/healthz")


def test_pages_come_through_with_secure_cookies_and_headers(machine: Machine) -> None:
    connection = https(machine)
    connection.request("GET", "/signin")
    answer = connection.getresponse()
    page = answer.read().decode()
    assert answer.status == 200
    assert "password" in page
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    assert "nginx/" not in answer.headers["Server"]
    connection.close()


def test_static_files_come_from_nginx_itself(machine: Machine) -> None:
    page = machine.browser().open("/signin").read().decode()
    address = page.partition('rel="icon"')[2].partition('href="')[2].partition('"')[0]
    assert address.startswith("/static/")
    answer = machine.browser().open(address)
    assert answer.headers["Cache-Control"] == "max-age=31536000, public, immutable" or "immutable" in str(
        answer.headers
    )
    assert answer.headers["ETag"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for wrong in ("/static/0123456789ab/../../../etc/passwd", "/static/0123456789ab/nothing.css"):
        with pytest.raises(urllib.error.HTTPError, match=r"40[04]"):
            machine.browser().open(wrong)


def test_what_clients_say_about_their_address_is_replaced(machine: Machine) -> None:
    connection = https(machine)
    connection.request("GET", "/healthz", headers={"X-Forwarded-For": "192.0.2.77", "X-Forwarded-Host": "evil.example"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    log = (machine.root / "test-logs" / "attendance-web").read_text()
    assert "192.0.2.77" not in log
    assert "evil.example" not in log
    connection.close()


def test_no_query_is_logged(machine: Machine) -> None:
    machine.browser().open("/signin?next=/students/240101").read()
    log = machine.at("/var/log/attendance/access.log").read_text()
    assert "/signin" in log
    assert "240101" not in log


def test_only_health_and_the_contract_pass(machine: Machine, channel: grpc.Channel) -> None:
    reflection: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    for _ in range(20):  # an answer that overtakes what is still being sent was once taken for a broken connection
        with pytest.raises(grpc.RpcError) as refused:
            list(reflection.ServerReflectionInfo(iter([ask]), timeout=30))
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert refused.value.details() == "not offered here"


def test_a_call_while_no_service_runs_is_unavailable_so_that_cameras_wait(
    machine: Machine, channel: grpc.Channel
) -> None:
    for call in (
        lambda: health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=30),  # type: ignore[attr-defined]
        lambda: pb_grpc.RecognitionServiceStub(channel).GetStatus(pb.GetStatusRequest(), timeout=30),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            call()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert refused.value.details() == "no recognition service answers"


def test_a_certificate_that_nginx_has_not_read_yet_is_told(machine: Machine) -> None:
    def examined() -> str:
        return machine.try_attendance("tls", "examine").stdout

    file = machine.at("/etc/attendance/tls/service.pem")
    before = file.read_text()
    assert examined().count("certificate in use: the same at 127.0.0.1:") == 2, "pages and cameras"
    machine.attendance("tls", "renew-trial", str(file.parent), "--host", "localhost", "--host", "other.example.edu")
    assert examined().count("WARNING  certificate in use: nginx shows another at 127.0.0.1:") == 2
    machine.reload_nginx()
    machine.wait_until(lambda: examined().count("in use: the same") == 2, "nginx has not read its certificate again")
    file.write_text(before)
    machine.reload_nginx()
    machine.wait_until(lambda: examined().count("in use: the same") == 2, "nginx has not read its certificate again")
