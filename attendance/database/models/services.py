"""The recognition services: where each is, what it searches, and what waits in it."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from attendance.database.models.base import Base, utc_now
from attendance.database.types import UtcDateTime, identifier_type


class Service(Base):
    """A recognition service, known since it first asked what is to be erased; it says anew how it fares all the time.

    What it has erased are its `ErasureAcknowledgement`s.
    """

    __tablename__ = "service"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(identifier_type(190), unique=True)
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    address: Mapped[str | None] = mapped_column(sa.String(255))  # None: of a release that did not say it, as below
    index_version: Mapped[str | None] = mapped_column(sa.String(64))  # empty: none is loaded
    # Where the index is fetched from (None: it is built there), and why the last question led to nothing.
    index_source: Mapped[str | None] = mapped_column(sa.String(255))
    index_problem: Mapped[str | None] = mapped_column(sa.String(500))
    outbox_depth: Mapped[int | None]  # sightings not yet in the database; None: the outbox cannot be read
