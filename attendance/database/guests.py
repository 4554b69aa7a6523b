"""Guests: students of a session's course who were seen in it without being expected, and of whom nothing is recorded.

Somebody of another group is not absent from the own one by being seen here, nor present: the register lists guests
apart, for the lecturer to decide.
"""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, contains_eager

from attendance.database.audiences import counts_in, guest_by_index_number
from attendance.database.conclusions import is_within
from attendance.database.models import Attendance, ClassSession, Guest, Student
from attendance.database.register import Sighting
from attendance.database.transactions import ATTEMPTS, inserted


def record_guest(db: Session, sighting: Sighting) -> Guest | None:
    """Note a guest, in the caller's transaction. Any order and any repetition of sightings leaves the same row.

    Returns:
        The row; None when the student is no guest of the session, or was seen outside its times.
    """
    session = db.get(ClassSession, sighting.session_id)
    if session is None or not is_within(session, sighting.first_seen, sighting.last_seen):
        return None
    student_id = guest_by_index_number(db, session, sighting.index_number)
    if student_id is None:
        return None
    for _ in range(ATTEMPTS):
        row = db.get(Guest, (session.id, student_id), with_for_update=True, populate_existing=True)
        if row is not None:
            row.first_seen = min(row.first_seen, sighting.first_seen)
            row.last_seen = max(row.last_seen, sighting.last_seen)
            row.confidence = max(row.confidence, sighting.confidence)
            db.flush()
            return row
        row = Guest(
            session_id=session.id,
            student_id=student_id,
            first_seen=sighting.first_seen,
            last_seen=sighting.last_seen,
            confidence=sighting.confidence,
        )
        if inserted(db, row):
            return row
    raise RuntimeError(f"session {sighting.session_id}: a guest's row appears and disappears")


def guests_of(db: Session, session: ClassSession, course_ids: Collection[int]) -> Sequence[Guest]:
    """The guests of a session who take certain courses, with their students, in the order in which they came.

    Whoever has an entry, having joined the group since, is no guest any more.
    """
    entered = sa.exists().where(Attendance.session_id == Guest.session_id, Attendance.student_id == Guest.student_id)
    query = (
        sa.select(Guest)
        .join(Guest.student)
        .options(contains_eager(Guest.student))
        .where(Guest.session_id == session.id, ~entered, counts_in(session, course_ids, Student.id))
        .order_by(Guest.first_seen, Student.name, Student.id)
    )
    return db.scalars(query).all()
