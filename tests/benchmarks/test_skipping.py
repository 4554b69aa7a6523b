"""Looking less at frames changes nobody's register, on each clip of the benchmark and for real."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import Attendance, ClassSession, Room, Student
from benchmarks.service.campus import Campus
from benchmarks.skipping import SETTINGS, cameras_for, clips_of, make_campuses, send_clip


def register_of(campus: Campus, camera: str) -> dict[str, str]:
    """Who is entered for the session in a camera's room, and as what."""
    engine = create_database_engine(campus.environ["ATTENDANCE_DATABASE_URL"])
    with session_factory(engine)() as db:
        rows = db.execute(
            sa.select(Student.index_number, Attendance.status)
            .join(Attendance, Attendance.student_id == Student.id)
            .join(ClassSession, Attendance.session_id == ClassSession.id)
            .join(Room, ClassSession.room_id == Room.id)
            .where(Room.name == f"Hall {camera}")
        )
        found = {number: status.value for number, status in rows if status}
    engine.dispose()
    return found


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_registers_are_the_same_on_every_clip(tmp_path: Path, opencv_models: Path) -> None:
    campuses = make_campuses(tmp_path / "campuses", 2)
    free = {id(campus): list(campus.tokens.items()) for campus in campuses}
    compared = [SETTINGS[how] for how in ("everything is looked at", "a full look every 5 s")]
    for name, (campus, clip) in clips_of(*campuses).items():
        cameras = cameras_for(clip, free[id(campus)], len(compared))
        for camera, settings in zip(cameras, compared, strict=True):
            send_clip(campus, camera, clip, settings)
        registers = [register_of(campus, camera) for camera, _ in cameras]
        assert registers[0], name
        assert registers[0] == registers[1], name
