"""Answers to requests that carry an idempotency key: the same sent twice is done once, and answered alike.

After `draft-ietf-httpapi-idempotency-key-header`: a key belongs to one request of one token; another request with the
same key is refused, and so is the same while it is being answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import KeptAnswer, Student
from attendance.database.transactions import transact

KEPT = timedelta(days=1)
LONGEST_KEY = 128
_LONGEST_WORK = timedelta(minutes=10)
"""After so long the program that was answering has died; what can be asked of the interface bears being done again."""


class Fate(StrEnum):
    """What is to be done with a request."""

    BEGUN = "begun"  # do it
    ANSWERED = "answered"  # it was done: answer the same
    IN_PROGRESS = "in progress"
    ANOTHER = "another"  # the key was of another request


@dataclass(frozen=True)
class KeptReply:
    """What is known of a request with a key.

    Attributes:
        fate: what is to be done.
        status: of the answer, if it was answered.
        headers: of the answer.
        body: of the answer.
    """

    fate: Fate
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class KeyedRequest:
    """A request with a key.

    Attributes:
        token_id: of whose program it is.
        key: at most `LONGEST_KEY` characters.
        digest: SHA-256 of what is asked, in hexadecimal.
        student_id: whom its answer will name; the answer goes when the student is deleted.
    """

    token_id: int
    key: str
    digest: str
    student_id: int | None = None


def begin_answer(db: Session, asked: KeyedRequest, *, now: datetime) -> KeptReply:
    """Take a request to be answered, or find what it was answered, in a transaction of its own.

    Args:
        db: a session with nothing pending.
        asked: the request.
        now: aware.
    """

    def work(db: Session) -> KeptReply:
        db.execute(sa.delete(KeptAnswer).where(KeptAnswer.begun_at <= now - KEPT))
        found = db.scalar(sa.select(KeptAnswer).where(*_of_key(asked)).with_for_update())
        if found is None:
            db.add(
                KeptAnswer(
                    token_id=asked.token_id,
                    idempotency_key=asked.key,
                    request_hash=asked.digest,
                    student_id=asked.student_id,
                    begun_at=now,
                )
            )
            return KeptReply(Fate.BEGUN)
        if found.request_hash != asked.digest:
            return KeptReply(Fate.ANOTHER)
        if found.status is not None:
            return KeptReply(Fate.ANSWERED, found.status, found.headers or {}, found.body or b"")
        if found.begun_at > now - _LONGEST_WORK:
            return KeptReply(Fate.IN_PROGRESS)
        found.begun_at = now
        return KeptReply(Fate.BEGUN)

    return transact(db, work)


def keep_answer(db: Session, asked: KeyedRequest, *, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Keep what a request was answered, in a transaction of its own; nothing if the student was deleted meanwhile."""
    values = {"status": status, "headers": dict(headers), "body": body, "student_id": asked.student_id}

    def work(db: Session) -> None:
        if asked.student_id is None or db.get(Student, asked.student_id) is not None:
            db.execute(sa.update(KeptAnswer).where(*_of_request(asked)).values(**values))

    transact(db, work)


def forget_request(db: Session, asked: KeyedRequest) -> None:
    """Let a request be made anew, in a transaction of its own: it was not answered, through a fault of ours."""
    transact(db, lambda db: db.execute(sa.delete(KeptAnswer).where(*_of_request(asked))))


def _of_key(asked: KeyedRequest) -> tuple[sa.ColumnElement[bool], ...]:
    return KeptAnswer.token_id == asked.token_id, KeptAnswer.idempotency_key == asked.key


def _of_request(asked: KeyedRequest) -> tuple[sa.ColumnElement[bool], ...]:
    """Not by the row's number: SQLite gives that of a row that is gone to another's."""
    return *_of_key(asked), KeptAnswer.request_hash == asked.digest
