"""The recognition services that are there: each says how it fares in a row of its own, and is gone when it does not."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import ErasureAcknowledgement, IndexVersion, Service
from attendance.database.transactions import inserted

GONE_AFTER = timedelta(hours=1)
"""A service that was not seen for so long is not waited for."""
SAID_EVERY = timedelta(seconds=30)
"""How often a service says how it fares."""
_LATE = 4 * SAID_EVERY
_SPREADS_IN = timedelta(minutes=5)
"""After so long every service should have an index that was published."""
_LONGEST_PROBLEM = 500


@dataclass(frozen=True, slots=True)
class ServiceState:
    """How a service fares.

    Attributes:
        address: where it listens.
        index_version: of the index that it searches; "" for none.
        index_source: where that is fetched from; None: it is built on its machine.
        index_problem: why it could not be fetched, a sentence for people; None: all is well.
        outbox_depth: sightings that are not in the database yet; None: nobody can tell.
    """

    address: str
    index_version: str
    index_source: str | None
    index_problem: str | None
    outbox_depth: int | None


@dataclass(frozen=True, slots=True)
class SeenService:
    """A service as the database knows it.

    Attributes:
        row: of the database.
        erasures: how many it has carried out that are still recorded.
        silent: it has not said anything for longer than it should.
        gone: for so long that nobody waits for it.
        behind: it searches an older index than the one that is published, or none.
        long_behind: and should have had that one for minutes.
    """

    row: Service
    erasures: int
    silent: bool
    gone: bool
    behind: bool
    long_behind: bool

    @property
    def troubled(self) -> bool:
        """Whether somebody should look after it; one that is gone may have been taken down."""
        return not self.gone and (self.silent or self.long_behind or self.row.index_problem is not None)


def register_service(db: Session, name: str, now: datetime, state: ServiceState | None = None) -> int:
    """Note that a service is there, in the caller's transaction; returns the id of its row.

    Args:
        db: begun with `begin_writing`.
        name: the service's.
        now: aware.
        state: how it fares; None: what it said last stays.
    """
    found = db.scalars(sa.select(Service).where(Service.name == name)).one_or_none()
    if found is None:
        found = Service(name=name, first_seen_at=now, last_seen_at=now)
        if not inserted(db, found):
            found = db.scalars(sa.select(Service).where(Service.name == name)).one()
    found.last_seen_at = now
    if state is not None:
        found.address, found.index_version, found.outbox_depth = state.address, state.index_version, state.outbox_depth
        found.index_source = state.index_source
        found.index_problem = state.index_problem and state.index_problem[:_LONGEST_PROBLEM]
    return found.id


def is_gone(service: Service, now: datetime) -> bool:
    """Whether a service was not seen for so long that nobody waits for it."""
    return service.last_seen_at < now - GONE_AFTER


def seen_services(db: Session, now: datetime) -> list[SeenService]:
    """All services by name, and how each compares with the others.

    Args:
        db: any session.
        now: aware.
    """
    counted = sa.select(ErasureAcknowledgement.service_id, sa.func.count()).group_by(ErasureAcknowledgement.service_id)
    erasures = dict(iter(db.execute(counted)))
    rows = db.scalars(sa.select(Service).order_by(Service.name)).all()
    published = newest_index(db)
    said = max((_number(row.index_version) for row in rows if not is_gone(row, now)), default=0)
    newest = _number(published.version) if published is not None else said
    spread = published is None or published.published_at < now - _SPREADS_IN
    # One of a release before says nothing, and is not judged.
    behind = {row.id for row in rows if row.index_version is not None and _number(row.index_version) < max(newest, 1)}
    return [
        SeenService(
            row,
            erasures.get(row.id, 0),
            silent=row.last_seen_at < now - _LATE,
            gone=is_gone(row, now),
            behind=row.id in behind,
            long_behind=row.id in behind and spread,
        )
        for row in rows
    ]


def newest_index(db: Session) -> IndexVersion | None:
    """The index that was published last, as far as the database was told."""
    return db.scalars(sa.select(IndexVersion).order_by(IndexVersion.id.desc()).limit(1)).one_or_none()


def _number(version: str | None) -> int:
    """The running number with which the name of an index begins; 0 where there is none."""
    digits = (version or "").partition("-")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else 0
