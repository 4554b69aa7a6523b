"""Looking entries of the audit log up, the newest first, page by page: as fast at the millionth as at the first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import AuditAction, AuditEntry


@dataclass(frozen=True, slots=True)
class EntryPlace:
    """A place in the log: just below an entry."""

    happened_at: datetime
    entry_id: int


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries are looked for; what is None asks for nothing.

    Attributes:
        action: an `AuditAction`, or what stands before its full stop, for all of that kind.
        person: who did it, or the account it was done to: an address, or a user of the machine.
        student: the index number of the student it was done to.
        since: aware, the first moment.
        before: aware, the first moment that is too late.
    """

    action: str | None = None
    person: str | None = None
    student: str | None = None
    since: datetime | None = None
    before: datetime | None = None


def entries(db: Session, wanted: EntryFilter, *, below: EntryPlace | None = None, most: int) -> Sequence[AuditEntry]:
    """The newest entries, below a place of the log.

    Each filter is a range of an index in the order of the list, so that only what is shown is read.
    """
    return _newest(db, wanted, _below(below), most=most, newest_first=True)


def entries_above(db: Session, wanted: EntryFilter, *, above: EntryPlace, most: int) -> Sequence[AuditEntry]:
    """The entries just above a place of the log, the newest first."""
    later = AuditEntry.happened_at > above.happened_at
    beside = sa.and_(AuditEntry.happened_at == above.happened_at, AuditEntry.id > above.entry_id)
    # What comes first is for the index, which does not help with the second alone.
    where = [AuditEntry.happened_at >= above.happened_at, sa.or_(later, beside)]
    return list(reversed(_newest(db, wanted, where, most=most, newest_first=False)))


def all_entries(db: Session, wanted: EntryFilter, *, at_once: int = 1_000) -> Iterator[AuditEntry]:
    """Every entry that is wanted, read some at a time, each time in a transaction of its own."""
    place: EntryPlace | None = None
    while True:
        some = entries(db, wanted, below=place, most=at_once)
        yield from some
        if len(some) < at_once:
            return
        place = place_of(some[-1])
        db.expunge_all()
        db.commit()  # so that nobody's change waits for a long list


def place_of(entry: AuditEntry) -> EntryPlace:
    """The place just below an entry."""
    return EntryPlace(entry.happened_at, entry.id)


def _below(place: EntryPlace | None) -> list[sa.ColumnElement[bool]]:
    if place is None:
        return []
    earlier = AuditEntry.happened_at < place.happened_at
    beside = sa.and_(AuditEntry.happened_at == place.happened_at, AuditEntry.id < place.entry_id)
    return [AuditEntry.happened_at <= place.happened_at, sa.or_(earlier, beside)]


def _newest(
    db: Session, wanted: EntryFilter, where: Sequence[sa.ColumnElement[bool]], *, most: int, newest_first: bool
) -> list[AuditEntry]:
    found: dict[int, AuditEntry] = {}
    order = (AuditEntry.happened_at, AuditEntry.id)
    ordered = [column.desc() for column in order] if newest_first else list(order)
    # Each is a range of an index in the order of the list: asked for one after the other, all are quick.
    for person, action in product(_of_person(wanted.person), _of_kind(wanted.action)):
        conditions = [*_conditions(wanted), *person, *action, *where]
        query = sa.select(AuditEntry).where(*conditions).order_by(*ordered).limit(most)
        found |= {entry.id: entry for entry in db.scalars(query)}
    merged = sorted(found.values(), key=lambda entry: (entry.happened_at, entry.id), reverse=newest_first)
    return merged[:most]


def _of_person(person: str | None) -> list[list[sa.ColumnElement[bool]]]:
    """Who did it, and to whose account."""
    if person is None:
        return [[]]
    return [[AuditEntry.actor == person], [AuditEntry.subject == person]]


def _of_kind(action: str | None) -> list[list[sa.ColumnElement[bool]]]:
    """The action, or each of its kind."""
    if action is None:
        return [[]]
    actions = [action] if "." in action else [each for each in AuditAction if each.value.startswith(f"{action}.")]
    return [[AuditEntry.action == str(each)] for each in actions]


def _conditions(wanted: EntryFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.student is not None:
        conditions.append(AuditEntry.student == wanted.student)
    if wanted.since is not None:
        conditions.append(AuditEntry.happened_at >= wanted.since)
    if wanted.before is not None:
        conditions.append(AuditEntry.happened_at < wanted.before)
    return conditions
