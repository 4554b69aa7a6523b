"""From when on cameras could know a student: `Student.recognisable_since`, written here and at a withdrawal only.

Nobody is absent whom no camera could have known. It is set when an index that holds the student is published, stays
while later ones hold the student too, and goes with the first one that does not.
"""

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import Student
from attendance.database.transactions import transact

_BATCH = 500
"""Students changed in one transaction."""


@dataclass(frozen=True, slots=True)
class Differences:
    """Where the database and the index in use do not agree; ids of students, by index number."""

    unmarked: tuple[int, ...]
    """The index holds them, and the database says that nobody could know them. None who has withdrawn consent."""
    marked: tuple[int, ...]
    """The database says that cameras can know them, and the index does not hold them."""


def differences(db: Session, holds: Collection[str]) -> Differences:
    """Hold the database against an index.

    Args:
        db: any session.
        holds: the index numbers of the students in the index; a set, for many.
    """
    rows = db.execute(
        sa.select(Student.id, Student.index_number, Student.recognisable_since, Student.consent_withdrawn_at).order_by(
            Student.index_number
        )
    ).all()
    return Differences(
        unmarked=tuple(
            row.id
            for row in rows
            if row.recognisable_since is None and row.consent_withdrawn_at is None and row.index_number in holds
        ),
        marked=tuple(row.id for row in rows if row.recognisable_since is not None and row.index_number not in holds),
    )


def note_index(sessions: sessionmaker[Session], holds: Collection[str], at: datetime) -> Differences:
    """Bring the students up to date with an index that was published.

    Runs in transactions of its own, some hundreds of students each, so that nobody waits for it. Done again, or after
    it was interrupted, it does what is left.

    Args:
        sessions: makes sessions of the database.
        holds: the index numbers of the students in the index.
        at: when it was published, aware.

    Returns:
        What was changed.
    """
    found = _differences(sessions, holds)
    _write(sessions, found.unmarked, at)
    _write(sessions, found.marked, None)
    return found


def note_index_in_use(sessions: sessionmaker[Session], holds: Collection[str], now: datetime) -> int:
    """Note students whom the index in use holds and the database does not know to be recognisable.

    They are there when the index was published while the database was away, or by a version that did not note it, and
    when a student is added after the index. Nobody is taken back: an index in use may be an older one than the newest.

    Returns:
        How many there were.
    """
    found = _differences(sessions, holds)
    _write(sessions, found.unmarked, now)
    return len(found.unmarked)


def _differences(sessions: sessionmaker[Session], holds: Collection[str]) -> Differences:
    with sessions() as db:
        return differences(db, frozenset(holds))


def _write(sessions: sessionmaker[Session], students: Sequence[int], since: datetime | None) -> None:
    with sessions() as db:
        for first in range(0, len(students), _BATCH):
            batch = students[first : first + _BATCH]
            transact(db, functools.partial(_write_batch, students=batch, since=since))


def _write_batch(db: Session, students: Sequence[int], since: datetime | None) -> None:
    change = sa.update(Student).where(Student.id.in_(students)).values(recognisable_since=since)
    if since is not None:  # not of one who withdrew consent meanwhile, nor of one whom another process noted before
        change = change.where(Student.consent_withdrawn_at.is_(None), Student.recognisable_since.is_(None))
    db.execute(change, execution_options={"synchronize_session": False})
