"""Several recognition services: whether each searches the index that is published, and whether it comes here."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime

from attendance.database.engine import DatabaseError, session_factory
from attendance.database.opening import open_engine
from attendance.database.upkeep.services import SeenService, newest_index, seen_services
from attendance.gallery.format import GalleryError, current_version
from attendance.gallery.offering import Offer
from attendance.settings import Settings
from operations.doctor.findings import Finding, ok, problem, warning
from recognition_service.replication.sources import IndexSource, SourceAwayError, source_of

_SOURCE = "index source"


def examine_source(settings: Settings) -> list[Finding]:
    """Ask the machine that holds the store for its index, as the service does, and hold it against what is here."""
    if not settings.replica.on:
        return []
    source = source_of(settings.replica)
    try:
        have = current_version(settings.index_path) or ""
    except GalleryError:
        have = ""  # told by the examination of the index
    try:
        offered = asyncio.run(_offered(source, have))
    except SourceAwayError as error:
        return [
            problem(_SOURCE, str(error), "The index here stays in use meanwhile; correct ATTENDANCE_REPLICA_ settings.")
        ]
    if offered != have:
        text = f"{source.name} has index {offered}, and here is {have or 'none'}"
        remedy = "A running service fetches it within seconds; if it does not, its log says why (index_not_fetched)."
        return [warning(_SOURCE, text, remedy)]
    return [ok(_SOURCE, f"{source.name} has index {offered}, as is here")]


async def _offered(source: IndexSource, have: str) -> str:
    """The version that is published there."""
    async with aclosing(source.fetch(have, ("", {}))) as parts:
        async for part in parts:
            if isinstance(part, Offer):
                return part.version
    raise SourceAwayError(f"{source.name} offers no index")


def examine_services(settings: Settings) -> list[Finding]:
    """What the services told the database of themselves; nothing of those that are gone."""
    try:
        with open_engine(settings.database_url) as engine, session_factory(engine)() as db:
            seen = [service for service in seen_services(db, datetime.now(UTC)) if not service.gone]
            published = newest_index(db) is not None or any(service.row.index_version for service in seen)
            found = [finding for service in seen if (finding := _service(service, published=published)) is not None]
    except DatabaseError:
        return []  # told by the database's own examination
    text = f"{len(seen)} run, " + ("all with the index that is published" if published else "and no index is published")
    return found or ([ok("services", text)] if seen else [])


def _service(service: SeenService, *, published: bool) -> Finding | None:
    row = service.row
    subject = f"service {row.name}"
    if service.silent:
        text = f"last seen {row.last_seen_at:%Y-%m-%d %H:%M} UTC"
        return warning(subject, text, "See whether it runs and reaches the database (its log).")
    if row.index_problem is not None:
        text = f"it gets no newer index: {row.index_problem}"
        return problem(subject, text, "Run `attendance doctor` on its machine.")
    if service.long_behind and published:  # that there is none is told by the examination of the index
        text = f"it searches index {row.index_version or 'none'}, which is not the one that is published"
        return problem(subject, text, "Its log says why it does not load that (index_not_loaded).")
    return None
