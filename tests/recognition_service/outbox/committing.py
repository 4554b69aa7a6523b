"""Committing what an outbox holds, once."""

from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from recognition_service.outbox.committer import Committer
from recognition_service.outbox.store import Outbox


def commit(outbox: Outbox, sessions: sessionmaker[Session], *, empties: bool = True, **options: Any) -> None:
    """Let a committer, quick to try again, write all of it; `empties`: nothing may be left in the outbox."""
    committer = Committer(outbox, sessions, poll_s=0.05, base_s=0.01, cap_s=0.05, **options)
    committer.start()
    assert committer.stop(flush=True, timeout=30)
    assert not empties or (outbox.depth(), outbox.depth_observed()) == (0, 0)
