"""Which held sightings wait for a person's word: for what is concluded, for lists, and for their numbers."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager, joinedload

from attendance.database.audiences import TAKES_PLACE
from attendance.database.conclusions import is_within
from attendance.database.models import Attendance, ClassSession, HeldReason, HeldSighting, Source, Status


def withheld_students(db: Session, session: ClassSession) -> dict[int, bool]:
    """Students of whom a sighting is held that nobody has answered: by id, whether all of it came late."""
    query = sa.select(
        HeldSighting.student_id, HeldSighting.late, HeldSighting.first_seen, HeldSighting.last_seen
    ).where(HeldSighting.session_id == session.id, HeldSighting.accepted.is_(None))
    found: dict[int, bool] = {}
    for student, late, first_seen, last_seen in db.execute(query):
        if is_within(session, first_seen, last_seen):
            found[student] = found.get(student, True) and late
    return found


def waiting_sightings(db: Session, *conditions: sa.ColumnElement[bool]) -> Sequence[HeldSighting]:
    """The held sightings that ask for a person's word, with session, student and camera, by session and arrival.

    A person is asked where accepting would change the entry: the machine has not seen the student, or has seen the
    student too late and what came late says earlier. Of others the row is information, and so it is where the session
    has been moved to another time.

    Args:
        db: any session.
        conditions: on columns of `HeldSighting`, or of `ClassSession`.
    """
    unseen = Attendance.first_seen.is_(None)
    earlier = sa.and_(
        HeldSighting.late, Attendance.status == Status.LATE, HeldSighting.first_seen < Attendance.first_seen
    )
    would_change = sa.or_(
        Attendance.id.is_(None), sa.and_(Attendance.source == Source.MACHINE, sa.or_(unseen, earlier))
    )
    query = (
        sa.select(HeldSighting)
        .join(HeldSighting.session)
        .outerjoin(
            Attendance,
            sa.and_(Attendance.session_id == HeldSighting.session_id, Attendance.student_id == HeldSighting.student_id),
        )
        .options(
            contains_eager(HeldSighting.session), joinedload(HeldSighting.student), joinedload(HeldSighting.camera)
        )
        .where(HeldSighting.accepted.is_(None), TAKES_PLACE, would_change, *conditions)
        .order_by(HeldSighting.session_id, HeldSighting.arrived_at, HeldSighting.id)
        .execution_options(populate_existing=True)
    )
    return [row for row in db.scalars(query) if is_within(row.session, row.first_seen, row.last_seen)]


def held_of_entry(db: Session, session_id: int, student_id: int) -> Sequence[HeldSighting]:
    """All that was ever held of a student in a session, answered or not, the first first."""
    return db.scalars(
        sa.select(HeldSighting)
        .options(joinedload(HeldSighting.camera), joinedload(HeldSighting.answered_by))
        .where(HeldSighting.session_id == session_id, HeldSighting.student_id == student_id)
        .order_by(HeldSighting.arrived_at, HeldSighting.id)
    ).all()


def reasons_of(row: HeldSighting) -> tuple[HeldReason, ...]:
    """Why a sighting is held; a reason of a later version is left out."""
    return tuple(reason for reason in HeldReason if reason.value in row.reasons)
