"""Files of an installation that were damaged, and addresses that its programs would read each in its own way."""

import json
from pathlib import Path

import pytest

from deploy.installer.addresses import checked_address, password_of
from deploy.installer.places import InstallError
from tests.deploy.machine import Machine


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is not JSON"),
        (b'{"host": "attendance.exa', "it is not JSON"),
        (b"\xff\xfe{}", "it is not JSON"),
        (b"[]", "it holds no object"),
        (b'{"http_port": "eighty"}', 'http_port is "eighty"'),
        (b'{"services": null}', "services is null"),
        (b'{"tracing": "yes"}', 'tracing is "yes"'),
        (b"[" * 100_000, "it is nested too deep"),
    ],
)
def test_a_damaged_file_of_what_was_told_is_named_and_nothing_is_written(
    tmp_path: Path, content: bytes, says: str
) -> None:
    machine = Machine(tmp_path, (1,))
    file = machine.at("/etc/attendance/install.json")
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    done = machine.install()
    assert done.returncode == 1
    assert done.stderr.startswith(f"deploy/install: {file}, which remembers what this installation was told, is dam")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]
    assert file.read_bytes() == content


def test_what_an_older_or_newer_version_remembered_is_no_damage(tmp_path: Path) -> None:
    machine = Machine(tmp_path, (1,))
    file = machine.at("/etc/attendance/install.json")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"grpc_port": 50052, "of_another_version": [1]}))
    assert "is damaged" not in machine.install("--venv", "/nowhere").stderr


@pytest.mark.parametrize(
    "address",
    [
        "mysql+pymysql://u:hunter2@more@h/d",
        "mysql+pymysql://u:hunter2$x@h/d",
        "mysql+pymysql://u:hunter2`x`@h/d",
        'mysql+pymysql://u:hunter2"x@h/d',
        "mysql+pymysql://u:hunter2\\x@h/d",
        "mysql+pymysql://u:hunter2 x@h/d",
        "mysql+pymysql://u:hunter2\nx@h/d",
        "mysql+pymysql://u:hunter2@h:port/d",
        "mysql+pymysql://u:hunter2@[::1/d",
        "mysql://u:hunter2@h/d",
        "postgresql://u:hunter2@h/d",
        "hunter2",
        "",
    ],
)
def test_an_address_that_would_be_misread_is_refused_unseen(address: str) -> None:
    with pytest.raises(InstallError, match=r"^/etc/address") as caught:
        checked_address(address, "/etc/address")
    assert "hunter2" not in str(caught.value)


def test_a_misread_address_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    file = tmp_path / "address"
    file.write_text("mysql+pymysql://u:hunter2@more@h/d\n")
    done = Machine(tmp_path / "root", (1,)).install("--database-url", str(file))
    assert done.returncode == 1
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
    assert not (tmp_path / "root").exists()


def test_an_address_with_signs_written_otherwise_is_taken() -> None:
    address = "mysql+pymysql://attendance:p%40ss%24%25@db.example.edu:3306/attendance?ssl_ca=/etc/ca.pem"
    assert checked_address(address, "x") == address
    assert password_of(address, "attendance") == "p@ss$%"
    assert password_of(address, "other") == ""
    assert password_of("mysql+pymysql://attendance:[@h", "attendance") == "["
