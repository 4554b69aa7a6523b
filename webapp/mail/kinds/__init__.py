"""The kinds of mail, a module each: who gets it and when, what its data are, and what it says."""

from webapp.mail.kinds import (
    cameras_away,
    invitation,
    low_attendance,
    password_reset,
    student_link,
    test,
    webhook_off,
    weekly_summary,
)
from webapp.mail.kinds.kind import MailKind

KINDS: dict[str, MailKind] = {
    kind.name: kind
    for kind in (
        invitation.KIND,
        password_reset.KIND,
        student_link.KIND,
        low_attendance.TO_STUDENT,
        low_attendance.TO_LECTURER,
        weekly_summary.KIND,
        cameras_away.KIND,
        webhook_off.KIND,
        test.KIND,
    )
}
"""By name."""

__all__ = ["KINDS", "MailKind"]
