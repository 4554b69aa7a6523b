"""`attendance lecturer links`: links with which lecturers set a password, into a file that only its owner reads."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.links import address_of, make_links, without_password
from attendance.database.mail import queue_mail
from attendance.database.models import Account, AuditAction
from attendance.database.opening import open_session
from attendance.gallery.files import replace_durably
from attendance.settings import SettingsError, load_settings
from attendance.settings.model import Settings
from attendance.tables.fields import EMAIL
from attendance.tables.writing import csv_lines
from operations.cli.arguments import checked
from operations.cli.noting import noted

_HEADER = ("name", "email", "link", "valid_until")


@click.command()
@click.argument("file", required=False, type=str)
@click.argument("emails", nargs=-1, metavar="[EMAIL]...")
@click.option("--mail", "by_mail", is_flag=True, help="Mail each lecturer the own link; then there is no FILE.")
def links(file: str | None, emails: tuple[str, ...], *, by_mail: bool) -> None:
    """Write links to set a password to FILE, a CSV file that only you can read; with --mail, mail them.

    One for each lecturer with an address EMAIL; without any, one for each who has no password yet. Links that were made
    for them before stop working. Each works once, for as many days as ATTENDANCE_WEB_LINK_DAYS says. Give each to its
    lecturer in a way that nobody else reads, and delete FILE.

    Mailed links are made when `attendance web work` sends the mail, and nobody but the lecturer reads them.
    """
    settings = load_settings()
    if by_mail:
        if not settings.mail.on:
            raise SettingsError("ATTENDANCE_MAIL_HOST: no mail server is set, so no link can be mailed")
        require_address(settings)
        emails = (*([file] if file else ()), *emails)
    elif file is None:
        raise click.UsageError("Name the FILE for the links, or say --mail.")
    else:
        require_target(settings, Path(file))
    addresses = [checked(EMAIL, "The address", email) for email in emails]
    with open_session(settings.database_url) as db:
        wanted = _named(db, addresses) if addresses else None
        if file is None or by_mail:
            _mail_links(settings, db, wanted)
        else:
            write_links(settings, db, Path(file), wanted)


def require_address(settings: Settings) -> str:
    """The dashboard's address, which stands in links.

    Raises:
        SettingsError: nobody said where the dashboard is.
    """
    if not settings.web.address:
        raise SettingsError("ATTENDANCE_WEB_ADDRESS: must say where people open the dashboard, since links hold it")
    return settings.web.address


def require_target(settings: Settings, file: Path) -> None:
    """Say now, not after the work, that no links can be written.

    Raises:
        SettingsError: nobody said where the dashboard is.
        click.ClickException: the file is there, or its folder is not.
    """
    require_address(settings)
    if file.exists():
        raise click.ClickException(
            f"{file} is there already, perhaps with links that are not given yet; name another file"
        )
    if not file.absolute().parent.is_dir():
        raise click.ClickException(f"there is no folder {file.parent} for the links")


def write_links(settings: Settings, db: Session, file: Path, lecturers: Sequence[Account] | None = None) -> None:
    """Make links, in the caller's transaction, and write them to a file.

    Args:
        settings: say where the dashboard is.
        db: begun with `begin_writing`.
        file: as `require_target` wants it.
        lecturers: for whom; None: for all who have no password yet.
    """
    lecturers = _wanted(settings, db, lecturers)
    if not lecturers:
        return
    now, lifetime = datetime.now(UTC), timedelta(days=settings.web.link_days)
    tokens = make_links(db, [one.id for one in lecturers], now=now, lifetime=lifetime)
    for one in lecturers:
        noted(db, AuditAction.PASSWORD_LINK_MADE, subject=one.email, details={"by": "hand"})
    until = (now + lifetime).isoformat(timespec="minutes")
    rows = [(one.name, one.email, address_of(settings.web.address, tokens[one.id]), until) for one in lecturers]
    # Before the transaction ends: links that nobody can read are none.
    replace_durably(file.absolute(), "".join(csv_lines(_HEADER, rows)).encode())
    number = "1 link" if len(rows) == 1 else f"{len(rows):,} links"
    click.echo(f"Wrote {number} to set a password to {file}. Only you can read it; delete it when they are given.")


def _mail_links(settings: Settings, db: Session, lecturers: Sequence[Account] | None) -> None:
    """Queue the invitations, in the caller's transaction."""
    lecturers = _wanted(settings, db, lecturers)
    for one in lecturers:
        queue_mail(db, kind="invitation", to=one.email, language=one.language, key=None, data={"account": one.id})
        noted(db, AuditAction.PASSWORD_LINK_MADE, subject=one.email, details={"by": "mail"})
    if lecturers:
        number = "1 link" if len(lecturers) == 1 else f"{len(lecturers):,} links"
        click.echo(f"Queued {number} to set a password; `attendance web work` mails them.")


def _wanted(settings: Settings, db: Session, lecturers: Sequence[Account] | None) -> Sequence[Account]:
    """Who gets a link; says so where that is nobody."""
    found = without_password(db, settings.oidc) if lecturers is None else lecturers
    if not found:
        click.echo("Everybody who may sign in has a password: there are no links to make.")
    return found


def _named(db: Session, addresses: Sequence[str]) -> list[Account]:
    found = {one.email: one for one in db.scalars(sa.select(Account).where(Account.email.in_(addresses)))}
    for address in addresses:
        if address not in found:
            raise click.ClickException(f"There is no lecturer {address}; `attendance lecturer list` shows them.")
        if not found[address].active:
            raise click.ClickException(f"{address} may not sign in, so no link would work.")
    return [found[address] for address in dict.fromkeys(addresses)]
