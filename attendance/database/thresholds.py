"""What share of a course's sessions a student must attend."""

from sqlalchemy.orm import Session

from attendance.database.models import Course

_USUAL = 75


def threshold_of(_db: Session, _course: Course) -> int:
    """Percent of the recorded sessions of a course that a student must attend."""
    return _USUAL
