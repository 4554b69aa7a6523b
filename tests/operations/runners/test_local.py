"""Processes of this machine do work, sit, and may be killed."""

import functools
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog

from attendance.errors import AttendanceError
from attendance.settings.logs import configure_logging
from attendance.settings.model import LogFormat, LogSettings
from attendance.tables.errors import TableError
from operations.runners.choosing import runner_of
from operations.runners.interface import RunnerError, Task, TaskLostError, WorkFailedError
from operations.runners.local import LocalRunner


def double(number: int) -> tuple[int, list[int]]:
    return 2 * number, [number] * 3


def stand(_: int) -> tuple[str, None]:
    return str(Path.cwd()), None


def die(_: int) -> tuple[int, None]:
    os._exit(3)


def refuse(text: str) -> tuple[int, None]:
    raise TableError(text)


def fail(_: int) -> tuple[int, None]:
    raise ZeroDivisionError("by nought")


class Sum:
    def __init__(self, begin: int) -> None:
        self.total = begin
        if begin < 0:
            raise AttendanceError("less than nothing")

    def add(self, numbers: list[int]) -> int:
        self.total += sum(numbers)
        return self.total

    def die(self) -> None:
        os._exit(4)


def lines(name: str) -> tuple[str, None]:
    out = StringIO()
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(out)
    structlog.get_logger(name).info("looked", place=name)
    return out.getvalue(), None


@pytest.fixture
def runner() -> Iterator[LocalRunner]:
    with closing(LocalRunner(2)) as made:
        yield made


def wait_for(runner: LocalRunner, *tasks: Task) -> None:
    waiting = set(tasks)
    until = time.monotonic() + 60
    while waiting:
        assert time.monotonic() < until
        waiting -= set(runner.ended(1.0))


@pytest.mark.real
def test_work_is_done_and_what_is_lost_is_told_alone(runner: LocalRunner) -> None:
    one, other = runner.begin(double, 4), runner.begin(die, 0)
    wait_for(runner, one, other)
    assert runner.told(one) == 8
    with pytest.raises(TaskLostError):
        runner.told(other)
    ours, theirs = runner.begin(refuse, "no table"), runner.begin(fail, 1)
    wait_for(runner, ours, theirs)
    with pytest.raises(TableError, match="no table"):
        runner.told(ours)
    with pytest.raises(WorkFailedError, match="by nought"):
        runner.told(theirs)
    seat = runner.sit(Sum, 10)
    call = runner.call(seat, "add", takes=one)
    wait_for(runner, call)
    assert runner.told(call) == 22
    unfit = runner.call(runner.sit(Sum, -1), "add", takes=one)
    killed = runner.call(seat, "die")
    after = runner.call(seat, "add", takes=one)
    wait_for(runner, unfit, killed, after)
    with pytest.raises(AttendanceError, match="less than nothing"):
        runner.told(unfit)
    for task in (
        killed,
        after,
    ):
        with pytest.raises(TaskLostError):
            runner.told(task)
    late = runner.call(seat, "add", takes=one)
    wait_for(runner, late)
    with pytest.raises(TaskLostError):
        runner.told(late)


@pytest.mark.real
def test_work_is_done_from_a_folder_that_the_account_may_not_enter(
    runner: LocalRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = os.chdir

    def refuse_the_home(path: str | Path) -> None:
        if str(path) == str(tmp_path):
            raise PermissionError(13, "Permission denied")
        go(path)

    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "chdir", refuse_the_home)
        task = runner.begin(stand, 0)
    assert Path.cwd() == tmp_path
    wait_for(runner, task)
    assert runner.told(task) == "/"


@pytest.mark.parametrize(
    "text", ["", "local:0", "remote", "ray://", "ray://host", "ray:6379", "local:x", "ray:host:0", "ray://host:65536"]
)
def test_a_place_that_is_none_is_named(text: str) -> None:
    def nobody() -> Any:
        raise AssertionError("nobody is asked")

    with pytest.raises(RunnerError, match="is no place to run"):
        runner_of(text, nobody)


def test_processes_log_as_the_run_does() -> None:
    prepare = functools.partial(configure_logging, LogSettings(format=LogFormat.JSON))
    with closing(LocalRunner(1, prepare=prepare)) as runner:
        task = runner.begin(lines, "H1")
        wait_for(runner, task)
        assert json.loads(runner.told(task))["event"] == "looked"


def test_where_nothing_is_at_work_it_waits(runner: LocalRunner) -> None:
    began = time.monotonic()
    assert runner.ended(0.2) == []
    assert time.monotonic() - began >= 0.19
