"""What lecturers' corrections say about the thresholds in use.

An entry that the machine made and a lecturer changed to absent is a false match, with the distances of its evidence;
one that stood is a genuine one. The latter's distances are cut off at the threshold in use, so that no false non-match
rate follows from them; and what no lecturer looked at is taken for right, so that the false ones are at least so many.
"""

from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from accuracy.statistics.rates import Interval, clopper_pearson
from attendance.database.models import Attendance, AttendanceChange, AttendanceEvidence, ClassSession, Status

FEWEST_SESSIONS = 30
"""Class sessions below which no rate of false entries is given."""
_SEEN = (Status.PRESENT, Status.LATE)


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """Entries that rest on evidence."""

    sessions: int
    """Ended class sessions with at least one entry that rests on evidence."""
    sessions_with_false: int
    """Those in which a lecturer made such an entry absent."""
    missed: int
    """Entries that the machine wrote as absent and a lecturer made present or late."""
    genuine: NDArray[np.float64]
    """Mean distance of each confirmed track of entries that stood, shape (g,)."""
    false: NDArray[np.float64]
    """The same of entries that a lecturer made absent, shape (f,)."""

    @property
    def enough(self) -> bool:
        """Whether a rate of false entries can be given."""
        return self.sessions >= FEWEST_SESSIONS

    @property
    def false_entries(self) -> Interval:
        """The share of sessions with a false entry that was found."""
        return clopper_pearson(self.sessions_with_false, self.sessions)


def read_corrections(db: Session) -> Corrected:
    """Read the evidence of all ended sessions and what became of the entries."""
    corrected = sa.exists().where(
        AttendanceChange.attendance_id == Attendance.id,
        AttendanceChange.account_id.is_not(None),
        AttendanceChange.old_status.in_(_SEEN),
        AttendanceChange.new_status == Status.ABSENT,
    )
    false = sa.and_(Attendance.status == Status.ABSENT, corrected)
    rows = db.execute(
        sa.select(AttendanceEvidence.session_id, AttendanceEvidence.distance, Attendance.status, false.label("false"))
        .join(
            Attendance,
            sa.and_(
                Attendance.session_id == AttendanceEvidence.session_id,
                Attendance.student_id == AttendanceEvidence.student_id,
            ),
        )
        .join(ClassSession, ClassSession.id == AttendanceEvidence.session_id)
        .where(ClassSession.closed_at.is_not(None))
    ).all()
    missed = db.scalar(
        sa.select(sa.func.count(sa.distinct(Attendance.id)))
        .join(AttendanceChange, AttendanceChange.attendance_id == Attendance.id)
        .where(
            AttendanceChange.account_id.is_not(None),
            AttendanceChange.old_status == Status.ABSENT,
            AttendanceChange.new_status.in_(_SEEN),
            Attendance.status.in_(_SEEN),
        )
    )
    return Corrected(
        len({row.session_id for row in rows}),
        len({row.session_id for row in rows if row.false}),
        missed or 0,
        np.array([row.distance for row in rows if row.status in _SEEN], np.float64),
        np.array([row.distance for row in rows if row.false], np.float64),
    )
