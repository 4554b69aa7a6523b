"""What a clip became in the register, and whether two ways of looking at it became the same.

The rule, for every student of a clip that was sent twice, once with every face of every frame encoded:

- whoever is entered is entered both ways, with the same status, and was first seen in the same frame;
- was last seen in the same frame, or in an earlier one, by no more than what the setting lets nobody look at: the
  interval of following, as `last_seen` moves to frames whose encoding named the student, and the time for which frames
  that show the same are skipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import Attendance, ClassSession, Room, Status, Student


@dataclass(frozen=True, slots=True)
class Entry:
    """Of one student; times are seconds of the clip."""

    status: Status | None
    first_s: float
    last_s: float


Register = Mapping[str, Entry]
"""By index number."""


def register_of(database_url: str, room: str, begins: datetime) -> Register:
    """Who was seen in the sessions of a room.

    Args:
        database_url: of the register.
        room: its name.
        begins: when the first frame of the clip was captured that its camera has sent.
    """
    engine = create_database_engine(database_url)
    with session_factory(engine)() as db:
        rows = db.execute(
            sa.select(Student.index_number, Attendance)
            .join(Attendance, Attendance.student_id == Student.id)
            .join(ClassSession, Attendance.session_id == ClassSession.id)
            .join(Room, ClassSession.room_id == Room.id)
            .where(Room.name == room, Attendance.first_seen.is_not(None))
        ).all()
        register = {number: _entry(row, begins) for number, row in rows}
    engine.dispose()
    return register


def _entry(row: Attendance, begins: datetime) -> Entry:
    first, last = (round((at - begins).total_seconds(), 3) for at in (row.first_seen, row.last_seen) if at is not None)
    return Entry(row.status, first, last)


def differences(usual: Register, other: Register, *, older_s: float, newer_s: float = 0.0) -> list[str]:
    """How the second register breaks the rule, a line a student; none: they are the same.

    Args:
        usual: of a clip.
        other: of the same clip.
        older_s: by how much the other's `last_seen` may be earlier, seconds.
        newer_s: by how much it may be later, where `usual` is not of every face of every frame.
    """
    broken = [f"{who}: entered one way only" for who in sorted(usual.keys() ^ other.keys())]
    for who in sorted(usual.keys() & other.keys()):
        one, two = usual[who], other[who]
        same = (one.status, one.first_s) == (two.status, two.first_s)
        if not (same and -newer_s <= one.last_s - two.last_s <= older_s):
            broken.append(f"{who}: {one} became {two}")
    return broken


def most_older_s(usual: Register, other: Register) -> float:
    """By how much the `last_seen` of those in both is earlier in the second, at most, seconds; below 0: later."""
    return max((usual[who].last_s - other[who].last_s for who in usual.keys() & other.keys()), default=0.0)
