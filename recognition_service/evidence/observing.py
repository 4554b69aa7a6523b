"""Observing: which minutes of its room a camera watched, and how many faces it saw in them.

A minute is watched when so many frames of it, captured at different moments, were examined, or were skipped because
they show what the last one showed, as a student needs to be confirmed. Frames that were refused, dropped or expired are
not among them. A frame that shows nothing, or the very picture that came without a change for over a minute, is not
either; so many of those make the minute a blind one.

What was observed is put into the outbox when a minute becomes watched or blind; counts that have grown since at the
latest with the first frame after `_PUT_EVERY_S`, and when a stream ends. So a service that is killed loses the minute
under way, and the last seconds' counts. Frames are only observed while a class session counts in the room, from its
early minutes on: at other times nobody looks for faces, and nothing is watched.

One camera is one observer, however often it connects anew.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from attendance.database.models import Origin
from attendance.database.watching.observation import NOBODY, MinuteCounts, MinuteOfCamera, minute_of, observed_hours
from recognition_service.engine.looks import Look
from recognition_service.outbox.sink import Sink

_FROZEN = timedelta(seconds=60)
"""A picture that has not changed in a single bit for longer than this comes from no lens: sensors have noise."""
_PUT_EVERY_S = 5.0
"""Seconds after which counts that have grown are stored."""
_MOST_MINUTES = 240
"""Minutes remembered of one camera: those of an old spool come in between those of now."""
_MOST_CAMERAS = 4096


class MinuteKind(StrEnum):
    """What a minute turned out to be."""

    WATCHED = "watched"
    BLIND = "blind"


@dataclass(frozen=True, slots=True)
class Sight:
    """Whether a camera sees, by its live frames."""

    blind_since: datetime | None
    """When the pictures began to show nothing; None: they show something."""


class _Moments:
    """Counts different moments up to a number, to the millisecond: a frame that is sent twice is one."""

    def __init__(self, needed: int) -> None:
        self._needed = needed
        self._seen: set[int] = set()

    @property
    def enough(self) -> bool:
        return len(self._seen) >= self._needed

    def add(self, moment: datetime) -> bool:
        """Whether there are enough now, and were not before."""
        if self.enough:
            return False
        self._seen.add(round(moment.timestamp() * 1000))
        return self.enough


@dataclass(slots=True)
class _Minute:
    watched: _Moments
    watched_live: _Moments
    blind: _Moments
    recorded: _Moments
    counts: MinuteCounts = NOBODY
    blind_from: datetime | None = None
    to_put: bool = False

    @classmethod
    def of(cls, needed: int) -> "_Minute":
        """A minute without frames, which takes so many to be anything."""
        return cls(_Moments(needed), _Moments(needed), _Moments(needed), _Moments(needed))

    def report(self, at: datetime) -> MinuteOfCamera:
        recorded = self.recorded.enough
        return MinuteOfCamera(
            at, self.watched.enough, self.watched_live.enough, self.blind.enough, self.counts, recorded
        )


@dataclass(slots=True)
class _Still:
    """A picture, and since when it has not changed."""

    digest: bytes = b""
    since: datetime | None = None

    def is_frozen(self, digest: bytes, captured_at: datetime) -> bool:
        """Take in the next picture."""
        if not digest or digest != self.digest or self.since is None:
            self.digest, self.since = digest, captured_at
            return False
        self.since = min(self.since, captured_at)
        return captured_at - self.since > _FROZEN


@dataclass(slots=True)
class _State:
    """What an observer has seen."""

    minutes: OrderedDict[datetime, _Minute] = field(default_factory=OrderedDict)
    still: dict[bool, _Still] = field(default_factory=lambda: {True: _Still(), False: _Still()})
    """By whether the frames are live: kept ones come in between."""
    put_at: float = 0.0


class Observer:
    """What one camera watches in one room. Every method may be called from any thread; `saw` and `put` block (disk)."""

    def __init__(
        self,
        camera_id: int,
        room_id: int,
        outbox: Sink,
        frames_needed: int,
        *,
        tell: Callable[[MinuteKind], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin without anything seen.

        Args:
            camera_id: the camera's number in the database.
            room_id: where it stands.
            outbox: takes what was observed.
            frames_needed: that a minute is watched, or blind.
            tell: called once for each minute that turns out to be watched or blind; must return at once.
            clock: monotonic seconds.
        """
        self._camera_id = camera_id
        self._room_id = room_id
        self._outbox = outbox
        self._needed = frames_needed
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._state = _State()
        self._sight: Sight | None = None

    @property
    def sight(self) -> Sight | None:
        """Whether the camera sees now; None while it has not been watched long enough to tell."""
        return self._sight

    def saw(self, captured_at: datetime, origin: Origin, look: Look, counts: MinuteCounts) -> None:
        """Take in a frame that was examined, or skipped as unchanged.

        Args:
            captured_at: aware.
            origin: how it came.
            look: what it looks like.
            counts: of its faces, or of those of the frame that it shows again.

        Raises:
            OutboxError: what was observed could not be stored; it is kept, and stored with a later frame.
        """
        live = origin is Origin.LIVE
        with self._lock:
            minute = self._minute(minute_of(captured_at))
            frozen = self._state.still[live].is_frozen(look.digest, captured_at)
            if look.blank or frozen:
                turned = self._count_blind(minute, captured_at, live=live)
            else:
                turned = self._count_watched(minute, captured_at, counts, origin)
            if turned or self._clock() - self._state.put_at >= _PUT_EVERY_S:
                self._put()

    def put(self) -> None:
        """Store what was observed and is not in the outbox yet: a stream ends.

        Raises:
            OutboxError: it could not be stored.
        """
        with self._lock:
            self._put()

    def _minute(self, at: datetime) -> _Minute:
        minutes = self._state.minutes
        if at not in minutes:
            minutes[at] = _Minute.of(self._needed)
        minutes.move_to_end(at)
        if len(minutes) > _MOST_MINUTES:
            self._put()
            minutes.popitem(last=False)
        return minutes[at]

    def _count_watched(self, minute: _Minute, captured_at: datetime, counts: MinuteCounts, origin: Origin) -> bool:
        """Whether the minute is watched now, and was not before."""
        largest = MinuteCounts(*map(max, minute.counts, counts))
        if largest != minute.counts:
            minute.counts, minute.to_put = largest, True
        watched = minute.watched.add(captured_at)
        watched_live = origin is Origin.LIVE and minute.watched_live.add(captured_at)
        recorded = origin is Origin.RECORDING and minute.recorded.add(captured_at)
        if watched:
            self._tell(MinuteKind.WATCHED)
        if watched_live:
            self._sight = Sight(None)
        minute.to_put |= watched or watched_live or recorded
        return watched or watched_live or recorded

    def _count_blind(self, minute: _Minute, captured_at: datetime, *, live: bool) -> bool:
        """Whether the minute is blind now, and was not before."""
        minute.blind_from = min(minute.blind_from or captured_at, captured_at)
        blind = minute.blind.add(captured_at)
        if blind:
            self._tell(MinuteKind.BLIND)
            if live and (self._sight is None or self._sight.blind_since is None):
                self._sight = Sight(minute.blind_from)
        minute.to_put |= blind
        return blind

    def _put(self) -> None:
        self._state.put_at = self._clock()
        due = [(at, minute) for at, minute in self._state.minutes.items() if minute.to_put]
        if not due:
            return
        reports = [minute.report(at) for at, minute in due]
        self._outbox.put_observed(observed_hours(self._camera_id, self._room_id, reports))
        for _, minute in due:
            minute.to_put = False


class Observers:
    """The observers of a service, one a camera and room; a camera that connects again goes on with its own."""

    def __init__(self, outbox: Sink, frames_needed: int, tell: Callable[[MinuteKind], None] = lambda _: None) -> None:
        """Begin without any; the arguments are those of each `Observer`."""
        self._outbox = outbox
        self._needed = frames_needed
        self._tell = tell
        self._lock = threading.Lock()
        self._observers: OrderedDict[tuple[int, int], Observer] = OrderedDict()

    def of(self, camera_id: int, room_id: int) -> Observer:
        """The observer of a camera in a room."""
        key = camera_id, room_id
        with self._lock:
            if key not in self._observers:
                self._observers[key] = Observer(camera_id, room_id, self._outbox, self._needed, tell=self._tell)
            self._observers.move_to_end(key)
            while len(self._observers) > _MOST_CAMERAS:
                self._observers.popitem(last=False)
            return self._observers[key]
