"""What one stream has to tell of each student of a session: who was confirmed, and who is held."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from attendance.database.evidence import Evidence
from attendance.database.models import HeldReason, Origin
from recognition_service.evidence.confirmation import Confirmation, Confirmer, Proof

SessionKey = tuple[int, Origin]
"""A session, and how the frames came that were counted for it: what live frames say rests on live frames alone."""


@dataclass(slots=True)
class SeenStudent:
    """What is to be in the outbox of one student, and what is."""

    first_seen: datetime
    last_seen: datetime
    confidence: float
    reasons: tuple[HeldReason, ...] = ()
    """Why it is held; none: the student is confirmed."""
    waits: bool = False
    """It is held only if nothing better comes before the end."""
    stored: tuple[datetime, datetime, float, tuple[HeldReason, ...]] | None = None
    proofs: list[Proof] = field(default_factory=list)
    """What confirmed the student, each once."""
    new_evidence: list[Evidence] = field(default_factory=list)
    """Not in the outbox yet."""

    @classmethod
    def of(cls, confirmation: Confirmation) -> "SeenStudent":
        """Begin with what was confirmed."""
        return cls(confirmation.first_seen, confirmation.last_seen, confirmation.confidence)

    def take_in(self, confirmation: Confirmation) -> None:
        """Widen it."""
        self.first_seen = min(self.first_seen, confirmation.first_seen)
        self.last_seen = max(self.last_seen, confirmation.last_seen)
        self.confidence = max(self.confidence, confirmation.confidence)

    @property
    def current(self) -> tuple[datetime, datetime, float, tuple[HeldReason, ...]]:
        """What would be stored now."""
        return self.first_seen, self.last_seen, self.confidence, self.reasons

    def is_due(self, interval_s: float) -> bool:
        """Whether to store now: never stored, for another reason, or the times have moved on by the interval."""
        if self.waits:
            return False
        if self.stored is None or self.new_evidence or self.stored[3] != self.reasons:
            return True
        moved = max(self.stored[0] - self.first_seen, self.last_seen - self.stored[1])
        return moved.total_seconds() >= max(interval_s, 1e-6)


@dataclass(slots=True)
class KeptSession:
    """What one stream keeps of a session."""

    ends_at: datetime
    confirmer: Confirmer
    used: float
    """When a frame last counted for it, by the monotonic clock."""
    records: dict[str, SeenStudent] = field(default_factory=dict)
    """Of the students confirmed."""
    held: dict[str, SeenStudent] = field(default_factory=dict)
    """Of those who would be, were it sure that it was they."""

    def everything(self) -> Iterator[tuple[str, SeenStudent]]:
        """Students and their records of both kinds."""
        yield from self.records.items()
        yield from self.held.items()

    def forget(self, student: str) -> frozenset[int]:
        """Forget a student; returns the persons who may have been the student."""
        self.records.pop(student, None)
        self.held.pop(student, None)
        return self.confirmer.forget(student)
