"""The strip of a session: minute by minute, whether it was watched, and when people came."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby

from sqlalchemy.orm import Session

from attendance.database.conclusions import basis_of, unnamed_people, watched_minutes
from attendance.database.decisions import watched_of
from attendance.database.models import Closing
from attendance.database.watching.observation import SessionMinute, minute_of
from attendance.texts import english
from webapp.register.rows import Register

_MINUTE = timedelta(minutes=1)
_ARRIVING = timedelta(minutes=2)
"""What was watched takes so long to arrive; until then a minute is not called unwatched."""


class MinuteSight(StrEnum):
    """What is known of a minute."""

    WATCHED = "watched"
    KEPT = "kept"  # watched, by frames that a camera kept or of a recording
    BLIND = "blind"
    AWAY = "away"
    AHEAD = "ahead"


SIGHT_WORDS = {
    MinuteSight.WATCHED: english("watched"),
    MinuteSight.KEPT: english("watched, pictures came later"),
    MinuteSight.BLIND: english("a camera saw nothing"),
    MinuteSight.AWAY: english("a camera was away"),
    MinuteSight.AHEAD: english("not yet known"),
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Minutes one after the other of which the same is known.

    Attributes:
        place: number of the first minute, from 0.
        minutes: how many.
        came: how many students were first seen in them.
    """

    sight: MinuteSight
    since: datetime
    until: datetime
    place: int
    minutes: int
    came: int


@dataclass(frozen=True, slots=True)
class Strip:
    """A session's minutes, from when being seen counts.

    Attributes:
        stretches: all minutes, in order.
        arrivals: for each minute in which students were first seen, its number and how many.
        start: number of the minute in which the session starts.
        watched: minutes between start and end that were watched.
        of: minutes between start and end that are known: all, once it is over.
        unnamed: people who were seen and not named: the middle number over the watched minutes, rounded up.
    """

    stretches: Sequence[Stretch]
    arrivals: Sequence[tuple[int, int]]
    start: int
    watched: int
    of: int
    unnamed: int

    @property
    def minutes(self) -> int:
        """How many there are."""
        return sum(stretch.minutes for stretch in self.stretches)

    @property
    def most(self) -> int:
        """The largest number of students who came in one minute, at least 1."""
        return max([1, *(count for _, count in self.arrivals)])

    @property
    def sights(self) -> list[MinuteSight]:
        """Those that there are, for a legend."""
        found = {stretch.sight for stretch in self.stretches}
        return [sight for sight in MinuteSight if sight in found]


def read_strip(db: Session, register: Register, now: datetime) -> Strip | None:
    """The strip of a session as far as it has come; None before it counts, and of one that kept no observation."""
    session = register.session
    if basis_of(session) is Closing.BEFORE_OBSERVATION or now < register.opens_at:
        return None
    minutes = watched_of(db, session)
    came = Counter(minute_of(row.first_seen) for row in register.rows if row.first_seen is not None)
    shown = [minute for minute in minutes if minute.at + _MINUTE > register.opens_at]
    watched, of = watched_minutes(minutes, session.starts_at, min(session.ends_at, max(now, session.starts_at)))
    return Strip(
        stretches=list(_stretches(shown, came, now)),
        arrivals=[(place, came[minute.at]) for place, minute in enumerate(shown) if came[minute.at]],
        start=sum(minute.at < minute_of(session.starts_at) for minute in shown),
        watched=watched,
        of=of,
        unnamed=-int(-unnamed_people(session, minutes) // 1),
    )


def _stretches(minutes: Iterable[SessionMinute], came: Counter[datetime], now: datetime) -> Iterator[Stretch]:
    place = 0
    for sight, group in groupby(minutes, lambda minute: _sight(minute, now)):
        same = list(group)
        yield Stretch(
            sight, same[0].at, same[-1].at + _MINUTE, place, len(same), sum(came[minute.at] for minute in same)
        )
        place += len(same)


def _sight(minute: SessionMinute, now: datetime) -> MinuteSight:
    if minute.watched:
        return MinuteSight.WATCHED if minute.watched_live else MinuteSight.KEPT
    if minute.at + _MINUTE + _ARRIVING > now:
        return MinuteSight.AHEAD
    return MinuteSight.BLIND if minute.blind and not minute.away else MinuteSight.AWAY
