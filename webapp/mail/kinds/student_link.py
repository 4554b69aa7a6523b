"""A link with which a student opens the own page, once. Data: the id of the `student`."""

from datetime import datetime, timedelta

from flask import current_app
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session

from attendance.database.access.student_links import address_of_student_link, make_student_link
from attendance.database.models import QueuedMail, utc_now
from webapp.mail.kinds.kind import MailKind
from webapp.mail.kinds.recipients import student_of
from webapp.mail.letters import Button, Letter, Paragraph, site_address, write_letter
from webapp.tools.times import moment_text


def _render(db: Session, mail: QueuedMail) -> Letter:
    student = student_of(db, mail)
    now, lifetime = utc_now(), timedelta(minutes=current_app.config["ATTENDANCE"].students.link_minutes)
    token = make_student_link(db, student.id, now=now, lifetime=lifetime)
    return _letter(student.name, address_of_student_link(site_address(), token), now + lifetime)


def _letter(name: str, link: str, until: datetime) -> Letter:
    return write_letter(
        gettext("Your link to your attendance"),
        Paragraph(gettext("Hello %(name)s,", name=name)),
        Paragraph(gettext("with this link you see your own attendance, and what is kept about you.")),
        Button(gettext("Open my page"), link),
        Paragraph(
            gettext(
                "The link works once, until %(until)s. Whoever has it can see your attendance: do not pass this mail "
                "on. If you did not ask for it, do nothing.",
                until=moment_text(until),
            )
        ),
        reason=gettext("You get this mail because somebody asked for a link with your index number or address."),
    )


def _example() -> Letter:
    link = address_of_student_link(site_address(), "EXAMPLE")
    return _letter("Alan Turing", link, utc_now() + timedelta(minutes=30))


KIND = MailKind(
    name="student_link",
    title=lazy_gettext("Link to a student\u2019s own page"),
    occasion=lazy_gettext("To a student who asks for it, at the address on record, with a link that works once."),
    render=_render,
    example=_example,
    urgent=True,
)
