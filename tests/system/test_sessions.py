"""A class session from frames to register, run once, run twice, and with the service killed in the middle."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from attendance.database.models import Attendance
from operations.demo.people import ABSENT, LATE, ON_TIME, UNRECOGNISABLE
from tests.system.conftest import System

RIGHT = (
    {person.index_number: "present" for person in ON_TIME}
    | {person.index_number: "late" for person in LATE}
    | {person.index_number: "absent" for person in ABSENT}
    | {person.index_number: "not recorded" for person in UNRECOGNISABLE}
)

pytestmark = pytest.mark.timeout(600)


def complete(register: dict[str, str]) -> bool:
    return register == RIGHT


def test_the_same_session_twice_gives_the_same_register(system: System, recording: Path) -> None:
    session_id = system.schedule()
    system.start_service()
    for _ in range(2):
        system.start_camera(recording)
        system.wait_for_camera()
        assert system.wait_until_closed(session_id, complete) == RIGHT


def test_a_service_killed_in_the_middle_loses_and_doubles_nothing(system: System, recording: Path) -> None:
    session_id = system.schedule()
    system.start_service()
    system.start_camera(recording)
    # The first confirmations are in the database, later students have not come yet.
    system.programs.wait_until(
        lambda: "present" in system.register(session_id).values(), "nobody is confirmed", timeout_s=120
    )
    assert not system.camera_has_ended()
    system.programs.kill("service")
    system.start_service()
    system.wait_for_camera()
    assert system.wait_until_closed(session_id, complete) == RIGHT


def test_frames_outside_any_session_write_nothing(system: System, recording: Path) -> None:
    system.start_service()
    system.start_camera(recording, "--frames", "5")
    system.wait_for_camera()
    with system.sessions() as db:
        earlier = db.scalars(sa.select(Attendance.id).where(Attendance.camera_id.is_not(None))).all()
    assert earlier == []
