"""Container files: linted, and their commands run on this machine, where there are no containers."""

import http.client
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import yaml

from attendance.gallery.publishing import build_index
from attendance.gallery.store import Store
from attendance.settings.families import traits_of
from operations.demo.programs import free_port
from tests.deploy.dockerfile import read_stages, run_build
from tests.stores import write_store

SOURCE = Path(__file__).parents[2]
FOLDER = SOURCE / "deploy" / "containers"
BIN = Path(sys.executable).parent
STAGES = read_stages(FOLDER / "Dockerfile")
IMAGES = ("service", "service-cuda", "web", "camera")


def environ(title: str, tmp_path: Path, **others: str) -> dict[str, str]:
    """What a stage sets, with folders and ports of this test."""
    given = STAGES[title].environ | {"ATTENDANCE_DATA_DIRECTORY": str(tmp_path / "data")}
    given.pop("ATTENDANCE_ENGINE_CACHE", None)
    given["PATH"] = f"{BIN}:/usr/bin:/bin"
    return given | {"HOME": os.environ.get("HOME", "/")} | others


@contextmanager
def running(words: list[str], environ: dict[str, str], folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(
        ["setpriv", "--pdeathsig", "TERM", *words], env=environ, cwd=folder, stdout=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def wait_until_healthy(title: str, process: "subprocess.Popen[bytes]", environ: dict[str, str], port: int) -> None:
    words = [word.replace("9464", str(port)).replace("8000", str(port)) for word in STAGES[title].health_command]
    deadline = time.monotonic() + 120
    while subprocess.run(words, env=environ, capture_output=True, check=False).returncode != 0:
        assert process.poll() is None, "it ended"
        assert time.monotonic() < deadline, "it does not become healthy"
        time.sleep(0.2)


def test_the_linter_has_nothing_to_say() -> None:
    # It judges where relative paths lead, which a clone in root's home folder would decide.
    # So would pytest's folder, where that is in memory: it is under /dev then.
    with tempfile.TemporaryDirectory() as folder:
        _lint(Path(shutil.copy(FOLDER / "compose.yaml", folder)))


def _lint(compose: Path) -> None:
    commands: list[list[Path | str]] = [
        [BIN / "hadolint", FOLDER / "Dockerfile"],
        [BIN / "compose-lint", "check", compose],
        ["sh", "-n", FOLDER / "nginx-site"],
        ["sh", "-n", FOLDER / "make-secrets"],
    ]
    for words in commands:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("title", IMAGES)
def test_no_image_runs_as_root_or_carries_a_secret(title: str) -> None:
    assert STAGES[title].last("USER") == "10001:10001"
    assert not any(word in name for name in STAGES[title].environ for word in ("TOKEN", "SECRET", "PASSWORD", "URL"))


def test_every_base_is_pinned_to_a_version() -> None:
    arguments = [line for line in (FOLDER / "Dockerfile").read_text().splitlines() if line.startswith("ARG ")]
    assert {stage.base for stage in STAGES.values()} <= set(STAGES) | {f"${{{a[4:].split('=')[0]}}}" for a in arguments}
    assert all(any(part.isdigit() for part in argument.split(":")[1].split(".")[1:2]) for argument in arguments)


@pytest.mark.long("nothing else runs the image's commands")
def test_the_dashboard_is_installed_by_the_images_own_commands_and_answers(tmp_path: Path) -> None:
    run_build(STAGES, "build-web", source=SOURCE, root=tmp_path)
    installed = tmp_path / "opt" / "attendance"
    assert (installed / "static" / "css").is_dir()
    assert not list(installed.rglob("openvino")), "the image of the dashboard is to be small"
    port = free_port(0)
    given = environ("web", tmp_path, ATTENDANCE_WEB_LISTEN=f"127.0.0.1:{port}")
    given["PATH"] = f"{installed / 'bin'}:/usr/bin:/bin"
    upgraded = subprocess.run(["attendance", "db", "upgrade"], env=given, capture_output=True, text=True, check=False)
    assert upgraded.returncode == 0, upgraded.stderr
    with running(STAGES["web"].command, given, tmp_path) as process:
        wait_until_healthy("web", process, given, port)


def test_the_service_becomes_healthy(tmp_path: Path) -> None:
    gallery = tmp_path / "data" / "gallery"
    write_store(gallery / "encodings.pickle", Store({"s1": np.full((1, 128), 0.1)}))
    build_index(gallery / "encodings.pickle", gallery / "index", traits_of=traits_of)
    port = free_port(0)
    given = environ(
        "service",
        tmp_path,
        ATTENDANCE_SERVICE_LISTEN="127.0.0.1:0",
        ATTENDANCE_SERVICE_METRICS_LISTEN=f"127.0.0.1:{port}",
    )
    subprocess.run(["attendance", "db", "upgrade"], env=given, check=True, capture_output=True)
    with running(STAGES["service"].command, given, tmp_path) as process:
        wait_until_healthy("service", process, given, port)


def test_the_camera_says_what_it_needs(tmp_path: Path) -> None:
    done = subprocess.run(
        STAGES["camera"].command, env=environ("camera", tmp_path), cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no source" in done.stderr


def test_every_command_of_the_compose_file_exists() -> None:
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    for name in ("upgrade", "gallery", "post"):
        words = compose["services"][name]["command"]
        done = subprocess.run([BIN / "attendance", *words, "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    targets = {service["build"]["target"] for service in compose["services"].values() if "build" in service}
    assert targets <= set(STAGES)


def test_nginx_takes_the_site_as_the_container_fills_it_in(
    tmp_path: Path, require_program: Callable[[list[str], str], str]
) -> None:
    nginx = require_program(["nginx"], "nginx")
    tls, port = tmp_path / "etc" / "tls", free_port(0)
    subprocess.run([BIN / "attendance", "tls", "make-test-ca", tls, "--host", "localhost"], check=True)
    (tmp_path / "static" / "css").mkdir(parents=True)
    (tmp_path / "static" / "css" / "x.css").write_text("p {}")
    shutil.copytree(SOURCE / "deploy" / "nginx", tmp_path / "nginx")
    given = {"PATH": "/usr/bin:/bin", "ATTENDANCE_HOST": "localhost", "ATTENDANCE_WEB": "127.0.0.1:9"}
    given |= {"ATTENDANCE_SERVICES": "127.0.0.1:9 127.0.0.2:9", "ATTENDANCE_ETC": str(tmp_path / "etc")}
    given |= {"ATTENDANCE_SITE": str(tmp_path / "site.conf"), "ATTENDANCE_SOURCE": str(tmp_path)}
    given |= {"ATTENDANCE_HTTP_PORT": str(port), "ATTENDANCE_HTTPS_PORT": str(free_port(0))}
    given |= {"ATTENDANCE_GRPC_PORT": str(free_port(0))}
    subprocess.run(["sh", FOLDER / "nginx-site"], env=given, check=True)
    assert not re.search("@[A-Z_]+@", (tmp_path / "site.conf").read_text())
    assert (tmp_path / "site.conf").read_text().count("max_fails=1") == 2
    folders = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi"))
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; events {{}} http {{ {folders} scgi_temp_path {tmp_path}/scgi;"
        f" include {tmp_path}/site.conf; }}"
    )
    with running([nginx, "-e", "stderr", "-c", str(tmp_path / "nginx.conf")], given, tmp_path) as process:
        deadline = time.monotonic() + 30
        while (answer := ask(port)) is None:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert (answer.status, answer.headers["Location"]) == (301, "https://localhost/x")


def ask(port: int) -> http.client.HTTPResponse | None:
    """What the server on loopback answers, if anything listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/x")
        return connection.getresponse()
    except OSError:
        return None
    finally:
        connection.close()


def make_secrets(folder: Path) -> dict[str, str]:
    """Under a umask that hides nothing."""
    subprocess.run(["sh", FOLDER / "make-secrets", folder], check=True, capture_output=True, umask=0)
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    kept = make_secrets(tmp_path)
    assert make_secrets(tmp_path) == kept
    assert set(kept) == {"secrets.env", "web.env", "database.env"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    password = kept["database.env"].removeprefix("MARIADB_PASSWORD=").strip()
    assert len(password) >= 40
    assert kept["secrets.env"] == f"ATTENDANCE_DATABASE_URL=mysql+pymysql://attendance:{password}@database/attendance\n"
    name, _, key = kept["web.env"].strip().partition("=")
    assert (name, len(key) >= 40) == ("ATTENDANCE_WEB_SECRET_KEY", True)


def test_secrets_of_a_version_before_are_kept_and_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "database-password").write_text("s3cret")
    before = "ATTENDANCE_DATABASE_URL=mysql+pymysql://attendance:s3cret@database/attendance"
    (tmp_path / "secrets.env").write_text(f"{before}\nATTENDANCE_WEB_SECRET_KEY=key\n")
    for path in tmp_path.iterdir():
        path.chmod(0o644)
    kept = make_secrets(tmp_path)
    assert kept == {
        "database.env": "MARIADB_PASSWORD=s3cret\n",
        "secrets.env": f"{before}\n",
        "web.env": "ATTENDANCE_WEB_SECRET_KEY=key\n",
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_each_program_gets_its_own_secrets_only() -> None:
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    given = {name: str(service.get("env_file", [])) for name, service in services.items()}
    assert {name for name, files in given.items() if "web.env" in files} == {"web"}
    assert {name for name, files in given.items() if "post.env" in files} == {"post"}
    assert {name for name, files in given.items() if "database.env" in files} == {"database"}
    assert "secrets.env" not in given["database"] + given["nginx"]
