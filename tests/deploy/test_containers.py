"""Container files: linted, and their commands run on this machine, where there are no containers."""

import functools
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
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml

from attendance.gallery.publishing import build_index
from attendance.gallery.store import Store
from attendance.settings import Settings
from attendance.settings.families import traits_of
from attendance.settings.load import NO_SETTINGS
from operations.cli.main import COMMANDS
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
        ["sh", "-n", FOLDER / "nightly"],
        ["sh", "-n", FOLDER / "nginx-upstreams"],
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


@pytest.mark.exhaustive
def test_every_command_runs_from_exactly_what_the_service_image_installs(tmp_path: Path) -> None:
    run_build(STAGES, "build-service", source=SOURCE, root=tmp_path)
    given = environ("service", tmp_path, MPLCONFIGDIR=str(tmp_path / "matplotlib"))
    given["PATH"] = f"{tmp_path / 'opt' / 'attendance' / 'bin'}:/usr/bin:/bin"

    def run(*words: str | Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["attendance", *words], env=given, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    # `demo` and `web` are of the dashboard's image.
    for command in sorted(set(COMMANDS) - {"demo", "web"}):
        assert (done := run(command, "--help")).returncode == 0, (command, done.stderr)
    random = np.random.default_rng(1)
    people = random.normal(0, 0.1, (40, 1, 128))
    gallery = {f"s{number}": centre + random.normal(0, 0.01, (4, 128)) for number, centre in enumerate(people)}
    write_store(tmp_path / "data" / "gallery" / "encodings.pickle", Store(gallery))
    backups = tmp_path / "backups"
    for words in (
        ("db", "upgrade"),
        ("index", "build"),
        ("db", "backup", backups, "--keep", "14"),
        ("purge",),
        ("gallery", "work", "--once"),
        ("calibrate", "--report", tmp_path / "report"),
        ("gallery", "erasures"),
        ("token", "add", "second", "--role", "replica"),
    ):
        assert (done := run(*words)).returncode == 0, (words, done.stdout + done.stderr)
    assert list(backups.iterdir())
    assert list((tmp_path / "report").rglob("*.html"))


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


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.exhaustive
def test_every_night_a_backup_is_made_and_what_is_old_deleted(tmp_path: Path) -> None:
    said, commands = tmp_path / "said", tmp_path / "bin"
    commands.mkdir()
    (commands / "attendance").write_text(
        f'#!/bin/sh\necho "$@" >> {said}\n[ ! -e {tmp_path}/broken ] || exit 1\nexec {BIN}/attendance "$@"\n'
    )
    (commands / "attendance").chmod(0o755)
    given = environ("service", tmp_path, NIGHTLY_BACKUPS=str(tmp_path / "backups"))
    subprocess.run(["attendance", "db", "upgrade"], env=given, check=True, capture_output=True)
    given |= {"NIGHTLY_AT": "00:00", "NIGHTLY_RETRY_S": "0.1", "NIGHTLY_LOOK_S": "0.1", "NIGHTLY_KEEP": "2"}
    given["PATH"] = f"{commands}:{given['PATH']}"
    done = tmp_path / "data" / "nightly"
    (tmp_path / "broken").touch()
    with running(["sh", str(FOLDER / "nightly")], given, tmp_path) as process:
        wait_for(lambda: said.exists() and said.read_text().count("purge") >= 2)  # it fails, and is tried again
        assert not done.exists()
        (tmp_path / "broken").unlink()
        wait_for(done.exists)
        count = said.read_text().count("backup")
        time.sleep(1)
        assert said.read_text().count("backup") == count, "once a night"
        process.terminate()
        assert process.wait(10) == 0
    assert len(list((tmp_path / "backups").glob("*.sqlite"))) == 1
    assert said.read_text().splitlines()[-2:] == [f"db backup {tmp_path}/backups --keep 2", "purge"]


def test_a_night_that_was_missed_is_made_up_before_the_next(tmp_path: Path) -> None:
    said, commands = tmp_path / "said", tmp_path / "bin"
    commands.mkdir()
    (commands / "attendance").write_text(f'#!/bin/sh\necho "$@" >> {said}\n')
    (commands / "attendance").chmod(0o755)
    (tmp_path / "data").mkdir()
    now = datetime.now(UTC)
    later, yesterday = now + timedelta(hours=2), (now - timedelta(hours=22)).date()
    given = environ("service", tmp_path, NIGHTLY_AT=f"{later:%H:%M}", NIGHTLY_LOOK_S="0.1")
    given["PATH"] = f"{commands}:{given['PATH']}"
    done = tmp_path / "data" / "nightly"
    done.write_text(f"{yesterday - timedelta(days=1)}\n")
    with running(["sh", str(FOLDER / "nightly")], given, tmp_path):
        wait_for(lambda: done.read_text() == f"{yesterday}\n")
        time.sleep(0.5)
    assert said.read_text().splitlines() == ["db backup /backups --keep 14", "purge"], "once"


def test_the_night_has_a_time_of_day(tmp_path: Path) -> None:
    given = environ("service", tmp_path, NIGHTLY_AT="25:00")
    done = subprocess.run(["sh", FOLDER / "nightly"], env=given, capture_output=True, text=True, check=False)
    assert (done.returncode, "25:00 is no time of day" in done.stderr) == (2, True)


def test_the_compose_file_makes_backups_on_a_volume_of_their_own() -> None:
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    assert services["nightly"]["entrypoint"] == ["attendance-nightly"]
    assert "backups:/backups" in services["nightly"]["volumes"]
    for title in ("service", "service-cuda"):
        assert ("COPY", "--chmod=755 deploy/containers/nightly /usr/local/bin/attendance-nightly") in STAGES[
            title
        ].instructions


def test_nginx_reads_its_site_again_when_a_container_has_another_address(
    tmp_path: Path, require_program: Callable[[list[str], str], str]
) -> None:
    nginx, port = require_program(["nginx"], "nginx"), free_port(0)
    addresses, commands = tmp_path / "addresses", tmp_path / "bin"
    commands.mkdir()
    # What the containers' name server says: a line for each name that it knows.
    (commands / "getent").write_text(f'#!/bin/sh\nsed -n "s/^$2 //p" {addresses}\n')
    (commands / "getent").chmod(0o755)
    addresses.write_text("recognition-1 10.0.0.5\nrecognition-2 10.0.0.6\nweb 10.0.0.7\n")
    configuration, log = tmp_path / "nginx.conf", tmp_path / "log"
    folders = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi"))
    configuration.write_text(
        f"daemon off; error_log {log} notice; pid {tmp_path}/pid; events {{}} http {{ {folders} scgi_temp_path"
        f" {tmp_path}/scgi; access_log off; server {{ listen 127.0.0.1:{port}; return 200; }} }}"
    )
    given = {"PATH": f"{commands}:/usr/sbin:/usr/bin:/bin", "ATTENDANCE_WEB": "web:8000", "NGINX_LOOK_UP_S": "0.1"}
    given |= {"ATTENDANCE_SERVICES": "recognition-1:50051 recognition-2:50051"}
    given |= {"NGINX_COMMAND": f"{nginx} -e {log} -c {configuration}"}

    def readings() -> int:
        return log.read_text().count(": reconfiguring") if log.exists() else 0

    with running([nginx, "-e", str(log), "-c", str(configuration)], given, tmp_path):
        wait_for(lambda: ask(port) is not None)
        with running(["sh", str(FOLDER / "nginx-upstreams"), "watch"], given, tmp_path):
            time.sleep(0.5)
            addresses.write_text("recognition-1 10.0.0.5\nweb 10.0.0.7\n")  # one is down: nobody knows it
            time.sleep(0.5)
            assert readings() == 0
            broken = configuration.read_text()
            configuration.write_text("nonsense")
            addresses.write_text("recognition-1 10.0.0.5\nrecognition-2 10.0.0.9\nweb 10.0.0.7\n")
            wait_for(lambda: "unknown directive" in log.read_text() or "unexpected end" in log.read_text())
            configuration.write_text(broken)
            wait_for(readings)
            time.sleep(0.5)
            assert readings() == 1, log.read_text()
            assert (answer := ask(port)) is not None
            assert answer.status == 200


def test_what_the_containers_files_export_keeps_no_command_from_running(tmp_path: Path) -> None:
    """A shell in which compose was given its variables is one in which commands are given."""
    texts = [path.read_text() for path in (*FOLDER.iterdir(), SOURCE / "docs" / "containers.md") if path.is_file()]
    named = {name for text in texts for name in re.findall(r"\bATTENDANCE_[A-Z_]*[A-Z]\b", text)}
    assert "ATTENDANCE_HOST" in named
    known = {
        f"ATTENDANCE_{section}_{key}".upper()
        for section, field in Settings.model_fields.items()
        for key in getattr(field.annotation, "model_fields", {})
    }
    assert named - known - {"ATTENDANCE_CONFIG"} == NO_SETTINGS
    given = dict.fromkeys(NO_SETTINGS, "attendance.example.edu") | {"PATH": f"{BIN}:/usr/bin:/bin"}
    ask_for_settings = functools.partial(
        subprocess.run, ["attendance", "config"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done := ask_for_settings(env=given)).returncode == 0, done.stderr
    assert "ATTENDANCE_HOSTS: unknown setting" in ask_for_settings(env=given | {"ATTENDANCE_HOSTS": "a"}).stderr


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


@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_no_umask_opens_or_closes_the_secrets(tmp_path: Path, umask: int) -> None:
    (tmp_path / "post.env").write_text("ATTENDANCE_MAIL_PASSWORD=s3cret\n")
    (tmp_path / "post.env").chmod(0o644)
    subprocess.run(["sh", FOLDER / "make-secrets", tmp_path], check=True, capture_output=True, umask=umask)
    names = {"secrets.env", "web.env", "database.env", "post.env"}
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == dict.fromkeys(names, 0o600)


def test_each_program_gets_its_own_secrets_only() -> None:
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    given = {name: str(service.get("env_file", [])) for name, service in services.items()}
    assert {name for name, files in given.items() if "web.env" in files} == {"web", "post"}
    assert {name for name, files in given.items() if "post.env" in files} == {"post"}
    assert {name for name, files in given.items() if "database.env" in files} == {"database"}
    assert "secrets.env" not in given["database"] + given["nginx"]
