"""Erasures as rows: asked for, carried out by the gallery's worker and by every service, and finished.

A row says of whom something is to go, what was promised, who asked and when. The gallery's worker does what is shared:
database, gallery and the outboxes that it reaches. Every recognition service looks for rows, erases in its own memory
and outbox, and says so in a row of its own. A service that was not seen for `GONE_AFTER` is not waited for: it has no
memory any more, or no database, and its outbox is held against the database before anything of it is entered.

Until an erasure is finished, nothing may be added of the student. Then the number of a student who is no longer kept
goes from the row, too.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from attendance.database.audit.forgetting import student_or_mark
from attendance.database.audit.noting import by_command, note
from attendance.database.consent import Recorder
from attendance.database.models import (
    AuditAction,
    ConsentRecorder,
    Erasure,
    ErasureAcknowledgement,
    ErasureKind,
    GalleryJob,
    GalleryJobKind,
    JobState,
    Service,
    Student,
)
from attendance.database.transactions import inserted
from attendance.database.upkeep.services import is_gone
from attendance.texts import english

_ABANDONED = timedelta(minutes=15)
"""After so long an erasure that somebody began is begun by somebody else."""
_AGAIN = timedelta(minutes=1)
"""After so long one that left something is tried again; others go on meanwhile."""
_LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class Claimed:
    """An erasure that is the caller's to carry out.

    Attributes:
        id: of the row.
        index_number: the student's.
        kind: what was promised.
        requested_at: when it was asked for.
        leased_until: it is the caller's until then, unless somebody asks for it anew.
    """

    id: int
    index_number: str
    kind: ErasureKind
    requested_at: datetime
    leased_until: datetime


def request_erasure(db: Session, index_number: str, *, kind: ErasureKind, now: datetime, recorder: Recorder) -> Erasure:
    """Ask everybody, in the caller's transaction, to erase a student; one that was asked for and is open is joined.

    Args:
        db: begun with `begin_writing`; withdrawn in before, where the student is to be erased and not just renamed.
        index_number: the student's; the row may be gone.
        kind: what is promised. Asked for a deletion, one that was a withdrawal becomes a deletion.
        now: aware.
        recorder: who asks.
    """
    unfinished = sa.select(Erasure).where(Erasure.index_number == index_number, Erasure.finished_at.is_(None))
    erasure = db.scalars(unfinished.order_by(Erasure.id).limit(1)).one_or_none()
    if erasure is None:
        erasure = Erasure(index_number=index_number, requested_at=now, kind=kind, recorder=recorder.kind)
        erasure.requested_by_id = recorder.account_id
        db.add(erasure)
    elif kind is not ErasureKind.WITHDRAWAL and erasure.kind is not kind:
        erasure.kind, erasure.recorder, erasure.requested_by_id = kind, recorder.kind, recorder.account_id
    # Asked for again, it is looked at again: something may have come since.
    erasure.shared_at = erasure.leased_until = None
    db.flush()
    return erasure


def being_erased(db: Session, index_numbers: Collection[str]) -> frozenset[str]:
    """Those whose erasure is not finished: what is added of them now would go with the rest."""
    query = sa.select(Erasure.index_number).where(Erasure.finished_at.is_(None), Erasure.index_number.is_not(None))
    # All that are open, which are few: those asked for may be more than a statement takes.
    return frozenset(number for number in db.scalars(query) if number) & frozenset(index_numbers)


def is_being_erased(db: Session, index_number: str) -> bool:
    """Whether an erasure of the student is not finished; until it is, nothing may be added."""
    return index_number in being_erased(db, [index_number])


def forget_number(db: Session, index_number: str) -> None:
    """Take a number that is no longer kept out of erasures that are finished."""
    finished = sa.and_(Erasure.index_number == index_number, Erasure.finished_at.is_not(None))
    db.execute(sa.update(Erasure).where(finished).values(index_number=None))


def claim(db: Session, now: datetime) -> Claimed | None:
    """Take the oldest erasure that is due, in the caller's transaction; None when none is.

    Args:
        db: begun with `begin_writing`.
        now: aware.
    """
    due = sa.and_(Erasure.shared_at.is_(None), sa.or_(Erasure.leased_until.is_(None), Erasure.leased_until < now))
    erasure = db.scalars(
        sa.select(Erasure).where(due, Erasure.index_number.is_not(None)).order_by(Erasure.id).limit(1)
    ).one_or_none()
    if erasure is None or erasure.index_number is None:
        return None
    claimed = _lease(erasure, erasure.index_number, now)
    # On databases where readers do not wait, another worker may have been quicker.
    taken = db.execute(
        sa.update(Erasure).where(Erasure.id == claimed.id, due).values(leased_until=claimed.leased_until),
        execution_options={"synchronize_session": False},
    )
    return claimed if taken.rowcount == 1 else None  # type: ignore[attr-defined]  # of an update it is a CursorResult


def claim_now(db: Session, index_numbers: Collection[str], now: datetime) -> list[Claimed]:
    """Take the open erasures of these students, in the transaction that asked for them, whoever else is at them."""
    query = sa.select(Erasure).where(Erasure.index_number.in_(index_numbers), Erasure.finished_at.is_(None))
    claimed = []
    for erasure in db.scalars(query.order_by(Erasure.id)).all():
        one = _lease(erasure, erasure.index_number or "", now)
        erasure.leased_until, erasure.shared_at = one.leased_until, None
        claimed.append(one)
    return claimed


def _lease(erasure: Erasure, index_number: str, now: datetime) -> Claimed:
    return Claimed(erasure.id, index_number, erasure.kind, erasure.requested_at, now + _ABANDONED)


def note_shared(db: Session, erasure: Claimed, left: str | None, now: datetime) -> None:
    """Note that what is shared holds nothing of the student any more, or what is left of it.

    Nothing is noted where somebody has asked anew or begun meanwhile: they look again.

    Args:
        db: begun with `begin_writing`.
        erasure: that was claimed.
        left: a sentence for people; None: nothing is left.
        now: aware.
    """
    mine = sa.and_(Erasure.id == erasure.id, Erasure.leased_until == erasure.leased_until)
    values = {"message": left and left[:_LONGEST_MESSAGE]} | (
        {"leased_until": now + _AGAIN} if left else {"leased_until": None, "shared_at": now}
    )
    db.execute(sa.update(Erasure).where(mine).values(values))


def take_back(db: Session, erasure: Claimed) -> None:
    """Delete an erasure of somebody of whom nothing was found anywhere: nobody has to do anything."""
    db.execute(sa.delete(Erasure).where(Erasure.id == erasure.id))


def erasures_for(db: Session, service_id: int) -> dict[int, str]:
    """The index numbers that a service has to erase and has not acknowledged, by the erasure's id."""
    acknowledged = sa.exists().where(
        ErasureAcknowledgement.erasure_id == Erasure.id, ErasureAcknowledgement.service_id == service_id
    )
    query = sa.select(Erasure.id, Erasure.index_number).where(Erasure.finished_at.is_(None), ~acknowledged)
    return {erasure_id: number for erasure_id, number in db.execute(query.order_by(Erasure.id)) if number}


def shared_ones(db: Session, erasure_ids: Collection[int]) -> frozenset[int]:
    """Those of these erasures after which database and gallery hold nothing of the student any more."""
    query = sa.select(Erasure.id).where(Erasure.id.in_(erasure_ids), Erasure.shared_at.is_not(None))
    return frozenset(db.scalars(query))


def acknowledge(db: Session, erasure_id: int, service_id: int, now: datetime) -> None:
    """Note that a service holds nothing of the student any more; said again it changes nothing."""
    if db.get(Erasure, erasure_id) is not None:
        inserted(db, ErasureAcknowledgement(erasure_id=erasure_id, service_id=service_id, done_at=now))


def waited_for(db: Session, erasures: Collection[Erasure], now: datetime) -> dict[int, list[Service]]:
    """By the erasure's id, the services that have not acknowledged it, by name; whoever is gone is among them.

    Args:
        db: any session.
        erasures: not finished, with their acknowledgements; without any, the database is not asked.
        now: aware.
    """
    if not erasures:
        return {}
    services = db.scalars(sa.select(Service).order_by(Service.name)).all()
    done = {erasure.id: {one.service_id for one in erasure.acknowledgements} for erasure in erasures}
    # Who came after an erasure and is gone again never knew the student.
    return {
        erasure.id: [
            service
            for service in services
            if service.id not in done[erasure.id]
            and not (is_gone(service, now) and service.first_seen_at > erasure.requested_at)
        ]
        for erasure in erasures
    }


def services_left(db: Session, index_number: str, now: datetime) -> int:
    """How many services are waited for that have not erased a student yet."""
    mine = [erasure for erasure in unfinished_erasures(db) if erasure.index_number == index_number]
    waiting = waited_for(db, mine, now)
    return len({service.id for found in waiting.values() for service in found if not is_gone(service, now)})


def unfinished_erasures(db: Session) -> Sequence[Erasure]:
    """Erasures that are not finished, oldest first, with who asked and who has acknowledged them."""
    query = sa.select(Erasure).options(joinedload(Erasure.requested_by), joinedload(Erasure.acknowledgements))
    open_ones = query.where(Erasure.finished_at.is_(None)).order_by(Erasure.id)
    return db.scalars(open_ones, execution_options={"populate_existing": True}).unique().all()


def finish_erasures(db: Session, now: datetime) -> int:
    """Finish the erasures that everybody has carried out, in the caller's transaction; how many there were.

    A number that is not kept any more goes. Afterwards let nothing of it stay in the files of the database, and say so
    by `note_overwritten`.
    """
    erasures = [erasure for erasure in unfinished_erasures(db) if erasure.shared_at is not None]
    waiting = waited_for(db, erasures, now)
    finished = [erasure for erasure in erasures if all(is_gone(service, now) for service in waiting[erasure.id])]
    for erasure in finished:
        erasure.finished_at = now
        student = student_or_mark(db, erasure.index_number or "")
        note(db, AuditAction.ERASURE_DONE, actor=by_command(), student=student, details={"kind": erasure.kind.value})
        erasure.message = _gone_message(waiting[erasure.id])
        if erasure.kind is not ErasureKind.WITHDRAWAL or not _is_known(db, erasure.index_number):
            erasure.index_number = None
    return len(finished)


def to_overwrite(db: Session) -> Collection[int]:
    """The erasures that are finished, and of which the files of the database may hold remains."""
    query = sa.select(Erasure.id).where(Erasure.finished_at.is_not(None), Erasure.overwritten_at.is_(None))
    return db.scalars(query).all()


def note_overwritten(db: Session, erasure_ids: Collection[int], now: datetime) -> None:
    """Note that the files of the database are rid of what these erasures deleted."""
    db.execute(sa.update(Erasure).where(Erasure.id.in_(erasure_ids)).values(overwritten_at=now))


def adopt_former_requests(db: Session) -> None:
    """Turn what a dashboard of the version before asks the gallery's worker into erasures, in the caller's transaction.

    While an installation is upgraded, such a dashboard may run on the new tables for a while.
    """
    former = sa.and_(
        GalleryJob.kind == GalleryJobKind.ERASE, GalleryJob.state.in_((JobState.WAITING, JobState.WORKING))
    )
    for job in db.scalars(sa.select(GalleryJob).where(former).order_by(GalleryJob.id)).all():
        kind = ErasureKind.WITHDRAWAL if _is_known(db, job.index_number) else ErasureKind.DELETION
        recorder = Recorder(ConsentRecorder.EARLIER, job.requested_by_id)
        request_erasure(db, job.index_number, kind=kind, now=job.requested_at, recorder=recorder)
        db.delete(job)


def _gone_message(services: Collection[Service]) -> str | None:
    """Which services were not waited for; None: all have acknowledged."""
    if not services:
        return None
    names = ", ".join(service.name for service in services)
    text = english("Not waited for, as they were not seen for an hour: %(services)s", services=names)
    return str(text)[:_LONGEST_MESSAGE]


def _is_known(db: Session, index_number: str | None) -> bool:
    return db.scalar(sa.select(Student.id).where(Student.index_number == index_number)) is not None
