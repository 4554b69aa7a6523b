"""The ticket that a browser holds while it shows the aiming view of a camera.

It is made when the page is opened, which is noted in the audit log, and renewed while the page is looked at. So every
view is in the log, and one that was left ends by itself. The cookie goes to this camera's aiming view alone.
"""

from flask import Response, current_app, request, url_for

from attendance.aiming import AimingProblem
from attendance.database.access.aiming_tickets import TICKET_LASTS, Ticket, TicketError, check_ticket, sign_ticket
from attendance.database.models import AuditAction, Camera, SignIn, utc_now
from webapp.account.identity import this_sign_in
from webapp.account.noting import noted
from webapp.admin.writing import begin_change
from webapp.tools.storage import database

_COOKIE = "attendance_aiming"


def held_ticket(camera_id: int) -> tuple[str, Ticket]:
    """The ticket of this browser, and what it allows.

    Raises:
        TicketError: there is none, or it does not count.
    """
    text = request.cookies.get(_COOKIE)
    if text is None:
        raise TicketError(AimingProblem.EXPIRED)  # browsers drop what has expired
    ticket = check_ticket(database(), text, camera_id=camera_id, now=utc_now())
    if ticket.sign_in_id != _sign_in().id:
        raise TicketError(AimingProblem.ENDED)
    return text, ticket


def renewed(ticket: Ticket) -> str | None:
    """The ticket that follows one; None where the view has lasted as long as it may."""
    return sign_ticket(_sign_in(), ticket.camera_id, clear=ticket.clear, now=utc_now(), began=ticket.began)


def new_ticket(camera: Camera, *, clear: bool) -> str:
    """The first ticket of a view, which is noted and committed."""
    sign_in = _sign_in()
    ticket = sign_ticket(sign_in, camera.id, clear=clear, now=utc_now())
    if ticket is None:
        raise RuntimeError("a view that has just begun has ended")
    action = AuditAction.CAMERA_VIEWED_CLEAR if clear else AuditAction.CAMERA_VIEWED
    room = {"room": camera.room.name} if camera.room is not None else {}
    db = begin_change()
    noted(action, subject=camera.name, details=room)
    db.commit()
    return ticket


def keep_ticket(answer: Response, camera_id: int, ticket: str) -> Response:
    """Give the browser the ticket."""
    answer.set_cookie(
        _COOKIE,
        ticket,
        max_age=int(TICKET_LASTS.total_seconds()),
        path=url_for("admin.aim", camera_id=camera_id),
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Strict",
    )
    return answer


def _sign_in() -> SignIn:
    found = this_sign_in()
    if found is None:
        raise TicketError(AimingProblem.ENDED)
    return found
