"""A runner of this machine: processes, each of which does one piece of work at a time or has one seat.

A process that is killed, by the system for its memory or by what it was given to read, takes its own piece of work with
it and no other's. Processes end by themselves when their pipe does: a killed run leaves none behind.
"""

import itertools
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from attendance.errors import AttendanceError
from attendance.private_files import keep_private
from operations.runners.interface import RunnerError, Seat, Task, TaskLostError, Work, WorkFailedError

_END_WAIT_S = 2.0
_MADE = -1
"""In place of a task's number: the answer says whether an object could be made."""


@dataclass(frozen=True, slots=True)
class _Call:
    """What a process is asked: to do work, to make its object, or to call it."""

    function: Callable[[Any], Any] | None
    method: str
    argument: bytes
    """Pickled, so that what was kept is not taken apart on its way."""


@dataclass(eq=False, slots=True)
class _Process:
    process: BaseProcess
    pipe: "Connection[Any, Any]"
    asked: deque[int] = field(default_factory=deque)
    """The numbers of the tasks that it has not answered."""


@dataclass(slots=True)
class _Outcome:
    told: Any = None
    kept: bytes | None = None
    error: AttendanceError | None = None


@contextmanager
def _where_a_process_may_stand() -> Iterator[None]:
    """A new process goes to this folder by its name; after sudo that may be a home which the account may not enter."""
    with ExitStack() as back:
        try:
            os.chdir(Path.cwd())
        except PermissionError:
            with suppress(PermissionError):  # else nothing can be named from there, and nobody goes back
                here = os.open(".", os.O_PATH)
                back.callback(os.close, here)
                back.callback(os.fchdir, here)
            os.chdir("/")
        yield


class LocalRunner:
    """See `operations.runners.interface.Runner`."""

    def __init__(
        self, processes: int = 0, *, preload: Sequence[str] = (), prepare: Callable[[], None] | None = None
    ) -> None:
        """Prepare; processes are started when there is work for them.

        Args:
            processes: that work at once; 0: one a core that this program may use.
            preload: modules that are imported once, by the process of which all others are forks.
            prepare: done first in each process, e.g. its log set up; can be pickled.
        """
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))
        self._prepare = prepare
        self._slots = processes or len(os.sched_getaffinity(0))
        self._numbers = itertools.count()
        self._idle: list[_Process] = []
        self._busy: dict[int, _Process] = {}
        self._seats: dict[Hashable, _Process] = {}
        self._outcomes: dict[int, _Outcome] = {}
        self._fresh: list[int] = []

    @property
    def slots(self) -> int:
        """See `Runner.slots`."""
        return self._slots

    @property
    def where(self) -> str:
        """See `Runner.where`."""
        return f"{self._slots} {'process' if self._slots == 1 else 'processes'} of this machine"

    def begin(self, work: Work, argument: Any) -> Task:
        """See `Runner.begin`."""
        process = self._idle.pop() if self._idle else self._start()
        number = next(self._numbers)
        self._busy[number] = process
        self._ask(process, number, _Call(work, "", pickle.dumps(argument)))
        return number

    def sit(self, make: Callable[[Any], Any], argument: Any) -> Seat:
        """See `Runner.sit`."""
        seat = f"seat {next(self._numbers)}"
        process = self._idle.pop() if self._idle else self._start()
        self._seats[seat] = process
        self._make(process, make, argument)
        return seat

    def call(self, seat: Seat, method: str, *, takes: Task | None = None) -> Task:
        """See `Runner.call`."""
        number = next(self._numbers)
        kept = pickle.dumps(None)
        if isinstance(takes, int):
            kept = self._outcomes[takes].kept or kept
        process = self._seats.get(seat)
        if process is None:
            self._outcomes[number] = _Outcome(error=_lost())
            self._fresh.append(number)
        else:
            self._ask(process, number, _Call(None, method, kept))
        return number

    def leave(self, seat: Seat) -> None:
        """See `Runner.leave`. The process forgets what the object held, and does other work."""
        process = self._seats.pop(seat, None)
        if process is None:
            return
        if process.asked or len(self._idle) >= self._slots:
            _end(process)
            return
        self._idle.append(process)
        self._make(process, _nothing, None)

    def ended(self, timeout_s: float) -> Sequence[Task]:
        """See `Runner.ended`."""
        if not self._fresh:
            waiting = {process.pipe: process for process in {*self._busy.values(), *self._seats.values()}}
            for pipe in multiprocessing.connection.wait(list(waiting), timeout_s):
                self._hear(waiting[pipe])  # type: ignore[index]  # what was given is what comes back
        fresh, self._fresh = self._fresh, []
        return fresh

    def told(self, task: Task) -> Any:
        """See `Runner.told`."""
        outcome = self._outcomes[task]  # type: ignore[index]  # the caller was given a number
        if outcome.error is not None:
            raise outcome.error
        return outcome.told

    def forget(self, task: Task) -> None:
        """See `Runner.forget`."""
        self._outcomes.pop(task, None)  # type: ignore[call-overload]

    def close(self) -> None:
        """See `Runner.close`."""
        for process in {*self._idle, *self._busy.values(), *self._seats.values()}:
            _end(process)
        self._idle, self._busy, self._seats = [], {}, {}

    def _start(self) -> _Process:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(theirs, self._prepare), name="attendance-work", daemon=True
        )
        try:
            with _where_a_process_may_stand():
                process.start()
        except OSError as error:
            raise RunnerError(f"no process can be started: {error.strerror}") from None
        finally:
            theirs.close()
        return _Process(process, ours)

    def _make(self, process: _Process, make: Callable[[Any], Any], argument: Any) -> None:
        with suppress(OSError):  # the first call tells that it is gone
            process.pipe.send(_Call(make, "", pickle.dumps(argument)))
            process.asked.append(_MADE)

    def _ask(self, process: _Process, number: int, call: _Call) -> None:
        process.asked.append(number)
        try:
            process.pipe.send(call)
        except OSError:
            self._bury(process)

    def _hear(self, process: _Process) -> None:
        try:
            outcome: _Outcome = process.pipe.recv()
        except (EOFError, OSError):
            self._bury(process)
            return
        number = process.asked.popleft()
        if number == _MADE:
            if outcome.error is not None:  # its object could not be made: whatever is asked of it fails so
                self._bury(process, outcome.error)
            return
        self._outcomes[number] = outcome
        self._fresh.append(number)
        if self._busy.pop(number, None) is not None:
            self._idle.append(process)

    def _bury(self, process: _Process, error: AttendanceError | None = None) -> None:
        """Tell of all that a process was asked that it will not answer."""
        for number in process.asked:
            if number != _MADE:
                self._outcomes[number] = _Outcome(error=error or _lost())
                self._fresh.append(number)
                self._busy.pop(number, None)
        process.asked.clear()
        for seat in [seat for seat, one in self._seats.items() if one is process]:
            del self._seats[seat]
        _end(process)


def _nothing(_: None) -> None:
    """The object of whoever has none."""


def _lost() -> TaskLostError:
    return TaskLostError("the process ended before its work was done")


def _end(process: _Process) -> None:
    process.pipe.close()
    process.process.terminate()
    process.process.join(_END_WAIT_S)
    if process.process.is_alive():
        process.process.kill()
        process.process.join(_END_WAIT_S)


def _serve(pipe: "Connection[Any, Any]", prepare: Callable[[], None] | None) -> None:
    """A process's life."""
    keep_private()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the run, which ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if prepare is not None:
        prepare()
    seated: Any = None
    while True:
        try:
            call: _Call = pipe.recv()
        except (EOFError, OSError):
            return
        outcome = _Outcome()
        try:
            argument = pickle.loads(call.argument)  # noqa: S301 - from the run that started us, by a pipe
            if call.method:
                outcome.told = getattr(seated, call.method)(*([] if argument is None else [argument]))
            elif call.function is not None and isinstance(answer := call.function(argument), tuple):
                outcome.told, kept = answer
                outcome.kept = None if kept is None else pickle.dumps(kept, protocol=pickle.HIGHEST_PROTOCOL)
            else:
                seated = answer
        except Exception as error:
            outcome = _Outcome(error=told_error(error))
        try:
            pipe.send(outcome)
        except OSError:
            return


def told_error(error: Exception) -> AttendanceError:
    """An error as it may go to another process: ours as they are, where they can be pickled, others in words."""
    if isinstance(error, AttendanceError):
        with suppress(Exception):
            pickle.loads(pickle.dumps(error))  # noqa: S301 - what was just pickled
            return error
        return AttendanceError(str(error))
    return WorkFailedError("".join(traceback.format_exception(error)).strip())
