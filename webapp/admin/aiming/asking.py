"""Asking the recognition service that holds a camera's stream what the camera sees.

The service writes into the camera's row where it is found; a ticket says for whom is asked. A picture is handed on as
it comes, and kept nowhere.
"""

import http.client
from contextlib import closing
from urllib.parse import urlencode

from pydantic import ValidationError

from attendance.aiming import SCHEME, AimedShot, AimingAnswer, AimingProblem
from attendance.errors import AttendanceError

_SILENT_S = 20.0
"""Longer than a service waits for a camera's frame."""
_LONGEST = 16_000_000
"""Bytes of an answer."""


class NoPictureError(AttendanceError):
    """A recognition service shows no picture of a camera; `problem` says why."""

    def __init__(self, problem: AimingProblem) -> None:
        super().__init__(f"no picture: {problem.value}")
        self.problem = problem


def ask_shot(address: str | None, camera_id: int, ticket: str, *, after: int | None, wait_s: int) -> AimedShot:
    """What is said of the newest picture.

    Args:
        address: host and port, as the camera's row has them; None: no service holds its stream.
        camera_id: the camera.
        ticket: signed for it.
        after: number of the picture that is known; None: none is.
        wait_s: how long the service may wait for another, seconds.

    Raises:
        NoPictureError: there is none.
    """
    query = {"wait": wait_s} if after is None else {"wait": wait_s, "after": after}
    body = _fetch(address, f"/cameras/{camera_id}/shots?{urlencode(query)}", ticket)
    try:
        return AimedShot.model_validate_json(body)
    except ValidationError:
        raise NoPictureError(AimingProblem.BUSY) from None


def ask_picture(address: str | None, camera_id: int, ticket: str, number: int) -> bytes:
    """The picture with that number, a JPEG file.

    Raises:
        NoPictureError: there is none.
    """
    return _fetch(address, f"/cameras/{camera_id}/shots/{number}.jpg", ticket)


def _fetch(address: str | None, path: str, ticket: str) -> bytes:
    if address is None:
        raise NoPictureError(AimingProblem.NOT_CONNECTED)
    host, _, port = address.rpartition(":")
    try:
        with closing(http.client.HTTPConnection(host.strip("[]"), int(port), timeout=_SILENT_S)) as connection:
            connection.request("GET", path, headers={"Authorization": f"{SCHEME} {ticket}"})
            answer = connection.getresponse()
            body = answer.read(_LONGEST)
    except TimeoutError:
        raise NoPictureError(AimingProblem.BUSY) from None
    except (OSError, UnicodeError, http.client.HTTPException):  # whoever was there is gone, or the name is none
        raise NoPictureError(AimingProblem.NOT_CONNECTED) from None
    if answer.status != http.client.OK:
        raise NoPictureError(_problem(body))
    return body


def _problem(body: bytes) -> AimingProblem:
    try:
        return AimingAnswer.model_validate_json(body).problem
    except ValidationError:  # of another version, or no service of ours
        return AimingProblem.BUSY
