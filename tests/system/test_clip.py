"""A real video of people who move, when the folder of further faces is there."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from attendance.database.models import Course, Enrolment, Student
from operations.demo.university import COURSE_CODE
from tests.system.conftest import System

ROSTER = {"alex_lacamoire", "biden", "lin_manuel_miranda", "obama", "rose_leslie"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_clip_shows_one_student_and_nobody_else(system: System, shared_faces: Path) -> None:
    with system.sessions.begin() as db:
        course_id = db.scalars(sa.select(Course.id).where(Course.code == COURSE_CODE)).one()
        students = [Student(index_number=name, name=name) for name in sorted(ROSTER)]
        db.add_all(students)
        db.flush()
        db.execute(sa.delete(Enrolment))
        db.add_all(Enrolment(course_id=course_id, student_id=student.id) for student in students)
    store = shared_faces / "encodings.pickle"
    system.environ["ATTENDANCE_GALLERY_INDEX"] = str(Path(system.environ["ATTENDANCE_DATA_DIRECTORY"]) / "index")
    system.programs.start("index", ["index", "build", "--store", str(store)], system.environ)
    system.programs.wait_until(lambda: system.programs.has_ended("index"), "no index", timeout_s=60)
    session_id = system.schedule(lasts=timedelta(seconds=20))
    system.start_service()
    system.start_camera(shared_faces / "hamilton_clip.mp4", "--rate", "5")
    system.wait_for_camera()
    register = system.wait_until_closed(session_id, lambda found: found.keys() == ROSTER)
    here = {name for name, status in register.items() if status in ("present", "late")}
    assert {"lin_manuel_miranda"} <= here <= {"lin_manuel_miranda", "alex_lacamoire"}
