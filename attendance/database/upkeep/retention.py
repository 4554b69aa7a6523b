"""Deletion of what has been kept long enough, a few rows a transaction so that nobody waits for it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker

from attendance.database.access.access_tokens import SHOWN_EXPIRED
from attendance.database.models import (
    AccessToken,
    AttendanceEvidence,
    AuditEntry,
    CameraHealth,
    ClassSession,
    Erasure,
    Excuse,
    GalleryJob,
    GalleryJobKind,
    ImportedFile,
    JobState,
    KeptAnswer,
    Observation,
    PasswordLink,
    PhotoProposal,
    QueuedMail,
    Service,
    SignIn,
    SignInAttempt,
    StudentLink,
    WebhookEvent,
)
from attendance.database.outgoing.deliveries import undelivered
from attendance.database.transactions import transact

_ROWS = 500
"""Rows deleted in one transaction."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Moments before which things go; None: they stay."""

    evidence: datetime | None
    """What confirmed a student."""
    jobs: datetime | None
    """Reports of enrolments that the dashboard asked for, photos of enrolments that never ended, records of erasures
    that were carried out, and services that were not seen since."""
    sessions: datetime | None
    """Class sessions that ended, with their attendance and its history; excuses; what cameras watched,
    and their health."""
    proposals: datetime | None = None
    """Photos that students proposed, and what was said of them."""
    passing: datetime | None = None
    """What the dashboard needs for hours at most: files that were tried or imported, sign-ins, attempts,
    and answers to programs. Tokens of programs stay in the lists for months after they expired."""
    mail: datetime | None = None
    """Mail that was sent, failed, or was not needed any more; events of webhooks with their deliveries likewise."""
    audit: datetime | None = None
    """Entries of the audit log; the database keeps them for `attendance.database.audit.protection.KEPT_DAYS`."""


def purge(sessions: sessionmaker[Session], retention: Retention) -> dict[str, int]:
    """Delete what is older than its retention.

    Args:
        sessions: makes sessions of the database.
        retention: what may go.

    Returns:
        For each kind, in words, how many rows went.
    """
    ended = GalleryJob.state.in_((JobState.DONE, JobState.FAILED))
    # An erasure stays until it is carried out, however long nobody does; one that a former version asked for, too.
    forgotten = ~ended & (GalleryJob.kind == GalleryJobKind.ENROL)
    overwritten = Erasure.overwritten_at.is_not(None)
    shown = retention.passing - SHOWN_EXPIRED if retention.passing else None
    return {
        "evidence of confirmations": _delete(
            sessions, AttendanceEvidence.id, AttendanceEvidence.recorded_at, retention.evidence
        ),
        "reports of work on the gallery": _delete(
            sessions, GalleryJob.id, GalleryJob.finished_at, retention.jobs, ended
        ),
        "requests to the gallery that nobody took up": _delete(
            sessions, GalleryJob.id, GalleryJob.requested_at, retention.jobs, forgotten
        ),
        "records of erasures that were carried out": _delete(
            sessions, Erasure.id, Erasure.finished_at, retention.jobs, overwritten
        ),
        "recognition services that were not seen any more": _delete(
            sessions, Service.id, Service.last_seen_at, retention.jobs
        ),
        "class sessions with their attendance": _delete(
            sessions, ClassSession.id, ClassSession.ends_at, retention.sessions
        ),
        "hours of what cameras watched": _delete(sessions, Observation.id, Observation.hour, retention.sessions),
        "hours of cameras' health": _delete(sessions, CameraHealth.id, CameraHealth.hour, retention.sessions),
        "excuses": _delete(sessions, Excuse.id, Excuse.ends_at, retention.sessions),
        "files that were tried or imported": _delete(
            sessions, ImportedFile.id, ImportedFile.uploaded_at, retention.passing
        ),
        "attempts to sign in": _delete(sessions, SignInAttempt.id, SignInAttempt.tried_at, retention.passing),
        "photos that students proposed": _delete(
            sessions, PhotoProposal.id, PhotoProposal.proposed_at, retention.proposals
        ),
        "links to students' own pages that expired": _delete(
            sessions, StudentLink.id, StudentLink.expires_at, retention.passing
        ),
        "mails that were sent or failed": _delete(sessions, QueuedMail.id, QueuedMail.ended_at, retention.mail),
        "events that webhooks told of": _delete(
            sessions, WebhookEvent.id, WebhookEvent.happened_at, retention.mail, ~undelivered()
        ),
        "entries of the audit log": _delete(sessions, AuditEntry.id, AuditEntry.happened_at, retention.audit),
        "links to set a password that expired": _delete(
            sessions, PasswordLink.id, PasswordLink.expires_at, retention.passing
        ),
        "answers kept for programs": _delete(sessions, KeptAnswer.id, KeptAnswer.begun_at, retention.passing),
        "tokens of programs that expired long ago": _delete(sessions, AccessToken.id, AccessToken.expires_at, shown),
        "sign-ins that expired": _delete(sessions, SignIn.id, SignIn.expires_at, retention.passing),
    }


def _delete(
    sessions: sessionmaker[Session],
    key: InstrumentedAttribute[int],
    time: InstrumentedAttribute[Any],
    before: datetime | None,
    *conditions: sa.ColumnElement[bool],
) -> int:
    if before is None:
        return 0
    query = sa.select(key).where(time < before, *conditions).order_by(key).limit(_ROWS)

    def delete_some(db: Session) -> int:
        keys = db.scalars(query).all()
        db.execute(sa.delete(key.class_).where(key.in_(keys)))
        return len(keys)

    deleted = 0
    with sessions() as db:
        while True:
            rows = transact(db, delete_some)
            deleted += rows
            if rows < _ROWS:
                return deleted
