"""Which class sessions a recording shows, and its parts in which they count."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from attendance.database.timetable import SessionPlan, room_plans
from operations.recordings.videos import Video


@dataclass(frozen=True, slots=True)
class Sitting:
    """A part of a recording during which sessions count, one after the other or at once, without a pause."""

    key: str
    """The same for the same video, camera, start and sessions."""
    begins_at: datetime
    ends_at: datetime
    plans: tuple[SessionPlan, ...]


def sittings_of(db: Session, video: Video, digest: str, length_s: float) -> list[Sitting]:
    """The sittings of a recording, by time; none where no session counts while it runs.

    Args:
        db: of the shared database.
        video: the recording.
        digest: of its file.
        length_s: of the recording.
    """
    room_id = video.camera.room_id
    begins, ends = video.starts_at, video.starts_at + timedelta(seconds=length_s)
    plans = [
        plan
        for plan in room_plans(db, [room_id], begins, ends)[room_id]
        if plan.opens_at < ends and plan.ends_at > begins
    ]
    groups: list[list[SessionPlan]] = []
    until: datetime | None = None
    for plan in sorted(plans, key=lambda one: one.opens_at):
        if until is None or plan.opens_at > until:
            groups.append([])
        groups[-1].append(plan)
        until = plan.ends_at if until is None else max(until, plan.ends_at)
    return [_sitting(video, digest, group, begins, ends) for group in groups]


def _sitting(video: Video, digest: str, plans: Sequence[SessionPlan], begins: datetime, ends: datetime) -> Sitting:
    ordered = sorted(plans, key=lambda one: (one.starts_at, one.session_id))
    said = [digest, str(video.camera.id), str(video.camera.room_id), video.starts_at.isoformat()]
    said += [f"{one.session_id} {one.opens_at.isoformat()} {one.ends_at.isoformat()}" for one in ordered]
    return Sitting(
        key=hashlib.blake2b("\n".join(said).encode(), digest_size=16).hexdigest(),
        begins_at=max(begins, min(one.opens_at for one in ordered)),
        ends_at=min(ends, max(one.ends_at for one in ordered)),
        plans=tuple(ordered),
    )
