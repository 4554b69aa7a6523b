"""Tickets of the aiming view: the dashboard signs one, the service that holds the camera's stream checks it.

The key is the hash of the sign-in's token. Both programs read it from the database, wherever they run, and nothing has
to be made or handed over; nobody can guess it, as the token is random; and it is gone with the sign-in, so that a
ticket ends where its sign-in does. Whoever can read the database while a sign-in lasts could sign, too, and needs to
reach the service's own port for it.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from attendance.aiming import AimingProblem
from attendance.database.access.sign_ins import counts, sign_in_numbered
from attendance.database.models import SignIn
from attendance.errors import AttendanceError

TICKET_LASTS = timedelta(minutes=2)
VIEW_LASTS = timedelta(minutes=30)
"""For so long tickets follow one another; then the view is opened, and noted, anew."""

_PURPOSE = b"attendance aiming 1\0"
_FORM = re.compile(
    r"1\.(?P<sign_in>\d{1,18})\.(?P<camera>\d{1,18})\.(?P<faces>pixelated|clear)\.(?P<began>\d{1,11})"
    r"\.(?P<expires>\d{1,11})\.(?P<signature>[A-Za-z0-9_-]{43})",
    re.ASCII,
)

_SENTENCES = {
    AimingProblem.FORGED: "the ticket is none that the dashboard signed",
    AimingProblem.EXPIRED: "the ticket has expired: open the aiming view again",
    AimingProblem.ENDED: "whoever got the ticket is signed out, or no administrator any more",
    AimingProblem.OTHER_CAMERA: "the ticket is for another camera",
}


class TicketError(AttendanceError):
    """A ticket of the aiming view opens nothing, or not this; `problem` says which."""

    def __init__(self, problem: AimingProblem) -> None:
        super().__init__(_SENTENCES[problem])
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket that counts allows."""

    sign_in_id: int
    camera_id: int
    clear: bool
    """Whether faces may be shown as they are where no session counts."""
    began: datetime
    """When the view was opened."""
    expires: datetime


def sign_ticket(
    sign_in: SignIn, camera_id: int, *, clear: bool, now: datetime, began: datetime | None = None
) -> str | None:
    """A ticket for one camera.

    Args:
        sign_in: of the administrator who looks; it counts.
        camera_id: the camera.
        clear: see `Ticket`.
        now: aware.
        began: of the ticket that this one follows; None: the view is opened now.

    Returns:
        The ticket; None where the view has lasted as long as it may.
    """
    began = now if began is None else began
    expires = min(now + TICKET_LASTS, began + VIEW_LASTS)
    if expires <= now:
        return None
    faces = "clear" if clear else "pixelated"
    said = f"1.{sign_in.id}.{camera_id}.{faces}.{int(began.timestamp())}.{int(expires.timestamp())}"
    return f"{said}.{_signature(sign_in, said)}"


def check_ticket(db: Session, text: str, *, camera_id: int, now: datetime) -> Ticket:
    """What a ticket allows now at this camera.

    Raises:
        TicketError: nothing; `problem` says why.
    """
    found = _FORM.fullmatch(text)
    sign_in = None if found is None else sign_in_numbered(db, int(found["sign_in"]))
    if found is None or sign_in is None:
        # Of a sign-in that has ended the key is gone, so nobody can tell any more who signed.
        raise TicketError(AimingProblem.FORGED if found is None else AimingProblem.ENDED)
    said, _, signature = text.rpartition(".")
    if not hmac.compare_digest(signature, _signature(sign_in, said)):
        raise TicketError(AimingProblem.FORGED)
    began, expires = (datetime.fromtimestamp(int(found[name]), UTC) for name in ("began", "expires"))
    if now >= expires:
        raise TicketError(AimingProblem.EXPIRED)
    if int(found["camera"]) != camera_id:
        raise TicketError(AimingProblem.OTHER_CAMERA)
    account = sign_in.account
    if account is None or sign_in.awaits_code or not account.administers or not counts(sign_in, now):
        raise TicketError(AimingProblem.ENDED)
    return Ticket(sign_in.id, camera_id, found["faces"] == "clear", began, expires)


def _signature(sign_in: SignIn, said: str) -> str:
    digest = hmac.new(sign_in.token_hash.encode(), _PURPOSE + said.encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
