"""Machines of a cluster that run with something else, die, come back, or listen without a certificate."""

import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import grpc
import pytest

from attendance.gallery.format import publish
from attendance.settings.families import traits_of
from operations.runners.interface import RunnerError
from operations.runners.ray_connection import connected, require_tls
from tests.operations.recordings.commands import (
    Listener,
    begin_command,
    expected_register,
    run_command,
    without_ids,
)
from tests.operations.recordings.lectures import COLOURS, NINE, Scene, Term, twelve
from tests.operations.recordings.own_models import VARIABLE
from tests.operations.runners.ray_nodes import FOURTH, HEAD, OTHER, ROOT, THIRD, Nodes, two_nodes
from tests.recognition_service.engines import MODEL, SIZE, SLEEP, encoding_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
RED_AND_GREEN = [Scene(6, "red"), Scene(6, "green")]


@pytest.fixture
def lecture(lectures: Term) -> set[tuple[int, str]]:
    """A recording; whom it shows."""
    session = lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED_AND_GREEN)
    return {(session, "red"), (session, "green")}


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    with two_nodes() as made:
        monkeypatch.setenv("RAY_AUTH_TOKEN", made.token)
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        yield made


def changed_code(folder: Path) -> dict[str, str]:
    """The environment of a machine where somebody changed the code by hand."""
    for package in ("attendance", "camera_client", "index_builder", "operations", "protos", "recognition_service"):
        if (found := find_spec(package)) and found.submodule_search_locations:
            shutil.copytree(next(iter(found.submodule_search_locations)), folder / package)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("webapp", "deploy"))
    with (folder / "attendance" / "errors.py").open("a") as file:
        file.write("\n# Changed by hand.\n")
    return {"PYTHONPATH": str(folder)}


def another_index(folder: Path) -> dict[str, str]:
    """The environment of a machine that has an index of its own, of one student less."""
    rows = {student: encoding_of(colour)[None] for student, colour in COLOURS.items() if student != "red"}
    publish(folder, rows, model=MODEL, traits=traits_of(MODEL), encoding_size=SIZE)
    return {"ATTENDANCE_GALLERY_INDEX": str(folder)}


@pytest.mark.exhaustive
def test_machines_with_another_version_are_named_and_the_others_do_the_work(
    lectures: Term, lecture: set[tuple[int, str]], command: list[str], nodes: Nodes, tmp_path: Path
) -> None:
    nodes.kill(OTHER)
    nodes.start(OTHER, environment=changed_code(tmp_path / "changed"))
    nodes.start(THIRD, environment=another_index(tmp_path / "index of the third"))
    nodes.start(FOURTH, environment={VARIABLE: "others"})
    output = run_command([*command, "--on", nodes.on])
    assert f"On 1 processors of 1 machines ({HEAD})" in output
    for address, what in ((OTHER, "code"), (THIRD, "index"), (FOURTH, "models")):
        (line,) = [line for line in output.splitlines() if f"machine not used: {address}: " in line]
        assert f"another version of the {what}: " in line
        assert ", where the run has " in line
    assert lectures.seen() == lecture


@pytest.mark.exhaustive
def test_where_no_machine_fits_the_run_ends_and_names_them_all(
    lectures: Term, lecture: set[tuple[int, str]], command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTENDANCE_GALLERY_INDEX", str(lectures.folder / "no index"))
    with two_nodes() as nodes:
        monkeypatch.delenv("ATTENDANCE_GALLERY_INDEX")
        monkeypatch.setenv("RAY_AUTH_TOKEN", nodes.token)
        began = time.monotonic()
        output = run_command([*command, "--on", nodes.on], status=1)
        assert time.monotonic() - began < 100
    assert "can be used. " in output
    for address in (HEAD, OTHER):
        assert f"{address}: " in output
    assert output.count("another version of the index: none") >= 2
    assert "Traceback" not in output
    assert lectures.seen() == set()


def long_lectures(lectures: Term, count: int) -> set[tuple[int, str]]:
    """Clips that take long to look at, so that work is left when a machine joins; whom they show in which session."""
    expected = set()
    for hour in range(count):
        starts = NINE + timedelta(hours=hour)
        session = lectures.session("Hall", starts)
        lectures.clip("Hall", starts, [Scene(15, "red", SLEEP), Scene(15, "green", SLEEP)])
        expected |= {(session, "red"), (session, "green")}
    return expected


@pytest.mark.exhaustive
def test_a_machine_that_comes_back_joins_again(lectures: Term, command: list[str], nodes: Nodes) -> None:
    expected = long_lectures(lectures, 8)
    process = begin_command([*command, "--on", nodes.on])
    said = Listener(process)
    said.until(lambda: bool(lectures.seen()))
    nodes.kill(OTHER)
    said.until(lambda: f"machine gone: {OTHER}" in said.text)
    nodes.start(OTHER)
    said.until(lambda: f"machine joined: {OTHER}" in said.text)
    said.until_it_ends()
    assert process.returncode == 0, said.text
    assert lectures.seen() == expected


@pytest.mark.exhaustive
def test_an_index_published_during_a_run_keeps_no_machine_out(
    lectures: Term, command: list[str], nodes: Nodes, tmp_path: Path
) -> None:
    """A machine comes back with the new one; another's copy comes later, and the machine joins then."""
    index, copy = lectures.settings.index_path, tmp_path / "copy"
    shutil.copytree(index, copy)
    expected = long_lectures(lectures, 12)
    process = begin_command([*command, "--on", nodes.on])
    said = Listener(process)
    said.until(lambda: bool(lectures.seen()))
    lectures.publish("violet")
    nodes.kill(OTHER)
    nodes.start(THIRD, environment={"ATTENDANCE_GALLERY_INDEX": str(copy)})
    said.until(lambda: f"machine not used: {THIRD}: " in said.text)
    nodes.start(OTHER)
    said.until(lambda: f"machine joined: {OTHER}" in said.text)
    shutil.copytree(index, copy, dirs_exist_ok=True)
    said.until(lambda: f"machine joined: {THIRD}" in said.text)
    said.until_it_ends()
    assert process.returncode == 0, said.text
    (line,) = [line for line in said.text.splitlines() if "machine not used: " in line]
    assert "another version of the index: " in line
    assert lectures.seen() == expected


@pytest.mark.exhaustive
def test_where_the_head_is_gone_the_run_ends_and_goes_on_later(
    lectures: Term, command: list[str], nodes: Nodes, tmp_path: Path
) -> None:
    twelve(lectures)
    expected = expected_register(tmp_path)
    process = begin_command([*command, "--on", nodes.on])
    said = Listener(process)
    said.until(lambda: bool(lectures.seen()))
    nodes.kill(HEAD)
    said.until_it_ends()
    assert process.returncode == 1, said.text
    assert f"the head of the cluster {nodes.on.removeprefix('ray:')} does not answer any more" in said.text
    assert "Traceback" not in said.text
    assert "done before" in run_command([*command, "--on", "local:1"])
    assert without_ids(lectures.register()) == expected


def test_where_nobody_listens_the_run_says_so_at_once(lecture: set[tuple[int, str]], command: list[str]) -> None:
    assert lecture
    output = run_command([*command, "--on", "ray:127.0.0.2:1"], {"RAY_AUTH_TOKEN": "of nobody"}, status=1)
    assert "the cluster 127.0.0.2:1 cannot be reached: Connection refused" in output
    assert "Traceback" not in output


@contextmanager
def asking_for_tokens() -> Iterator[str]:
    """The address of a server that lets in nobody without a token, as Ray's does."""

    class NoToken(grpc.GenericRpcHandler):
        def service(self, _call: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
            return grpc.unary_unary_rpc_method_handler(self._refuse)

        def _refuse(self, _request: bytes, context: grpc.ServicerContext) -> bytes:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "Invalid or missing authentication token")

    server = grpc.server(ThreadPoolExecutor(1), [NoToken()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"ray://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def test_where_whoever_listens_hangs_up_it_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            with suppress(OSError):
                while True:
                    server.accept()[0].close()

        Thread(target=hang_up, daemon=True).start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(RunnerError, match=f"the cluster {address} cannot be reached: "):
            connected(address)
        server.shutdown(socket.SHUT_RDWR)


# TLS.


def test_why_a_cluster_lets_nobody_in_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's own words when the server of its clients does not start in time."""
    ray = pytest.importorskip("ray")
    said = (
        "Initialization failure from server:\nTraceback (most recent call last):\n"
        '  File "proxier.py", line 783, in Datapath\n    raise RuntimeError(\n'
        "RuntimeError: Proxy failed to Connect to backend! Check `ray_client_server.err`\n"
    )

    def refuse(*_address: object, **_options: object) -> None:
        raise ConnectionAbortedError(said)

    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setattr(ray, "init", refuse)
    with asking_for_tokens() as address, pytest.raises(RunnerError) as refused:
        connected(address)
    assert str(refused.value) == (
        f"the cluster {address} cannot be reached: Initialization failure from server: "
        "RuntimeError: Proxy failed to Connect to backend! Check `ray_client_server.err`"
    )


@pytest.mark.exhaustive
def test_under_tls_a_run_works_and_whoever_has_no_certificate_stays_outside(
    lectures: Term, lecture: set[tuple[int, str]], command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with two_nodes(tls=True) as nodes:
        monkeypatch.setenv("RAY_AUTH_TOKEN", nodes.token)
        without, stranger = {"RAY_USE_TLS": "0"}, nodes.stranger()
        nodes.start(THIRD, environment=without, wait=False)
        nodes.start(FOURTH, environment=stranger.environment(FOURTH), wait=False)
        for environment, why in (
            (without, "speaks TLS: give this command, too, RAY_USE_TLS=1 and a certificate"),
            (stranger.environment(HEAD), "has a certificate that is not trusted here"),
            (nodes.environment_of(HEAD) | {"RAY_TLS_SERVER_CERT": ""}, "but RAY_TLS_SERVER_CERT is not"),
            (nodes.half_a_stranger(stranger), "does not take the certificate of this machine"),
        ):
            output = run_command([*command, "--on", nodes.on], environment, status=1)
            assert why in output
            assert "Traceback" not in output
        output = run_command([*command, "--on", nodes.on], nodes.environment_of(HEAD))
        assert "2 processors of 2 machines" in output
        assert not nodes.has_started(THIRD)
        assert not nodes.has_started(FOURTH)
    assert lectures.seen() == lecture


@pytest.mark.parametrize(
    ("address", "machines"),
    [
        ("127.0.0.2:6379", ["127.0.0.2", "127.0.0.3"]),
        ("localhost:6379", ["10.0.0.5"]),
        ("ray://[::1]:10001", ["127.0.0.1"]),
    ],
)
def test_what_does_not_leave_a_machine_needs_no_tls(
    address: str, machines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_USE_TLS", raising=False)
    require_tls(address, machines)


@pytest.mark.parametrize(
    ("address", "machines"),
    [
        ("10.0.0.5:6379", []),
        ("ray://cluster.example:10001", []),
        ("localhost:6379", ["10.0.0.5", "10.0.0.6"]),
        ("127.0.0.2:6379", ["127.0.0.2", "10.0.0.6"]),
    ],
)
def test_a_cluster_that_speaks_over_a_network_without_tls_is_refused(
    address: str, machines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("0", ""):
        monkeypatch.setenv("RAY_USE_TLS", value)
        with pytest.raises(RunnerError, match="without TLS, and encodings of faces would go over the network"):
            require_tls(address, machines)
    monkeypatch.setenv("RAY_USE_TLS", "1")
    require_tls(address, machines)


def test_a_cluster_elsewhere_without_tls_is_refused_before_the_token_goes_there(
    lecture: set[tuple[int, str]], command: list[str]
) -> None:
    assert lecture
    environment = {"RAY_AUTH_TOKEN": "never sent", "RAY_USE_TLS": "0"}
    output = run_command([*command, "--on", "ray://192.0.2.1:10001"], environment, status=1)  # RFC 5737: nobody's
    assert "the cluster ray://192.0.2.1:10001 speaks without TLS" in output
    assert "Traceback" not in output
