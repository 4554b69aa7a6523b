"""Why the aiming view has no picture to show."""

from http import HTTPStatus

from attendance.aiming import AimingProblem
from attendance.errors import AttendanceError

STATUS_OF = {
    AimingProblem.FORGED: HTTPStatus.UNAUTHORIZED,
    AimingProblem.EXPIRED: HTTPStatus.UNAUTHORIZED,
    AimingProblem.ENDED: HTTPStatus.UNAUTHORIZED,
    AimingProblem.OTHER_CAMERA: HTTPStatus.FORBIDDEN,
    AimingProblem.NOT_CONNECTED: HTTPStatus.NOT_FOUND,
    AimingProblem.GONE: HTTPStatus.NOT_FOUND,
    AimingProblem.NO_FRAME: HTTPStatus.SERVICE_UNAVAILABLE,
    AimingProblem.UNREADABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    AimingProblem.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
}


class AimingError(AttendanceError):
    """The aiming view has no picture to show; `problem` says why."""

    def __init__(self, problem: AimingProblem) -> None:
        super().__init__(f"no picture: {problem.value}")
        self.problem = problem
