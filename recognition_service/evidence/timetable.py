"""The timetable as cameras need it: which sessions a room has around a moment, without asking the database each frame.

Sessions are read an hour at a time for a room, so that old frames from a camera's spool find the sessions of their own
time. What was read serves for `refresh_s`; then the next frame has it read again, once for all cameras that ask, and a
change made in the dashboard is seen within that time. Rooms in use whose turn comes soon are read with it, so that many
rooms cost the database little more than one. While it is away, what was read last goes on serving.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.engine import DatabaseError
from attendance.database.timetable import SessionPlan, room_plans
from attendance.errors import AttendanceError
from recognition_service.telemetry.threads import name_thread

log = structlog.get_logger(__name__)

NAME = "timetable"
"""Of the threads that read, as the system knows them."""
_BLOCK = timedelta(hours=1)
_MOST_BLOCKS = 4096
_READERS = 4
_SOON = 0.5
"""Share of `refresh_s` after which a room is read with another whose turn it is..."""
_IN_USE = 2
"""... when a frame has asked for it within so many times `refresh_s`."""
_MOST_TOGETHER = 50
"""Rooms read at once: frames wait for what is read."""
_PATIENCE_S = 1.0
"""How long frames wait for a reading under way before they go on with what was read before."""
_FIRST_PATIENCE_S = 10.0
"""How long frames wait when nothing was read before."""

_Plans = tuple[SessionPlan, ...]
_Key = tuple[int, datetime]


class TimetableUnavailable(AttendanceError):  # noqa: N818 - the name tells the state, which callers answer with
    """The database cannot be read, and the sessions asked for were never read before; the message is for people."""


@dataclass(slots=True)
class _Block:
    """The sessions of one room in one hour."""

    plans: _Plans | None = None
    read_at: float = 0.0
    tried_at: float = 0.0
    used_at: float = 0.0
    """When a frame last asked for it."""
    reading: Future[None] | None = None
    problem: str = ""


class Timetable:
    """A cache of the rooms' sessions. Every method may be called from any thread; `plans` blocks at times."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        refresh_s: float,
        *,
        patience_s: float = _PATIENCE_S,
        first_patience_s: float = _FIRST_PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin without anything read.

        Args:
            sessions: connects to the database.
            refresh_s: seconds for which what was read serves.
            patience_s: most seconds that a frame waits for a reading, when older plans could serve.
            first_patience_s: the same when there are none.
            clock: monotonic seconds.
        """
        self._sessions = sessions
        self._refresh_s = refresh_s
        self._patience_s = patience_s
        self._first_patience_s = first_patience_s
        self._clock = clock
        self._lock = threading.Lock()
        self._blocks: OrderedDict[_Key, _Block] = OrderedDict()
        self._epoch = 0  # of what was forgotten
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix=NAME, initializer=name_thread, initargs=(NAME,))

    def plans(self, room_id: int, capture_time: datetime) -> _Plans:
        """The sessions of a room that may count at a time, by start; some may turn out not to.

        Raises:
            TimetableUnavailable: the database cannot be read, and these sessions were never read.
        """
        moment = capture_time.astimezone(UTC)
        key = room_id, moment.replace(minute=0, second=0, microsecond=0)
        with self._lock:
            block = self._block(key)
            block.used_at = self._clock()
            if block.plans is not None and block.used_at - block.read_at < self._refresh_s:
                return block.plans
            reading = self._start(key, block)
            patience = self._first_patience_s if block.plans is None else self._patience_s
            patience -= self._clock() - block.tried_at
        if reading is not None and patience > 0:
            wait([reading], timeout=patience)
        with self._lock:
            if block.plans is None:
                raise TimetableUnavailable(
                    f"the timetable cannot be read: {block.problem or 'the database does not answer'}"
                )
            return block.plans

    def forget(self, student: str) -> None:
        """Take a student out of what was read, who is erased; what is being read now is read again."""
        with self._lock:
            for block in self._blocks.values():
                block.read_at = float("-inf")
                block.plans = block.plans and tuple(
                    replace(plan, roster=plan.roster - {student}, guests=plan.guests - {student})
                    if student in plan.roster or student in plan.guests
                    else plan
                    for plan in block.plans
                )
            self._epoch += 1

    def close(self) -> None:
        """Stop reading. Calling it again does nothing."""
        self._readers.shutdown(wait=False, cancel_futures=True)

    def _block(self, key: _Key) -> _Block:
        block = self._blocks.setdefault(key, _Block())
        self._blocks.move_to_end(key)
        while len(self._blocks) > _MOST_BLOCKS:
            self._blocks.popitem(last=False)
        return block

    def _start(self, key: _Key, block: _Block) -> Future[None] | None:
        """The reading to wait for: the one under way, or a new one unless one failed a moment ago."""
        if block.reading is not None:
            return block.reading
        now = self._clock()
        if block.problem and now - block.tried_at < self._refresh_s:
            return None
        room_id, hour = key
        together = {room_id: block}
        if not block.problem:  # after a failure each is read by itself: what fails for one room is not the others'
            together |= self._due_soon(hour, now)
        for one in together.values():
            one.tried_at = now
        try:
            reading = self._readers.submit(self._read, hour, together, now, self._epoch)
        except RuntimeError:
            block.problem = "the service is stopping"
            return None
        for one in together.values():
            one.reading = reading
        return reading

    def _due_soon(self, hour: datetime, now: float) -> dict[int, _Block]:
        """The rooms of an hour that are in use, and were read a while ago."""
        due = (
            (room_id, block)
            for (room_id, of_hour), block in self._blocks.items()
            if of_hour == hour
            and block.reading is None
            and block.plans is not None
            and not block.problem
            and now - block.used_at < _IN_USE * self._refresh_s
            and now - block.read_at >= _SOON * self._refresh_s
        )
        return dict(islice(due, _MOST_TOGETHER - 1))

    def _read(self, hour: datetime, blocks: Mapping[int, _Block], asked_at: float, epoch: int) -> None:
        """Read the sessions of rooms in an hour, in a thread of its own."""
        plans: Mapping[int, Sequence[SessionPlan]] = {}
        problem = ""
        try:
            with self._sessions() as db:
                plans = room_plans(db, blocks.keys(), hour, hour + _BLOCK)
        except (sa.exc.SQLAlchemyError, DatabaseError, OSError) as error:
            problem = str(getattr(error, "orig", None) or error)
            older = all(block.plans is not None for block in blocks.values())
            log.warning("timetable_not_read", rooms=[*blocks], error=problem, serving_older=older)
        except Exception:
            problem = "reading it failed; the service's log says why"
            log.exception("timetable_not_read", rooms=[*blocks])
        finally:
            with self._lock:
                for room_id, block in blocks.items():
                    self._take_in(block, plans.get(room_id), problem, asked_at, epoch)

    def _take_in(
        self, block: _Block, plans: Sequence[SessionPlan] | None, problem: str, asked_at: float, epoch: int
    ) -> None:
        block.reading = None
        block.problem = problem
        if plans is None or (epoch != self._epoch and block.plans is not None):
            return  # read while somebody was erased, it may name them: it is read again
        # As of the asking: what changed while the database answered may not be in the answer.
        block.plans, block.read_at = tuple(plans), asked_at
