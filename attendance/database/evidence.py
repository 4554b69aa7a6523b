"""Evidence: what a confirmation was made of, kept so that a person can look at it. Numbers only, never a picture."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, joinedload

from attendance.database.audiences import expected_by_index_number
from attendance.database.models import AttendanceEvidence, ClassSession, Origin, Student
from attendance.database.watching.rooms import known_camera

log = structlog.get_logger()

MOST_FRAMES = 20
"""Frames described in one row; the counts and means are of all."""
MOST_ROWS = 50
"""Rows of one student in one session. A camera that reconnects all day adds no more."""
_DIGITS = 4
"""Decimal places of what is kept of a frame: distances are good to two."""


@dataclass(frozen=True, slots=True)
class FrameEvidence:
    """One frame that spoke for the student."""

    captured_at: datetime
    distance: float
    """Euclidean, to the student's nearest photo."""
    runner_up: float | None
    """The same to the next student; None when there was no other."""
    weight: float
    """In votes, 0 to 1."""
    width: float
    """Of the face, pixels."""
    sharpness: float
    """Variance of the Laplacian of the aligned face."""

    def to_json(self) -> dict[str, Any]:
        """As an object of `AttendanceEvidence.details`; times in ISO 8601."""
        fields = {key: _rounded(value) for key, value in asdict(self).items() if isinstance(value, float)}
        return {"captured_at": self.captured_at.astimezone(UTC).isoformat(), "runner_up": None, **fields}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "FrameEvidence":
        """Read what `to_json` made.

        Raises:
            ValueError: it is something else.
        """
        try:
            runner_up = data["runner_up"]
            return cls(
                captured_at=datetime.fromisoformat(data["captured_at"]),
                distance=float(data["distance"]),
                runner_up=None if runner_up is None else float(runner_up),
                weight=float(data["weight"]),
                width=float(data["width"]),
                sharpness=float(data["sharpness"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"no frame of a confirmation: {error!r}") from None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What confirmed one student in one class session, on one camera's track."""

    uid: str
    """Given once, when it was confirmed."""
    session_id: int
    index_number: str
    camera_id: int | None
    index_version: str | None
    """The index in use."""
    threshold: float
    distance: float
    """Mean over the frames that confirmed."""
    margin: float
    """Mean distance by which the next student was farther."""
    confidence: float
    frames: int
    first_frame_at: datetime
    last_frame_at: datetime
    details: tuple[FrameEvidence, ...]
    """The first of the frames and the best, at most `MOST_FRAMES`, by time."""
    origin: Origin = Origin.LIVE
    """How the frames came."""
    held: bool = False
    """Whether it is of a sighting that is held, and so confirms nobody."""


def record_evidence(db: Session, evidence: Evidence, *, held: bool = False) -> AttendanceEvidence | None:
    """Keep what confirmed a student, in the caller's transaction; the same evidence again changes nothing.

    Begin the transaction with `begin_writing`, and call it after `record_sighting`. `held` says whether its sighting
    waits for a person's word.

    Returns:
        The row; None when there is nothing to keep it for: the session or the student is gone, the student is not on
        the roster or has withdrawn consent, or there is plenty of evidence already.
    """
    kept = _row_of(db, evidence.uid)
    if kept is not None:
        return kept
    student_id = _student_to_keep_for(db, evidence)
    if student_id is None:
        log.warning("evidence_without_place", session=evidence.session_id)
        return None
    if _count(db, evidence.session_id, student_id) >= MOST_ROWS:
        return None
    row = AttendanceEvidence(
        uid=evidence.uid,
        session_id=evidence.session_id,
        student_id=student_id,
        camera_id=known_camera(db, evidence.camera_id),
        origin=evidence.origin,
        index_version=evidence.index_version,
        threshold=evidence.threshold,
        distance=evidence.distance,
        margin=evidence.margin,
        confidence=evidence.confidence,
        frames=evidence.frames,
        first_frame_at=evidence.first_frame_at,
        last_frame_at=evidence.last_frame_at,
        details=[frame.to_json() for frame in evidence.details[:MOST_FRAMES]],
        held=held,
    )
    try:
        with db.begin_nested():
            db.add(row)
    except sa.exc.IntegrityError:  # another process that shares the outbox was first, or a row it needs is gone
        kept = _row_of(db, evidence.uid)
        if kept is None:
            raise
        return kept
    return row


def evidence_of(db: Session, session_id: int, student_id: int) -> Sequence[AttendanceEvidence]:
    """What is kept of one student in one class session, earliest first, with its cameras."""
    return db.scalars(
        sa.select(AttendanceEvidence)
        .options(joinedload(AttendanceEvidence.camera))
        .where(AttendanceEvidence.session_id == session_id, AttendanceEvidence.student_id == student_id)
        .order_by(AttendanceEvidence.first_frame_at, AttendanceEvidence.id)
    ).all()


def frames_of(row: AttendanceEvidence) -> list[FrameEvidence]:
    """The frames of a row; those that cannot be read are left out, as a page should rather show less than fail."""
    frames = []
    for data in row.details:
        try:
            frames.append(FrameEvidence.from_json(data))
        except ValueError:
            log.warning("evidence_not_readable", evidence=row.id)
    return frames


def _row_of(db: Session, uid: str) -> AttendanceEvidence | None:
    return db.scalar(sa.select(AttendanceEvidence).where(AttendanceEvidence.uid == uid))


def _student_to_keep_for(db: Session, evidence: Evidence) -> int | None:
    session = db.get(ClassSession, evidence.session_id)
    student_id = None if session is None else expected_by_index_number(db, session, evidence.index_number)
    # Held until the commit, as the row that refers to it would hold it: a withdrawal comes before this, and is seen
    # here, or after the commit, and deletes what was kept.
    return db.scalar(
        sa.select(Student.id)
        .where(Student.id == student_id, Student.consent_withdrawn_at.is_(None))
        .with_for_update(read=True)
    )


def _count(db: Session, session_id: int, student_id: int) -> int:
    return (
        db.scalar(
            sa.select(sa.func.count()).where(
                AttendanceEvidence.session_id == session_id, AttendanceEvidence.student_id == student_id
            )
        )
        or 0
    )


def _rounded(value: float) -> float | None:
    """None for a distance to nobody: JSON has no infinity."""
    return round(value, _DIGITS) if math.isfinite(value) else None
