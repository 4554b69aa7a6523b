"""A register as a stream of server-sent events, for as long as somebody watches.

Events (`data` is JSON):
    rows: {"rows": [{"id": student id, "html": the row, "say": text for a screen reader}], "counts": {state: number},
        "at": when the register was read, as text}
    watch: {"html": what is shown of the cameras}; looked at every `WATCH_S`, told when it differs
    beat: {"at": the same}; every `HEARTBEAT_S` when there is nothing else to tell. A browser that hears nothing for
        longer says that the connection is lost.
    stale: the page must be read again: the session began, ended or closed, the list of students changed, or what is
        held for a person's word.
Each event's `id` is the register's revision, so a browser that comes back says what it has (`Last-Event-ID`) and is
told `stale` only when that is not what there is. A stream ends by itself after a while; browsers reconnect.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import ClassSession, utc_now
from webapp.register.rows import Register, RegisterRow, read_register
from webapp.tools.languages import say
from webapp.tools.template_tools import STATE_WORDS

log = structlog.get_logger()

LIFETIME_S = 90.0
HEARTBEAT_S = 1.5
WATCH_S = 10.0
ASK_S = 1.0
INTERVAL_S = 1.5
_RETRY_MS = 2_000
# A register that takes long to read is read less often, so that watching costs at most this share of a connection.
_DUTY = 0.2


@dataclass
class LiveStreams:
    """How many registers this process may stream at once (each holds a thread), and the signal to end them.

    One person has at most half of the places: who opens as many as they can does not take everybody's.
    """

    limit: int
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[int] = Counter()

    def enter(self, account_id: int) -> bool:
        """Take a place for somebody; False when all are taken, or theirs are."""
        with self._lock:
            if self._taken.total() >= self.limit or self._taken[account_id] >= max(1, self.limit // 2):
                return False
            self._taken[account_id] += 1
            return True

    def leave(self, account_id: int) -> None:
        """Give the place back."""
        with self._lock:
            self._taken[account_id] -= 1
            self._taken += Counter()  # forgets who has none


@dataclass(frozen=True)
class Watch:
    """What one stream needs.

    Attributes:
        render: a row's HTML.
        clock: a moment as the page shows it.
        watched: the HTML of what is shown of the cameras.
        since: the revision that the browser shows.
        courses: of a joint session, the courses whose students are listed; None for all.
        allowed: whether the person may still watch, asked every `ASK_S`; otherwise the stream ends.
        lifetime_s: after this many seconds the stream ends.
    """

    sessions: sessionmaker[Session]
    session_id: int
    since: str
    render: Callable[[ClassSession, RegisterRow], str]
    stopping: threading.Event
    clock: Callable[[datetime], str] = datetime.isoformat
    watched: Callable[[Session, Register], str] | None = None
    courses: Collection[int] | None = None
    allowed: Callable[[Session], bool] | None = None
    lifetime_s: float = LIFETIME_S
    interval_s: float = INTERVAL_S


def watch_register(watch: Watch) -> Iterator[str]:
    """The stream's text, event by event, never silent for long."""
    ends_at = time.monotonic() + watch.lifetime_s
    yield f"retry: {_RETRY_MS}\n\n"
    shown: Register | None = None
    spoken = looked = time.monotonic()
    cameras: str | None = None
    while time.monotonic() < ends_at:
        started = time.monotonic()
        try:
            look = watch.watched if started - looked >= WATCH_S else None
            current, html = _read(watch, look)
        except SQLAlchemyError as error:
            log.warning("live_stream_ended", session=watch.session_id, error=type(error).__name__)
            return
        if current is None:
            return
        event = _event(watch, shown, current)
        if look:
            looked = started
        if html != cameras and html is not None:
            cameras = html
            yield _format("watch", watch.since if shown is None else shown.revision, {"html": html})
        if event:
            yield event
            spoken = time.monotonic()
        shown = current
        if not current.live:
            return
        again_at = time.monotonic() + max(watch.interval_s, (time.monotonic() - started) / _DUTY)
        beat = _format("beat", current.revision, {"at": watch.clock(utc_now())})
        said = yield from _wait(watch, again_at, beat, spoken=spoken, asked=started)
        if said is None:
            return
        spoken = said


def _wait(watch: Watch, until: float, beat: str, *, spoken: float, asked: float) -> Generator[str, None, float | None]:
    """Wait until the next look, with a beat whenever nothing was said for long.

    Returns:
        When something was said last; None: the stream must end.
    """
    while (left := until - time.monotonic()) > 0:
        soonest = min(spoken + HEARTBEAT_S, asked + ASK_S) - time.monotonic()
        if watch.stopping.wait(max(0.0, min(left, soonest))):
            return None
        if time.monotonic() - asked >= ASK_S:
            if not _may_go_on(watch):
                return None
            asked = time.monotonic()
        if time.monotonic() - spoken >= HEARTBEAT_S:
            yield beat
            spoken = time.monotonic()
    return spoken


def _may_go_on(watch: Watch) -> bool:
    """Whether the sign-in goes on, between two looks at a register that takes long to read."""
    try:
        with watch.sessions() as db:
            return watch.allowed is None or watch.allowed(db)
    except SQLAlchemyError:
        return False


def _read(watch: Watch, look: Callable[[Session, Register], str] | None) -> tuple[Register | None, str | None]:
    """The register, and what its page shows of the cameras if that is wanted."""
    with watch.sessions() as db:
        session = db.get(ClassSession, watch.session_id)
        if session is None or not (watch.allowed is None or watch.allowed(db)):
            return None, None
        register = read_register(db, session, utc_now(), watch.courses)
        return register, look(db, register) if look else None


def _event(watch: Watch, shown: Register | None, current: Register) -> str | None:
    """What to tell a browser that shows `shown` (None: it shows the revision `since`)."""
    if shown is None:
        return None if current.revision == watch.since else _format("stale", current.revision, {})
    before = {row.student_id: row for row in shown.rows}
    other_rows = before.keys() != {row.student_id for row in current.rows}
    if shown.phase is not current.phase or other_rows or shown.held.revision != current.held.revision:
        return _format("stale", current.revision, {})
    changed = [row for row in current.rows if row != before[row.student_id]]
    if not changed:
        return None
    rows = [
        {
            "id": row.student_id,
            "html": watch.render(current.session, row),
            "say": _saying(row) if row.status_key != before[row.student_id].status_key else "",
        }
        for row in changed
    ]
    return _format(
        "rows", current.revision, {"rows": rows, "counts": dict(current.counts), "at": watch.clock(utc_now())}
    )


def _saying(row: RegisterRow) -> str:
    return f"{row.name}: {row.label.name if row.label else say(STATE_WORDS[row.state])}"


def _format(name: str, revision: str, data: object) -> str:
    return f"event: {name}\nid: {revision}\ndata: {json.dumps(data)}\n\n"
