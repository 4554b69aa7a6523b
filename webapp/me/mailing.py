"""The mail with which a student comes in: to the address on record, never to one that somebody types."""

from flask import current_app

from attendance.database.audit.noting import note
from attendance.database.mail import queue_mail
from attendance.database.models import AuditAction, Student
from webapp.tools.storage import begin_change

KIND = "student_link"


def can_mail() -> bool:
    """Whether links can be mailed here; else an administrator hands them over."""
    settings = current_app.config["ATTENDANCE"]
    return bool(settings.mail.on and settings.web.address)


def mail_link(student: Student) -> None:
    """Ask for a mail with a link, if the student has an address; the link is made when the mail is sent."""
    if student.email is not None:
        db = begin_change()
        note(db, AuditAction.OWN_PAGE_LINK_ASKED, actor=None, student=student.index_number)
        data = {"student": student.id}
        queue_mail(db, kind=KIND, to=student.email, language=student.language, key=None, data=data)
        db.commit()
