"""The engine at work beside the event loop: in a thread, or in a process that is started again when it dies."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import structlog

from attendance.face_engine.interface import EngineError, EngineInfo
from recognition_service.engine.at_work import Pauses
from recognition_service.engine.process import EngineDiedError, EngineProcess
from recognition_service.engine.work import (
    Answer,
    BuildEngine,
    Encoding,
    EngineThread,
    FacesOfImage,
    Failure,
    Found,
    Job,
    Task,
    Wanted,
)
from recognition_service.errors import InternalServiceError, TooLargeError, UnavailableError
from recognition_service.telemetry.threads import name_thread

_CLOSE_WAIT_S = 5.0
_FIRST_SECONDS_A_PIXEL = 1e-7
"""What is expected before the first frame; 0.2 s for one of 1920 x 1080."""
_FIRST_SECONDS_A_FACE = 0.005
"""What is expected before the first faces are encoded by themselves."""
_MOST_KEPT = 1024
"""Ways of looking whose cost is remembered: a camera whose zones are drawn anew leaves one behind."""
_LEARNED = 0.2
"""How much one batch changes what is expected of the next."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How long an engine's process may take, and how often it may be started again."""

    start_timeout_s: float = 120.0
    call_timeout_s: float = 120.0
    first_delay_s: float = 0.5
    """Between a death and the first new start; doubles with every further one up to `longest_delay_s`."""
    longest_delay_s: float = 30.0
    steady_s: float = 60.0
    """A process that lived this long begins again with the first delay."""


class EngineWorker:
    """Runs batches on an engine.

    `find` is the work of a `Batcher` whose buckets are (height, width, `Wanted`) for images, and (`Encoding`,) for
    faces that were found before.
    """

    def __init__(self, build: BuildEngine, limits: WorkerLimits | None = None) -> None:
        """Prepare; `start` begins.

        Args:
            build: makes the engine. An engine that holds Python's global lock is made again in a spawned process, so
                `build` must then be picklable.
            limits: for an engine in a process.
        """
        self._build = build
        self._limits = limits or WorkerLimits()
        # The libraries' own threads, which it starts, inherit the name.
        self._thread = ThreadPoolExecutor(1, "face-engine", initializer=name_thread, initargs=("face-engine",))
        self._backend: EngineThread | EngineProcess | None = None
        self._died = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._info: EngineInfo | None = None
        self._ready = False
        self._seconds_a_pixel: OrderedDict[Wanted, float] = OrderedDict()
        self._usual_seconds = _FIRST_SECONDS_A_PIXEL
        self._seconds_a_face = _FIRST_SECONDS_A_FACE

    @property
    def ready(self) -> bool:
        """Whether batches are answered now."""
        return self._ready

    @property
    def info(self) -> EngineInfo | None:
        """What the engine runs on; None until it was ready once."""
        return self._info

    async def start(self) -> EngineInfo:
        """Build the engine where it belongs and warm it up.

        Raises:
            EngineError: it cannot be built or does not work; the message says why.
        """
        loop = asyncio.get_running_loop()
        self._backend = await loop.run_in_executor(self._thread, self._choose)
        try:
            info = await loop.run_in_executor(self._thread, self._backend.start)
        except EngineDiedError as error:
            raise EngineError(f"the engine did not start: {error}") from None
        self._info, self._ready = info, True
        if isinstance(self._backend, EngineProcess):
            self._supervisor = asyncio.create_task(self._supervise(self._backend), name="engine-supervisor")
        return info

    def expected_s(self, height: int, width: int, wanted: Wanted) -> float:
        """How long the engine will be at work on an image of that size, as far as images before it tell, seconds."""
        return wanted.pixels(height, width) * self._seconds_a_pixel.get(wanted.usual, self._usual_seconds)

    def expected_of_faces_s(self, faces: int) -> float:
        """How long it will be at work on encoding so many faces, seconds."""
        return faces * self._seconds_a_face

    async def find(
        self, bucket: Hashable, jobs: Sequence[Job], pauses: Pauses[Found] | None = None
    ) -> list[Found | Exception]:
        """The faces of each job of a batch, or the error that is its own.

        Args:
            bucket: (height, width, `Wanted`), of images, RGB, uint8, of that size; or (`Encoding`,), of faces.
            jobs: images, or `FacesOfImage`.
            pauses: asked between two pieces of the work; what they cost is in seconds.

        Raises:
            UnavailableError: the engine is being started again.
            InternalServiceError: the engine's process died on this batch.
        """
        if not self._ready or self._backend is None:
            raise UnavailableError("the face engine is starting; try again shortly")
        task: Task = bucket[-1] if isinstance(bucket, tuple) else Wanted()
        loop = asyncio.get_running_loop()
        steps = self._backend.steps(jobs, task)
        answers: dict[int, Found | Exception] = {}
        spent = 0.0
        try:
            # With the last answer the batch is done: to ask for one more step would cost a turn of thread and loop.
            while len(answers) < len(jobs):
                step = await loop.run_in_executor(self._thread, next, steps, None)
                if step is None:
                    break
                known = {place: _result(answer) for place, answer in step.answers.items()}
                answers |= known
                spent += sum(step.spent.values())
                if pauses is not None:
                    await pauses.after_piece(step.spent, known)
        except EngineDiedError as error:
            if not error.at_work:
                raise UnavailableError("the face engine is starting; try again shortly") from None
            self._ready = False
            self._died.set()
            log.error("engine_died", reason=str(error), frames=len(jobs))
            raise InternalServiceError("the face engine ended while it worked on this frame") from None
        except asyncio.CancelledError:
            with suppress(RuntimeError):  # the thread has ended
                self._thread.submit(steps.close)
            raise
        self._learn(task, jobs, spent)
        return [answers[place] for place in sorted(answers)]

    def _learn(self, task: Task, jobs: Sequence[Job], spent: float) -> None:
        if isinstance(task, Encoding):
            faces = sum(len(job.boxes.scores) for job in jobs if isinstance(job, FacesOfImage))
            self._seconds_a_face += _LEARNED * (spent / max(1, faces) - self._seconds_a_face)
            return
        pixels = sum(task.pixels(*job.shape[:2]) for job in jobs if isinstance(job, np.ndarray))
        task, seconds = task.usual, spent / max(1, pixels)
        before = self._seconds_a_pixel.get(task, seconds)
        self._usual_seconds = before + _LEARNED * (seconds - before)
        self._seconds_a_pixel[task] = self._usual_seconds
        self._seconds_a_pixel.move_to_end(task)
        if len(self._seconds_a_pixel) > _MOST_KEPT:
            self._seconds_a_pixel.popitem(last=False)

    async def close(self) -> None:
        """End the engine, its process and its thread. Calling it again does nothing."""
        self._ready = False
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None
        backend, self._backend = self._backend, None
        if backend is not None:
            closing = asyncio.get_running_loop().run_in_executor(self._thread, backend.close)
            done, _ = await asyncio.wait([closing], timeout=_CLOSE_WAIT_S)
            if not done and isinstance(backend, EngineProcess):
                backend.interrupt()  # it is still at work on a batch that nobody waits for
            await closing
        self._thread.shutdown()

    def _choose(self) -> EngineThread | EngineProcess:
        try:
            engine = self._build()
        except EngineError:
            raise
        except Exception as error:
            log.exception("engine_not_built")
            raise EngineError(f"it cannot be built ({type(error).__name__}: {error})") from None
        if not engine.blocks_interpreter:
            return EngineThread(engine)
        engine.close()
        return EngineProcess(
            self._build, start_timeout_s=self._limits.start_timeout_s, call_timeout_s=self._limits.call_timeout_s
        )

    async def _supervise(self, process: EngineProcess) -> None:
        """Start the process again whenever it has died, at a capped rate."""
        loop = asyncio.get_running_loop()
        delay, limits = self._limits.first_delay_s, self._limits
        while True:
            since = time.monotonic()
            await self._death_of(process)
            self._ready = False
            if time.monotonic() - since > limits.steady_s:
                delay = limits.first_delay_s
            while not self._ready:
                log.warning("engine_restarting", in_s=delay)
                await asyncio.sleep(delay)
                delay = min(2 * delay, limits.longest_delay_s)
                try:
                    await loop.run_in_executor(self._thread, process.kill)
                    self._info = await loop.run_in_executor(self._thread, process.start)
                except (EngineError, EngineDiedError) as error:
                    log.error("engine_start_failed", reason=str(error))
                except Exception:  # whatever it is, trying again is all that can help
                    log.exception("engine_start_failed")
                else:
                    self._died.clear()
                    self._ready = True
                    log.info("engine_restarted")

    async def _death_of(self, process: EngineProcess) -> None:
        loop = asyncio.get_running_loop()
        sentinel: int | None = None
        try:
            sentinel = process.sentinel
            loop.add_reader(sentinel, self._died.set)
            await self._died.wait()
        except EngineDiedError:
            return
        finally:
            if sentinel is not None:
                loop.remove_reader(sentinel)


def _result(answer: Answer) -> Found | Exception:
    if not isinstance(answer, Failure):
        return answer
    if answer.fault_of_image:
        return TooLargeError(answer.message)
    log.error("engine_failed", trace=answer.message)
    return InternalServiceError("the engine failed on this frame; the service's log says why")
