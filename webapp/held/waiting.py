"""What is held and waits for a person's word, as pages show it, and its numbers: the one place that counts it.

Sightings that look suspicious are asked about one by one. What a camera had kept and sent after sessions were closed is
asked about together: whom it shows, and what it watched.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import Condition, counts_for, counts_in, session_ids_of_courses
from attendance.database.held.minutes import minutes_in, waiting_minutes, watched_times
from attendance.database.held.waiting import reasons_of, waiting_sightings
from attendance.database.models import ClassSession, HeldObservation, HeldSighting
from webapp.tools.languages import say
from webapp.tools.template_tools import HELD_WORDS

_PAUSE = timedelta(hours=6)
"""Kept frames that come later than so after the others of their camera are of another outage."""


@dataclass(frozen=True)
class Kept:
    """What one camera had kept.

    Attributes:
        camera: its name; None where it was removed.
        sightings: whom it shows.
        minutes: what it watched, by hours.
    """

    camera: str | None
    sightings: Sequence[HeldSighting]
    minutes: Sequence[HeldObservation]

    @property
    def key(self) -> str:
        """What tells it from others on a page."""
        first = (self.sightings or self.minutes)[0]
        return f"{'s' if self.sightings else 'm'}{first.id}"

    @property
    def arrived(self) -> tuple[datetime, datetime]:
        """When the first and the last of it came."""
        times = [row.arrived_at for row in self._rows]
        return min(times), max(times)

    @property
    def claimed(self) -> tuple[datetime, datetime]:
        """From when to when it claims to be."""
        times = [watched_times(row) for row in self.minutes]
        times += [(row.first_seen, row.last_seen) for row in self.sightings]
        return min(first for first, _ in times), max(last for _, last in times)

    @property
    def _rows(self) -> "list[HeldSighting | HeldObservation]":
        return [*self.sightings, *self.minutes]

    @property
    def watched(self) -> int:
        """How many minutes of sessions it watched."""
        return sum(minutes_in(row) for row in self.minutes)

    @property
    def students(self) -> int:
        """How many students it shows."""
        return len({row.student_id for row in self.sightings})

    @property
    def sessions(self) -> list[ClassSession]:
        """Of which it changes the registers, each once, by time."""
        found = {row.session_id: row.session for row in self._rows}
        return sorted(found.values(), key=lambda session: (session.starts_at, session.id))


@dataclass(frozen=True)
class Waiting:
    """What waits, of one session or of several.

    Attributes:
        suspicious: sightings to be looked at one by one.
        kept: what cameras had kept.
    """

    suspicious: Sequence[HeldSighting]
    kept: Sequence[Kept]

    @property
    def count(self) -> int:
        """How many there are: each sighting is one, and what a camera watched of a session."""
        return sum(self.by_session.values())

    @property
    def by_session(self) -> Counter[int]:
        """The same for each session, by its id."""
        found = Counter(row.session_id for row in self.suspicious)
        for kept in self.kept:
            found.update(row.session_id for row in kept.sightings)
            found.update({row.session_id for row in kept.minutes})
        return found

    @property
    def students(self) -> frozenset[int]:
        """Of whom a sighting waits."""
        kept = {row.student_id for each in self.kept for row in each.sightings}
        return frozenset(kept | {row.student_id for row in self.suspicious})

    @property
    def ids(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Those of the sightings and of the hours that were watched."""
        sightings = [row.id for row in self.suspicious] + [row.id for each in self.kept for row in each.sightings]
        return tuple(sorted(sightings)), tuple(sorted(row.id for each in self.kept for row in each.minutes))

    @property
    def revision(self) -> tuple[Hashable, ...]:
        """What differs when anything that is shown of it differs."""
        shown = [(row.id, row.last_seen, *row.reasons) for row in self.suspicious]
        return (*shown, *((kept.key, *kept.claimed, kept.watched, len(kept.sightings)) for kept in self.kept))


NOTHING_WAITS = Waiting((), ())


def held_in_session(db: Session, session: ClassSession, courses: Collection[int] | None) -> Waiting:
    """What waits in a session, for whoever sees the students of these of its courses; None: of all."""
    of_session = ClassSession.id == session.id
    theirs = sa.true() if courses is None else counts_in(session, courses, HeldSighting.student_id)
    return _waiting(waiting_sightings(db, of_session, theirs), waiting_minutes(db, of_session))


def held_in_courses(db: Session, reach: Condition) -> Waiting:
    """What waits in all sessions of certain courses."""
    theirs = ClassSession.id.in_(sa.select(session_ids_of_courses(reach).c.session_id))
    sightings = waiting_sightings(db, theirs, counts_for(HeldSighting.student_id, reach))
    return _waiting(sightings, waiting_minutes(db, theirs))


def held_by_session(db: Session, session_ids: Collection[int], reach: Condition | None) -> Counter[int]:
    """How much waits in each of these sessions.

    Args:
        db: any session.
        session_ids: of the sessions.
        reach: of joint sessions, the courses whose students count; None: all of them do.
    """
    of_these = ClassSession.id.in_(session_ids)
    theirs = () if reach is None else (counts_for(HeldSighting.student_id, reach),)
    return _waiting(waiting_sightings(db, of_these, *theirs), waiting_minutes(db, of_these)).by_session


def reason_words(row: HeldSighting) -> str:
    """Why a sighting is held, in sentences."""
    return " ".join(say(HELD_WORDS[reason]) for reason in reasons_of(row))


def _waiting(sightings: Sequence[HeldSighting], minutes: Sequence[HeldObservation]) -> Waiting:
    suspicious = [row for row in sightings if not row.late]
    return Waiting(suspicious, _outages([row for row in sightings if row.late], minutes))


def _outages(sightings: Iterable[HeldSighting], minutes: Iterable[HeldObservation]) -> list[Kept]:
    """What came late, by its camera and the outage in which it was kept; the first that came first."""
    of_camera: dict[int | None, list[HeldSighting | HeldObservation]] = defaultdict(list)
    every: list[HeldSighting | HeldObservation] = [*sightings, *minutes]
    for row in every:
        of_camera[row.camera_id].append(row)
    found: list[Kept] = []
    for rows in of_camera.values():
        rows.sort(key=lambda row: row.arrived_at)
        run: list[HeldSighting | HeldObservation] = []
        for row in rows:
            if run and row.arrived_at - run[-1].arrived_at > _PAUSE:
                found.append(_kept(run))
                run = []
            run.append(row)
        found.append(_kept(run))
    return sorted(found, key=lambda kept: kept.arrived)


def _kept(rows: Sequence[HeldSighting | HeldObservation]) -> Kept:
    camera = rows[0].camera
    return Kept(
        None if camera is None else camera.name,
        sorted(
            (row for row in rows if isinstance(row, HeldSighting)),
            key=lambda row: (row.session.starts_at, row.session_id, row.student.name, row.id),
        ),
        [row for row in rows if isinstance(row, HeldObservation)],
    )
