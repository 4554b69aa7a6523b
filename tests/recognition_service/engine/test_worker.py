"""Engines in a thread and in a spawned process: answers, failures of one image, deaths and new starts."""

import asyncio
import functools
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest

from attendance.face_engine.interface import EngineError, FaceBoxes, FaceEngine, Image
from attendance.face_engine.pieces import Known, Search
from recognition_service.engine.process import EngineDiedError, EngineProcess
from recognition_service.engine.work import Encoding, FacesOfImage, Found, Wanted
from recognition_service.engine.worker import EngineWorker, WorkerLimits
from recognition_service.errors import InternalServiceError, TooLargeError, UnavailableError
from tests.recognition_service import engines

BUCKET = (96, 128, Wanted())
LIMITS = WorkerLimits(first_delay_s=0.01, longest_delay_s=0.05)
RED, GREEN = (200, 60, 60), (60, 200, 60)
MakeWorker = Callable[..., EngineWorker]


@pytest.fixture
async def make_worker() -> AsyncIterator[MakeWorker]:
    async with AsyncExitStack() as stack:

        def make(build: Callable[[], FaceEngine], limits: WorkerLimits = LIMITS) -> EngineWorker:
            worker = EngineWorker(build, limits)
            stack.push_async_callback(worker.close)
            return worker

        yield make


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


def pid_of(worker: EngineWorker) -> int:
    assert worker.info is not None
    return int(worker.info.runtime.rsplit(maxsplit=1)[1])


def colours(answers: list[Found | Exception]) -> list[object]:
    return [
        [face.encoding[:3].tolist() for face in answer] if isinstance(answer, list) else answer for answer in answers
    ]


@pytest.mark.parametrize("build", [engines.build, engines.build_blocking])
async def test_a_batch_is_answered_in_order(make_worker: MakeWorker, build: Callable[[], FaceEngine]) -> None:
    worker = make_worker(build)
    assert not worker.ready
    await worker.start()
    assert worker.ready

    answers = await worker.find(BUCKET, [engines.picture(RED), engines.picture(), engines.picture(GREEN)])

    expected = [[engines.encoding_of(RED)[:3].tolist()], [], [engines.encoding_of(GREEN)[:3].tolist()]]
    assert colours(answers) == expected
    (face,) = answers[0] if isinstance(answers[0], list) else []
    assert face.box.tolist() == [8, 8, 72, 72]
    assert face.landmarks.shape == (5, 2)
    assert (face.encoding.dtype, face.score) == (np.float32, 1.5)


async def test_an_engine_that_blocks_the_interpreter_has_a_process_of_its_own(make_worker: MakeWorker) -> None:
    worker = make_worker(engines.build_blocking)
    await worker.start()
    assert pid_of(worker) != os.getpid()


async def test_another_engine_has_one_thread_of_its_own(make_worker: MakeWorker) -> None:
    engine = engines.ColourEngine()
    worker = make_worker(lambda: engine)
    await worker.start()
    assert pid_of(worker) == os.getpid()
    assert {name.rsplit("_", 1)[0] for name in engine.threads} == {"face-engine"}
    await worker.close()
    assert engine.closed


@pytest.mark.parametrize("build", [engines.build, engines.build_blocking])
async def test_one_bad_image_does_not_fail_its_batch_mates(
    make_worker: MakeWorker, build: Callable[[], FaceEngine]
) -> None:
    worker = make_worker(build)
    await worker.start()
    cursed, large = engines.picture(corner=engines.RAISE), engines.picture(corner=engines.TOO_LARGE)

    good, bad, too_large, also_good = await worker.find(
        BUCKET, [engines.picture(RED), cursed, large, engines.picture()]
    )

    assert isinstance(bad, InternalServiceError)
    assert "cursed" not in str(bad)
    assert isinstance(too_large, TooLargeError)
    assert isinstance(good, list)
    assert also_good == []


@pytest.mark.parametrize("build", [engines.build, engines.build_blocking])
async def test_faces_are_found_first_and_encoded_when_that_is_wanted(
    make_worker: MakeWorker, build: Callable[[], FaceEngine]
) -> None:
    worker = make_worker(build)
    await worker.start()
    images = [engines.picture(RED), engines.picture(), engines.picture(GREEN)]
    red, empty, green = await worker.find((96, 128, Wanted(encoded=False)), images)
    assert isinstance(red, FaceBoxes) and isinstance(empty, FaceBoxes) and isinstance(green, FaceBoxes)  # noqa: PT018
    assert (red.boxes.tolist(), red.scores.tolist()) == ([[8, 8, 72, 72]], [1.5])
    assert len(empty.scores) == 0
    jobs = [FacesOfImage(images[0], red), FacesOfImage(images[2], green)]
    whole, encoded = await worker.find(BUCKET, [images[0], images[2]]), await worker.find((Encoding(),), jobs)
    assert colours(encoded) == colours(whole)
    assert [face.box.tolist() for one in encoded if isinstance(one, list) for face in one] == [[8, 8, 72, 72]] * 2


@pytest.mark.parametrize("build", [engines.build, engines.build_blocking])
async def test_a_face_that_cannot_be_encoded_fails_alone(
    make_worker: MakeWorker, build: Callable[[], FaceEngine]
) -> None:
    worker = make_worker(build)
    await worker.start()
    boxes = FaceBoxes(np.array([[8, 8, 72, 72]], np.float32), np.ones(1, np.float32))
    flat = np.zeros((96, 128), np.uint8)
    noted = Noted()
    good, bad = await worker.find(
        (Encoding(),), [FacesOfImage(engines.picture(RED), boxes), FacesOfImage(flat, boxes)], noted
    )
    assert colours([good]) == [[engines.encoding_of(RED)[:3].tolist()]]
    assert isinstance(bad, InternalServiceError)
    assert sorted(noted.answered) == [0, 1]
    before = worker.expected_of_faces_s(2)
    assert worker.expected_of_faces_s(4) == pytest.approx(2 * before)
    assert before > 0


async def test_before_it_is_ready_it_says_so(make_worker: MakeWorker) -> None:
    with pytest.raises(UnavailableError, match="starting"):
        await make_worker(engines.build).find(BUCKET, [engines.picture()])


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (engines.build_broken, "colours.dat is missing"),
        (engines.build_of_unfit_settings, "no detector 'hog'"),
        (engines.build_with_a_bug, "cannot be built"),
        (engines.build_dying_in_child, "status 3"),
    ],
)
async def test_an_engine_that_cannot_start_says_why(
    make_worker: MakeWorker, build: Callable[[], FaceEngine], sentence: str
) -> None:
    worker = make_worker(build)
    with pytest.raises(EngineError, match=sentence):
        await worker.start()
    assert not worker.ready


async def test_a_process_that_dies_in_a_batch_fails_it_and_is_started_again(make_worker: MakeWorker) -> None:
    worker = make_worker(engines.build_blocking)
    await worker.start()
    first = pid_of(worker)

    with pytest.raises(InternalServiceError, match="ended"):
        await worker.find(BUCKET, [engines.picture(RED), engines.picture(corner=engines.DIE)])
    assert not worker.ready
    with pytest.raises(UnavailableError):
        await worker.find(BUCKET, [engines.picture(RED)])

    await until(lambda: worker.ready)
    assert pid_of(worker) != first
    assert await worker.find(BUCKET, [engines.picture()]) == [[]]


async def test_a_process_that_dies_while_idle_is_noticed_and_started_again(make_worker: MakeWorker) -> None:
    worker = make_worker(engines.build_blocking)
    await worker.start()
    first = pid_of(worker)
    os.kill(first, signal.SIGKILL)
    await until(lambda: worker.ready and pid_of(worker) != first)
    assert await worker.find(BUCKET, [engines.picture()]) == [[]]


async def test_stop_signals_do_not_end_the_engines_process(make_worker: MakeWorker) -> None:
    """Ctrl-C and a service manager's stop go to the whole group; the service still wants its last batches."""
    worker = make_worker(engines.build_blocking)
    await worker.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid_of(worker), number)
    assert await worker.find(BUCKET, [engines.picture()]) == [[]]


async def test_a_process_that_does_not_answer_in_time_is_replaced(make_worker: MakeWorker) -> None:
    worker = make_worker(engines.build_blocking, WorkerLimits(call_timeout_s=0.05, first_delay_s=0.01))
    await worker.start()
    with pytest.raises(InternalServiceError):
        await worker.find(BUCKET, [engines.picture(corner=engines.SLEEP)])
    await until(lambda: worker.ready)


async def test_closing_ends_the_process(make_worker: MakeWorker) -> None:
    worker = make_worker(engines.build_blocking)
    await worker.start()
    child = pid_of(worker)
    await worker.close()
    await worker.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_process_that_is_not_started_says_so() -> None:
    process = EngineProcess(engines.build_blocking, start_timeout_s=1, call_timeout_s=1)
    for act in (lambda: process.sentinel, functools.partial(process.find, [], Wanted())):
        with pytest.raises(EngineDiedError, match="does not run"):
            act()
    process.interrupt()
    process.close()


async def test_a_killed_parent_leaves_no_child_running() -> None:
    script = """
        import asyncio, sys
        from recognition_service.engine.worker import EngineWorker
        from tests.recognition_service import engines

        async def main():
            worker = EngineWorker(engines.build_blocking)
            info = await worker.start()
            print(info.runtime.rsplit(maxsplit=1)[1], flush=True)
            await asyncio.sleep(600)

        asyncio.run(main())
    """
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True, cwd=root
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    await until(lambda: not _runs(child))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


class Noted:
    """Keeps what a batcher is told between two pieces."""

    def __init__(self) -> None:
        self.spent: dict[int, float] = {}
        self.by_piece: list[list[int]] = []
        """Who was answered by each."""

    @property
    def answered(self) -> list[int]:
        return [place for piece in self.by_piece for place in piece]

    async def after_piece(self, spent: Mapping[int, float], answers: Mapping[int, Found | Exception]) -> None:
        for place, seconds in spent.items():
            self.spent[place] = self.spent.get(place, 0.0) + seconds
        self.by_piece.append(list(answers))


class InTurn(engines.ColourEngine):
    """Searches one image after the other, and says so."""

    def detect_in_pieces(
        self,
        images: Sequence[Image],
        *,
        upsample: int | None = None,
        smallest_face: int | None = None,
        known: Known,
    ) -> Search:
        for place, image in enumerate(images):
            [known[place]] = self.detect([image])
            yield [place]
        return [known[place] for place in range(len(images))]


async def test_who_is_known_is_answered_before_the_batch_is_over(make_worker: MakeWorker) -> None:
    worker = make_worker(InTurn)
    await worker.start()
    noted = Noted()
    searched = (96, 128, Wanted(encoded=False))
    answers = await worker.find(searched, [engines.picture(RED), engines.picture(), engines.picture(GREEN)], noted)
    assert noted.by_piece == [[0], [1], [2]]
    assert [len(one.scores) for one in answers if isinstance(one, FaceBoxes)] == [1, 0, 1]


async def test_who_was_known_keeps_the_answer_when_another_fails(make_worker: MakeWorker) -> None:
    worker = make_worker(InTurn)
    await worker.start()
    noted = Noted()
    cursed = engines.picture(corner=engines.RAISE)
    images = [engines.picture(RED), cursed, engines.picture(GREEN)]
    answers = await worker.find((96, 128, Wanted(encoded=False)), images, noted)
    assert noted.answered == [0, 1, 2], "each once"
    assert noted.by_piece[0] == [0]
    assert [type(one) for one in answers] == [FaceBoxes, InternalServiceError, FaceBoxes]


@pytest.mark.parametrize("build", [engines.build, engines.build_blocking])
async def test_what_each_image_costs_is_told_in_seconds(
    make_worker: MakeWorker, build: Callable[[], FaceEngine]
) -> None:
    worker = make_worker(build)
    await worker.start()
    slow, cursed = engines.picture(corner=engines.SLEEP), engines.picture(corner=engines.RAISE)
    noted = Noted()
    answers = await worker.find(BUCKET, [engines.picture(RED), cursed, slow], noted)
    assert isinstance(answers[1], InternalServiceError)
    assert sorted(noted.answered) == [0, 1, 2]
    assert noted.spent[2] >= engines.SLEEP_S
    assert sum(noted.spent.values()) < 5
    before = worker.expected_s(*BUCKET)
    for _ in range(30):
        await worker.find(BUCKET, [engines.picture(RED)])
    assert worker.expected_s(*BUCKET) < before / 10, "it learns what frames cost"
    assert worker.expected_s(192, 128, Wanted()) == pytest.approx(2 * worker.expected_s(*BUCKET))
    assert worker.expected_s(96, 128, Wanted(upsample=3)) > 0, "and has an idea of others"
