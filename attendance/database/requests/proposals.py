"""Photos that students propose: a person who knows the student decides on each before anything is made of it.

So nobody enrols a friend, and no stranger's face is encoded. A proposal ends after some days, and with the consent.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audit.noting import THE_STUDENT, note
from attendance.database.models import AuditAction, PhotoProposal, ProposalState, Student, utc_now
from attendance.database.requests.enrolment import request_enrolment
from attendance.database.transactions import transact
from attendance.database.upkeep.erasure_requests import is_being_erased
from attendance.errors import AttendanceError
from attendance.tables.fields import REJECTION_REASON
from attendance.texts import english

MOST_WAITING = 5
"""Photos of one student that wait at a time."""
MOST_A_DAY = 10
"""Photos that one student proposes in 24 hours, decided ones among them."""
_DAY = timedelta(days=1)


class ProposalError(AttendanceError, ValueError):
    """Photos cannot be proposed or decided so; the message says why, for the person."""


def propose_photos(
    db: Session,
    *,
    student_id: int,
    photos: Sequence[tuple[str, bytes]],
    kept_for: timedelta,
    now: datetime | None = None,
) -> None:
    """Keep photos that wait for a decision, all or none, in a transaction of its own.

    Args:
        db: a session with nothing pending.
        student_id: whose page they come from.
        photos: name and content of each; they were looked at before.
        kept_for: how long a proposal is kept: those that are older do not count.
        now: when, aware; the present unless given.

    Raises:
        ProposalError: the student has not consented or is being erased, or there are too many.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """
    moment = now or utc_now()

    def work(db: Session) -> None:
        student = _consenting(db, student_id)
        mine = sa.select(sa.func.count()).select_from(PhotoProposal).where(PhotoProposal.student_id == student.id)
        waiting = db.scalar(mine.where(*_waits(moment - kept_for))) or 0
        if waiting + len(photos) > MOST_WAITING:
            raise ProposalError(
                english(
                    "At most %(most)s photos wait at a time; %(waiting)s of yours wait already.",
                    most=MOST_WAITING,
                    waiting=waiting,
                )
            )
        today = db.scalar(mine.where(PhotoProposal.proposed_at > moment - _DAY)) or 0
        if today + len(photos) > MOST_A_DAY:
            raise ProposalError(
                english("At most %(most)s photos are taken in a day. Try again tomorrow.", most=MOST_A_DAY)
            )
        for name, content in photos:
            row = PhotoProposal(student_id=student.id, file_name=name, content=content, proposed_at=moment)
            db.add(row)
            db.flush()  # one at a time: a statement with all of them would be larger than MariaDB takes
            db.expunge(row)
        number = student.index_number
        note(db, AuditAction.PHOTO_PROPOSED, actor=THE_STUDENT, student=number, details={"photos": len(photos)})

    transact(db, work)


def decide_proposals(
    db: Session,
    *,
    student_id: int,
    accepted: Collection[int],
    rejected: Collection[int],
    reason: str,
    account_id: int,
    kept_for: timedelta,
    now: datetime | None = None,
) -> tuple[int, int]:
    """Accept and reject photos, in a transaction of its own; those accepted are handed to the gallery's worker.

    Args:
        db: a session with nothing pending.
        student_id: whose they are.
        accepted: ids of those that show the student.
        rejected: ids of others; one that is in both is rejected.
        reason: why, for the student; at most 500 characters. Not needed where none is rejected.
        account_id: who decides.
        kept_for: as for `propose_photos`.
        now: when, aware; the present unless given.

    Returns:
        How many were accepted and rejected now: those decided, taken back or expired meanwhile are left alone.

    Raises:
        ProposalError: the reason is missing or too long; or photos are accepted and the student does not consent any
            more, or is being erased.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """
    reason = REJECTION_REASON.clean(reason)
    problem = REJECTION_REASON.problem(reason) if rejected else None
    if problem is not None:
        raise ProposalError(f"The reason {problem}.")
    moment = now or utc_now()

    def work(db: Session) -> tuple[int, int]:
        student = _consenting(db, student_id) if accepted else db.get_one(Student, student_id)
        query = sa.select(PhotoProposal).where(PhotoProposal.student_id == student_id, *_waits(moment - kept_for))
        wanted = query.where(PhotoProposal.id.in_({*accepted, *rejected})).order_by(PhotoProposal.id)
        rows = db.scalars(wanted.with_for_update().execution_options(populate_existing=True)).all()
        good = [row for row in rows if row.id not in rejected]
        if good:
            request_enrolment(db, student.index_number, _contents(db, good), asked_by=account_id)
        for row in rows:
            row.state = ProposalState.ACCEPTED if row in good else ProposalState.REJECTED
            row.reason = None if row in good else reason
            row.decided_at, row.decided_by_id, row.content = moment, account_id, None
        if rows:
            counts = {"accepted": len(good), "rejected": len(rows) - len(good)}
            number = student.index_number
            note(db, AuditAction.PHOTOS_DECIDED, actor=account_id, student=number, details=counts)
        return len(good), len(rows) - len(good)

    return transact(db, work)


def take_back_proposal(db: Session, *, proposal_id: int, student_id: int) -> bool:
    """Delete a photo that waits, as its student, in a transaction of its own; False where it does not."""

    def work(db: Session) -> bool:
        mine = (PhotoProposal.id == proposal_id, PhotoProposal.student_id == student_id)
        found = sa.select(PhotoProposal).where(*mine, PhotoProposal.state == ProposalState.WAITING)
        row = db.scalar(found.with_for_update())
        if row is not None:
            db.delete(row)
            number = db.get_one(Student, student_id).index_number
            note(db, AuditAction.PHOTO_TAKEN_BACK, actor=THE_STUDENT, student=number)
        return row is not None

    return transact(db, work)


def proposals_of(db: Session, student_id: int, *, kept_for: timedelta) -> Sequence[PhotoProposal]:
    """The photos of a student, decided ones among them, the newest first; without their contents."""
    mine = (PhotoProposal.student_id == student_id, PhotoProposal.proposed_at > utc_now() - kept_for)
    return db.scalars(sa.select(PhotoProposal).where(*mine).order_by(PhotoProposal.id.desc())).all()


def proposed_photo(db: Session, student_id: int, proposal_id: int, *, kept_for: timedelta) -> bytes | None:
    """A photo of a student that waits; None for any other."""
    mine = (PhotoProposal.id == proposal_id, PhotoProposal.student_id == student_id)
    return db.scalar(sa.select(PhotoProposal.content).where(*mine, *_waits(utc_now() - kept_for)))


def students_with_proposals(kept_for: timedelta) -> sa.Select[int, int, datetime]:
    """The query for students of whom photos wait: id, how many, since when."""
    since = sa.func.min(PhotoProposal.proposed_at, type_=PhotoProposal.proposed_at.type)
    query = sa.select(PhotoProposal.student_id, sa.func.count(), since)
    return query.where(*_waits(utc_now() - kept_for)).group_by(PhotoProposal.student_id)


def _waits(since: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return PhotoProposal.state == ProposalState.WAITING, PhotoProposal.proposed_at > since


def _consenting(db: Session, student_id: int) -> Student:
    """The student's row, whose consent nobody changes until the transaction ends."""
    query = sa.select(Student).where(Student.id == student_id).with_for_update()
    student = db.scalar(query.execution_options(populate_existing=True))
    if student is None or student.consent_given_at is None:
        raise ProposalError(english("Without consent to being recognised, no photo is taken."))
    if is_being_erased(db, student.index_number):
        raise ProposalError(english("Photos and what was made of them are being erased. Try again when that is done."))
    return student


def _contents(db: Session, rows: Sequence[PhotoProposal]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each, one at a time."""
    for row in rows:
        content = db.scalar(sa.select(PhotoProposal.content).where(PhotoProposal.id == row.id))
        yield row.file_name, content or b""
