"""Noting in the audit log what somebody who is signed in does."""

from attendance.database.audit.noting import NO_DETAILS, Details, note
from attendance.database.models import AuditAction
from webapp.account.identity import signed_in_account
from webapp.tools.storage import database


def noted(
    action: AuditAction, *, student: str | None = None, subject: str | None = None, details: Details = NO_DETAILS
) -> None:
    """Add an entry of whoever asks, in the transaction that the request has begun; what it says is in `note`.

    Call it before the commit: what is not written leaves no entry, and what is written leaves one.
    """
    account = signed_in_account()
    actor = None if account is None else account.id
    note(database(), action, actor=actor, student=student, subject=subject, details=details)
