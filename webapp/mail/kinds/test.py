"""A test mail, to whoever asks for one. Data: none."""

from flask import current_app
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session

from attendance.database.models import QueuedMail
from webapp.mail.kinds.kind import MailKind
from webapp.mail.letters import Letter, Paragraph, write_letter


def _render(_db: Session, _mail: QueuedMail) -> Letter:
    return _letter()


def _letter() -> Letter:
    return write_letter(
        gettext("Test mail from %(institution)s", institution=current_app.config["INSTITUTION_NAME"]),
        Paragraph(gettext("Mail from the attendance system reaches you. There is nothing to do.")),
        reason=gettext("You get this mail because you asked for it on the page of mail."),
    )


KIND = MailKind(
    name="test",
    title=lazy_gettext("Test"),
    occasion=lazy_gettext("To an administrator who asks for it."),
    render=_render,
    example=_letter,
    urgent=True,
)
