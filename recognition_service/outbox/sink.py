"""What takes sightings and what was watched: the outbox, or whoever gathers them for it."""

from collections.abc import Collection, Sequence
from typing import Protocol

from attendance.database.evidence import Evidence
from attendance.database.register import Sighting
from attendance.database.watching.observation import Observed


class Sink(Protocol):
    """Takes what the evidence of a camera comes to."""

    def put(self, sightings: Sequence[Sighting], evidence: Sequence[Evidence] = ()) -> Collection[str]:
        """As `recognition_service.outbox.store.Outbox.put`.

        Raises:
            OutboxError: it could not be stored.
        """
        ...

    def put_observed(self, observed: Sequence[Observed]) -> None:
        """As `recognition_service.outbox.store.Outbox.put_observed`.

        Raises:
            OutboxError: it could not be stored.
        """
        ...
