"""One sitting on its way: which stretches are looked at, which were followed, and what to do where one is lost."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from attendance.errors import AttendanceError
from operations.recordings.following import Follower, FollowJob, IndexDiffersError, Records
from operations.recordings.journal import DoneSitting
from operations.recordings.looking import Lens, LookJob, Told, look_at
from operations.recordings.sittings import Sitting
from operations.recordings.stretches import VideoStretch
from operations.recordings.videos import Video
from operations.runners.interface import KeptLostError, NotBegunError, Runner, Seat, Task, TaskLostError

_MOST_LOSSES = 4
"""Times that one stretch, or the seat, may be lost with a process or a machine: what is read may be what ends it."""
_INDEX_WAIT_S = 5.0
"""A machine's copy of a new index comes a while later."""


class LostTooOftenError(AttendanceError):
    """A part of a recording was lost with its process, again and again."""


@dataclass(frozen=True, slots=True)
class SittingPlan:
    """What is done for a sitting."""

    video: Video
    sitting: Sitting
    stretches: tuple[VideoStretch, ...]
    expected: tuple[int, int]
    """Of the file, as `looking.fingerprint`."""
    lens: Lens
    follow: Callable[[], FollowJob]
    """Made anew at each beginning: the index in use may be another by then."""
    share: float
    """Which part of the run's bytes it stands for."""

    def window(self) -> tuple[float, float]:
        """Begin and end, seconds of the video."""
        begins, ends = (
            (moment - self.video.starts_at).total_seconds() for moment in (self.sitting.begins_at, self.sitting.ends_at)
        )
        return begins, ends


@dataclass(slots=True)
class SittingWork:
    """A sitting that is open. Its stretches are looked at in any order, and followed in theirs."""

    plan: SittingPlan
    runner: Runner
    note: Callable[[int, int], None]
    """Told the number of each stretch that was followed, and its pictures."""
    job: FollowJob = field(init=False)
    records: Records | None = None
    """What came of it, once it is over."""
    took_s: float = 0.0
    """Of processors."""
    refused: str = ""
    _seat: Seat | None = None
    _waiting: deque[VideoStretch] = field(default_factory=deque)
    _looking: dict[Task, VideoStretch] = field(default_factory=dict)
    _looked: dict[int, tuple[Task, Told]] = field(default_factory=dict)
    _called: tuple[Task, int | None] | None = None
    """The call under way, and the stretch that it takes; None: it is the last call."""
    _next: int = 0
    _told: dict[int, Told] = field(default_factory=dict)
    _losses: dict[int, int] = field(default_factory=dict)
    _seat_losses: int = 0
    _not_before: float = 0.0

    def __post_init__(self) -> None:
        """Begin; nothing is looked at yet."""
        self._waiting.extend(self.plan.stretches)
        self._next = self.plan.stretches[0].number

    @property
    def at_work(self) -> int:
        """Stretches that are looked at now."""
        return len(self._looking)

    def has_room(self, places: int) -> bool:
        """Whether another stretch may be begun: few are looked at or wait for the follower, or it waits for one itself.

        Args:
            places: for stretches that are looked at, or wait.
        """
        if self._seat is None or len(self._looking) + len(self._looked) < places:
            return True
        # What it was to take may be lost when all places are taken by later ones.
        return self._next not in self._looked and self._next not in {one.number for one in self._looking.values()}

    @property
    def followed(self) -> float:
        """Which part of it was followed, from 0 to 1."""
        return (self._next - self.plan.stretches[0].number) / len(self.plan.stretches)

    @property
    def done(self) -> DoneSitting:
        """What the journal keeps of it."""
        told = [self._told[number] for number in sorted(self._told)]
        missing = [one for part in told for one in part.missing]
        return DoneSitting(sum(one.pictures for one in told), _joined(missing), self.plan.expected)

    def begin_next(self) -> bool:
        """Have the next stretch looked at; whether there was one."""
        if time.monotonic() < self._not_before:
            return False
        if self._seat is None:
            self._take_seat()
            self._go_on()
        if not self._waiting:
            return False
        stretch = self._waiting.popleft()
        begins, ends = self.plan.window()
        job = LookJob(
            self.plan.video.path,
            stretch,
            self.plan.video.starts_at,
            begins,
            ends,
            self.plan.lens,
            self.plan.expected,
        )
        self._looking[self.runner.begin(look_at, job)] = stretch
        return True

    def has(self, task: Task) -> bool:
        """Whether a task is one of its own."""
        return task in self._looking or (self._called is not None and self._called[0] == task)

    def take(self, task: Task) -> None:
        """One of its tasks has ended.

        Raises:
            AttendanceError: the sitting cannot be done.
        """
        if task in self._looking:
            self._take_looked(task, self._looking.pop(task))
        elif self._called is not None:
            number = self._called[1]
            self._called = None
            self._take_answer(task, number)
        self._go_on()

    def close(self) -> None:
        """Let go of everything."""
        for task, _ in self._looked.values():
            self.runner.forget(task)
        if self._called is not None:  # else the end of its process would be told as a machine's
            self.runner.forget(self._called[0])
        if self._seat is not None:
            self.runner.leave(self._seat)
        self._seat, self._looked, self._called = None, {}, None

    def _take_seat(self) -> None:
        self.job = self.plan.follow()
        self._seat = self.runner.sit(Follower, self.job)

    def _take_looked(self, task: Task, stretch: VideoStretch) -> None:
        try:
            told: Told = self.runner.told(task)
        except TaskLostError as error:
            self.runner.forget(task)
            self._again(stretch, error)
            return
        self.took_s += told.took_s
        self.refused = self.refused or told.refused
        self._told[stretch.number] = told
        self._looked[stretch.number] = task, told

    def _take_answer(self, task: Task, number: int | None) -> None:
        try:
            answer = self.runner.told(task)
        except KeptLostError as error:
            if number is not None:
                self.runner.forget(self._looked.pop(number)[0])
                self._again(self._stretch(number), error)
            return
        except TaskLostError as error:
            self._begin_again(error)
            return
        except IndexDiffersError as error:
            self._not_before = time.monotonic() + _INDEX_WAIT_S
            self._begin_again(error)
            return
        finally:
            self.runner.forget(task)
        if number is None:
            self.records = answer
            return
        self.runner.forget(self._looked.pop(number)[0])
        self._next = number + 1
        self.note(number, self._told[number].pictures)

    def _go_on(self) -> None:
        """Call the follower, if it has nothing to do and the next stretch is there."""
        if self._called is not None or self._seat is None or self.records is not None:
            return
        if self._next in self._looked:
            self._called = self.runner.call(self._seat, "take", takes=self._looked[self._next][0]), self._next
        elif self._next > self.plan.stretches[-1].number:
            self._called = self.runner.call(self._seat, "finish"), None

    def _again(self, stretch: VideoStretch, error: TaskLostError) -> None:
        """Look at a stretch again, before any later one."""
        losses = self._losses.get(stretch.number, 0) + (not isinstance(error, NotBegunError))
        self._losses[stretch.number] = losses
        if losses >= _MOST_LOSSES:
            raise LostTooOftenError(
                f"{stretch.begins_s:.0f} s to {stretch.ends_s:.0f} s of it were begun {losses} times, and each time "
                f"{error}"
            )
        self._waiting.appendleft(stretch)

    def _begin_again(self, error: AttendanceError) -> None:
        """The follower is gone, and what it knew with it."""
        self._seat_losses += not isinstance(error, NotBegunError)
        if self._seat_losses >= _MOST_LOSSES:
            raise error
        if self._seat is not None:
            self.runner.leave(self._seat)
            self._seat = None
        first = self.plan.stretches[0].number
        if self._next != first:  # what waits for the follower is of later, and there is room for so much only
            for task, _ in self._looked.values():
                self.runner.forget(task)
            self._looked = {}
        known = {stretch.number for stretch in (*self._looking.values(), *self._waiting)} | self._looked.keys()
        again = [stretch for stretch in self.plan.stretches if stretch.number not in known]
        self._waiting = deque(sorted([*again, *self._waiting], key=lambda one: one.number))
        self._next = first

    def _stretch(self, number: int) -> VideoStretch:
        return next(one for one in self.plan.stretches if one.number == number)


def _joined(parts: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Parts of a video, those that touch made one."""
    joined: list[tuple[float, float]] = []
    for begins, ends in sorted(parts):
        if joined and begins <= joined[-1][1] + 0.1:
            joined[-1] = joined[-1][0], max(ends, joined[-1][1])
        else:
            joined.append((begins, ends))
    return tuple(joined)


def in_words(parts: tuple[tuple[float, float], ...]) -> str:
    """Parts of a video, e.g. "12.0 s to 15.5 s"."""
    return ", ".join(f"{begins:.1f} s to {ends:.1f} s" for begins, ends in parts)


def name_of(path: Path) -> str:
    """A path that can be printed, whatever its name holds."""
    return str(path).encode("utf-8", "backslashreplace").decode()
