"""Whatever machines are lost, and whenever, a sitting comes to its end, with every stretch followed once, in order.

The machines are simulated, by chance from a seed: real ones (`test_on_ray`) are lost at few moments only.
"""

import random
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from operations.recordings.following import Records
from operations.recordings.looking import Told
from operations.recordings.running import RecordingsRun, RunTools
from operations.recordings.sitting_work import SittingPlan
from operations.recordings.sittings import Sitting
from operations.recordings.stretches import VideoStretch
from operations.recordings.videos import StartFrom, TakenBy, Video
from operations.runners.interface import KeptLostError, NotBegunError, TaskLostError
from tests.factories import NINE

_MOST_KILLED = 3
"""A stretch may be lost so often, and once more."""


class Machines:
    """A runner whose machines, of one processor each, come and go."""

    def __init__(self, seed: int, count: int) -> None:
        self._chance = random.Random(seed)
        self._alive = dict.fromkeys(range(count), True)
        self._killed = self._number = self._idle = 0
        self._running: dict[int, tuple[Any, ...]] = {}
        self._outcomes: dict[int, Any] = {}
        self._kept: dict[int, int | None] = {}
        """The machine that has what a task kept; None: it is gone."""
        self._stretch_of: dict[int, int] = {}
        self._seats: dict[int, tuple[int | None, list[int]]] = {}

    @property
    def slots(self) -> int:
        return sum(self._alive.values())

    def begin(self, _work: Any, job: Any) -> int:
        self._number += 1
        self._running[self._number] = ("look", self._any(), job.stretch)
        return self._number

    def sit(self, _make: Any, _job: Any) -> int:
        self._number += 1
        self._seats[self._number] = self._any(), []
        return self._number

    def call(self, seat: int, method: str, *, takes: int | None = None) -> int:
        self._number += 1
        self._running[self._number] = (method, seat, takes)
        return self._number

    def leave(self, seat: int) -> None:
        del self._seats[seat]

    def ended(self, _timeout_s: float) -> list[int]:
        self._come_and_go()
        if not self._running:
            self._idle += self.slots > 0
            assert self._idle < 100, "the run stands still"
            return []
        self._idle = 0
        some = self._chance.sample(sorted(self._running), self._chance.randint(1, len(self._running)))
        for task in some:
            self._do(task, *self._running.pop(task))
        return some

    def told(self, task: int) -> Any:
        if isinstance(outcome := self._outcomes[task], Exception):
            raise outcome
        return outcome

    def forget(self, task: int) -> None:
        self._running.pop(task, None)
        self._kept.pop(task, None)

    def _any(self) -> int:
        return self._chance.choice([machine for machine, alive in self._alive.items() if alive])

    def _come_and_go(self) -> None:
        for machine, alive in self._alive.items():
            if not alive:
                self._alive[machine] = self._chance.random() < 0.05
            elif self._killed < _MOST_KILLED and self._chance.random() < 0.05:
                self._killed += 1
                self._alive[machine] = False
                self._kept = {task: None if at == machine else at for task, at in self._kept.items()}
                self._seats = {
                    seat: (None if at == machine else at, taken) for seat, (at, taken) in self._seats.items()
                }

    def _do(self, task: int, what: str, where: int, given: Any) -> None:
        if what == "look":
            if not self._alive[where]:
                self._outcomes[task] = self._chance.choice([TaskLostError, NotBegunError])("gone")
                return
            self._outcomes[task] = Told(1, 0, (), 0.1)
            self._kept[task], self._stretch_of[task] = where, given.number
            return
        at, taken = self._seats[where]
        if at is None:
            self._outcomes[task] = TaskLostError("gone")
        elif what == "take" and self._kept[given] is None:
            self._outcomes[task] = KeptLostError("gone")
        elif what == "take":
            taken.append(self._stretch_of[given])
            self._outcomes[task] = None
        else:
            self._outcomes[task] = Records((), tuple(cast("list[Any]", taken)), ())


@pytest.mark.parametrize("machines", [1, 2, 4])
@pytest.mark.parametrize("stretches", [1, 5, 12])
def test_a_sitting_comes_to_its_end(machines: int, stretches: int) -> None:
    parts = tuple(
        VideoStretch(number, number, number + 1, 1, None, number == stretches + 1, 0.0)
        for number in range(2, stretches + 2)  # a sitting may begin within a video
    )
    video = Video(Path("a.mp4"), cast("TakenBy", None), NINE, StartFrom.NAME)
    for seed in range(300):
        put: list[tuple[int, ...]] = []
        tools = SimpleNamespace(
            runner=Machines(seed, machines),
            journal=SimpleNamespace(note_stretch=lambda *_: None, note_sitting=lambda *_: None),
            outbox=SimpleNamespace(put=lambda _, taken, put=put: put.append(taken), put_observed=lambda _: None),
            authorised=lambda: None,
        )
        run = RecordingsRun(cast("RunTools", tools), [])
        for key in "ab":
            sitting = Sitting(key, NINE, NINE + timedelta(seconds=stretches), ())
            follow = cast("Any", lambda: SimpleNamespace(index_version="1"))
            run._sittings.append(SittingPlan(video, sitting, parts, (0, 0), cast("Any", None), follow, 0.5))
        report = run.go()
        assert report.left == [], seed
        assert put == [tuple(range(2, stretches + 2))] * 2, seed
