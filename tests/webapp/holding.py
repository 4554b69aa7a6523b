"""Holding something in a lesson, as the recognition service does it."""

from datetime import timedelta

from sqlalchemy.orm import Session

from attendance.database.models import Camera, HeldReason, Origin, Student
from attendance.database.register import Sighting
from attendance.database.transactions import transact
from attendance.database.watching.late_frames import take_in_observed, take_in_sightings
from attendance.database.watching.observation import MinuteOfCamera, observed_hours
from attendance.settings.attendance import LateFrames
from tests.webapp.lessons import Lesson


def hold(db: Session, lesson: Lesson, student: Student, camera: Camera, *reasons: HeldReason, minute: int = 3) -> None:
    """A sighting of a student, some minutes into the session, that is held for these reasons; committed."""
    at = lesson.session.starts_at + timedelta(minutes=minute)
    _take_in(db, Sighting(lesson.session.id, student.index_number, at, at, 0.9, camera.id, held=reasons))


def keep(db: Session, lesson: Lesson, camera: Camera, *students: Student, minutes: range = range(0)) -> None:
    """What a camera had kept of a session that is closed: whom it shows, and what it watched; committed."""
    starts = lesson.session.starts_at
    for student in students:
        at = starts + timedelta(minutes=4)
        _take_in(db, Sighting(lesson.session.id, student.index_number, at, at, 0.9, camera.id, Origin.KEPT))
    reports = [MinuteOfCamera(starts + timedelta(minutes=n), True, False, False) for n in minutes]
    for one in observed_hours(camera.id, lesson.session.room_id, reports):

        def watched(db: Session, one=one) -> bool:
            return take_in_observed(db, one, LateFrames.PROPOSE)

        transact(db, watched)


def _take_in(db: Session, sighting: Sighting) -> None:
    def work(db: Session) -> None:
        assert take_in_sightings(db, sighting.session_id, [sighting], LateFrames.PROPOSE) == [True]

    transact(db, work)
