"""`attendance lecturer`: people who sign in to the dashboard; the first administrator is made here."""

import click
import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from attendance.database.access.accounts import set_password
from attendance.database.access.passwords import generate_password, hash_password, password_problem
from attendance.database.models import Account, AccountRole, Role
from attendance.database.opening import open_session
from attendance.settings import load_settings
from attendance.tables.fields import EMAIL, PERSON_NAME
from operations.cli.arguments import checked
from operations.cli.links import links

_generate = click.option("--generate", is_flag=True, help="Make a password and print it once, instead of asking.")


@click.group()
def lecturer() -> None:
    """Add lecturers and administrators; reset passwords."""


@lecturer.command()
@click.option("--email", required=True, help="The address that the person signs in with.")
@click.option("--name", required=True, help="The name that others see.")
@click.option("--admin", is_flag=True, help="May add people, courses, rooms, cameras and the timetable.")
@_generate
def add(email: str, name: str, admin: bool, generate: bool) -> None:
    """Add a lecturer or administrator."""
    email, name = checked(EMAIL, "The address", email), checked(PERSON_NAME, "The name", name)
    # Asked for before the transaction: nobody else should wait for somebody who types.
    password = _password(generate)
    hashed = hash_password(password)
    with open_session(load_settings().database_url) as db:
        if _find(db, email):
            raise click.ClickException(f"There is a lecturer {email} already.")
        person = Account(email=email, name=name, password_hash=hashed)
        if admin:
            person.roles.append(AccountRole(role=Role.ADMIN, everywhere=True))
        db.add(person)
    click.echo(f"{'Administrator' if admin else 'Lecturer'} {email} added.", err=True)
    _show_generated(password, generate)


@lecturer.command("list")
def list_lecturers() -> None:
    """List lecturers and administrators."""
    with open_session(load_settings().database_url) as db:
        people = db.scalars(sa.select(Account).options(selectinload(Account.roles)).order_by(Account.email)).all()
        if not people:
            click.echo("Nobody yet: `attendance lecturer add --admin --email ADDRESS --name NAME` adds the first.")
        for person in people:
            inactive = "" if person.active else "  (may not sign in)"
            click.echo(f"{person.email:<40} {_roles(person):<13} {person.name}{inactive}")


@lecturer.command("reset-password")
@click.argument("email")
@_generate
def reset_password(email: str, generate: bool) -> None:
    """Give the person with the address EMAIL a new password; every sign-in made with the old one ends."""
    email = checked(EMAIL, "The address", email)
    password = _password(generate)
    hashed = hash_password(password)  # slow on purpose, so not while others wait to write
    with open_session(load_settings().database_url) as db:
        person = _find(db, email)
        if person is None:
            raise click.ClickException(f"There is no lecturer {email}; `attendance lecturer list` shows them.")
        set_password(db, person, hashed)
    click.echo(f"{email} has a new password.", err=True)
    _show_generated(password, generate)


lecturer.add_command(links)


def _roles(person: Account) -> str:
    return ", ".join(sorted({each.role.value for each in person.roles})) or "no role yet"


def _find(db: Session, email: str) -> Account | None:
    return db.scalar(sa.select(Account).where(Account.email == email))


def _password(generate: bool) -> str:
    if generate:
        return generate_password()
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    problem = password_problem(password)
    if problem:
        raise click.ClickException(problem)
    return str(password)


def _show_generated(password: str, generated: bool) -> None:
    if generated:
        click.echo("Password, not shown again:", err=True)
        click.echo(password)
