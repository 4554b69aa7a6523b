"""What a frame's request says beside its picture."""

from datetime import UTC, datetime
from enum import IntEnum

from attendance.database.models import Origin
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.errors import CaptureTimeError
from recognition_service.evidence.frame_plan import FramePlan

# Outside these years a capture time is a mistake, and arithmetic with it may overflow.
_FIRST_YEAR, _LAST_YEAR = 2000, 2200


class Priority(IntEnum):
    """Which frames go first when there are more than the engine can take."""

    RUNNING = 1
    EARLY = 2
    """Of a session that has not begun."""
    REPLAYED = 3
    """Kept by a camera while it was cut off; nobody waits for them."""


def priority_of(plan: FramePlan, *, live: bool) -> Priority:
    """How urgent a frame of these sessions is."""
    if not live:
        return Priority.REPLAYED
    return Priority.RUNNING if plan.running else Priority.EARLY


def origin_of(request: pb.StreamFramesRequest, *, plays_recordings: bool) -> Origin:
    """Where a frame comes from, as it says; a recording that no operator answers for is as good as kept frames."""
    if request.recording and plays_recordings:
        return Origin.RECORDING
    return Origin.KEPT if request.replayed or request.recording else Origin.LIVE


def capture_time_of(request: pb.StreamFramesRequest) -> datetime:
    """When a frame was captured, UTC.

    Raises:
        CaptureTimeError: it does not say, or not a time that can be.
    """
    if not request.HasField("capture_time"):
        raise CaptureTimeError("the frame has no capture time")
    try:
        time = request.capture_time.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise CaptureTimeError("the capture time is no time") from None
    if not _FIRST_YEAR <= time.year < _LAST_YEAR:
        raise CaptureTimeError(f"the capture time is in the year {time.year}: check the camera's clock")
    return time
