"""Who takes a course: enrolling a student and taking one off the roster, noted in the audit log."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audit.noting import note
from attendance.database.models import AuditAction, Course, CourseGroup, CourseGroupMember, Enrolment, Student


def enrol(db: Session, course: Course, student: Student, *, account_id: int) -> bool:
    """Put a student on a course's roster, in the caller's transaction.

    Args:
        db: begun with `begin_writing`.
        course: any.
        student: any.
        account_id: who enrols.

    Returns:
        False: the student takes the course already.

    Raises:
        sqlalchemy.exc.IntegrityError: at the commit or before, where another enrolled the student at the same moment.
    """
    if db.get(Enrolment, (course.id, student.id)) is not None:
        return False
    db.add(Enrolment(course_id=course.id, student_id=student.id))
    note(db, AuditAction.ENROLMENT_ADDED, actor=account_id, student=student.index_number, subject=course.code)
    return True


def unenrol(db: Session, course: Course, student: Student, *, account_id: int) -> bool:
    """Take a student off a course's roster and out of its groups, in the caller's transaction; what is recorded stays.

    Returns:
        False: the student does not take the course.
    """
    if not take_off(db, course.id, [student.id]):
        return False
    note(db, AuditAction.ENROLMENT_REMOVED, actor=account_id, student=student.index_number, subject=course.code)
    return True


def take_off(db: Session, course_id: int, student_ids: Sequence[int]) -> int:
    """Take students off a course's roster and out of its groups, in the caller's transaction, who notes it.

    Returns:
        How many took the course.
    """
    of_course = (Enrolment.course_id == course_id, Enrolment.student_id.in_(student_ids))
    taken: int = db.connection().execute(sa.delete(Enrolment).where(*of_course)).rowcount
    if taken:
        groups = sa.select(CourseGroup.id).where(CourseGroup.course_id == course_id)
        mine = (CourseGroupMember.group_id.in_(groups), CourseGroupMember.student_id.in_(student_ids))
        db.execute(sa.delete(CourseGroupMember).where(*mine))
    return taken
