"""An engine in a process of its own, for engines that hold Python's global lock while they compute.

The process is spawned, not forked: gRPC's threads do not survive a fork. Pictures go through a pipe as raw buffers
(pickle protocol 5, out of band), so nothing but the pipe copies them. The process ends by itself when the pipe closes:
a killed parent leaves no child behind.
"""

import multiprocessing
import pickle
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from attendance.errors import AttendanceError
from attendance.face_engine.interface import EngineError, EngineInfo
from recognition_service.engine.work import Answer, BuildEngine, Job, Step, Steps, Task, answers_of, find_each, warm_up

_END_WAIT_S = 5.0
_LAST_WORDS_S = 0.2
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class EngineDiedError(AttendanceError):
    """The engine's process ended, or was ended because it did not answer in time.

    Attributes:
        at_work: whether it was at work on what it was asked for; else it had ended before.
    """

    def __init__(self, message: str, *, at_work: bool = True) -> None:
        super().__init__(message)
        self.at_work = at_work


class EngineProcess:
    """The parent's side. One call at a time, from any one thread."""

    def __init__(self, build: BuildEngine, *, start_timeout_s: float, call_timeout_s: float) -> None:
        """Prepare; `start` spawns.

        Args:
            build: makes the engine, in the child.
            start_timeout_s: longest wait for the models to load and warm up, seconds.
            call_timeout_s: longest wait for a batch, seconds; a child that takes longer is killed.
        """
        self._build = build
        self._start_timeout_s = start_timeout_s
        self._call_timeout_s = call_timeout_s
        self._pipe: Connection[Any, Any] | None = None
        self._process: multiprocessing.process.BaseProcess | None = None

    @property
    def sentinel(self) -> int:
        """A descriptor that becomes readable when the process ends.

        Raises:
            EngineDiedError: it does not run.
        """
        if self._process is None:
            raise EngineDiedError("the engine's process does not run", at_work=False)
        return self._process.sentinel

    def start(self) -> EngineInfo:
        """Spawn the process and wait until its engine is warm.

        Raises:
            EngineError: the engine cannot be built there, says why.
            EngineDiedError: the process ended, or was not ready in time.
        """
        context = multiprocessing.get_context("spawn")
        # Else spawning would start it, which unblocks the signals blocked here.
        resource_tracker.ensure_running()
        self._pipe, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._build), name="face-engine", daemon=True)
        try:
            with _stop_signals_blocked():
                process.start()
        except OSError as error:
            raise EngineDiedError(f"no process can be started for the engine: {error.strerror}") from None
        finally:
            theirs.close()
        self._process = process
        answer = self._receive(self._start_timeout_s)
        if isinstance(answer, EngineInfo):
            return answer
        self.close()
        raise EngineError(str(answer))

    def steps(self, jobs: Sequence[Job], task: Task) -> Steps:
        """As `find_each`, over there, with one job a piece: dlib searches an image in one call.

        Raises:
            EngineDiedError: the process ended or took too long; it is gone now.
        """
        for place, job in enumerate(jobs):
            began = time.perf_counter()
            (answer,) = self.find([job], task)
            yield Step({place: time.perf_counter() - began}, {place: answer})

    def find(self, jobs: Sequence[Job], task: Task) -> list[Answer]:
        """The answers of `find_each`, over there.

        Raises:
            EngineDiedError: the process ended or took too long; it is gone now.
        """
        if self._pipe is None:
            raise EngineDiedError("the engine's process does not run", at_work=False)
        try:
            _send(self._pipe, (list(jobs), task))
        except OSError:
            raise self._died("the engine's process ended") from None
        answers: list[Answer] = self._receive(self._call_timeout_s)
        return answers

    def close(self) -> None:
        """End the process: by closing its pipe, by force when it takes too long. Again does nothing."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is not None:
            self._process.join(_END_WAIT_S)
            self.kill()

    def kill(self) -> None:
        """End the process by force and forget it; whoever watches `sentinel` must have stopped before."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()
            process.close()

    def interrupt(self) -> None:
        """End the process by force, from any thread; a call at work then raises EngineDiedError."""
        if self._process is not None:
            self._process.kill()

    def _receive(self, timeout_s: float) -> Any:
        if self._pipe is None:
            raise EngineDiedError("the engine's process does not run", at_work=False)
        try:
            if not self._pipe.poll(timeout_s):
                raise self._died(f"the engine did not answer within {timeout_s:g} s")
            return _receive(self._pipe)
        except (EOFError, OSError):
            raise self._died("the engine's process ended") from None

    def _died(self, reason: str) -> EngineDiedError:
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is not None:
            # A process that has closed its pipe is about to end, and its exit status worth waiting for.
            self._process.join(_LAST_WORDS_S)
            self._process.kill()
            self._process.join()
            reason = f"{reason} (exit status {self._process.exitcode})"
        return EngineDiedError(reason)


def _serve(pipe: "Connection[Any, Any]", build: BuildEngine) -> None:
    """The child: build, warm up, answer batches until the pipe closes."""
    # Ctrl-C and a service manager's stop reach the whole group; the parent decides when its engine may stop.
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    with suppress(EOFError, OSError):
        try:
            engine = build()
            info = warm_up(engine)
        except Exception as error:  # told to the parent, whatever it is
            _send(pipe, str(error) or type(error).__name__)
            return
        try:
            _send(pipe, info)
            while True:
                jobs, task = _receive(pipe)
                _send(pipe, answers_of(find_each(engine, jobs, task)))
                del jobs
        finally:
            engine.close()


def _send(pipe: "Connection[Any, Any]", message: object) -> None:
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    raw = [buffer.raw() for buffer in buffers]
    pipe.send((head, [len(view) for view in raw]))
    for view in raw:
        pipe.send_bytes(view)


def _receive(pipe: "Connection[Any, Any]") -> Any:
    head, sizes = pipe.recv()
    buffers = [bytearray(size) for size in sizes]  # bytes would make arrays that cannot be written to
    for buffer in buffers:
        pipe.recv_bytes_into(buffer)
    return pickle.loads(head, buffers=buffers)  # noqa: S301 - our own process wrote it


@contextmanager
def _stop_signals_blocked() -> Iterator[None]:
    """Have the child, which inherits this thread's mask, begin with stop signals held back until it ignores them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
