"""On a real Ray cluster of two nodes on loopback the register is the same as here, once, whatever dies on the way."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from operations.runners.interface import RunnerError
from tests.operations.recordings.commands import (
    begin_command,
    end_command,
    expected_register,
    run_command,
    without_ids,
)
from tests.operations.recordings.lectures import NINE, Scene, Term, twelve
from tests.operations.runners.ray_nodes import HEAD, OTHER, Nodes, two_nodes

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
RED_AND_GREEN = [Scene(6, "red"), Scene(6, "green")]


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    with two_nodes() as made:
        monkeypatch.setenv("RAY_AUTH_TOKEN", made.token)
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        yield made


def ran(words: list[str], on: str) -> str:
    """What a run in a process of its own says; it must have ended well."""
    return run_command([*words, "--on", on])


def until_some_is_done(lectures: Term) -> None:
    """Wait until the run has put something into the register, and not all."""
    until = time.monotonic() + 200
    while not lectures.seen():
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.mark.exhaustive
def test_twelve_clips_on_two_nodes_one_of_which_dies(
    lectures: Term, command: list[str], nodes: Nodes, tmp_path: Path
) -> None:
    twelve(lectures)
    expected = expected_register(tmp_path)
    process = begin_command([*command, "--on", nodes.on])
    until_some_is_done(lectures)
    assert process.poll() is None
    nodes.kill(OTHER)
    output = end_command(process)
    assert process.returncode == 0, output
    assert HEAD in output
    assert without_ids(lectures.register()) == expected
    assert "12 done before" in ran(command, nodes.on)
    assert without_ids(lectures.register()) == expected


@pytest.mark.exhaustive
def test_a_run_that_is_killed_goes_on(lectures: Term, command: list[str], nodes: Nodes, tmp_path: Path) -> None:
    twelve(lectures)
    expected = expected_register(tmp_path)
    process = begin_command([*command, "--on", nodes.on])
    until_some_is_done(lectures)
    assert process.poll() is None
    end_command(process, how=signal.SIGKILL)
    output = ran(command, nodes.on)
    assert "done before" in output
    assert without_ids(lectures.register()) == expected


@pytest.mark.exhaustive
def test_by_rays_client_server(lectures: Term, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    session = lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED_AND_GREEN)
    with two_nodes(client=True) as made:
        monkeypatch.setenv("RAY_AUTH_TOKEN", made.token)
        wrong = made.on.replace("ray://", "ray:")
        output = run_command([*command, "--on", wrong], status=1)
        assert "is no head of a Ray cluster that this version knows: is it the right port?" in output
        assert "machines" in ran(command, made.on)
    assert lectures.seen() == {(session, "red"), (session, "green")}


@pytest.mark.parametrize("tls", [False, True])
def test_a_cluster_open_to_everybody_is_refused(
    lectures: Term, command: list[str], monkeypatch: pytest.MonkeyPatch, *, tls: bool
) -> None:
    """Its machines were started so; the command itself has a token, which such a cluster takes, as it takes all."""
    lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED_AND_GREEN)
    with two_nodes(client=True, tls=tls, mode="disabled") as nodes:
        monkeypatch.setenv("RAY_AUTH_TOKEN", nodes.token)
        secured = {} if nodes.certificates is None else nodes.certificates.environment(HEAD)
        for on in (nodes.on, nodes.head):
            output = run_command([*command, "--on", on], {"RAY_AUTH_MODE": "token", **secured}, status=1)
            assert "is open to everybody: it answers without a token" in output
            assert "start them with RAY_AUTH_MODE=token" in output
            assert "Traceback" not in output
    assert lectures.seen() == set()


def test_a_command_that_asks_for_no_token_is_refused(lectures: Term, monkeypatch: pytest.MonkeyPatch) -> None:
    lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED_AND_GREEN)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(RunnerError, match="RAY_AUTH_MODE is not token"):
        lectures.run("ray:127.0.0.2:1")


@pytest.mark.exhaustive
def test_a_recording_on_two_nodes(lectures: Term, command: list[str], nodes: Nodes) -> None:
    session = lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED_AND_GREEN)
    output = ran(command, nodes.on)
    assert f"({HEAD}, {OTHER})" in output or f"({OTHER}, {HEAD})" in output
    assert lectures.seen() == {(session, "red"), (session, "green")}
