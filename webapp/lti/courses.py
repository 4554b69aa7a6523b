"""Courses of platforms: noting those from which somebody who teaches there was here, and where a launch leads."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import TAKES_PLACE, among, sessions_of_courses
from attendance.database.models import ClassSession, Enrolment, LtiCourse, LtiDeployment, LtiPlatform
from webapp.lti.claims import ClaimPart, Launch


def deployment_of(platform: LtiPlatform, external_id: str) -> LtiDeployment | None:
    """A deployment that an administrator named; None: launches of it are refused."""
    return next((one for one in platform.deployments if one.external_id == external_id), None)


def note_course(db: Session, deployment: LtiDeployment, launch: Launch, *, now: datetime) -> LtiCourse | None:
    """Note what a launch says of the platform's course, in the caller's transaction.

    A course that nobody has linked is noted when somebody who teaches there comes; students add none.

    Args:
        db: begun with `begin_writing`.
        deployment: of the launch.
        launch: which was verified.
        now: aware.

    Returns:
        The course; None: it is not known, and whoever launches does not teach there.
    """
    said = launch.course
    mine = {"deployment_id": deployment.id, "external_id": said.external_id}
    found = db.scalar(sa.select(LtiCourse).filter_by(**mine).with_for_update())
    if found is None and launch.part not in (ClaimPart.TEACHES, ClaimPart.ASSISTS):
        return None
    row = found or LtiCourse(**mine)
    row.label, row.title, row.seen_at = said.label or row.label or "", said.title or row.title or "", now
    row.memberships_url = said.memberships_url or row.memberships_url
    row.line_items_url = said.line_items_url or row.line_items_url
    db.add(row)
    db.flush()
    return row


def session_running(db: Session, course_id: int, *, now: datetime) -> ClassSession | None:
    """The session of a course whose register is filled in at a moment; of several, the one that started last."""
    of_course = sessions_of_courses(among([course_id]), TAKES_PLACE, ClassSession.ends_at > now)
    query = sa.select(ClassSession).join(of_course, of_course.c.session_id == ClassSession.id)
    coming = db.scalars(query.order_by(ClassSession.starts_at).limit(20)).all()
    running = [session for session in coming if session.opens_at <= now]
    return running[-1] if running else None


def takes(db: Session, student_id: int, course_id: int) -> bool:
    """Whether a student is on a course's roster here."""
    query = sa.select(Enrolment.student_id).where(Enrolment.student_id == student_id, Enrolment.course_id == course_id)
    return db.scalar(query.limit(1)) is not None
