"""A run over recordings: begins one after the other, keeps the runner busy, and puts what comes of it into the outbox.

Stretches of the recording begun first go first, so that few are open at a time: what a killed run had open is looked at
again, and all else is not. A sitting's stretches wait for its follower in the memory of those who looked; there are
never more than the runner has places for, and two.
"""

import functools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from attendance.errors import AttendanceError
from operations.recordings.following import FollowJob
from operations.recordings.journal import DoneSitting, Journal, JournalError
from operations.recordings.looking import Lens, PlanJob, plan
from operations.recordings.settling import settled
from operations.recordings.sitting_work import SittingPlan, SittingWork, in_words, name_of
from operations.recordings.sittings import Sitting
from operations.recordings.stretches import VideoPlan
from operations.recordings.videos import LeftOutVideo, Video, digest_of
from operations.runners.interface import NotBegunError, Runner, RunnerError, Task, TaskLostError
from recognition_service.outbox.sink import Sink

_WAIT_S = 0.5
_MOST_PLANNED_AGAIN = 3


@dataclass(frozen=True, slots=True)
class RunTools:
    """What a run works with."""

    runner: Runner
    journal: Journal
    outbox: Sink
    sittings: Callable[[Video, str, float], Sequence[Sitting]]
    """Given a video, its digest and its length in seconds."""
    lens_of: Callable[[Video], Lens]
    follow_job: Callable[[Video, Sitting, int], FollowJob]
    """Given the sitting and the number of its first stretch."""
    authorised: Callable[[], None]
    """Asked before anything is put into the outbox; raises where nobody answers for it any more."""
    stretch_s: float
    settle_s: float
    again: bool = False
    """Look at what is done, too."""


@dataclass(slots=True)
class RunReport:
    """How far a run came."""

    left: list[LeftOutVideo] = field(default_factory=list)
    """What was left out, and why; damaged recordings are among them with what was read."""
    videos: int = 0
    """That were looked at."""
    known: int = 0
    """Of which everything had been done before."""
    sittings: int = 0
    """Put into the outbox."""
    pictures: int = 0
    seconds: float = 0.0
    """Of video."""
    processor_s: float = 0.0
    students: int = 0
    """Sightings put into the outbox."""
    held: int = 0
    """Of these, how many wait for somebody to look: they may be of photos held before the camera."""
    done: float = 0.0
    """Which part of the bytes is done, from 0 to 1."""
    passed_over: float = 0.0
    """Which part took no time: it was done before, or left out."""
    repeated: int = 0
    """Stretches looked at again that a stopped run had followed."""


@dataclass(slots=True)
class _Waiting:
    """A video that is not planned yet."""

    video: Video
    share: float
    tries: int = 0
    digest: str = ""
    expected: tuple[int, int] = (0, 0)


class RecordingsRun:
    """One run. `go` once."""

    def __init__(self, tools: RunTools, videos: Sequence[Video], left: Sequence[LeftOutVideo] = ()) -> None:
        """Get ready.

        Args:
            tools: see there.
            videos: to be looked at, in this order.
            left: what was left out before.
        """
        self._tools = tools
        sizes = [_size_of(video) for video in videos]
        whole = sum(sizes) or 1
        self._videos = deque(_Waiting(video, size / whole) for video, size in zip(videos, sizes, strict=True))
        self._planning: dict[Task, _Waiting] = {}
        self._sittings: deque[SittingPlan] = deque()
        self._open: list[SittingWork] = []
        self.report = RunReport(left=list(left))

    def go(self, tell: Callable[[RunReport], None] = lambda _: None) -> RunReport:
        """Look at all videos.

        Args:
            tell: told now and then how far it came.

        Raises:
            RunnerError: no process or machine can be used any more.
            OutboxError, JournalError: the disk refuses; what was put is there, and the same run goes on later.
            AttendanceError: nobody answers for the recordings any more.
        """
        while self._videos or self._planning or self._sittings or self._open:
            self._fill()
            for task in self._tools.runner.ended(_WAIT_S):
                self._take(task)
            tell(self.report)
        return self.report

    @property
    def done(self) -> float:
        """Which part of the bytes is done, from 0 to 1."""
        return self.report.done + sum(work.plan.share * work.followed for work in self._open)

    def _fill(self) -> None:
        slots = self._tools.runner.slots
        while self._at_work() < slots and self._begin_one(slots):
            pass

    def _at_work(self) -> int:
        return len(self._planning) + sum(work.at_work for work in self._open)

    def _begin_one(self, slots: int) -> bool:
        """Begin whatever is next; whether there was anything."""
        for work in self._open:
            if work.has_room(slots + 2) and work.begin_next():
                return True
        if len(self._open) > slots:
            return False
        if self._sittings:
            plan_of = self._sittings.popleft()
            self._open.append(self._work_on(plan_of))
            return True
        return self._begin_video()

    def _begin_video(self) -> bool:
        while self._videos:
            waiting = self._videos.popleft()
            try:
                waiting.expected = settled(waiting.video.path, self._tools.settle_s)
                waiting.digest = digest_of(waiting.video.path)
            except (AttendanceError, OSError) as error:
                self._leave_out(waiting, getattr(error, "strerror", None) or str(error))
                continue
            if self._done_before(waiting):
                continue
            task = self._tools.runner.begin(plan, PlanJob(waiting.video.path, self._tools.stretch_s))
            self._planning[task] = waiting
            return True
        return False

    def _take(self, task: Task) -> None:
        if task in self._planning:
            self._take_plan(task, self._planning.pop(task))
            return
        work = next((one for one in self._open if one.has(task)), None)
        if work is None:  # of a sitting that was given up meanwhile
            self._tools.runner.forget(task)
            return
        try:
            work.take(task)
        except (JournalError, RunnerError):  # of the disk, or of all machines: no fault of the recording
            raise
        except AttendanceError as error:
            self._give_up(work, str(error))
            return
        if work.records is not None:
            self._put(work)

    def _take_plan(self, task: Task, waiting: _Waiting) -> None:
        try:
            found: VideoPlan = self._tools.runner.told(task)
        except TaskLostError as error:
            waiting.tries += not isinstance(error, NotBegunError)
            if waiting.tries < _MOST_PLANNED_AGAIN:
                self._videos.appendleft(waiting)
            else:
                self._leave_out(waiting, str(error))
            return
        except AttendanceError as error:
            self._leave_out(waiting, str(error))
            return
        finally:
            self._tools.runner.forget(task)
        self._tools.journal.note_length(waiting.digest, found)
        sittings = self._tools.sittings(waiting.video, waiting.digest, found.length_s)
        if not sittings:
            self._leave_out(
                waiting,
                f"no class session counts in {waiting.video.camera.room} while it runs ({found.length_s:.0f} s)",
            )
            return
        self._queue(waiting, found, sittings)

    def _done_before(self, waiting: _Waiting) -> bool:
        """Pass over a video of which all is done: reading its packets alone takes as long as copying it."""
        found = None if self._tools.again else self._tools.journal.length(waiting.digest)
        if found is None:
            return False
        sittings = self._tools.sittings(waiting.video, waiting.digest, found.length_s)
        if not sittings or any(self._done(waiting, sitting) is None for sitting in sittings):
            return False
        self._queue(waiting, found, sittings)
        return True

    def _done(self, waiting: _Waiting, sitting: Sitting) -> DoneSitting | None:
        """What is noted of a sitting; None: it is to be done. A damaged file that was changed may have been mended."""
        before = None if self._tools.again else self._tools.journal.done(sitting.key)
        if before is not None and before.missing and before.file not in {None, waiting.expected}:
            return None
        return before

    def _queue(self, waiting: _Waiting, found: VideoPlan, sittings: Sequence[Sitting]) -> None:
        fresh: list[SittingPlan] = []
        share = waiting.share / len(sittings)
        for sitting in sittings:
            before = self._done(waiting, sitting)
            if before is not None:
                self._pass_over(share)
                if before.missing:
                    self._tell_damage(waiting.video, before, "; --again looks at it once more")
                continue
            fresh.append(self._plan_of(waiting, found, sitting, share))
        if fresh:
            self.report.videos += 1
        else:
            self.report.known += 1
        for one in fresh:
            if one.stretches:
                self._sittings.append(one)
                continue
            self._pass_over(share)
            why = f"there is no picture in it while {_sessions_of(one.sitting)} counts"
            self.report.left.append(LeftOutVideo(name_of(waiting.video.path), why))
        if found.lost_end is not None:
            self.report.left.append(
                LeftOutVideo(name_of(waiting.video.path), f"damaged: its end is missing, {in_words((found.lost_end,))}")
            )

    def _plan_of(self, waiting: _Waiting, found: VideoPlan, sitting: Sitting, share: float) -> SittingPlan:
        video = waiting.video
        begins, ends = ((at - video.starts_at).total_seconds() for at in (sitting.begins_at, sitting.ends_at))
        stretches = found.within(begins, ends)
        self.report.repeated += self._tools.journal.begun(sitting.key)
        return SittingPlan(
            video=video,
            sitting=sitting,
            stretches=stretches,
            expected=waiting.expected,
            lens=self._tools.lens_of(video),
            follow=lambda: self._tools.follow_job(video, sitting, stretches[0].number),
            share=share,
        )

    def _work_on(self, plan_of: SittingPlan) -> SittingWork:
        note = functools.partial(self._tools.journal.note_stretch, plan_of.sitting.key)
        return SittingWork(plan_of, self._tools.runner, note)

    def _put(self, work: SittingWork) -> None:
        """What came of a sitting goes into the outbox, and then into the journal."""
        records, plan_of, done = work.records, work.plan, work.done
        if records is None:
            return
        self._tools.authorised()
        self._tools.outbox.put(records.sightings, records.evidence)
        self._tools.outbox.put_observed(records.observed)
        sitting = plan_of.sitting
        if not work.refused:  # else a later run, with other settings, may use what this one could not
            self._tools.journal.note_sitting(
                sitting.key, plan_of.video.path, (sitting.begins_at, sitting.ends_at), done, work.job.index_version
            )
        self._close(work)
        report = self.report
        report.sittings += 1
        report.students += len(records.sightings)
        report.held += sum(bool(one.held) for one in records.sightings)
        report.pictures += done.pictures
        report.processor_s += work.took_s
        report.seconds += (sitting.ends_at - sitting.begins_at).total_seconds()
        if done.missing:
            self._tell_damage(plan_of.video, done)
        elif work.refused:
            report.left.append(LeftOutVideo(name_of(plan_of.video.path), work.refused))

    def _tell_damage(self, video: Video, done: DoneSitting, advice: str = "") -> None:
        lost = sum(ends - begins for begins, ends in done.missing)
        self.report.left.append(
            LeftOutVideo(
                name_of(video.path),
                f"damaged: pictures are missing from {in_words(done.missing)} ({lost:.1f} s); {done.pictures:,} "
                f"pictures of the rest were looked at and count{advice}",
            )
        )

    def _give_up(self, work: SittingWork, why: str) -> None:
        self._close(work)
        self.report.left.append(LeftOutVideo(name_of(work.plan.video.path), why))

    def _close(self, work: SittingWork) -> None:
        work.close()
        self._open.remove(work)
        self.report.done += work.plan.share

    def _pass_over(self, share: float) -> None:
        self.report.done += share
        self.report.passed_over += share

    def _leave_out(self, waiting: _Waiting, why: str) -> None:
        self._pass_over(waiting.share)
        self.report.left.append(LeftOutVideo(name_of(waiting.video.path), why))


def _sessions_of(sitting: Sitting) -> str:
    numbers = sorted(plan.session_id for plan in sitting.plans)
    return f"session {numbers[0]}" if len(numbers) == 1 else f"sessions {', '.join(map(str, numbers))}"


def _size_of(video: Video) -> int:
    try:
        return video.path.stat().st_size
    except OSError:
        return 0
