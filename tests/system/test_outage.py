"""The service is away for a whole class; what the camera kept on disk fills the register once a lecturer accepts it."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from attendance.database.held.answers import answer_held
from attendance.database.held.waiting import waiting_sightings
from attendance.database.models import Account
from camera_client.frames import CapturedFrame
from camera_client.spool.folder import Spool, SpoolLimits, folder_of
from operations.demo.university import CAMERA_NAME, LECTURER_EMAIL
from tests.system.conftest import RATE, System
from tests.system.test_sessions import RIGHT, complete

SEEN = {student for student, status in RIGHT.items() if status in ("present", "late")}

pytestmark = pytest.mark.timeout(600)


def test_a_class_without_the_service_is_on_the_register_later(system: System, recording: Path, tmp_path: Path) -> None:
    session_id = system.schedule()
    spools = tmp_path / "data" / "camera-spool"
    fill(folder_of(spools, CAMERA_NAME), system, recording)
    kept = spooled(spools)

    # The camera's machine starts again after the class, before the service does, and looks into the same room.
    system.environ["ATTENDANCE_CAMERA_SPOOL_RATE"] = "20"
    later = (system.first_frame + timedelta(hours=1)).isoformat()
    words = ["camera", "run", "--source", str(recording), "--rate", str(RATE), "--loop", "--start-time", later]
    system.programs.start("camera", words, system.environ)
    system.programs.wait_until(lambda: spooled(spools) >= kept + 2, "the camera keeps no frames", timeout_s=120)

    system.start_service()
    system.programs.wait_until(lambda: spooled(spools) == 0, "the frames are not sent", timeout_s=240)
    # The class is over, so what the camera kept waits for a person's word.
    system.programs.wait_until(lambda: held(system) == SEEN, "the students are not held", timeout_s=60)
    assert set(system.register(session_id).values()) == {"absent", "not recorded"}
    with system.sessions() as db:
        account = db.scalars(sa.select(Account.id).where(Account.email == LECTURER_EMAIL)).one()
        answer_held(db, [row.id for row in waiting_sightings(db)], accept=True, account_id=account)
    assert system.wait_until_closed(session_id, complete) == RIGHT
    system.programs.check()


def held(system: System) -> set[str]:
    """Whom the camera saw, so that a person is asked."""
    with system.sessions() as db:
        return {row.student.index_number for row in waiting_sightings(db)}


def fill(folder: Path, system: System, recording: Path) -> None:
    """Keep the class on disk, as a camera did that could not reach the service (played live it would take a minute)."""
    spool = Spool(folder, SpoolLimits(10**9, 0, 3600))
    for number, path in enumerate(sorted(recording.iterdir())):
        assert spool.keep(CapturedFrame(system.first_frame + timedelta(seconds=number / RATE), path.read_bytes()))
    spool.close()


def spooled(spools: Path) -> int:
    return len(list(spools.glob("*/*.jpg")))
