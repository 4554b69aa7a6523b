"""A link for somebody who forgot the password. Data: none; the address was typed by whoever asks.

It is queued for any address, so that asking takes as long and looks the same whether it is known or not.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session

from attendance.database.access.access_tokens import has_tokens
from attendance.database.access.identities import bound_to
from attendance.database.access.links import address_of, make_links
from attendance.database.models import Account, QueuedMail, utc_now
from attendance.texts import english
from webapp.mail.kinds.kind import MailKind
from webapp.mail.letters import Button, Letter, NoLongerWantedError, Paragraph, site_address, write_letter
from webapp.tools.times import moment_text


def _render(db: Session, mail: QueuedMail) -> Letter:
    account = db.scalar(sa.select(Account).where(Account.email == mail.recipient, Account.active))
    if account is None:
        raise NoLongerWantedError(english("Nobody who may sign in has this address."))
    oidc = current_app.config["ATTENDANCE"].oidc
    if not oidc.takes_password(account.email) or (oidc.on and bound_to(db, oidc.issuer, account) is not None):
        # The university may have given the address to somebody else since.
        raise NoLongerWantedError(english("Whoever has this address signs in at the university, not with a password."))
    now, lifetime = utc_now(), timedelta(hours=current_app.config["ATTENDANCE"].web.reset_hours)
    token = make_links(db, [account.id], now=now, lifetime=lifetime)[account.id]
    return _letter(account.name, address_of(site_address(), token), now + lifetime, tokens=has_tokens(db, account))


def _letter(name: str, link: str, until: datetime, *, tokens: bool = False) -> Letter:
    return write_letter(
        gettext("Set a new password for %(institution)s", institution=current_app.config["INSTITUTION_NAME"]),
        Paragraph(gettext("Hello %(name)s,", name=name)),
        Paragraph(gettext("somebody asked for a new password for this address. If it was you, set one here:")),
        Button(gettext("Set a new password"), link),
        Paragraph(
            gettext(
                "The link works once, until %(until)s. If it was not you, do nothing: your password stays as it is.",
                until=moment_text(until),
            )
        ),
        *([Paragraph(gettext("It can also end the tokens with which programs act for you."))] if tokens else []),
        reason=gettext("You get this mail because your address was typed at “Forgot your password?”."),
    )


def _example() -> Letter:
    return _letter("Ada Lovelace", address_of(site_address(), "pw_EXAMPLE"), utc_now() + timedelta(hours=2))


KIND = MailKind(
    name="password_reset",
    title=lazy_gettext("New password"),
    occasion=lazy_gettext("To whoever forgot the password and asks for a new one, with a link that works once."),
    render=_render,
    example=_example,
    urgent=True,
)
