"""The index through nginx, which takes TLS off and passes calls on to services that hold the store and to others."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.demo.programs import free_port
from tests.recognition_service.campus import running
from tests.recognition_service.engines import ColourEngine
from tests.recognition_service.replication.machines import Fleet, until_all

SITE = """
daemon off; pid {folder}/pid; error_log stderr; events {{}}
http {{
    access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    upstream services {{ hash $http_attendance_camera consistent; server 127.0.0.1:{holder}; {replicas} }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {tls}/service.pem; ssl_certificate_key {tls}/service.key;
        location / {{ grpc_pass grpc://services; }}
    }}
}}
"""


@pytest.mark.exhaustive
async def test_the_index_is_found_behind_a_proxy_that_asks_services_with_copies_too(
    fleet: Fleet, tmp_path: Path, require_program: Callable[[list[str], str], str]
) -> None:
    nginx, holder, ports = require_program(["nginx"], "nginx"), free_port(0), [free_port(0) for _ in range(2)]
    plain = {"tls_certificate": None, "tls_key": None, "listen": f"127.0.0.1:{holder}"}
    settings = fleet.holder.model_copy(update={"service": fleet.holder.service.model_copy(update=plain)})
    replicas = " ".join(f"server 127.0.0.1:{port};" for port in ports)
    site = {"folder": tmp_path, "tls": fleet.tls, "holder": holder, "replicas": replicas, "port": fleet.port}
    (tmp_path / "nginx.conf").write_text(SITE.format(**site))
    fleet.enrol("green")
    words = ["setpriv", "--pdeathsig", "TERM", nginx, "-e", "stderr", "-c", str(tmp_path / "nginx.conf")]
    with subprocess.Popen(words) as process:
        try:
            async with asyncio.timeout(120), running(settings, ColourEngine):
                others = []
                for number, port in enumerate(ports):
                    copy = fleet.replica(f"copy-{number}")
                    listen = copy.service.model_copy(update={"listen": f"127.0.0.1:{port}"})
                    others.append(copy.model_copy(update={"service": listen}))
                async with running(others[0], ColourEngine) as first, running(others[1], ColourEngine) as second:
                    await until_all(fleet, [first, second], "green", "green")
                    fleet.enrol("green", "red", crowd=3_000)
                    await until_all(fleet, [first, second], "red", "red")
        finally:
            process.terminate()
            process.wait(30)
