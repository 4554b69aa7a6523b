"""A register as a stream of server-sent events, for as long as somebody watches.

Events (`data` is JSON):
    rows: {"rows": [{"id": student id, "html": the row, "say": text for a screen reader}], "counts": {state: number}}
    stale: the page must be read again: the session began, ended or closed, or the list of students changed.
Each event's `id` is the register's revision, so a browser that comes back says what it has (`Last-Event-ID`) and is
told `stale` only when that is not what there is. A stream ends by itself after a while; browsers reconnect.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import ClassSession, utc_now
from webapp.register.rows import Register, RegisterRow, read_register
from webapp.tools.template_tools import STATE_WORDS

log = structlog.get_logger()

LIFETIME_S = 90.0
HEARTBEAT_S = 10.0
INTERVAL_S = 1.5
_RETRY_MS = 2_000
# A register that takes long to read is read less often, so that watching costs at most this share of a connection.
_DUTY = 0.2


@dataclass
class LiveStreams:
    """How many registers this process may stream at once (each holds a thread), and the signal to end them."""

    limit: int
    stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._free = threading.BoundedSemaphore(self.limit)

    def enter(self) -> bool:
        """Take a place; False when all are taken."""
        return self._free.acquire(blocking=False)

    def leave(self) -> None:
        """Give the place back."""
        self._free.release()


@dataclass(frozen=True)
class Watch:
    """What one stream needs.

    Attributes:
        render: a row's HTML.
        since: the revision that the browser shows.
        lifetime_s: after this many seconds the stream ends.
    """

    sessions: sessionmaker[Session]
    session_id: int
    since: str
    render: Callable[[ClassSession, RegisterRow], str]
    stopping: threading.Event
    lifetime_s: float = LIFETIME_S
    interval_s: float = INTERVAL_S


def watch_register(watch: Watch) -> Iterator[str]:
    """The stream's text, event by event; a comment now and then keeps proxies from closing it."""
    ends_at = time.monotonic() + watch.lifetime_s
    yield f"retry: {_RETRY_MS}\n\n"
    shown: Register | None = None
    silent_since = time.monotonic()
    while time.monotonic() < ends_at:
        started = time.monotonic()
        try:
            current = _read(watch)
        except SQLAlchemyError as error:
            log.warning("live_stream_ended", session=watch.session_id, error=type(error).__name__)
            return
        if current is None:
            return
        event = _event(watch, shown, current)
        if event:
            yield event
        elif started - silent_since >= HEARTBEAT_S:
            yield ": still here\n\n"
        if event or started - silent_since >= HEARTBEAT_S:
            silent_since = started
        shown = current
        if not current.live:
            return
        took = time.monotonic() - started
        if watch.stopping.wait(max(watch.interval_s, took / _DUTY)):
            return


def _read(watch: Watch) -> Register | None:
    with watch.sessions() as db:
        session = db.get(ClassSession, watch.session_id)
        return None if session is None else read_register(db, session, utc_now())


def _event(watch: Watch, shown: Register | None, current: Register) -> str | None:
    """What to tell a browser that shows `shown` (None: it shows the revision `since`)."""
    if shown is None:
        return None if current.revision == watch.since else _format("stale", current.revision, {})
    before = {row.student_id: row for row in shown.rows}
    if shown.phase is not current.phase or before.keys() != {row.student_id for row in current.rows}:
        return _format("stale", current.revision, {})
    changed = [row for row in current.rows if row != before[row.student_id]]
    if not changed:
        return None
    rows = [
        {
            "id": row.student_id,
            "html": watch.render(current.session, row),
            "say": f"{row.name}: {STATE_WORDS[row.state]}" if row.state != before[row.student_id].state else "",
        }
        for row in changed
    ]
    return _format("rows", current.revision, {"rows": rows, "counts": dict(current.counts)})


def _format(name: str, revision: str, data: object) -> str:
    return f"event: {name}\nid: {revision}\ndata: {json.dumps(data)}\n\n"
