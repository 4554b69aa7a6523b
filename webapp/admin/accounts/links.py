"""Links with which lecturers set a password: made here, shown once; or mailed, and seen by nobody else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext
from sqlalchemy.orm import Session

from attendance.database.access.links import address_of, make_links, without_password
from attendance.database.mail import queue_mail
from attendance.database.models import Account, AuditAction, utc_now
from webapp.account.identity import current_account
from webapp.account.noting import noted
from webapp.account.oidc.room import oidc_settings
from webapp.admin.accounts.details import no_password_words
from webapp.admin.blueprint import blueprint
from webapp.admin.lookup import fetch
from webapp.admin.questions import Question, ask
from webapp.admin.writing import begin_change
from webapp.exports.answers import Form, answer
from webapp.exports.sheets import Sheet, SheetColumn
from webapp.tools.requests import site_address
from webapp.tools.storage import database
from webapp.tools.times import moment_text

_CSV_HEADER = ("name", "email", "link", "valid_until")
_LIST = lazy_gettext("Accounts")
_MAIL_BUTTON = ((lazy_gettext("Send by mail"), "mail"),)


@dataclass(frozen=True)
class GivenLink:
    """A link, for the one time that it is shown."""

    lecturer: Account
    address: str


@blueprint.route("/accounts/links", methods=["GET", "POST"])
def account_links() -> ResponseReturnValue:
    """Links for all who have no password yet; as a page to print, or with `as=csv` as a file."""
    lecturers, back = without_password(database(), oidc_settings()), url_for("admin.accounts")
    question = Question(
        title=gettext("Make links to set a password?"),
        consequences=[
            ngettext(
                "%(num)s lecturer without a password gets a link each, which works once within %(days)s.",
                "%(num)s lecturers without a password get a link each, which works once within %(days)s.",
                len(lecturers),
                days=_days(),
            ),
            gettext("Links that were made for them before stop working."),
            gettext("The links are shown this once only. Give each to its lecturer in a way that nobody else reads."),
            *_by_mail(len(lecturers)),
        ],
        button=gettext("Make the links"),
        back=back,
        crumbs=[(_LIST, back)],
        refused=None if lecturers else gettext("Everybody who may sign in has a password."),
        further=(*_MAIL_BUTTON[: _mail_is_on()], (gettext("Make them as a CSV file"), "csv")),
    )
    answer = ask(question)
    if answer is not None:
        return answer
    return _made(lecturers, back)


@blueprint.route("/accounts/<int:account_id>/link", methods=["GET", "POST"])
def account_link(account_id: int) -> ResponseReturnValue:
    """A new link for one lecturer."""
    lecturer = fetch(Account, account_id)
    back = url_for("admin.account", account_id=account_id)
    refused = None
    if account_id == current_account().id:
        refused = gettext("Change your own password on your profile page.")
    elif not lecturer.active:
        refused = gettext("This lecturer may not sign in, so no link would work. Allow it first.")
    else:
        refused = no_password_words(lecturer)
    answer = ask(
        Question(
            title=gettext("New link for %(lecturer)s?", lecturer=lecturer.name),
            consequences=[
                gettext(
                    "With the link %(lecturer)s sets a password, once, within %(days)s.",
                    lecturer=lecturer.name,
                    days=_days(),
                ),
                gettext("The present password works until then. A link that was made before stops working."),
                *_by_mail(1),
            ],
            button=gettext("Make a link"),
            back=back,
            crumbs=[(_LIST, url_for("admin.accounts")), (lecturer.name, back)],
            refused=refused,
            further=_MAIL_BUTTON[: _mail_is_on()],
        )
    )
    return _made([lecturer], back) if answer is None else answer


def _made(lecturers: Sequence[Account], back: str) -> ResponseReturnValue:
    now, lifetime = utc_now(), timedelta(days=_lifetime_days())
    wanted = {one.id for one in lecturers}
    db = begin_change()
    # Of those who are still there: the question was asked a while ago.
    active = db.scalars(sa.select(Account).where(Account.active).order_by(Account.name, Account.id))
    lecturers = [one for one in active if one.id in wanted]
    if request.form.get("as") == "mail" and _mail_is_on():
        return _mailed(db, lecturers, back)
    tokens = make_links(db, [one.id for one in lecturers], now=now, lifetime=lifetime)
    _note_links(lecturers, by="hand")
    db.commit()
    links = [GivenLink(one, address_of(site_address(), tokens[one.id])) for one in lecturers]
    if request.form.get("as") == "csv":
        columns = [SheetColumn(heading) for heading in _CSV_HEADER]
        sheet = Sheet(gettext("Links"), columns, _rows(links, now + lifetime))
        return answer([sheet], file_name="password-links", form=Form.CSV)
    return render_template("admin/links.html", links=links, until=now + lifetime, back=back)


def _mailed(db: Session, lecturers: Sequence[Account], back: str) -> ResponseReturnValue:
    """Queue the invitations, in the transaction that has begun; each link is made when its mail is sent."""
    for one in lecturers:
        queue_mail(db, kind="invitation", to=one.email, language=one.language, key=None, data={"account": one.id})
    _note_links(lecturers, by="mail")
    db.commit()
    words = ngettext(
        "A link is on its way to %(to)s. The page of mail says whether it was sent.",
        "Links are on their way to %(num)s lecturers. The page of mail says which were sent.",
        len(lecturers),
        to=", ".join(one.email for one in lecturers[:1]),
    )
    flash(words, "success")
    return redirect(back)


def _note_links(lecturers: Sequence[Account], *, by: str) -> None:
    for one in lecturers:
        noted(AuditAction.PASSWORD_LINK_MADE, subject=one.email, details={"by": by})


def _mail_is_on() -> bool:
    on: bool = current_app.config["ATTENDANCE"].mail.on
    return on


def _by_mail(lecturers: int) -> list[str]:
    """What a link by mail means, where mail is on."""
    if not _mail_is_on():
        return []
    words = ngettext(
        "Sent by mail, the link is seen by its owner only.",
        "Sent by mail, each link is seen by its owner only.",
        lecturers,
    )
    return [words]


def _rows(links: Sequence[GivenLink], until: datetime) -> list[tuple[str, ...]]:
    return [(one.lecturer.name, one.lecturer.email, one.address, moment_text(until)) for one in links]


def _lifetime_days() -> int:
    days: int = current_app.config["ATTENDANCE"].web.link_days
    return days


def _days() -> str:
    return ngettext("%(num)s day", "%(num)s days", _lifetime_days())
