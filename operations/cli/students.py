"""`attendance student`: address, language, a link to the own page, and deletion, by whoever runs the server."""

from datetime import UTC, datetime, timedelta

import click
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.student_links import (
    address_of_student_link,
    end_own_page_sign_ins,
    make_student_link,
)
from attendance.database.consent import consent_history
from attendance.database.engine import require_current_schema
from attendance.database.models import AuditAction, Student
from attendance.database.opening import open_engine, open_session
from attendance.settings import load_settings
from attendance.tables.fields import EMAIL, INDEX_NUMBER, LANGUAGE
from operations.cli.arguments import checked
from operations.cli.erasures import tell_erased
from operations.cli.links import require_address
from operations.cli.noting import note_run, noted
from operations.erasure import delete_students


@click.group()
def student() -> None:
    """A student's address and language, consent so far, a link to the own page, and deletion."""


@student.command()
@click.argument("index_number")
def show(index_number: str) -> None:
    """Show what is recorded of the student with INDEX_NUMBER, and every change of the consent."""
    with open_session(load_settings().database_url) as db:
        found = _find(db, index_number)
        click.echo(f"{found.index_number}  {found.name}")
        click.echo(f"e-mail address: {found.email or 'none'}; language: {found.language or 'none'}")
        for change in consent_history(db, found.id):
            who = change.account.name if change.account else change.recorder.value
            means = f", by {change.means}" if change.means else ""
            click.echo(f"consent {change.kind.value} {change.happened_at:%Y-%m-%d %H:%M} UTC{means} (recorded: {who})")


@student.command("set")
@click.argument("index_number")
@click.option("--email", help='The address to which links go; "" takes it away. Ends links and sign-ins made before.')
@click.option("--language", help='The language of mail and of the own page, like en or fr; "" takes it away.')
def set_fields(index_number: str, email: str | None, language: str | None) -> None:
    """Give the student with INDEX_NUMBER an e-mail address or a language."""
    if email is None and language is None:
        raise click.UsageError("name --email or --language")
    with open_session(load_settings().database_url) as db:
        found = _find(db, index_number)
        if language is not None:
            found.language = checked(LANGUAGE, "The language", language) if language else None
        if email is not None:
            _set_email(db, found, checked(EMAIL, "The address", email) if email else None)
        fields = [name for name, value in (("email", email), ("language", language)) if value is not None]
        noted(db, AuditAction.STUDENT_CHANGED, student=found.index_number, details={"fields": ", ".join(fields)})
    click.echo(f"{found.index_number} is saved.")


@student.command()
@click.argument("index_number")
def link(index_number: str) -> None:
    """Print a link to the own page of the student with INDEX_NUMBER.

    It works once, for as many days as ATTENDANCE_WEB_LINK_DAYS says. Make sure that only the student gets it.
    """
    settings = load_settings()
    site, lifetime = require_address(settings), timedelta(days=settings.web.link_days)
    with open_session(settings.database_url) as db:
        found = _find(db, index_number)
        token = make_student_link(db, found.id, now=datetime.now(UTC), lifetime=lifetime)
        noted(db, AuditAction.OWN_PAGE_LINK_MADE, student=found.index_number)
    click.echo("Link, not shown again:", err=True)
    click.echo(address_of_student_link(site, token))


@student.command()
@click.argument("index_numbers", nargs=-1, required=True, metavar="INDEX_NUMBER...")
@click.confirmation_option(prompt="Every trace of these students is gone afterwards, in registers, too. Go on?")
def delete(index_numbers: tuple[str, ...]) -> None:
    """Delete students: all that `attendance gallery erase` erases, and every entry, name and number.

    Services that have not carried it out yet are named, as is what is yours to delete, such as backups. The exit status
    is 1 if something is left, or nothing is known of a student.
    """
    settings = load_settings()
    with open_engine(settings.database_url) as engine:
        require_current_schema(engine)
        report = delete_students(settings, engine, index_numbers)
        note_run(engine, {"students": len(index_numbers)})
        tell_erased(settings, engine, report)


def _find(db: Session, index_number: str) -> Student:
    number = INDEX_NUMBER.clean(index_number)
    found = db.scalar(sa.select(Student).where(Student.index_number == number))
    if found is None:
        raise click.ClickException(f"There is no student with index number {number}.")
    return found


def _set_email(db: Session, found: Student, email: str | None) -> None:
    if email == found.email:
        return
    holder = db.scalar(sa.select(Student.index_number).where(Student.email == email, Student.id != found.id))
    if email is not None and holder is not None:
        raise click.ClickException(f"{email} is the address of {holder} already.")
    end_own_page_sign_ins(db, [found.id])
    found.email = email
