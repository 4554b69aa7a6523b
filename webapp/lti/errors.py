"""What goes wrong with a platform."""

from attendance.errors import AttendanceError


class LaunchError(AttendanceError):
    """A launch from a platform is not let in; the message says why, for whoever launched."""


class PlatformError(AttendanceError):
    """A platform does not answer a request of ours as it should; the message says how.

    Attributes:
        status: of HTTP, where it answered; else 0.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class RegistrationError(AttendanceError):
    """A platform that registers itself cannot be taken; the message says why, for whoever registers it."""
