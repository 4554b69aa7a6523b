"""`attendance lecturer`: people who sign in to the dashboard; the first administrator is made here."""

import click
import sqlalchemy as sa
from sqlalchemy.orm import Session, selectinload

from attendance.database.access.access_tokens import end_tokens_of
from attendance.database.access.accounts import set_password
from attendance.database.access.passwords import generate_password, hash_password, password_problem
from attendance.database.access.roles import EVERYWHERE, Reach, give_role, role_details, role_in, take_role
from attendance.database.access.second_factors import lift
from attendance.database.audit.noting import by_command
from attendance.database.models import Account, AuditAction, Course, Department, Role
from attendance.database.opening import open_session
from attendance.reports.names import printable
from attendance.settings import load_settings
from attendance.tables.fields import EMAIL, PERSON_NAME
from operations.cli.arguments import checked
from operations.cli.links import links
from operations.cli.noting import noted

_head_of = click.option("--head-of", multiple=True, metavar="DEPARTMENT", help="Reads and corrects all its courses.")
_generate = click.option("--generate", is_flag=True, help="Make a password and print it once, instead of asking.")


@click.group()
def lecturer() -> None:
    """Add lecturers, heads of departments and administrators; reset passwords."""


@lecturer.command()
@click.option("--email", required=True, help="The address that the person signs in with.")
@click.option("--name", required=True, help="The name that others see.")
@click.option("--admin", is_flag=True, help="May add people, courses, rooms, cameras and the timetable.")
@_head_of
@_generate
def add(email: str, name: str, admin: bool, head_of: tuple[str, ...], generate: bool) -> None:
    """Add a lecturer, a head of departments or an administrator."""
    email, name = checked(EMAIL, "The address", email), checked(PERSON_NAME, "The name", name)
    # Asked for before the transaction: nobody else should wait for somebody who types.
    password = _password(generate)
    hashed = hash_password(password)
    with open_session(load_settings().database_url) as db:
        if _find(db, email):
            raise click.ClickException(f"There is a lecturer {email} already.")
        person = Account(email=email, name=name, password_hash=hashed)
        db.add(person)
        db.flush()
        noted(db, AuditAction.ACCOUNT_ADDED, subject=email)
        roles = [(Role.ADMIN, EVERYWHERE)] if admin else []
        for kind, reach in [*roles, *((Role.DEPARTMENT, _department(db, name)) for name in head_of)]:
            give_role(db, person.id, kind, reach)
            noted(db, AuditAction.ROLE_GIVEN, subject=email, details=role_details(db, kind, reach))
    word = "Administrator" if admin else "Head of a department" if head_of else "Lecturer"
    click.echo(f"{word} {email} added.", err=True)
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
    """Give the person with the address EMAIL a new password; sign-ins and tokens of programs end."""
    email = checked(EMAIL, "The address", email)
    password = _password(generate)
    hashed = hash_password(password)  # slow on purpose, so not while others wait to write
    with open_session(load_settings().database_url) as db:
        person = _found(db, email)
        set_password(db, person, hashed)
        noted(db, AuditAction.PASSWORD_RESET, subject=email)
        ended = end_tokens_of(db, person, actor=by_command())
    tokens = f" {ended} of the account's tokens of programs ended." if ended else ""
    click.echo(f"{email} has a new password.{tokens}", err=True)
    _show_generated(password, generate)


@lecturer.command("lift-second-factor")
@click.argument("email")
def lift_second_factor(email: str) -> None:
    """Let the person with the address EMAIL, whose phone is lost, sign in with the password alone.

    The app and the recovery codes stop working, and every sign-in of the account ends.
    """
    email = checked(EMAIL, "The address", email)
    with open_session(load_settings().database_url) as db:
        if not lift(db, _found(db, email)):
            raise click.ClickException(f"{email} signs in without a second factor.")
        noted(db, AuditAction.SECOND_FACTOR_REMOVED, subject=email)
    click.echo(f"{email} signs in with the password alone.", err=True)


@lecturer.command()
@click.argument("email")
@_head_of
@click.option("--teaches", multiple=True, metavar="COURSE", help="Is lecturer of the course with this code.")
@click.option("--assists", multiple=True, metavar="COURSE", help="Takes the registers of the course with this code.")
@click.option("--remove", is_flag=True, help="Take these roles away instead.")
def role(
    email: str, head_of: tuple[str, ...], teaches: tuple[str, ...], assists: tuple[str, ...], remove: bool
) -> None:
    """Give the person with the address EMAIL roles in departments and courses. Each option may be repeated.

    In a course, somebody is lecturer or assistant: the newer role counts.
    """
    email = checked(EMAIL, "The address", email)
    if not (head_of or teaches or assists):
        raise click.UsageError("say which role: --head-of, --teaches or --assists")
    with open_session(load_settings().database_url) as db:
        person = _found(db, email)
        wanted = [(Role.DEPARTMENT, _department(db, name)) for name in head_of]
        wanted += [(Role.LECTURER, _course(db, code)) for code in teaches]
        wanted += [(Role.ASSISTANT, _course(db, code)) for code in assists]
        for kind, reach in wanted:
            if not remove:
                give_role(db, person.id, kind, reach)
            elif role_in(db, person.id, reach) is kind:
                take_role(db, person.id, reach)
            else:
                raise click.ClickException(f"{email} does not have all these roles; nothing is changed.")
            action = AuditAction.ROLE_TAKEN if remove else AuditAction.ROLE_GIVEN
            noted(db, action, subject=email, details=role_details(db, kind, reach))
    roles = "the role" if len(wanted) == 1 else "the roles"
    click.echo(f"{email} {'has not' if remove else 'has'} {roles}{' any more' if remove else ''}.", err=True)


lecturer.add_command(links)


def _found(db: Session, email: str) -> Account:
    person = _find(db, email)
    if person is None:
        raise click.ClickException(f"There is no lecturer {email}; `attendance lecturer list` shows them.")
    return person


def _department(db: Session, name: str) -> Reach:
    found = db.scalar(sa.select(Department.id).where(Department.name == name))
    if found is None:
        raise click.ClickException(f"There is no department called {printable(name)}; the dashboard adds departments.")
    return Reach(department_id=found)


def _course(db: Session, code: str) -> Reach:
    found = db.scalar(sa.select(Course.id).where(Course.code == code))
    if found is None:
        raise click.ClickException(f"There is no course with the code {printable(code)}.")
    return Reach(course_id=found)


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
