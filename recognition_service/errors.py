"""What can go wrong with a frame or a call: one tree, each branch with its status for calls and outcome for frames.

Converted at the boundary only (`servicer`, `pipeline`). Messages are for people: one sentence, no traceback or secrets.
"""

from typing import ClassVar

import grpc

from attendance.errors import AttendanceError
from protos.attendance.v1 import attendance_pb2 as pb


class ServiceError(AttendanceError):
    """The root. Its branches are the client's fault (`RequestError`) and the service's state (`ServerError`)."""

    status: ClassVar[grpc.StatusCode]
    """How a unary call ends."""
    outcome: ClassVar[pb.FrameOutcome]
    """How a frame of a stream is answered."""


class RequestError(ServiceError):
    """The request cannot be used as it is; sending it again changes nothing."""


class ServerError(ServiceError):
    """The request may be right; the service cannot serve it now."""


class InvalidImageError(RequestError):
    """Not an image of an accepted format, or a damaged one."""

    status = grpc.StatusCode.INVALID_ARGUMENT
    outcome = pb.FRAME_OUTCOME_INVALID_IMAGE


class TooLargeError(RequestError):
    """More pixels or bytes than accepted."""

    status = grpc.StatusCode.INVALID_ARGUMENT
    outcome = pb.FRAME_OUTCOME_TOO_LARGE


class CaptureTimeError(RequestError):
    """The capture time is missing or is no time."""

    status = grpc.StatusCode.INVALID_ARGUMENT
    outcome = pb.FRAME_OUTCOME_INVALID_CAPTURE_TIME


class NoSessionError(RequestError):
    """No class session counts in the room at the capture time."""

    status = grpc.StatusCode.FAILED_PRECONDITION
    outcome = pb.FRAME_OUTCOME_NO_SESSION


class UnchangedError(RequestError):
    """It shows what the last frame examined showed; no work was spent on it."""

    status = grpc.StatusCode.FAILED_PRECONDITION
    outcome = pb.FRAME_OUTCOME_UNCHANGED


class OverloadedError(ServerError):
    """A bounded queue is full, or the camera sent more than its window."""

    status = grpc.StatusCode.RESOURCE_EXHAUSTED
    outcome = pb.FRAME_OUTCOME_OVERLOADED


class ExpiredError(ServerError):
    """It waited longer than its deadline; no work was spent on it."""

    status = grpc.StatusCode.DEADLINE_EXCEEDED
    outcome = pb.FRAME_OUTCOME_EXPIRED


class UnavailableError(ServerError):
    """The timetable, the outbox, the database or the engine cannot be used at the moment."""

    status = grpc.StatusCode.UNAVAILABLE
    outcome = pb.FRAME_OUTCOME_UNAVAILABLE


class GrownFrameError(UnavailableError):
    """A frame has many times the pixels of its call's first. It is taken on a new call, which begins with it."""


class InternalServiceError(ServerError):
    """Something failed that should not; the log says what."""

    status = grpc.StatusCode.INTERNAL
    outcome = pb.FRAME_OUTCOME_INTERNAL_ERROR
