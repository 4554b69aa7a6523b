"""Sessions by week, at the institution: a week's rate with its range, and the map of a week's hours."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from attendance.database.models import ClassSession
from webapp.records.tallies import Tally, total
from webapp.tools.times import clock_text, local, monday_of

_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Rated:
    """A session and what was recorded in it."""

    session: ClassSession
    tally: Tally


@dataclass(frozen=True, slots=True)
class Week:
    """A week that begins on a Monday.

    Attributes:
        sessions: those of the week, in order of time.
    """

    monday: date
    sessions: Sequence[Rated]

    @property
    def tally(self) -> Tally:
        """All its sessions together."""
        return total(one.tally for one in self.sessions)

    @property
    def lowest(self) -> float | None:
        """The lowest rate of a session; None when nobody was expected in any."""
        return min(self._rates(), default=None)

    @property
    def highest(self) -> float | None:
        """The highest rate of a session; None when nobody was expected in any."""
        return max(self._rates(), default=None)

    def _rates(self) -> Iterator[float]:
        return (one.tally.rate for one in self.sessions if one.tally.rate is not None)


@dataclass(frozen=True, slots=True)
class WeekSlot:
    """A row of the map: sessions that begin on the same day of the week at the same time.

    Attributes:
        weekday: 0 is Monday.
        clock: when they begin, like "09:00".
        weeks: for each week of the map, the sessions of that time; parallel ones stand together.
    """

    weekday: int
    clock: str
    weeks: Sequence[Sequence[Rated]]


def by_week(sessions: Sequence[ClassSession], tallies: Mapping[int, Tally]) -> list[Week]:
    """The weeks from the first session's to the last one's, those without a session too.

    Args:
        sessions: in order of time.
        tallies: by session.
    """
    of_weeks: dict[date, list[Rated]] = defaultdict(list)
    for session in sessions:
        of_weeks[monday_of(local(session.starts_at).date())].append(Rated(session, tallies[session.id]))
    if not of_weeks:
        return []
    first, last = min(of_weeks), max(of_weeks)
    mondays = [first + number * _WEEK for number in range((last - first) // _WEEK + 1)]
    return [Week(monday, of_weeks.get(monday, [])) for monday in mondays]


def heat_map(weeks: Sequence[Week]) -> list[WeekSlot]:
    """The rows of the map of all these weeks, by day of the week and time."""
    found: dict[tuple[int, str], dict[date, list[Rated]]] = defaultdict(lambda: defaultdict(list))
    for week in weeks:
        for one in week.sessions:
            begins = local(one.session.starts_at)
            found[begins.weekday(), clock_text(one.session.starts_at)][week.monday].append(one)
    return [
        WeekSlot(weekday, clock, [at.get(week.monday, []) for week in weeks])
        for (weekday, clock), at in sorted(found.items())
    ]
