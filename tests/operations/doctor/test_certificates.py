"""The certificate that nginx has on disk, and the one that it shows: expired, of another name, not read again."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result

from operations.certificates.trial import make_trial_authority
from operations.cli.main import attendance

HOST = "attendance.example.edu"
Examine = Callable[..., Result]


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the installer leaves of an installation whose nginx listens on a port of loopback."""
    (tmp_path / "tls").mkdir()
    (tmp_path / "attendance.toml").touch()
    (tmp_path / "nginx-tls.conf").write_text(
        f"ssl_certificate {tmp_path}/tls/service.pem;\nssl_certificate_key {tmp_path}/tls/service.key;\n"
    )
    monkeypatch.setenv("ATTENDANCE_CONFIG", str(tmp_path / "attendance.toml"))
    return tmp_path


def issue(folder: Path, *, days: int = 90, host: str = HOST) -> None:
    """A certificate of an authority of its own, which this machine knows as the trial's would be."""
    authority = trustme.CA()
    now = datetime.now(UTC)
    issued = authority.issue_cert(host, not_before=now - timedelta(days=10), not_after=now + timedelta(days=days))
    issued.cert_chain_pems[0].write_to_path(folder / "service.pem")
    issued.private_key_pem.write_to_path(folder / "service.key")
    authority.cert_pem.write_to_path(folder / "ca.pem")


@contextmanager
def shown(etc: Path) -> Iterator[None]:
    """Somebody who shows the certificate that is on disk now, whatever comes to lie there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(etc / "tls" / "service.pem", etc / "tls" / "service.key")

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        answers = {"host": HOST, "https_port": server.getsockname()[1], "grpc_port": server.getsockname()[1]}
        (etc / "install.json").write_text(json.dumps(answers))
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def examine(*words: str) -> Result:
    return CliRunner().invoke(attendance, ["tls", "examine", *words])


def test_all_is_well(etc: Path) -> None:
    issue(etc / "tls")
    with shown(etc):
        done = examine()
    assert done.exit_code == 0, done.output
    assert f"{etc}/tls/service.pem is good for 89 more days" in done.stdout
    assert done.stdout.count("certificate in use: the same at 127.0.0.1:") == 2


@pytest.mark.parametrize(
    ("days", "host", "says"),
    [
        (-1, HOST, "PROBLEM  certificate: {}/tls/service.pem expired on"),
        (10, HOST, "WARNING  certificate: {}/tls/service.pem expires in 9 days"),
        (90, "other.example.edu", f"is for other.example.edu, and not for {HOST}: browsers and cameras refuse it"),
    ],
)
def test_dates_and_names(etc: Path, days: int, host: str, says: str) -> None:
    issue(etc / "tls", days=days, host=host)
    with shown(etc):
        done = examine()
    assert says.format(etc) in done.stdout
    assert done.exit_code == (0 if days == 10 else 1)


def test_a_new_one_that_nginx_has_not_read(etc: Path) -> None:
    issue(etc / "tls", days=-1)
    with shown(etc):
        issue(etc / "tls")
        done = examine()
    assert "PROBLEM  certificate in use: nginx shows another at 127.0.0.1:" in done.stdout
    assert "sudo systemctl reload nginx" in done.stdout


def test_a_key_that_does_not_fit(etc: Path) -> None:
    issue(etc / "tls")
    with shown(etc):
        own = (etc / "tls" / "service.key").read_text()
        make_trial_authority(etc / "other", [HOST])
        (etc / "tls" / "service.key").write_text((etc / "other" / "service.key").read_text())
        done = examine()
        (etc / "tls" / "service.key").write_text(own)
    assert "service.key is not the key of" in done.stdout
    assert done.exit_code == 1


def test_a_chain_that_ends_nowhere(etc: Path) -> None:
    issue(etc / "tls")
    with shown(etc):
        (etc / "tls" / "ca.pem").unlink()
        done = examine()
    assert "WARNING  certificate in use: no authority that this machine knows signed what" in done.stdout
    assert "fullchain.pem" in done.stdout


def test_a_trials_in_its_last_week(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (etc / "tls").rmdir()
    make_trial_authority(etc / "tls", [HOST])
    with shown(etc):
        assert "(a trial's: browsers warn of it) is good for 29 more days" in examine().stdout
        monkeypatch.setattr("operations.doctor.certificates.RENEW_WITHIN", timedelta(days=31))
        done = examine()
    assert "WARNING  certificate: " in done.stdout
    assert "deploy/install: it renews" in done.stdout


def test_nginx_is_away_and_the_doctor_says_so(etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    issue(etc / "tls")
    with shown(etc):
        pass
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(tmp_path))
    assert "WARNING  certificate in use: nobody shows one at" in examine().stdout
    assert "nobody shows one" not in examine("--on-disk").stdout


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("install.json", "{", "install.json is damaged"),
        ("nginx-tls.conf", "", "names no ssl_certificate"),
        ("tls/service.pem", "x", "service.pem is damaged: it holds no PEM certificate"),
    ],
)
def test_a_damaged_file_is_named(etc: Path, file: str, text: str, says: str) -> None:
    issue(etc / "tls")
    with shown(etc):
        (etc / file).write_text(text)
        done = examine()
    assert done.exit_code == 1
    assert says in done.stderr
