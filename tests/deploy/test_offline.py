"""An installation from a folder of packages, with no index in reach; and what stays in it when it is upgraded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.installer.packages import Packages, choose_packages, require_wheelhouse
from deploy.installer.places import SOURCE, InstallError
from deploy.installer.wheelhouse import main as make_wheelhouse
from tests.deploy.machine import Machine, clean_environ
from tests.mariadb import MariaDb


def traced(environment: Path) -> Path:
    """An environment into which an operator put OpenTelemetry."""
    (environment / "lib" / "python3.11" / "site-packages" / "opentelemetry" / "exporter" / "otlp").mkdir(parents=True)
    return environment


def test_tracing_stays_until_it_is_not_wanted_any_more(tmp_path: Path) -> None:
    plain, own = tmp_path / "plain", traced(tmp_path / "own")

    def chosen(environment: Path, tracing: bool | None) -> bool:
        return choose_packages(environment, tracing=tracing, wheelhouse=None).tracing

    assert [chosen(plain, wanted) for wanted in (None, True, False)] == [False, True, False]
    assert [chosen(own, wanted) for wanted in (None, True, False)] == [True, True, False]


def test_pip_is_told_of_the_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "some.whl").touch()
    chosen = choose_packages(tmp_path, tracing=True, wheelhouse=tmp_path)
    assert chosen.source == ["--no-index", "--find-links", str(tmp_path)]
    assert [lock.name for lock in chosen.locks] == ["build.txt", "runtime.txt", "tracing.txt"]
    assert all(lock.is_file() for lock in chosen.locks)
    assert Packages().source == []
    assert [lock.name for lock in Packages().locks] == ["build.txt", "runtime.txt"]


def test_a_folder_without_packages_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    done = Machine(tmp_path / "root", (1,)).install("--wheelhouse", str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert f"--wheelhouse: {tmp_path / 'nowhere'} is no folder of packages" in done.stderr
    assert not (tmp_path / "root").exists()


def test_a_wheelhouse_is_made_in_no_folder_with_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.odt").write_text("years of work")
    assert make_wheelhouse([str(tmp_path)]) == 1
    assert "holds more than packages, e.g. thesis.odt" in capsys.readouterr().err
    assert (tmp_path / "thesis.odt").read_text() == "years of work"
    with pytest.raises(InstallError):
        require_wheelhouse(tmp_path)


@pytest.mark.exhaustive
def test_without_an_index_in_reach_and_with_traces(tmp_path: Path, mariadb_server: MariaDb, admin_file: Path) -> None:
    folder, machine = tmp_path / "wheelhouse", Machine(tmp_path / "root", (1,))
    python = f"{sys.base_prefix}/bin/python3"
    made = subprocess.run(
        ["make", "wheelhouse", f"PYTHON={python}", f"FOLDER={folder}"],
        cwd=SOURCE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)

    unreachable = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
    unreachable |= {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    environ = clean_environ() | unreachable | {"PATH": f"{sys.base_prefix}/bin:{clean_environ()['PATH']}"}
    database = ("--database-port", str(mariadb_server.port), "--database-admin", str(admin_file), "--venv", "")

    def install(*words: str) -> "subprocess.CompletedProcess[str]":
        return machine.install(*database, *words, environ=environ)

    def can_trace() -> bool:
        program = machine.at("/opt/attendance/current/venv/bin/python")
        code = "import opentelemetry.exporter.otlp.proto.http.trace_exporter"
        return subprocess.run([program, "-c", code], capture_output=True, check=False).returncode == 0

    refused = install()
    assert refused.returncode == 1
    assert "Without internet" in refused.stderr
    done = install("--wheelhouse", str(folder))
    assert done.returncode == 0, done.stderr + done.stdout
    listed = machine.attendance("models", "list")
    assert "missing" not in listed, listed
    assert not can_trace()

    # By hand, as the documents had it before; another release then takes its place, as at every upgrade.
    pip = [str(machine.at("/opt/attendance/current/venv/bin/pip")), "install", "--no-deps", "--require-hashes"]
    lock = ["--no-index", "--find-links", str(folder), "-r", str(SOURCE / "locks" / "tracing.txt")]
    subprocess.run([*pip, *lock], env=environ, capture_output=True, check=True)
    before = machine.at("/opt/attendance/current").readlink()
    upgraded = install("--wheelhouse", str(folder))
    assert upgraded.returncode == 0, upgraded.stderr
    assert machine.at("/opt/attendance/current").readlink() != before
    assert can_trace()
