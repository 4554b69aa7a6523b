"""The demo's last act: somebody holds up a photo, and the service runs as installations run it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import Attendance, HeldReason, HeldSighting, Status, Student
from operations.demo.classroom import write_frames
from operations.demo.people import ABSENT
from operations.demo.programs import Programs
from operations.demo.university import schedule_session

Tell = Callable[[str], None]

_LENGTH_S, _FRAMES_PER_SECOND = 12.0, 2.0
_ENDS_IN = timedelta(minutes=2)
_IN_PHOTO = replace(ABSENT[0], seen=ABSENT[0].photos[0])
_SAYS = {
    HeldReason.COPY_OF_PHOTO: "the face is as good as identical to an enrolment photo",
    HeldReason.SAME_PICTURE: "the same picture came again and again",
    HeldReason.NO_VARIANCE: "the face does not change as a living one does",
    HeldReason.PLANE: "the face moves as one with what is behind it",
    HeldReason.SCREEN: "a border closes around the face",
}


def hold_up_photo(
    programs: Programs,
    environ: Mapping[str, str],
    sessions: sessionmaker[Session],
    *,
    folder: Path,
    pictures: Path,
    is_served: Callable[[], bool],
    tell: Tell,
) -> bool:
    """Show a photo to the camera in a class of its own.

    Args:
        programs: of the demo; its service is stopped, and started with the check.
        environ: the settings of the programs, in which the check is off.
        sessions: of the demo's database.
        folder: for the frames.
        pictures: the folder that `fetch_pictures` gave.
        is_served: whether the service answers.
        tell: told what happens.

    Returns:
        Whether the photo was held, and nobody entered for it.
    """
    tell(
        f"\nOne more class, with the check for photos on: somebody holds a photo of {_IN_PHOTO.name} before the camera"
    )
    frames = folder / "photo"
    write_frames(pictures, frames, people=[_IN_PHOTO], length_s=_LENGTH_S, frames_per_second=_FRAMES_PER_SECOND)
    programs.stop("service")
    checking = dict(environ) | {"ATTENDANCE_MATCHING_PRESENTATION": "hold"}
    programs.start("service with the check", ["serve"], checking)
    programs.wait_until(is_served, "the recognition service is not ready", timeout_s=300)
    now = datetime.now(UTC)
    first_frame = now - timedelta(seconds=_LENGTH_S + 5)
    with sessions() as db:
        session_id = schedule_session(db, first_frame=first_frame, ends_at=now + _ENDS_IN)
    words = ["--as-fast-as-possible", "--start-time", first_frame.isoformat()]
    programs.start("camera with a photo", ["camera", "run", "--source", str(frames), *words], checking)
    programs.wait_until(lambda: bool(_held(sessions, session_id)), "the photo is not held", timeout_s=120)
    reasons = _held(sessions, session_id)
    with sessions() as db:
        entered = db.scalar(
            sa.select(Attendance.status)
            .join(Student)
            .where(Attendance.session_id == session_id, Student.index_number == _IN_PHOTO.index_number)
        )
    if entered in {Status.PRESENT, Status.LATE}:
        tell(f"WRONG: {_IN_PHOTO.name} is entered as {entered}")
        return False
    why = "; ".join(_SAYS.get(reason, reason) for reason in reasons)
    tell(f"    Held for a person's word, and not entered: {_IN_PHOTO.name} ({why})")
    tell(f"    The register of that class is number {session_id}")
    return True


def _held(sessions: sessionmaker[Session], session_id: int) -> list[HeldReason]:
    """Why the student of the photo is held; nothing as long as they are not."""
    with sessions() as db:
        rows = db.scalars(
            sa.select(HeldSighting)
            .join(Student, Student.id == HeldSighting.student_id)
            .where(HeldSighting.session_id == session_id, Student.index_number == _IN_PHOTO.index_number)
        )
        return [HeldReason(reason) for row in rows for reason in row.reasons]
