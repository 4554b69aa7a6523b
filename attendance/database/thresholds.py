"""What share of a course's sessions a student must attend."""

from sqlalchemy.orm import Session

from attendance.database.engine import rules_of
from attendance.database.models import Course


def threshold_of(db: Session, course: Course) -> int:
    """Percent of the recorded sessions of a course that a student must attend: the course's own, else the settings'.

    Args:
        db: a session of a factory that was given the settings.
        course: any.
    """
    return rules_of(db).threshold if course.attendance_threshold is None else course.attendance_threshold
