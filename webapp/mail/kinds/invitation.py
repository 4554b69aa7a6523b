"""An invitation: a link with which somebody sets a password. Data: the id of the `account`."""

from datetime import datetime, timedelta

from flask import current_app
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session

from attendance.database.access.links import address_of, make_links
from attendance.database.models import Account, QueuedMail, utc_now
from attendance.texts import english
from webapp.mail.kinds.kind import MailKind
from webapp.mail.letters import Button, Letter, NoLongerWantedError, Paragraph, site_address, write_letter
from webapp.tools.times import moment_text


def _render(db: Session, mail: QueuedMail) -> Letter:
    account = db.get(Account, mail.data["account"])
    if account is None or account.email != mail.recipient:
        raise NoLongerWantedError(english("There is no account with this address any more."))
    if not account.active:
        raise NoLongerWantedError(english("Whoever has this address may not sign in any more."))
    now, lifetime = utc_now(), timedelta(days=current_app.config["ATTENDANCE"].web.link_days)
    token = make_links(db, [account.id], now=now, lifetime=lifetime)[account.id]
    return _letter(account.name, account.email, address_of(site_address(), token), now + lifetime)


def _letter(name: str, email: str, link: str, until: datetime) -> Letter:
    institution = current_app.config["INSTITUTION_NAME"]
    return write_letter(
        gettext("Set your password for %(institution)s", institution=institution),
        Paragraph(gettext("Hello %(name)s,", name=name)),
        Paragraph(
            gettext(
                "you can sign in to the attendance register of %(institution)s. Set a password first; your user name "
                "is %(email)s.",
                institution=institution,
                email=email,
            )
        ),
        Button(gettext("Set a password"), link),
        Paragraph(
            gettext(
                "The link works once, until %(until)s. Whoever has it can set your password: do not pass this mail on.",
                until=moment_text(until),
            )
        ),
        reason=gettext("You get this mail because an administrator invited you."),
    )


def _example() -> Letter:
    link = address_of(site_address(), "pw_EXAMPLE")
    return _letter("Ada Lovelace", "ada.lovelace@example.edu", link, utc_now() + timedelta(days=7))


KIND = MailKind(
    name="invitation",
    title=lazy_gettext("Invitation"),
    occasion=lazy_gettext("To whoever is invited to set a password, with a link that works once."),
    render=_render,
    example=_example,
    urgent=True,
)
